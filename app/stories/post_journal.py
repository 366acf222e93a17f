"""A month's accepted chargeback statements are booked: one journal, once. What was booked is undone by another one.

Only a month that has closed makes journals, and a statement stands in one journal at most that is not reversed.
"""

from collections import Counter
from collections.abc import Sequence

from sqlmodel import Session

from app.core.chargeback.journal import Journal, JournalKind, accrual, reversal
from app.core.chargeback.periods import PeriodState, StatementState
from app.core.month import Month
from app.store.books import lock_books
from app.store.chargeback_tables import JournalRow, StatementRow
from app.store.configs import config_in_force
from app.store.journals import (
    AlteredError,
    add_journal,
    booked_by,
    free_statements,
    journal_in,
    journal_numbered,
    journals_of,
    next_number,
    post_statements,
    reversed_by,
    statement_in,
)
from app.store.periods import state_of
from app.store.statements import newest_statements
from app.world import World


class NotPostedError(Exception):
    """A journal that cannot be written or found; the message is a sentence for whoever asked."""


def preview(world: World, account_id: int, month: Month) -> Journal:
    """The journal that `post` would write now. Raises NotPostedError."""
    with world.db.reading() as session:
        return _accrual(session, account_id, month)[0]


def post(world: World, account_id: int, month: Month, by: str) -> Journal:
    """Book what is accepted of a month and not booked yet. Raises NotPostedError."""
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)  # two who post at the same time take turns
        journal, rows = _accrual(session, account_id, month)
        add_journal(session, journal, by, world.now())
        post_statements(session, rows, journal.number, by, world.now())
    return journal


def reverse(world: World, account_id: int, number: str, reason: str, by: str) -> Journal:
    """Undo a journal by another one; its statements are accepted again. Raises NotPostedError."""
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)
        journal = _journal(_found(session, account_id, number))
        if journal.kind is JournalKind.REVERSAL:
            raise NotPostedError(
                f"{number} is a reversal. Post {journal.month} again instead: its statements are accepted."
            )
        if by_other := reversed_by(session, account_id, number):
            raise NotPostedError(f"{number} is reversed already, by {by_other}: `journal show {by_other}` writes it.")
        undone = reversal(next_number(session, account_id, journal.month), journal, reason)
        add_journal(session, undone, by, world.now())
        rows = booked_by(session, account_id, number)
        free_statements(session, rows, f"{number} was reversed by {undone.number}: {reason}", by, world.now())
    return undone


def show(world: World, account_id: int, number: str) -> Journal:
    """A journal as it was written. Raises NotPostedError."""
    with world.db.reading() as session:
        return _journal(_found(session, account_id, number))


def listed(world: World, account_id: int, month: Month | None) -> Sequence[tuple[JournalRow, str]]:
    """An account's journals, or a month's, each with the one that reversed it."""
    with world.db.reading() as session:
        rows = journals_of(session, account_id, month)
    by_reversed = {row.reverses: row.number for row in rows if row.reverses}
    return [(row, by_reversed.get(row.number, "")) for row in rows]


def _found(session: Session, account_id: int, number: str) -> JournalRow:
    row = journal_numbered(session, account_id, number)
    if row is None:
        raise NotPostedError(f"There is no journal {number!r}; `journal list` shows them all.")
    return row


def _journal(row: JournalRow) -> Journal:
    try:
        return journal_in(row)
    except AlteredError as error:
        raise NotPostedError(str(error)) from error


def _accrual(session: Session, account_id: int, month: Month) -> tuple[Journal, list[StatementRow]]:
    """The journal of what is accepted, and the rows that it books."""
    state = state_of(session, account_id, month)
    if state is not PeriodState.CLOSED:
        does = "closes" if state is PeriodState.OPEN else "finishes"
        raise NotPostedError(f"{month} is {state.value}: `period close {month}` {does} it; then owners accept.")
    rows = newest_statements(session, account_id, month)
    ready = [row for row in rows if row.chargeback and row.state == StatementState.ACCEPTED.value]
    if not ready:
        raise NotPostedError(_why_nothing(month, rows))
    try:
        found = [statement_in(row) for row in ready]
        terms = config_in_force(session, account_id).chargeback
        journal = accrual(next_number(session, account_id, month), found, terms)
    except (AlteredError, ValueError) as error:
        raise NotPostedError(f"Nothing is booked of {month}: {error}") from error
    if not journal.lines:
        raise NotPostedError(f"What is accepted of {month} comes to nothing, so there is nothing to book.")
    return journal, ready


def _why_nothing(month: Month, rows: Sequence[StatementRow]) -> str:
    charged = [row for row in rows if row.chargeback]
    if not charged:
        return (
            f"{month} has no chargeback statement, and showback never makes a journal. `chargeback_from` of a cost"
            " center says from which month on its statements are booked."
        )
    waiting = Counter(row.state for row in charged if row.state != StatementState.POSTED.value)
    booked = sorted({row.journal for row in charged if row.journal})
    if not waiting:
        named = " and ".join(booked)
        return f"{month} is posted already, by {named}: `journal show` writes it again, `journal reverse` undoes it."
    told = ", ".join(f"{count} {state}" for state, count in sorted(waiting.items()))
    more = " more" if booked else ""
    return (
        f"Nothing{more} of {month} is accepted: {told}. A cost center's owner accepts its statement on its issue, or"
        " `statement accept` does."
    )
