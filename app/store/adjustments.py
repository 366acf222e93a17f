"""Amounts that a month's statements have beside what the ledger says. Rows are only added.

All functions work within the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from app.core.chargeback.statement import Kind
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.chargeback_tables import AdjustmentRow, StatementRow
from app.store.keys import new_key, us

MOST_AMOUNTS = 2


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered as one thing: an amount of an earlier month, or two that sum to zero: a transfer.

    `once` makes it the same again.
    """

    month: Month  # in whose statements it is
    original: Month
    amounts: Sequence[tuple[str, NanoUsd]]
    kind: Kind
    reason: str
    evidence: str
    once: str
    actor: str


def adjustments_of(session: Session, account_id: int, month: Month) -> list[AdjustmentRow]:
    """What was entered into a month's statements, in the order in which it was."""
    query = select(AdjustmentRow).where(AdjustmentRow.account_id == account_id, AdjustmentRow.month == int(month))
    return list(session.exec(query.order_by(col(AdjustmentRow.id))))


def entered_as(session: Session, account_id: int, once: str) -> list[AdjustmentRow]:
    """What was entered as this before; nothing if it was not."""
    query = select(AdjustmentRow).where(
        AdjustmentRow.account_id == account_id,
        col(AdjustmentRow.once).in_([_mark(once, place) for place in range(MOST_AMOUNTS)]),
    )
    return list(session.exec(query.order_by(col(AdjustmentRow.once))))


def enter(session: Session, account_id: int, entered: Entered, now: datetime) -> list[AdjustmentRow]:
    """Add its rows. It must not have been entered before: the caller holds off others while it looks and enters."""
    transfer = new_key() if len(entered.amounts) > 1 else ""
    rows = [
        AdjustmentRow(
            id=new_key(),
            account_id=account_id,
            month=int(entered.month),
            original_month=int(entered.original),
            cost_center=cost_center,
            amount_nano_usd=amount,
            kind=entered.kind.value,
            reason=entered.reason,
            evidence=entered.evidence,
            transfer=transfer,
            once=_mark(entered.once, place),
            actor=entered.actor,
            created_at_us=us(now),
        )
        for place, (cost_center, amount) in enumerate(entered.amounts)
    ]
    session.add_all(rows)
    session.flush()
    return rows


def stated_cost_centers(session: Session, account_id: int) -> set[str]:
    """The cost centers that ever had a statement."""
    query = select(StatementRow.cost_center).where(StatementRow.account_id == account_id)
    return set(session.exec(query.distinct()))


def _mark(once: str, place: int) -> str:
    return f"{once}:{place}"
