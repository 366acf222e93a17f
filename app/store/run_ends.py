"""How the attempts of workflow runs ended. A record is sent while its run still goes on, so that is asked later."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, update

from app.store.jobs import run_lane
from app.store.queue import NewJob
from app.store.rollups import mark
from app.store.tables import WorkflowJob

FIRST_LOOK = timedelta(minutes=30)


def ended_job(job: WorkflowJob, at: datetime) -> NewJob:
    """What asks how a run ended, once for all jobs of its attempt; `at` is when it was seen still going on."""
    of = run_lane(job.account_id, job.repository_id, job.run_id)
    args = {
        "repository_id": job.repository_id,
        "run_id": job.run_id,
        "run_attempt": job.run_attempt,
        "issuer": job.issuer,
    }
    return NewJob(job.account_id, of, "ended", f"ended:{of}/{job.run_attempt}", args, at + FIRST_LOOK)


def keep_conclusion(
    session: Session,
    account_id: int,
    issuer: str,
    repository_id: int,
    run_id: int,
    run_attempt: int,
    conclusion: str | None,
) -> None:
    """Note on every job of a run's attempt how GitHub says that it ended. `issuer`: of the jobs' tokens."""
    session.exec(
        update(WorkflowJob)
        .where(
            col(WorkflowJob.account_id) == account_id,
            col(WorkflowJob.issuer) == issuer,  # without it all jobs of the repository would be read
            col(WorkflowJob.repository_id) == repository_id,
            col(WorkflowJob.run_id) == run_id,
            col(WorkflowJob.run_attempt) == run_attempt,
            col(WorkflowJob.run_state) == "read",
        )
        .values(run_conclusion=conclusion)
    )
    mark(session, account_id, repository_id)
