"""A dispute ends with an answer: the next version of the statement, with the same lines and the answer in it.

Closed months never change. What the dispute wins is a transfer between cost centers in the month that is open, with the
disputed statement as its evidence. Nobody else's statement waits for it, or changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from app.core.chargeback.decisions import COMMAND_LINE
from app.core.chargeback.periods import StatementState
from app.core.chargeback.statement import Kind
from app.core.chargeback.terms import UNASSIGNED
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.adjustments import Entered, enter, stated_cost_centers
from app.store.books import lock_books
from app.store.chargeback_tables import AdjustmentRow, StatementRow
from app.store.configs import config_in_force
from app.store.periods import open_month
from app.store.queue import enqueue
from app.store.statement_issues import held, last_event, standing, statement_job
from app.store.statements import document_of, issue, settle
from app.world import World


class NotResolvedError(Exception):
    """A dispute that cannot be answered so; the message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Won:
    """What a dispute moves from one cost center's bill to another's, above zero."""

    giver: str
    taker: str
    amount: NanoUsd


@dataclass(frozen=True, slots=True)
class Resolved:
    """The version that is in force now, and what was entered into the open month."""

    row: StatementRow
    adjustments: Sequence[AdjustmentRow]


def resolve(world: World, account_id: int, number: str, answer: str, won: Sequence[Won], by: str) -> Resolved:
    """Answer a dispute. Raises NotResolvedError; then nothing is changed."""
    now = world.now()
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)  # no close begins, and nobody else lengthens the chain
        row = _disputed(session, account_id, number)
        for each in won:
            _check(session, row, each)
        event = last_event(session, row)
        reason = f"dispute: {event.reason}" if event is not None and event.reason else "dispute"
        entered = [_enter(session, row, each, place, reason, by, now) for place, each in enumerate(won, start=1)]
        former = document_of(row)
        settle(session, row, StatementState.REPLACED, COMMAND_LINE, now, login=by, reason=answer)
        answered = replace(
            former, version=former.version + 1, issued_at=now, answers=(*former.answers, answer), previous_sha256=""
        )
        (newest,) = issue(session, [answered], COMMAND_LINE, now)
        enqueue(session, statement_job(newest, now), now)
    return Resolved(newest, [adjustment for rows in entered for adjustment in rows])


def _disputed(session: Session, account_id: int, number: str) -> StatementRow:
    row = held(session, account_id, number)
    if row is None:
        raise NotResolvedError(f"There is no statement {number}.")
    if row.state != StatementState.DISPUTED.value:
        told = standing(session, row, config_in_force(session, account_id)).told
        raise NotResolvedError(
            f"Statement {number} v{row.version} is not disputed: it was {row.state}{' ' + told if told else ''}. "
            "Without a dispute, use `python -m app adjust` for what is wrong in it."
        )
    return row


def _check(session: Session, row: StatementRow, won: Won) -> None:
    known = {*config_in_force(session, row.account_id).chargeback.centers, UNASSIGNED}
    known |= stated_cost_centers(session, row.account_id)
    for name in (won.giver, won.taker):
        if name not in known:
            raise NotResolvedError(f"There is no cost center {name!r}. There are: {', '.join(sorted(known))}.")
    if won.giver == won.taker or row.cost_center not in (won.giver, won.taker):
        raise NotResolvedError(
            f"Statement {row.number} is {row.cost_center}'s: a dispute of it moves what {row.cost_center} pays to or "
            "from another cost center."
        )


def _enter(
    session: Session, row: StatementRow, won: Won, place: int, reason: str, by: str, now: datetime
) -> list[AdjustmentRow]:
    entered = Entered(
        month=open_month(session, row.account_id, now),
        original=Month.from_int(row.month),
        amounts=((won.giver, NanoUsd(-won.amount)), (won.taker, won.amount)),
        kind=Kind.DISPUTE,
        reason=reason,
        evidence=f"statement {row.number} v{row.version}, sha256 {row.sha256[:12]}",
        once=f"dispute:{row.number}:v{row.version}:{place}",
        actor=by,
    )
    return enter(session, row.account_id, entered, now)
