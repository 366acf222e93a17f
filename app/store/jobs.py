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


def answer_jobs(key: PullKey, comment_id: int, reaction: str, text: str, due: datetime) -> list[NewJob]:
    """Have a command answered: by a reaction and, where there is something to say, a comment. Each is one write.

    `key` has the number of the pull or the issue on which it was written.
    """
    shown = {"reaction": reaction, "text": text}
    return [
        pull_job(key, "answer", due, f"answer:{comment_id}:{kind}", comment_id=comment_id, **{kind: content})
        for kind, content in shown.items()
        if content
    ]
