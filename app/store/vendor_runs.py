"""Agent runs that a vendor's own record tells the cost of: GitHub's, of the sessions of its cloud agent.

Such a session stands in `workflow_job` without a workflow run, and its cost in one model call without tokens. Where a
job's record or telemetry has a session of the same id, that counts, and this gives way. All functions work within the
caller's transaction; those that add hold `lock_telemetry`, so that no record comes in between.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, delete, select

from app.core import ai_credits
from app.core.agent_accounts import AGENT_ACCOUNTS
from app.core.costing import Costs
from app.core.facts import AgentRunKey, AgentSession, PullNumber
from app.core.matching import VENDOR
from app.core.month import Month
from app.core.repricing import Change, Price, difference
from app.core.tally import tally
from app.core.telemetry.parts import SessionPart, Tags, ToldCall
from app.core.usage import Completeness, ModelCall, Provenance, Tokens
from app.store.agent_runs import add_calls
from app.store.books import post_usage
from app.store.corrections import calls_since, correct, enter, held_agent_run
from app.store.keys import EPOCH, instant, new_key, us
from app.store.overlap import reverse
from app.store.pulls import PullKey
from app.store.rollups import mark
from app.store.run_rows import call_row
from app.store.tables import AgentRun, Pull, Repository, WorkflowJob
from app.store.told_runs import (
    Growth,
    add_told_run,
    grow,
    hold_row,
    pulls_of,
    remove_calls,
    remove_told_run,
    told_run,
)
from app.store.vendor_tables import AgentTaskReading, PullTold

AGENT = "copilot-agent"
PROVIDER = "github"
UNKNOWN_MODEL = "unknown"
GREW = "GitHub tells another usage of the session"
ELSEWHERE = "counted in another record of the session"
AROUND = timedelta(days=1)  # a record of the same session began about when it did
ADD_TOLD = text(
    "INSERT INTO pull_told (account_id, repository_id, github_id, workflow_job_id)"
    " VALUES (:account_id, :repository_id, :github_id, :job_id) ON CONFLICT DO NOTHING RETURNING github_id"
)


def repositories_with_agents(session: Session, account_id: int, since: datetime) -> list[Repository]:
    """The repositories in which agents' own accounts opened pulls since an instant."""
    opened = select(Pull.repository_id).where(
        Pull.account_id == account_id,
        col(Pull.author_id).in_(AGENT_ACCOUNTS),
        Pull.created_at_us >= us(since),
    )
    query = select(Repository).where(
        Repository.account_id == account_id,
        Repository.state == "installed",
        col(Repository.repository_id).in_(opened.distinct()),
    )
    return list(session.exec(query.order_by(col(Repository.repository_id))))


def read_until(session: Session, account_id: int, repository_id: int) -> datetime | None:
    """When the newest change of a task that was read happened."""
    found = session.get(AgentTaskReading, (account_id, repository_id))
    return None if found is None else instant(found.read_until_us)


def note_reading(session: Session, account_id: int, repository_id: int, until: datetime) -> None:
    """Tasks are read in the order of their changes, and this far now."""
    row = AgentTaskReading(account_id=account_id, repository_id=repository_id, read_until_us=us(until))
    session.merge(row)
    session.flush()


def held_elsewhere(session: Session, repository: Repository, sessions: Collection[AgentSession]) -> set[str]:
    """Which of these sessions another record has."""
    if not sessions:
        return set()
    at = [each.created_at for each in sessions]
    query = select(AgentRun.session).where(
        AgentRun.account_id == repository.account_id,
        AgentRun.repository_id == repository.repository_id,
        AgentRun.started_at_us >= us(min(at) - AROUND),
        AgentRun.provenance != Provenance.VENDOR.value,
        col(AgentRun.session).in_({each.session_id for each in sessions}),
    )
    return set(session.exec(query))


def job_key(session_id: str) -> str:
    return f"vendor:github:{session_id}"


def take_session(
    session: Session, repository: Repository, told: AgentSession, pull_ids: Collection[int], now: datetime
) -> tuple[str, list[PullKey]] | None:
    """Bring what is held of a session to what GitHub tells now; None where that changes nothing.

    Gives its row, which is to be placed, and the pulls whose cost changed.
    """
    if told.nano_credits is None:
        return None
    account_id, here = repository.account_id, repository.repository_id
    held = {
        "account_id": account_id,
        "issuer": VENDOR,
        "repository_id": here,
        "job_key": job_key(told.session_id),
        "event_name": VENDOR,
        "ref": f"refs/heads/{told.head_ref}" if told.head_ref else "",
        "pull_number": None,
        "started_at_us": us(told.created_at),
    }
    job_id = hold_row(session, held, now)
    named = _add_told(session, repository, job_id, pull_ids)
    run = told_run(session, account_id, job_id)
    if run is None:
        return (job_id, []) if _add(session, repository, job_id, told, now) else None
    changed = _correct(session, run.id, repository, told, now)
    if changed is None:
        return (job_id, []) if named else None
    return job_id, changed


def _add_told(session: Session, repository: Repository, job_id: str, pull_ids: Collection[int]) -> bool:
    """Keep the pulls that the session's task names; whether any is new."""
    where = {"account_id": repository.account_id, "repository_id": repository.repository_id, "job_id": job_id}
    rows = [{**where, "github_id": each} for each in sorted(pull_ids)]
    new = [session.connection().execute(ADD_TOLD, row).first() for row in rows]
    return any(new)


def _add(session: Session, repository: Repository, job_id: str, told: AgentSession, now: datetime) -> bool:
    """A new agent run; False where its call is counted already, which only a forged record can have caused."""
    cost = ai_credits.cost_of(told.nano_credits or 0)
    model = told.model or UNKNOWN_MODEL
    call = ModelCall(PROVIDER, f"agent-session:{told.session_id}", model, told.created_at, Tokens())
    key = AgentRunKey(repository.account_id, repository.repository_id, new_key())
    row = call_row(key.agent_run_id, 0, key.account_id, call, (cost, cost, ai_credits.PRICE_LIST))
    if add_calls(session, key.account_id, [row]) is not None:
        return False
    part = SessionPart(AGENT, "", told.session_id, Tags(), [ToldCall(call)], (), ())
    run = add_told_run(
        session,
        key,
        job_id,
        part,
        told.created_at,
        ai_credits.PRICE_LIST,
        provenance=Provenance.VENDOR.value,
        completeness=Completeness.ESTIMATED.value,
        completeness_reason=ai_credits.REASON,
    )
    by = tally([call], Costs([cost], [cost], [ai_credits.PRICE_LIST]))
    at_us = us(told.created_at)
    grow(session, key.account_id, run.id, Growth(by, at_us, at_us, by.models, None))
    session.refresh(run)
    post_usage(session, key, by.by_month, now)
    mark(session, key.account_id, key.repository_id)
    return True


def _correct(
    session: Session, agent_run_id: str, repository: Repository, told: AgentSession, now: datetime
) -> list[PullKey] | None:
    """Enter by how much a session's usage is another one now; None where it is the same."""
    run = held_agent_run(session, repository.account_id, agent_run_id)
    cost = ai_credits.cost_of(told.nano_credits or 0)
    if run is None or run.cost_nano_usd == cost:
        return None
    (kept,) = calls_since(session, run.account_id, run.id, EPOCH)
    after = Price(cost, cost, ai_credits.PRICE_LIST)
    changes = [Change(kept.position, kept.call.model, Month.of(kept.call.at), kept.price, after)]
    by = difference(changes)
    correct(session, run, changes, by, ai_credits.PRICE_LIST, GREW, now)
    places = enter(session, run, by, GREW, now)
    return [PullKey(run.account_id, place.repository_id or run.repository_id, place.number) for place in places]


def told_pulls(session: Session, job: WorkflowJob) -> frozenset[PullNumber] | None:
    """The known pulls among those that a session's task names; None where it names none."""
    here = (PullTold.account_id == job.account_id, PullTold.workflow_job_id == job.id)
    ids = session.exec(select(PullTold.github_id).where(*here)).all()
    if not ids:
        return None
    query = select(Pull.number).where(
        Pull.account_id == job.account_id, Pull.repository_id == job.repository_id, col(Pull.github_id).in_(ids)
    )
    return frozenset(map(PullNumber, session.exec(query)))


def give_way(session: Session, job: WorkflowJob, now: datetime) -> list[PullKey]:
    """Take back what was held of the sessions that another record has; the pulls whose cost this changes."""
    held = sessions_held_twice(session, job)
    return [pull for job_id in held for pull in _withdraw(session, job.account_id, job_id, now)]


def sessions_held_twice(session: Session, job: WorkflowJob) -> Sequence[str]:
    """The rows that stand for sessions which this job's agent runs are."""
    query = select(AgentRun.session).where(AgentRun.account_id == job.account_id, AgentRun.workflow_job_id == job.id)
    keys = [job_key(each) for each in session.exec(query)]
    held = select(WorkflowJob.id).where(
        WorkflowJob.account_id == job.account_id,
        WorkflowJob.issuer == VENDOR,
        WorkflowJob.repository_id == job.repository_id,
        WorkflowJob.run_id == 0,
        WorkflowJob.run_attempt == 0,
        col(WorkflowJob.job_key).in_(keys),
    )
    return session.exec(held).all()


def _withdraw(session: Session, account_id: int, job_id: str, now: datetime) -> Sequence[PullKey]:
    found = told_run(session, account_id, job_id)
    run = held_agent_run(session, account_id, found.id) if found else None
    if run is None:
        return ()
    pulls = [PullKey(account_id, *each) for each in pulls_of(session, run)]
    kept = calls_since(session, account_id, run.id, EPOCH)
    reverse(session, run, kept, ELSEWHERE, now)
    remove_calls(session, run, [each.position for each in kept])
    remove_told_run(session, run)
    told = (col(PullTold.account_id) == account_id, col(PullTold.workflow_job_id) == job_id)
    session.exec(delete(PullTold).where(*told))
    for repository_id in {run.repository_id, *(pull.repository_id for pull in pulls)}:
        mark(session, account_id, repository_id)
    return pulls
