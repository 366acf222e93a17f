"""What people decided of single agent runs: a history to which is only added. The newest decision is in force.

Newest by when it was said, not by when it was heard: comments that come out of order end the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from app.core.commands import Target
from app.core.facts import PullNumber
from app.core.matching import ManualLink
from app.store.books import elsewhere
from app.store.keys import new_key, us
from app.store.tables import AgentRun, ManualLinkRow, Repository, Tie, WorkflowJob

COMMAND_LINE = "command line"
MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's word on agent runs. `number` None: they are tied to no pull. `said_at`: aware UTC."""

    repository_id: int
    number: PullNumber | None
    reason: str
    user_id: int
    login: str
    source: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class NamedRun:
    """An agent run that a person named, with its job, and the (repository, pull) that its cost lies on now."""

    agent_run: AgentRun
    job: WorkflowJob
    tied_to: tuple[tuple[int, int], ...]


def comment_source(comment_id: int) -> str:
    return f"comment:{comment_id}"


def add_decision(session: Session, account_id: int, agent_run_ids: Sequence[str], decision: Decision) -> None:
    """Add a decision to the history of each agent run. The same comment is never added twice."""
    for agent_run_id in agent_run_ids:
        if decision.source == COMMAND_LINE or not _is_known(session, account_id, agent_run_id, decision.source):
            session.add(
                ManualLinkRow(
                    id=new_key(),
                    account_id=account_id,
                    agent_run_id=agent_run_id,
                    repository_id=decision.repository_id,
                    number=decision.number,
                    reason=decision.reason,
                    user_id=decision.user_id,
                    login=decision.login,
                    source=decision.source,
                    at_us=us(decision.said_at),
                )
            )
    session.flush()


def _is_known(session: Session, account_id: int, agent_run_id: str, source: str) -> bool:
    return any(row.source == source for row in history(session, account_id, agent_run_id))


def history(session: Session, account_id: int, agent_run_id: str) -> list[ManualLinkRow]:
    """Every decision on an agent run, the oldest first; the last one is in force."""
    query = select(ManualLinkRow).where(
        ManualLinkRow.account_id == account_id, ManualLinkRow.agent_run_id == agent_run_id
    )
    return sorted(session.exec(query), key=_order)


def _order(row: ManualLinkRow) -> tuple[int, int, str]:
    # GitHub tells whole seconds; its ids tell which of two comments of one second was first.
    kind, _, number = row.source.partition(":")
    return row.at_us, int(number) if kind == "comment" else 0, row.id


def links_in_force(session: Session, agent_runs: Sequence[AgentRun]) -> dict[str, ManualLink]:
    """By agent run, what a person last decided of it; nothing for most."""
    if not agent_runs:
        return {}
    query = select(ManualLinkRow).where(
        ManualLinkRow.account_id == agent_runs[0].account_id,
        col(ManualLinkRow.agent_run_id).in_([run.id for run in agent_runs]),
    )
    homes = {run.id: run.repository_id for run in agent_runs}
    return {
        row.agent_run_id: ManualLink(
            None if row.number is None else PullNumber(row.number),
            note(row),
            0 if row.number is None else elsewhere(row.repository_id, homes[row.agent_run_id]),
        )
        for row in sorted(session.exec(query), key=_order)
    }


def note(row: ManualLinkRow) -> str:
    """Who decided, and why, in one sentence."""
    what = "manual" if row.number is not None else "detached"
    who = f"on the command line by {row.login}" if row.source == COMMAND_LINE else f"by @{row.login}"
    return f"{what}, {who}: {row.reason or 'no reason given'}"


def runs_named(session: Session, account_id: int, target: Target) -> list[NamedRun]:
    """The agent runs that a person means, at most MOST_NAMED and one, in stable order. Never another account's."""
    query = (
        select(AgentRun, WorkflowJob)
        .where(AgentRun.workflow_job_id == WorkflowJob.id)
        .where(AgentRun.account_id == account_id, WorkflowJob.account_id == account_id)
    )
    if isinstance(target, str):
        query = query.where(AgentRun.id == target)
    else:
        # Asked for by itself: joined, SQLite would read all agent runs of the account in the order of their ids.
        jobs = select(WorkflowJob.id).where(
            WorkflowJob.account_id == account_id,
            WorkflowJob.run_id == target.run_id,
            col(WorkflowJob.repository_id).in_(repositories_called(session, account_id, target.owner, target.name)),
        )
        if target.attempt is not None:
            jobs = jobs.where(WorkflowJob.run_attempt == target.attempt)
        if target.job_id is not None:
            jobs = jobs.where(WorkflowJob.check_run_id == target.job_id)
        query = query.where(col(AgentRun.workflow_job_id).in_(session.exec(jobs).all()))
    found = list(session.exec(query.order_by(col(AgentRun.id)).limit(MOST_NAMED + 1)))
    ties = _ties_of(session, account_id, (run.id for run, _ in found))
    return [NamedRun(run, job, tuple(ties.get(run.id, ()))) for run, job in found]


def repositories_called(session: Session, account_id: int, owner: str, name: str) -> list[int]:
    """The account's repositories of that name: several where one name was given anew."""
    query = select(Repository.repository_id).where(
        Repository.account_id == account_id,
        func.lower(Repository.owner) == owner.lower(),
        func.lower(Repository.name) == name.lower(),
    )
    return list(session.exec(query.order_by(col(Repository.repository_id))))


def _ties_of(session: Session, account_id: int, ids: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    query = select(Tie).where(Tie.account_id == account_id, col(Tie.agent_run_id).in_(list(ids)))
    found: dict[str, list[tuple[int, int]]] = {}
    for tie in session.exec(query.order_by(col(Tie.repository_id), col(Tie.number))):
        found.setdefault(tie.agent_run_id, []).append((tie.repository_id, tie.number))
    return found


def unattributed_lately(
    session: Session, account_id: int, repository_id: int, since: datetime, most: int
) -> list[AgentRun]:
    """The newest agent runs of a repository that are tied to no pull and have a cost to attribute."""
    query = select(AgentRun).where(
        AgentRun.account_id == account_id,
        AgentRun.repository_id == repository_id,
        AgentRun.started_at_us >= us(since),
        AgentRun.evidence == "",
        AgentRun.model_calls > 0,
    )
    newest = col(AgentRun.started_at_us).desc(), col(AgentRun.id).desc()
    return list(session.exec(query.order_by(*newest).limit(most)))
