"""How the attempts of workflow runs ended. A record is sent while its run still goes on, so that is asked later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from app.core.facts import JobEnd
from app.store.jobs import run_job, run_lane
from app.store.keys import us
from app.store.named_pulls import named_in_jobs
from app.store.queue import NewJob
from app.store.rollups import mark
from app.store.tables import WorkflowJob

FIRST_LOOK = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """An attempt of a workflow run; `issuer` of its jobs' tokens, without which all jobs of a repository are read."""

    account_id: int
    issuer: str
    repository_id: int
    run_id: int
    run_attempt: int


def ended_job(job: WorkflowJob, due: datetime) -> NewJob:
    """What asks how an attempt ended, once for all its jobs."""
    of = run_lane(job.account_id, job.repository_id, job.run_id)
    args = {
        "issuer": job.issuer,
        "repository_id": job.repository_id,
        "run_id": job.run_id,
        "run_attempt": job.run_attempt,
    }
    return NewJob(job.account_id, of, "ended", f"ended:{of}/{job.run_attempt}", args, due)


def keep_ends(
    session: Session, key: AttemptKey, conclusion: str | None, ends: Sequence[JobEnd], ended_at: datetime, now: datetime
) -> list[NewJob]:
    """Note on every job of an attempt how GitHub says that it ended, and when the attempt did.

    `conclusion` is the attempt's: of those jobs that it holds for whose own end GitHub does not tell. Returns what
    settles anew the jobs whose evidence that could change.
    """
    known = {end.check_run_id: end.conclusion for end in ends if end.conclusion}
    again = []
    jobs = _jobs_of(session, key)
    naming = named_in_jobs(session, key.account_id, [job.id for job in jobs])
    for job in jobs:
        job.run_conclusion = known.get(job.check_run_id or 0, conclusion)
        if job.run_ended_at_us != us(ended_at):
            job.run_ended_at_us = us(ended_at)
            if job.pull_number is not None or job.id in naming:
                again.append(run_job(key.account_id, key.repository_id, key.run_id, "place", job.id, now))
        session.add(job)
    mark(session, key.account_id, key.repository_id)
    return again


def _jobs_of(session: Session, key: AttemptKey) -> Sequence[WorkflowJob]:
    """The attempt's jobs of which GitHub was asked."""
    query = select(WorkflowJob).where(
        WorkflowJob.account_id == key.account_id,
        WorkflowJob.issuer == key.issuer,
        WorkflowJob.repository_id == key.repository_id,
        WorkflowJob.run_id == key.run_id,
        WorkflowJob.run_attempt == key.run_attempt,
        WorkflowJob.run_state == "read",
    )
    return session.exec(query.order_by(col(WorkflowJob.id))).all()
