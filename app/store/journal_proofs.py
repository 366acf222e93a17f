"""What is wrong with kept journals: with each by itself, and beside the statements that it books. Reads only."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlmodel import Session

from app.core.chargeback.journal import Journal, JournalKind, reversal
from app.core.chargeback.periods import StatementState
from app.core.month import Month
from app.store.chargeback_tables import JournalRow, StatementRow
from app.store.journals import AlteredError, journal_in, journals_of


def wrong_journals(session: Session, account_id: int, statements: Sequence[StatementRow]) -> list[str]:
    """A sentence for each fault; `statements`: all versions of the account's."""
    rows = journals_of(session, account_id)
    journals, faults = _read(rows)
    return [*faults, *_missing(rows), *_wrong_reversals(journals), *_misbooked(journals, statements)]


def _read(rows: Sequence[JournalRow]) -> tuple[dict[str, Journal], list[str]]:
    """The journals that can be read, by number, and what is wrong with each beside its columns."""
    journals, faults = {}, []
    for row in rows:
        try:
            journal = journal_in(row)
        except (AlteredError, ValueError) as altered:
            faults.append(str(altered))
            continue
        journals[row.number] = journal
        faults += [f"journal {row.number}: {name} is not what was written" for name in _differing(row, journal)]
    return journals, faults


def _differing(row: JournalRow, journal: Journal) -> Iterator[str]:
    same = {
        "account_id": (row.account_id, journal.account_id),
        "number": (row.number, journal.number),
        "month": (row.month, int(journal.month)),
        "kind": (row.kind, journal.kind.value),
        "reverses": (row.reverses, journal.reverses),
        "currency": (row.currency, journal.currency),
        "total_cents": (row.total_cents, journal.total_cents),
    }
    yield from (name for name, (column, told) in same.items() if column != told)


def _missing(rows: Sequence[JournalRow]) -> Iterator[str]:
    """A month's journals are numbered from 1 on without a gap. The last ones may be missed by their statements."""
    numbers = {row.number for row in rows}
    for month, count in sorted(Counter(row.month for row in rows).items()):
        wanted = [f"J-{Month.from_int(month)}-{place}" for place in range(1, count + 1)]
        yield from (f"journal {number}: it is missing" for number in wanted if number not in numbers)


def _wrong_reversals(journals: Mapping[str, Journal]) -> Iterator[str]:
    for journal in journals.values():
        if journal.kind is JournalKind.REVERSAL and (undone := journals.get(journal.reverses)) is not None:
            if undone.kind is JournalKind.REVERSAL or reversal(journal.number, undone, journal.reason) != journal:
                yield f"journal {journal.number}: it is not {journal.reverses} with its sides swapped"
        elif journal.kind is JournalKind.REVERSAL:
            yield f"journal {journal.number}: there is no {journal.reverses} that it reverses"


def _misbooked(journals: Mapping[str, Journal], statements: Sequence[StatementRow]) -> Iterator[str]:
    """Each posted statement is booked as it was issued by the journal that its row names; no other one is."""
    undone = {journal.reverses for journal in journals.values()}
    booked = {
        (number, each.number, each.version, each.sha256)
        for number, journal in journals.items()
        if journal.kind is JournalKind.ACCRUAL and number not in undone
        for each in journal.statements
    }
    posted = {
        (row.journal, row.number, row.version, row.sha256)
        for row in statements
        if row.journal or row.state == StatementState.POSTED.value
    }
    for journal_number, number, version, _ in sorted(booked - posted):
        yield f"{number} v{version}: journal {journal_number} books it, but it is not posted by that as it was issued"
    for journal_number, number, version, _ in sorted(posted - booked):
        by = journal_number or "none"
        yield f"{number} v{version}: it is posted by journal {by}, which does not book it as it was issued"
