"""Months that close or have closed, by account. A month without a row is open.

All functions work within the caller's transaction.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from app.core.chargeback.periods import Coverage, Mark, PeriodState, coverage, next_to_close
from app.core.config import Config, in_force
from app.core.month import Month
from app.store.books import lock_books
from app.store.chargeback_tables import PeriodRow
from app.store.configs import config_of
from app.store.keys import us
from app.store.tables import Balance, LedgerEntry


def periods_of(session: Session, account_id: int) -> list[PeriodRow]:
    """The months that close or have closed, in order."""
    query = select(PeriodRow).where(PeriodRow.account_id == account_id).order_by(col(PeriodRow.month))
    return list(session.exec(query))


def period_of(session: Session, account_id: int, month: Month) -> PeriodRow | None:
    """A month's row; None while it is open."""
    return session.get(PeriodRow, (account_id, int(month)))


def state_of(session: Session, account_id: int, month: Month) -> PeriodState:
    row = period_of(session, account_id, month)
    return PeriodState.OPEN if row is None else PeriodState(row.state)


def marks_of(session: Session, account_id: int) -> list[Mark]:
    """The marks of all months that close or have closed, in order of months."""
    return [Mark(Month.from_int(row.month), row.ledger_until) for row in periods_of(session, account_id)]


def coverage_of(session: Session, account_id: int, month: Month) -> Coverage:
    """Which ledger entries a month states."""
    return coverage(month, marks_of(session, account_id))


def first_month(session: Session, account_id: int) -> Month | None:
    """The first month with anything in the books; None for empty ones."""
    found = session.exec(select(func.min(Balance.month)).where(Balance.account_id == account_id)).one()
    return None if found is None else Month.from_int(found)


def month_to_close(session: Session, account_id: int) -> Month | None:
    """The only month that can close next; None while nothing is in the books."""
    return next_to_close(first_month(session, account_id), marks_of(session, account_id))


def open_month(session: Session, account_id: int, now: datetime) -> Month:
    """The month into whose statements an adjustment goes: the first one that neither closes nor has closed.

    The caller's transaction holds off a close that would begin meanwhile.
    """
    lock_books(session, account_id, shared=True)
    marks = marks_of(session, account_id)
    return marks[-1].month.next if marks else first_month(session, account_id) or Month.of(now)


def begin_closing(session: Session, account_id: int, month: Month, early: bool, actor: str, now: datetime) -> PeriodRow:
    """Let a month begin to close: what its books know is settled now, by its mark and its configuration."""
    lock_books(session, account_id, shared=False)
    version = config_of(session, account_id)
    last = session.exec(select(func.max(LedgerEntry.id))).one()
    row = PeriodRow(
        account_id=account_id,
        month=int(month),
        state=PeriodState.CLOSING.value,
        ledger_until=last or 0,
        config_text=version.good_text,
        config_public=version.public,
        early=early,
        actor=actor,
        closing_at_us=us(now),
    )
    session.add(row)
    session.flush()
    return row


def closed(session: Session, row: PeriodRow, findings: Sequence[str], now: datetime) -> None:
    """A month's statements are issued: it has closed. `findings`: sentences about what was doubtful."""
    row.state, row.closed_at_us = PeriodState.CLOSED.value, us(now)
    row.findings = json.dumps(list(findings), ensure_ascii=False)
    session.merge(row)
    session.flush()


def config_sha256(row: PeriodRow) -> str:
    """The hash of the configuration by which a month closed, as its statements bear it."""
    return hashlib.sha256(f"{row.config_public:d}{row.config_text}".encode()).hexdigest()


def config_of_period(row: PeriodRow) -> Config:
    """The configuration by which a month closed."""
    return in_force(row.config_text, row.config_public)
