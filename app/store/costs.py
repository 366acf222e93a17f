"""What pulls and months cost, read from the books for reports and metrics. Reads only."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from app.core.ledger import Book
from app.core.metrics import PullSpend
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.stacks import carriers
from app.core.usage import Tokens
from app.store.keys import known_instant, us
from app.store.pulls import PullKey, reversals_among, stacked
from app.store.tables import AgentRun, Balance, LedgerEntry, ModelCallRow, Pull, Repository, Tie, WorkflowJob

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class TiedRun:
    """An agent run with its part in one pull. `pulls_served`: how many pulls share it."""

    agent_run: AgentRun
    job: WorkflowJob
    tie: Tie
    cost: NanoUsd
    unpriced_models: tuple[str, ...]
    pulls_served: int


@dataclass(frozen=True, slots=True)
class UsageOfMonth:
    """What a repository's model calls of one month add up to."""

    model_calls: int
    unpriced_calls: int
    unpriced_models: tuple[str, ...]
    tokens: Tokens
    told_cost: NanoUsd = ZERO  # of those calls that telemetry with an access token told of


@dataclass(frozen=True, slots=True)
class RunsOfMonth:
    """`by_team`: how many agent runs bear each team tag; "" is none. `told`: by telemetry with an access token."""

    agent_runs: int
    incomplete: int
    unattributed: int
    by_team: Mapping[str, int]
    told: int = 0


@dataclass(frozen=True, slots=True)
class Behind:
    """A page: at most so many, by id, behind the id `after`."""

    after: str
    most: int


def tied_runs(session: Session, key: PullKey, page: Behind | None = None) -> list[TiedRun]:
    """The agent runs that are tied to a pull, oldest first; or a page of them, by id."""
    query = (
        select(AgentRun, WorkflowJob, Tie)
        .where(Tie.agent_run_id == AgentRun.id, AgentRun.workflow_job_id == WorkflowJob.id)
        .where(Tie.account_id == key.account_id, Tie.repository_id == key.repository_id, Tie.number == key.number)
    )
    if page is None:
        query = query.order_by(col(AgentRun.started_at_us), col(AgentRun.id))
    else:
        query = query.where(AgentRun.id > page.after).order_by(col(AgentRun.id)).limit(page.most)
    found = list(session.exec(query))
    ids = [agent_run.id for agent_run, _, _ in found]
    costs = _costs_on_pull(session, key, ids)
    unpriced = _unpriced_models(session, key.account_id, ids)
    served = _pulls_served(session, key.account_id, ids)
    return [
        TiedRun(run, job, tie, costs.get(run.id, NanoUsd(0)), unpriced.get(run.id, ()), served.get(run.id, 1))
        for run, job, tie in found
    ]


def _costs_on_pull(session: Session, key: PullKey, ids: list[str]) -> dict[str, NanoUsd]:
    query = (
        select(LedgerEntry.agent_run_id, func.sum(LedgerEntry.amount_nano_usd))
        .where(
            LedgerEntry.account_id == key.account_id,
            LedgerEntry.repository_id == key.repository_id,
            LedgerEntry.book == Book.PULL.value,
            LedgerEntry.number == key.number,
            col(LedgerEntry.agent_run_id).in_(ids),
        )
        .group_by(LedgerEntry.agent_run_id)
    )
    return {agent_run_id: NanoUsd(int(amount)) for agent_run_id, amount in session.exec(query)}


def _unpriced_models(session: Session, account_id: int, ids: list[str]) -> dict[str, tuple[str, ...]]:
    query = (
        select(ModelCallRow.agent_run_id, ModelCallRow.model)
        .where(
            ModelCallRow.account_id == account_id,
            col(ModelCallRow.agent_run_id).in_(ids),
            col(ModelCallRow.cost_nano_usd).is_(None),
        )
        .distinct()
        .order_by(ModelCallRow.model)
    )
    return _grouped(session.exec(query))


def _pulls_served(session: Session, account_id: int, ids: list[str]) -> dict[str, int]:
    query = (
        select(Tie.agent_run_id, func.count())
        .where(Tie.account_id == account_id, col(Tie.agent_run_id).in_(ids))
        .group_by(Tie.agent_run_id)
    )
    return dict(session.exec(query).all())


def _grouped(rows: Iterable[tuple[Any, str]]) -> dict[Any, tuple[str, ...]]:
    groups: dict[Any, list[str]] = defaultdict(list)
    for key, value in rows:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}


def open_jobs_on_pull(session: Session, key: PullKey) -> int:
    """Jobs whose signed token or event names the pull, that opened and have not reported yet."""
    named = (f"refs/pull/{key.number}/merge", f"refs/pull/{key.number}/head")
    query = select(func.count()).where(
        WorkflowJob.account_id == key.account_id,
        WorkflowJob.repository_id == key.repository_id,
        WorkflowJob.state == "opened",
        col(WorkflowJob.ref).in_(named),
    )
    return session.exec(query).one()


def ties_naming(session: Session, key: PullKey) -> int:
    """Agent runs that could be this pull's or another's: they are in no pull's figure."""
    query = select(AgentRun.tied_pulls).where(
        AgentRun.account_id == key.account_id,
        AgentRun.repository_id == key.repository_id,
        AgentRun.tied_pulls != "[]",
    )
    return sum(key.number in json.loads(tied) for tied in session.exec(query))


@dataclass(frozen=True, slots=True)
class Unattributed:
    agent_runs: int
    cost: NanoUsd


def unattributed_of(session: Session, account_id: int, repository_id: int, month: Month) -> Unattributed:
    """What of a repository's month is tied to no pull: priced cost of its calls, and agent runs started in it."""
    loose = (Book.UNATTRIBUTED.value, Book.ABANDONED.value)
    amounts = select(Balance.amount_nano_usd).where(
        Balance.account_id == account_id,
        Balance.repository_id == repository_id,
        Balance.month == int(month),
        col(Balance.book).in_(loose),
    )
    runs = runs_of_month(session, account_id, month).get(repository_id)
    return Unattributed(runs.unattributed if runs else 0, NanoUsd(sum(session.exec(amounts))))


def balances_by_repository(session: Session, account_id: int) -> dict[int, dict[tuple[Book, int, Month], NanoUsd]]:
    """Every balance of an account by repository: (book, pull number, charge month) → nano-USD."""
    found: dict[int, dict[tuple[Book, int, Month], NanoUsd]] = defaultdict(dict)
    for row in session.exec(select(Balance).where(Balance.account_id == account_id)):
        place = (Book(row.book), row.number, Month.from_int(row.month))
        found[row.repository_id][place] = NanoUsd(row.amount_nano_usd)
    return found


def pull_spends(
    session: Session,
    repository: Repository,
    balances: dict[tuple[Book, int, Month], NanoUsd],
    tracks: Callable[[str, str], bool],
) -> list[tuple[Pull, PullSpend]]:
    """Every pull of a repository with what its agent runs cost by month; pulls without agent runs included.

    `tracks(base branch, default branch)` tells whether a merge into a branch counts.
    """
    account_id, repository_id = repository.account_id, repository.repository_id
    query = select(Pull).where(Pull.account_id == account_id, Pull.repository_id == repository_id)
    pulls = session.exec(query.order_by(col(Pull.number))).all()
    carried = carriers([stacked(pull, tracks(pull.base_ref, repository.default_branch)) for pull in pulls])
    by_pull: dict[int, dict[datetime, NanoUsd]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for (book, number, month), amount in balances.items():
        if book is Book.PULL and amount:
            on = by_pull[carried.get(number, number)]
            on[month.start] = NanoUsd(on[month.start] + amount)
    agent_runs: dict[int, int] = defaultdict(int)
    for number, runs in _agent_runs_by_pull(session, account_id, repository_id).items():
        agent_runs[carried.get(number, number)] += runs
    reverted = reversals_among(pulls).for_good()
    return [
        (
            pull,
            PullSpend(
                number=pull.number,
                agent_runs=agent_runs.get(pull.number, 0),
                spent=dict(by_pull.get(pull.number, {})),
                closed_at=known_instant(pull.closed_at_us),
                merged_at=known_instant(pull.merged_at_us),
                reverted_at=reverted.get(pull.number),
                is_revert=pull.reverts_number is not None or pull.reverts_only,
                tracked=tracks(pull.base_ref, repository.default_branch),
                carries=tuple(child for child, last in sorted(carried.items()) if last == pull.number != child),
            ),
        )
        for pull in pulls
    ]


def _agent_runs_by_pull(session: Session, account_id: int, repository_id: int) -> dict[int, int]:
    query = (
        select(Tie.number, func.count())
        .where(Tie.account_id == account_id, Tie.repository_id == repository_id)
        .group_by(col(Tie.number))
    )
    return dict(session.exec(query).all())


def usage_of_month(session: Session, account_id: int, month: Month) -> dict[int, UsageOfMonth]:
    """What each repository's model calls of a month add up to."""
    bounds = {"account_id": account_id, "start": us(month.start), "end": us(month.end)}
    models = _grouped((row[0], row[1]) for row in session.connection().execute(UNPRICED_OF_MONTH, bounds))
    return {
        repository_id: UsageOfMonth(
            calls, int(unpriced), models.get(repository_id, ()), Tokens(*map(int, tokens)), NanoUsd(int(told))
        )
        for repository_id, calls, unpriced, told, *tokens in session.connection().execute(USAGE_OF_MONTH, bounds)
    }


def runs_of_month(session: Session, account_id: int, month: Month) -> dict[int, RunsOfMonth]:
    """How many agent runs started in a month in each repository: incomplete ones, without a pull, by team tag."""
    bounds = {"account_id": account_id, "start": us(month.start), "end": us(month.end)}
    teams: dict[int, dict[str, int]] = defaultdict(dict)
    incomplete: dict[int, int] = defaultdict(int)
    unattributed: dict[int, int] = defaultdict(int)
    told: dict[int, int] = defaultdict(int)
    for repository_id, team, *counts in session.connection().execute(RUNS_OF_MONTH, bounds):
        teams[repository_id][team] = int(counts[0])
        incomplete[repository_id] += int(counts[1])
        unattributed[repository_id] += int(counts[2])
        told[repository_id] += int(counts[3])
    return {
        each: RunsOfMonth(sum(by_team.values()), incomplete[each], unattributed[each], by_team, told[each])
        for each, by_team in teams.items()
    }


def price_lists(session: Session, account_id: int) -> tuple[str, ...]:
    query = select(AgentRun.price_list).where(AgentRun.account_id == account_id).distinct()
    return tuple(sorted(session.exec(query)))


@dataclass(frozen=True, slots=True)
class UsageOfPull:
    """`doubtful`: agent runs whose record is not whole or holds unpriced calls. `priced_calls`: over all of them."""

    tokens: Tokens
    doubtful: int
    priced_calls: int


def usage_of_pulls(session: Session, account_id: int) -> dict[tuple[int, int], UsageOfPull]:
    """What the agent runs tied to each pull used, by repository and number."""
    rows = session.connection().execute(USAGE_OF_PULLS, {"account_id": account_id})
    return {
        (repository_id, number): UsageOfPull(Tokens(*map(int, tokens)), int(doubtful), int(priced_calls))
        for repository_id, number, doubtful, priced_calls, *tokens in rows
    }


USAGE_OF_PULLS = text("""
    SELECT tie.repository_id, tie.number,
           SUM(CASE WHEN agent_run.completeness <> 'complete' OR agent_run.unpriced_calls > 0 THEN 1 ELSE 0 END),
           SUM(agent_run.model_calls - agent_run.unpriced_calls),
           SUM(agent_run.input_tokens), SUM(agent_run.cache_read_tokens), SUM(agent_run.cache_write_5m_tokens),
           SUM(agent_run.cache_write_1h_tokens), SUM(agent_run.cache_write_other_tokens),
           SUM(agent_run.output_tokens), SUM(agent_run.reasoning_tokens)
    FROM tie JOIN agent_run ON agent_run.id = tie.agent_run_id
    WHERE tie.account_id = :account_id AND agent_run.account_id = :account_id
    GROUP BY tie.repository_id, tie.number
""")
CALLS_OF_MONTH = """
    FROM model_call JOIN agent_run ON agent_run.id = model_call.agent_run_id
    WHERE model_call.account_id = :account_id AND agent_run.account_id = :account_id
      AND model_call.at_us >= :start AND model_call.at_us < :end
"""
USAGE_OF_MONTH = text(f"""
    SELECT agent_run.repository_id, COUNT(*), SUM(CASE WHEN model_call.cost_nano_usd IS NULL THEN 1 ELSE 0 END),
           SUM(CASE WHEN agent_run.provenance = 'token' THEN COALESCE(model_call.cost_nano_usd, 0) ELSE 0 END),
           SUM(model_call.input_tokens), SUM(model_call.cache_read_tokens), SUM(model_call.cache_write_5m_tokens),
           SUM(model_call.cache_write_1h_tokens), SUM(model_call.cache_write_other_tokens),
           SUM(model_call.output_tokens), SUM(model_call.reasoning_tokens)
    {CALLS_OF_MONTH} GROUP BY agent_run.repository_id
""")
UNPRICED_OF_MONTH = text(f"""
    SELECT DISTINCT agent_run.repository_id, model_call.model
    {CALLS_OF_MONTH} AND model_call.cost_nano_usd IS NULL ORDER BY agent_run.repository_id, model_call.model
""")
RUNS_OF_MONTH = text("""
    SELECT repository_id, team, COUNT(*), SUM(CASE WHEN completeness <> 'complete' THEN 1 ELSE 0 END),
           SUM(CASE WHEN evidence = '' THEN 1 ELSE 0 END), SUM(CASE WHEN provenance = 'token' THEN 1 ELSE 0 END)
    FROM agent_run WHERE account_id = :account_id AND started_at_us >= :start AND started_at_us < :end
    GROUP BY repository_id, team
""")
