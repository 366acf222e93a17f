"""A person corrects a month that has closed: a transfer between cost centers, or a named credit.

It goes into the first month that is still open, with its original month, reason and evidence. A month that is open is
never adjusted: what is wrong there is mended where it comes from. What a dispute wins is entered by its answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from app.core.chargeback.by_hand import ByHand, check
from app.core.chargeback.statement import Kind
from app.core.chargeback.terms import UNASSIGNED
from app.core.month import Month
from app.store.adjustments import Entered, enter, entered_as, stated_cost_centers
from app.store.books import lock_books
from app.store.chargeback_tables import AdjustmentRow
from app.store.configs import config_in_force
from app.store.periods import marks_of, open_month
from app.world import World


class NotAdjustedError(Exception):
    """An adjustment that cannot be entered; the message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Its rows; `again`: they were there before, and nothing was entered."""

    rows: Sequence[AdjustmentRow]
    again: bool


def adjust(world: World, account_id: int, asked: ByHand, by: str) -> Adjusted:
    """Enter an adjustment, once. Raises NotAdjustedError and NoSuchAdjustmentError."""
    check(asked)
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)  # no close begins, and nobody enters the same, meanwhile
        if known := entered_as(session, account_id, asked.once):
            return Adjusted(known, again=True)
        _check_month(session, account_id, asked.original)
        _check_cost_centers(session, account_id, [name for name, _ in asked.amounts])
        entered = Entered(
            month=open_month(session, account_id, world.now()),
            original=asked.original,
            amounts=asked.amounts,
            kind=Kind.MANUAL,
            reason=asked.told_reason,
            evidence=asked.evidence,
            once=asked.once,
            actor=by,
        )
        return Adjusted(enter(session, account_id, entered, world.now()), again=False)


def _check_month(session: Session, account_id: int, original: Month) -> None:
    months = [mark.month for mark in marks_of(session, account_id)]
    if original in months:
        return
    if months and original < months[0]:
        raise NotAdjustedError(f"{original} has no statements: the first month that closed is {months[0]}.")
    raise NotAdjustedError(
        f"{original} is open: there is nothing to adjust yet. Change cost_centers in the configuration, or attribute"
        " agent runs to their pulls (`attribute`), and its statements will say so."
    )


def _check_cost_centers(session: Session, account_id: int, names: Sequence[str]) -> None:
    configured = config_in_force(session, account_id).chargeback.centers
    known = {*configured, *stated_cost_centers(session, account_id), UNASSIGNED}
    for name in names:
        if name not in known:
            raise NotAdjustedError(f"There is no cost center {name!r}. There are: {', '.join(sorted(known))}.")
