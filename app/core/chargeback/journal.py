"""A journal: what accounting books of a month's accepted chargeback statements, as values, JSON and CSV. Pure.

It balances to the cent: as a whole, for each statement, and for each month that its lines are of. A showback statement
has no place in one, and what was journalled is only ever undone by another journal.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from io import StringIO
from typing import Any

from app.core.chargeback.statement import Statement
from app.core.chargeback.terms import Chargeback, CostCenter, JournalTerms
from app.core.month import Month
from app.core.report.escape import plain
from app.core.report.shares import FORMULA

FORMAT = 1
LONGEST_CELL = 300


class JournalKind(StrEnum):
    ACCRUAL = "accrual"
    REVERSAL = "reversal"


@dataclass(frozen=True, slots=True)
class Booked:
    """A statement that a journal books, and the hash of its document."""

    cost_center: str
    number: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line, in cents; either `debit` or `credit` is above zero. `period`: the month that the amount is of."""

    period: Month
    account: str
    cost_center: str  # "" on the clearing account
    cost_center_label: str
    project: str
    debit: int
    credit: int
    reference: str
    text: str


@dataclass(frozen=True, slots=True)
class Journal:
    """As it was written, with the terms by which: they may change, a journal never does."""

    account_id: int
    number: str
    month: Month
    kind: JournalKind
    currency: str
    terms: JournalTerms
    statements: tuple[Booked, ...]
    lines: tuple[JournalLine, ...]
    reverses: str = ""
    reason: str = ""

    @property
    def total_cents(self) -> int:
        """What is debited, which is what is credited."""
        return sum(line.debit for line in self.lines)


def accrual(number: str, statements: Sequence[tuple[Statement, str]], terms: Chargeback) -> Journal:
    """The journal of accepted statements, each with its document's hash, in the order of their numbers.

    Raises ValueError for a showback one, for cents that do not add up, and where months or currencies differ.
    """
    ordered = sorted(statements, key=lambda each: (each[0].number, each[0].version))
    batches = {(each.account_id, each.month, each.currency) for each, _ in ordered}
    if len(batches) != 1:
        raise ValueError(f"a journal is of one account, month and currency, not {len(batches)}")
    ((account_id, month, currency),) = batches
    return _balanced(
        Journal(
            account_id=account_id,
            number=number,
            month=month,
            kind=JournalKind.ACCRUAL,
            currency=currency,
            terms=terms.journal,
            statements=tuple(Booked(each.cost_center, each.number, each.version, sha) for each, sha in ordered),
            lines=tuple(line for each, _ in ordered for line in _lines(each, terms)),
        )
    )


def reversal(number: str, journal: Journal, reason: str) -> Journal:
    """The journal that undoes another: the same lines with their sides swapped. Raises ValueError for a reversal."""
    if journal.kind is JournalKind.REVERSAL:
        raise ValueError("a reversal is not reversed: its statements can be posted again")
    lines = (
        replace(line, debit=line.credit, credit=line.debit, text=f"Reversal of {journal.number}: {line.text}")
        for line in journal.lines
    )
    return _balanced(
        replace(
            journal,
            number=number,
            kind=JournalKind.REVERSAL,
            lines=tuple(lines),
            reverses=journal.number,
            reason=reason,
        )
    )


def _lines(statement: Statement, terms: Chargeback) -> Iterator[JournalLine]:
    """An expense's line for each kind of amount, and for each month one of the clearing account."""
    if not statement.chargeback:
        raise ValueError(f"statement {statement.number} is showback, which never makes a journal")
    amounts = _amounts(statement)
    if (added := sum(cents for _, _, cents in amounts)) != statement.total_cents:
        raise ValueError(f"statement {statement.number} is {statement.total_cents} cents, its parts {added}")
    center = terms.centers.get(statement.cost_center, CostCenter(statement.cost_center, statement.label))
    reference = f"{statement.number} v{statement.version}"
    cleared: dict[Month, int] = defaultdict(int)
    for period, what, cents in amounts:
        cleared[period] += cents
        if cents:
            yield JournalLine(
                period=period,
                account=center.account or terms.journal.expense_account,
                cost_center=statement.cost_center,
                cost_center_label=statement.label,
                project=center.project,
                debit=max(0, cents),
                credit=max(0, -cents),
                reference=reference,
                text=f"AI agents {period}: {what}",
            )
    for period, cents in cleared.items():
        if cents:
            yield JournalLine(
                period=period,
                account=terms.journal.clearing_account,
                cost_center="",
                cost_center_label="",
                project="",
                debit=max(0, -cents),
                credit=max(0, cents),
                reference=reference,
                text=f"AI agents {period}: {statement.label}",
            )


def _amounts(statement: Statement) -> list[tuple[Month, str, int]]:
    """What is booked of a statement: the month that it is of, what it is, and its cents."""
    month = statement.month
    adjusted: dict[Month, int] = defaultdict(int)
    for each in statement.adjustments:
        adjusted[each.original] += each.cents
    return [
        (month, "direct cost", sum(line.cents for line in statement.lines)),
        (month, "subscription fees", sum(fee.cents for fee in statement.fees)),
        (month, "shared costs", sum(each.cents for each in statement.shared)),
        (month, "passed on", statement.distributed_cents),
        *((original, f"adjustments stated in {month}", adjusted[original]) for original in sorted(adjusted)),
    ]


def _balanced(journal: Journal) -> Journal:
    """The journal. Raises ValueError where it does not balance."""
    sums: dict[tuple[str, Month], int] = defaultdict(int)
    for line in journal.lines:
        sums[line.reference, line.period] += line.debit - line.credit
    if any(sums.values()):
        raise ValueError(f"journal {journal.number} does not balance")
    return journal


# ---- as JSON, which is kept ------------------------------------------------------------------------------------------


def written(journal: Journal) -> bytes:
    """The JSON that is kept: keys in order, no white space, UTF-8; the same journal gives the same bytes."""
    tree = {"format": FORMAT, **asdict(journal)}
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read(document: bytes) -> Journal:
    """The journal of its JSON. Raises ValueError for another format."""
    tree = json.loads(document)
    if tree.pop("format", None) != FORMAT:
        raise ValueError(f"this journal is of another format; this version reads {FORMAT}")
    terms = tree["terms"]
    return Journal(
        **{
            **tree,
            "month": Month(**tree["month"]),
            "kind": JournalKind(tree["kind"]),
            "terms": JournalTerms(**{**terms, "columns": tuple((head, cell) for head, cell in terms["columns"])}),
            "statements": tuple(Booked(**each) for each in tree["statements"]),
            "lines": tuple(JournalLine(**{**each, "period": Month(**each["period"])}) for each in tree["lines"]),
        }
    )


# ---- as CSV, which accounting imports --------------------------------------------------------------------------------


def csv_of(journal: Journal) -> bytes:
    """A head and a line for each of the journal's, by RFC 4180: UTF-8 without a mark, CRLF, quoted where it must be."""
    out = StringIO(newline="")
    write = csv.writer(out, delimiter=journal.terms.delimiter, lineterminator="\r\n").writerow
    write([_text(heading) for heading, _ in journal.terms.columns])
    for place, line in enumerate(journal.lines, start=1):
        cells = _cells(journal, place, line)
        write([cells[name] for _, name in journal.terms.columns])
    return out.getvalue().encode()


def _cells(journal: Journal, place: int, line: JournalLine) -> Mapping[str, Any]:
    decimal = journal.terms.decimal
    texts = {
        "journal": journal.number,
        "period": str(line.period),
        "account": line.account,
        "cost_center": line.cost_center,
        "cost_center_label": line.cost_center_label,
        "project": line.project,
        "currency": journal.currency,
        "reference": line.reference,
        "text": line.text,
        "empty": "",
    }
    return {
        **{name: _text(text) for name, text in texts.items()},
        "line": place,
        "date": dated(journal).isoformat(),
        "debit": _amount(line.debit, decimal) if line.debit else "",
        "credit": _amount(line.credit, decimal) if line.credit else "",
        "amount": _amount(line.debit - line.credit, decimal),
    }


def dated(journal: Journal) -> date:
    """The last day of its month, of a reversal too: together they are nothing in that month."""
    return journal.month.end.date() - timedelta(days=1)


def _amount(cents: int, decimal: str) -> str:
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}{decimal}{abs(cents) % 100:02}"


def _text(text: str) -> str:
    """A text of one line that no spreadsheet takes for a formula."""
    shown = plain(text, LONGEST_CELL)
    return f"'{shown}" if shown.startswith(FORMULA) else shown
