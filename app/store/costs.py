"""What pulls and months cost, read from the books for reports and metrics. Reads only."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, text
from sqlmodel import Session, col, select

from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.usage import Tokens
from app.store.keys import us
from app.store.pulls import PullKey
from app.store.tables import TIED, AgentRun, Balance, LedgerEntry, ModelCallRow, Tie, WorkflowJob


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
        TIED,
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
        col(Balance.book).in_(loose),
        Balance.number == 0,
        Balance.month == int(month),
    )
    runs = select(func.count()).where(
        AgentRun.account_id == account_id,
        AgentRun.repository_id == repository_id,
        AgentRun.started_at_us >= us(month.start),
        AgentRun.started_at_us < us(month.end),
        AgentRun.evidence == "",
    )
    return Unattributed(session.exec(runs).one(), NanoUsd(sum(session.exec(amounts))))


@dataclass(frozen=True, slots=True)
class UsageOfPull:
    """`doubtful`: agent runs whose record is not whole or holds unpriced calls. `priced_calls`: over all of them."""

    tokens: Tokens
    doubtful: int
    priced_calls: int


def usage_of_pulls(session: Session, account_id: int, repository_id: int, numbers: Sequence[int]) -> UsageOfPull:
    """What the agent runs used together that are tied to some pulls of a repository; one tied to several once."""
    asked = {"account_id": account_id, "repository_id": repository_id, "numbers": list(numbers)}
    doubtful, priced_calls, *tokens = session.connection().execute(USAGE_OF_PULLS, asked).one()
    return UsageOfPull(Tokens(*(int(count or 0) for count in tokens)), int(doubtful or 0), int(priced_calls or 0))


USAGE_OF_PULLS = text("""
    SELECT SUM(CASE WHEN completeness <> 'complete' OR unpriced_calls > 0 THEN 1 ELSE 0 END),
           SUM(model_calls - unpriced_calls), SUM(input_tokens), SUM(cache_read_tokens), SUM(cache_write_5m_tokens),
           SUM(cache_write_1h_tokens), SUM(cache_write_other_tokens), SUM(output_tokens), SUM(reasoning_tokens)
    FROM agent_run WHERE account_id = :account_id AND id IN (
        SELECT agent_run_id FROM tie
        WHERE account_id = :account_id AND repository_id = :repository_id AND number IN :numbers)
""").bindparams(bindparam("numbers", expanding=True))
