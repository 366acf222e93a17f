"""A month ends: list everything that was found, settle what its books know, issue one statement for each cost center.

It closes once for the whole account and in order. A crash between its beginning and its end repeats without effect:
the mark and the configuration are settled first, and all else follows from them and the ledger.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from app.core.chargeback.assembly import MonthBooks, statements_of
from app.core.chargeback.findings import Finding
from app.core.chargeback.metric_figures import figures_of
from app.core.chargeback.periods import PeriodState, closes_at, is_early, is_over
from app.core.chargeback.statement import Adjustment, Figures, Kind
from app.core.combined import combined
from app.core.config import Config
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import trend_months
from app.core.shares import Dimension
from app.store.accounts import installation_of
from app.store.adjustments import adjustments_of
from app.store.books import lock_books
from app.store.chargeback_tables import AdjustmentRow, PeriodRow, StatementRow
from app.store.configs import config_in_force
from app.store.keys import instant
from app.store.month_findings import findings_of
from app.store.periods import (
    begin_closing,
    closed,
    config_of_period,
    config_sha256,
    coverage_of,
    month_to_close,
    period_of,
)
from app.store.queue import Job, enqueue
from app.store.rolled_up import rows_of_month
from app.store.stated import Stated, read_stated
from app.store.statement_issues import statement_job
from app.store.statements import issue_prepared, prepare
from app.store.statements import statements_of as issued_of
from app.world import World

log = logging.getLogger(__name__)


class CloseRefusedError(Exception):
    """A month cannot close now; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What came of closing a month: its statements, and whether it had closed before."""

    month: Month
    statements: Sequence[StatementRow]
    findings: Sequence[str]
    early: bool
    again: bool


def close_by_clock(job: Job, world: World) -> None:
    """Close the month that is due by the configuration. What cannot close yet is said in the log, and tried again."""
    month = Month.parse(str(job.args["month"]))
    try:
        done = close(world, job.account_id, month, "schedule")
    except CloseRefusedError as refused:
        log.warning("account %s: %s is not closed: %s", job.account_id, month, refused)
        return
    if not done.again:
        log.info("account %s: %s closed, %d statements", job.account_id, month, len(done.statements))


def due_month(session: Session, account_id: int, now: datetime) -> Month | None:
    """The month that an account's configuration wants closed by now; None for none."""
    terms = config_in_force(session, account_id).chargeback.close
    month = month_to_close(session, account_id) if terms.day else None
    row = None if month is None else period_of(session, account_id, month.previous)
    if row is not None and row.state == PeriodState.CLOSING.value:
        return Month.from_int(row.month)  # its end was missed
    return month if month is not None and now >= closes_at(month, terms.day, terms.time_zone) else None


def close(world: World, account_id: int, month: Month, actor: str) -> Closed:
    """Close a month, or finish what was begun; a month that has closed is told as it was issued.

    Raises CloseRefusedError out of order, before the month is over, and for an account that is not known.
    """
    row = _begin(world, account_id, month, actor)
    if row.state == PeriodState.CLOSED.value:
        with world.db.reading() as session:
            return _told(month, row, issued_of(session, account_id, month), again=True)
    with world.db.reading() as session:
        covered = coverage_of(session, account_id, month)
    stated = read_stated(world.db, account_id, covered)
    findings = _found(world, account_id, month, stated)
    made = statements_of(_books(world, account_id, row, stated, findings), config_of_period(row).chargeback)
    with world.db.reading() as session:
        prepared = prepare(session, account_id, made)
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)  # two who finish the same month take turns
        held = period_of(session, account_id, month)
        if held is None or held.state == PeriodState.CLOSED.value:
            return _told(month, held or row, issued_of(session, account_id, month), again=True)
        rows = issue_prepared(session, prepared, actor, world.now())
        closed(session, held, [each.sentence for each in findings], world.now())
        for statement in rows:
            enqueue(session, statement_job(statement, world.now()), world.now())
    return _told(month, held, rows, again=False)


def check(world: World, account_id: int, month: Month) -> list[Finding]:
    """All that a close of the month would find, at once. Writes nothing."""
    with world.db.reading() as session:
        covered = coverage_of(session, account_id, month)
    return _found(world, account_id, month, read_stated(world.db, account_id, covered))


def _begin(world: World, account_id: int, month: Month, actor: str) -> PeriodRow:
    """The month's row: as it is, or made now."""
    with world.db.transaction() as session:
        lock_books(session, account_id, shared=False)
        if (row := period_of(session, account_id, month)) is not None:
            return row
        _refuse(session, account_id, month, world.now())
        return begin_closing(
            session, account_id, month, early=is_early(month, world.now()), actor=actor, now=world.now()
        )


def _refuse(session: Session, account_id: int, month: Month, now: datetime) -> None:
    wanted = month_to_close(session, account_id)
    if wanted is None:
        raise CloseRefusedError("Nothing is in the books of this account yet, so there is no month to close.")
    if month != wanted:
        which = "has no agent run in or before it" if month < wanted else "comes after it"
        raise CloseRefusedError(f"Months close in order: {wanted} is next, and {month} {which}. Close {wanted} first.")
    before = period_of(session, account_id, month.previous)
    if before is not None and before.state != PeriodState.CLOSED.value:
        raise CloseRefusedError(f"{month.previous} is still closing. Close {month.previous} again, which finishes it.")
    zone = config_in_force(session, account_id).chargeback.close.time_zone
    if not is_over(month, now, zone):
        raise CloseRefusedError(f"{month} is not over yet (in UTC and in {zone}).")


def _books(world: World, account_id: int, row: PeriodRow, stated: Stated, findings: Sequence[Finding]) -> MonthBooks:
    """What the statements are made of, as of the instant at which the month began to close."""
    month, issued_at = Month.from_int(row.month), instant(row.closing_at_us)
    with world.db.reading() as session:
        installation = installation_of(session, account_id)
        entered = adjustments_of(session, account_id, month)
        figures = _figures(session, account_id, config_of_period(row), month, issued_at)
    adjustments = _adjustments(stated, entered)
    return MonthBooks(
        account_id=account_id,
        account=installation.account_login if installation else str(account_id),
        month=month,
        issued_at=issued_at,
        ledger_until=row.ledger_until,
        config_sha256=config_sha256(row),
        lines={name: stated.states.lines_of(name) for name in stated.states.lines},
        adjustments=adjustments,
        figures=figures,
        findings=_by_center(findings),
        used=stated.states.used(),
    )


def _found(world: World, account_id: int, month: Month, stated: Stated) -> list[Finding]:
    """What is doubtful about a month: its owners, and how well its usage is known."""
    with world.db.reading() as session:
        return findings_of(session, account_id, month, stated, world.now())


def _adjustments(stated: Stated, entered: Sequence[AdjustmentRow]) -> dict[str, tuple[Adjustment, ...]]:
    """Those that the ledger makes, and behind them those that were entered."""
    made = {name: stated.states.adjustments_of(name) for name in stated.states.adjustments}
    for each in entered:
        by_hand = Adjustment(
            original=Month.from_int(each.original_month),
            kind=Kind(each.kind),
            repository_id=0,
            repository="",
            book="",
            number=0,
            agent_runs=0,
            amount=NanoUsd(each.amount_nano_usd),
            covered=ZERO,
            reason=each.reason,
            evidence=each.evidence,
        )
        made[each.cost_center] = (*made.get(each.cost_center, ()), by_hand)
    return made


def _figures(
    session: Session, account_id: int, config: Config, month: Month, now: datetime
) -> dict[str, tuple[Figures, ...]]:
    """Each cost center's metrics of the month and of those before it, the oldest first."""
    found: dict[str, list[Figures]] = {}
    for each in trend_months(month):
        rows = rows_of_month(session, account_id, config, each, Dimension.COST_CENTER, now)
        for name, metrics in combined(Dimension.COST_CENTER, Period.of(each), rows, now).items():
            found.setdefault(name, []).append(figures_of(each, metrics))
    return {name: tuple(each) for name, each in found.items()}


def _by_center(findings: Sequence[Finding]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for each in findings:
        if each.cost_center:
            found.setdefault(each.cost_center, []).append(each.sentence)
    return {name: tuple(sentences) for name, sentences in found.items()}


def _told(month: Month, row: PeriodRow, rows: Sequence[StatementRow], *, again: bool) -> Closed:
    return Closed(month, rows, json.loads(row.findings), row.early, again)
