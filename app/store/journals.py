"""Journals as they were written. Rows are only added; what a statement was booked by stands in its own row.

All functions work within the caller's transaction.
"""

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.chargeback.decisions import COMMAND_LINE
from app.core.chargeback.journal import Journal, read, written
from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Statement, digest, parsed
from app.core.month import Month
from app.store.chargeback_tables import JournalRow, StatementRow
from app.store.compressed import compressed, decompressed
from app.store.keys import us
from app.store.queue import enqueue
from app.store.statement_issues import statement_job
from app.store.statements import settle


class AlteredError(Exception):
    """What is kept is not what was written: its hash differs."""


def journal_numbered(session: Session, account_id: int, number: str) -> JournalRow | None:
    return session.get(JournalRow, (account_id, number))


def journals_of(session: Session, account_id: int, month: Month | None = None) -> list[JournalRow]:
    """An account's journals, or a month's, in the order in which they were written."""
    query = select(JournalRow).where(JournalRow.account_id == account_id)
    if month is not None:
        query = query.where(JournalRow.month == int(month))
    return sorted(session.exec(query), key=lambda row: (row.month, _place(row.number)))


def next_number(session: Session, account_id: int, month: Month) -> str:
    """The number of a month's next journal."""
    return f"J-{month}-{len(journals_of(session, account_id, month)) + 1}"


def reversed_by(session: Session, account_id: int, number: str) -> str:
    """The number of the journal that undid this one; "" for none."""
    query = select(JournalRow.number).where(JournalRow.account_id == account_id, JournalRow.reverses == number)
    return session.exec(query).first() or ""


def booked_by(session: Session, account_id: int, number: str) -> list[StatementRow]:
    """The statements that stand booked by a journal."""
    query = select(StatementRow).where(StatementRow.account_id == account_id, StatementRow.journal == number)
    return list(session.exec(query.order_by(col(StatementRow.link))))


def statement_in(row: StatementRow) -> tuple[Statement, str]:
    """A statement and its document's hash. Raises AlteredError where they do not belong together."""
    return parsed(
        _kept(row.document, row.sha256, row.kept_sha256, f"statement {row.number} v{row.version}")
    ), row.sha256


def journal_in(row: JournalRow) -> Journal:
    """A journal as it was written. Raises AlteredError where it is not."""
    return read(_kept(row.lines, row.sha256, row.kept_sha256, f"journal {row.number}"))


def add_journal(session: Session, journal: Journal, actor: str, now: datetime) -> JournalRow:
    """Keep a journal."""
    document = written(journal)
    kept = compressed(document)
    row = JournalRow(
        account_id=journal.account_id,
        number=journal.number,
        month=int(journal.month),
        kind=journal.kind.value,
        reverses=journal.reverses,
        currency=journal.currency,
        total_cents=journal.total_cents,
        lines=kept,
        sha256=digest(document),
        kept_sha256=digest(kept),
        actor=actor,
        created_at_us=us(now),
    )
    session.add(row)
    session.flush()
    return row


def post_statements(session: Session, rows: Sequence[StatementRow], number: str, actor: str, now: datetime) -> None:
    """Let statements be posted by a journal. Raises WrongStateError for one that is not accepted."""
    _settle(session, rows, StatementState.POSTED, number, f"journal {number}", actor, now)


def free_statements(session: Session, rows: Iterable[StatementRow], reason: str, actor: str, now: datetime) -> None:
    """Let statements be accepted again: the journal that booked them was undone."""
    _settle(session, rows, StatementState.ACCEPTED, "", reason, actor, now)


def _settle(
    session: Session,
    rows: Iterable[StatementRow],
    state: StatementState,
    journal: str,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    for row in rows:
        settle(session, row, state, COMMAND_LINE, now, login=actor, reason=reason)
        row.journal = journal
        session.add(row)
        enqueue(session, statement_job(row, now), now)  # its issue says so
    session.flush()


def _kept(document: bytes, sha256: str, kept_sha256: str, what: str) -> bytes:
    try:
        raw = decompressed(document)
    except zlib.error as error:
        raise AlteredError(f"{what} cannot be read as it was written: {error}.") from error
    if digest(raw) != sha256 or digest(document) != kept_sha256:
        raise AlteredError(f"{what} is not what was written: its hash differs.")
    return raw


def _place(number: str) -> int:
    return int(number.rpartition("-")[2])
