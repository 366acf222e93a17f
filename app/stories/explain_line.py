"""Why a statement's line is what it is: read what it is made of, page by page, and tell it."""

from collections.abc import Iterator, Sequence

from sqlmodel import Session

from app.core.arithmetic import arithmetic_of
from app.core.chargeback.statement import Adjustment, Line, Statement
from app.core.config import Config
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.report.statement.why import (
    RUNS,
    Posting,
    Total,
    WalkedCall,
    WalkedRun,
    charge_month,
    found,
    why_lines,
)
from app.store.accounts import repository_of
from app.store.configs import config_in_force
from app.store.keys import instant
from app.store.line_walk import LineAsked, RunDetails, RunInLine, details_of, runs_in_line
from app.store.ownership import owners_of
from app.store.periods import coverage_of
from app.store.walk import agent_runs
from app.world import World


def why(world: World, statement: Statement, name: str, page: int = 1) -> Iterator[str]:
    """The walk from a line ("12") or an adjustment ("A3") down to single charges, in lines of text."""
    row = found(statement, name)
    if row is None or (isinstance(row, Adjustment) and row.proof is None):
        yield from why_lines(statement, name, (), ())
        return
    with world.db.reading() as session:
        asked = _asked(session, statement, row)
        config = config_in_force(session, statement.account_id)
        runs = runs_in_line(session, asked, owners_of(session, statement.account_id, config).owner_of)
        shown = runs[(page - 1) * RUNS : page * RUNS]
        details = details_of(session, asked, [each.agent_run_id for each in shown])
        walked = [_walked(world, session, config, one, of) for one, of in zip(details, shown, strict=True)]
        totals = _totals(session, statement.account_id, runs)
    yield from why_lines(statement, name, totals, walked, page)


def _asked(session: Session, statement: Statement, row: Line | Adjustment) -> LineAsked:
    return LineAsked(
        account_id=statement.account_id,
        cost_center=statement.cost_center,
        book=row.book,
        repository_id=row.repository_id,
        number=row.number,
        charged=charge_month(statement, row),
        covered=coverage_of(session, statement.account_id, statement.month),
        kind=row.kind if isinstance(row, Adjustment) else None,
    )


def _totals(session: Session, account_id: int, runs: Sequence[RunInLine]) -> list[Total]:
    """All agent runs of the line; of the dearest alone the agent is told, as no others are named."""
    named = agent_runs(session, account_id, [each.agent_run_id for each in runs[: 4 * RUNS]])
    return [
        Total(
            each.agent_run_id,
            named[each.agent_run_id].agent if each.agent_run_id in named else "",
            each.amount,
            bool(each.owner.covered_by),
        )
        for each in runs
    ]


def _walked(world: World, session: Session, config: Config, of: RunDetails, line: RunInLine) -> WalkedRun:
    run, job, tie = of.run, of.job, of.tie
    home = repository_of(session, run.account_id, job.repository_id)
    place = f"{world.settings.github_web_url}/{home.owner}/{home.name}/actions/runs" if home is not None else ""
    calls = tuple(
        WalkedCall(each, arithmetic_of(world.prices, config, each.call, each.price.cost)) for each in of.calls
    )
    return WalkedRun(
        agent_run_id=run.id,
        agent=run.agent,
        agent_version=run.agent_version,
        workflow=job.workflow,
        job=job.job_name,
        started_at=instant(run.started_at_us),
        url=f"{place}/{job.run_id}/attempts/{job.run_attempt}" if place and job.run_id else "",
        evidence=tie.evidence if tie is not None else "",
        evidence_note=tie.note if tie is not None else _note(run.evidence_note, of),
        basis=line.owner.basis.value,
        covered_by=line.owner.covered_by,
        amount=line.amount,
        postings=tuple(
            Posting(each.id or 0, instant(each.posted_at_us), NanoUsd(each.amount_nano_usd), each.reason)
            for each in of.entries
        ),
        calls=calls,
    )


def _note(note: str, of: RunDetails) -> str:
    """What is said of an agent run without a pull; of one whose pull changed since, that it did."""
    was_pull = any(each.book == Book.PULL.value for each in of.entries)
    return "It was this pull's when the month closed, and is another's now." if was_pull else note
