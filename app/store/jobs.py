"""The jobs that several stories ask for, with their lanes: what must keep its order, of a run or a pull, shares one."""

from datetime import datetime
from typing import Any

from app.store.pulls import PullKey
from app.store.queue import NewJob


def run_lane(account_id: int, repository_id: int, run_id: int) -> str:
    """The lane of a workflow run; run 0 stands for what no workflow ran."""
    return f"{account_id}/{repository_id}/run/{run_id}"


def run_job(
    account_id: int, repository_id: int, run_id: int, kind: str, workflow_job_id: str, due: datetime, dedupe: str = ""
) -> NewJob:
    """Something to do about a workflow job, in its run's lane. `dedupe` tells it from others of its kind."""
    args = {"workflow_job_id": workflow_job_id}
    lane = run_lane(account_id, repository_id, run_id)
    return NewJob(account_id, lane, kind, f"{dedupe or kind}:{workflow_job_id}", args, due)


def pull_job(key: PullKey, kind: str, due: datetime, dedupe: str = "", **more: Any) -> NewJob:
    """Something to do about a pull, in its lane. `dedupe` tells it from others of its kind, `more` are further args."""
    lane = f"{key.account_id}/{key.repository_id}/{key.number}"
    args = {"repository_id": key.repository_id, "number": key.number, **more}
    return NewJob(key.account_id, lane, kind, f"{dedupe or kind}:{lane}", args, due)
