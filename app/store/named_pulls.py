"""The pulls that agent runs name, as they are kept: a note on each agent run, and by pull for finding its jobs."""

import json
from collections.abc import Collection, Iterable

from sqlmodel import Session, col, select

from app.core.facts import AgentRunKey, PullNumber
from app.core.named_pulls import Named, weights_by_calls
from app.store.raw import insert
from app.store.tables import AgentRun, ModelCallRow

ADD = insert("pull_named", ("account_id", "repository_id", "number", "workflow_job_id"))
NONE = "{}"


def add_named(session: Session, key: AgentRunKey, job_id: str, numbers: Iterable[int]) -> None:
    """Note which pulls an agent run of a job names: the job is found by this when one of them becomes known."""
    place = {"account_id": key.account_id, "repository_id": key.repository_id, "workflow_job_id": job_id}
    for number in sorted(numbers):
        ADD.run(session, {**place, "number": number})


def named_by(run: AgentRun) -> Named:
    """What an agent run names."""
    return _read(run.pulls_named)


def named_in_jobs(session: Session, account_id: int, job_ids: Collection[str]) -> dict[str, set[PullNumber]]:
    """The pulls that the agent runs of these jobs name, by job; jobs that name none are not in it."""
    query = select(AgentRun.workflow_job_id, AgentRun.pulls_named).where(
        AgentRun.account_id == account_id,
        col(AgentRun.workflow_job_id).in_(job_ids),
        AgentRun.pulls_named != NONE,
    )
    found: dict[str, set[PullNumber]] = {}
    for job_id, named in session.exec(query):
        found.setdefault(job_id, set()).update(_read(named))
    return found


def weights_of(session: Session, run: AgentRun, pulls: tuple[PullNumber, ...]) -> list[int]:
    """How an agent run's cost is parted among the pulls that it is tied to."""
    if len(pulls) == 1 or run.pulls_named == NONE:
        return [1] * len(pulls)
    query = select(ModelCallRow.position, ModelCallRow.cost_nano_usd).where(
        ModelCallRow.account_id == run.account_id, ModelCallRow.agent_run_id == run.id
    )
    return weights_by_calls(pulls, named_by(run), session.exec(query).all())


def _read(kept: str) -> Named:
    found: dict[str, list[tuple[int, int]]] = json.loads(kept)
    return {PullNumber(int(number)): [(first, last) for first, last in rows] for number, rows in found.items()}
