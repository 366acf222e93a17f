"""The queue: jobs in lanes. Owns the statements on `job` and `lane`; knows nothing of what a job means.

A lane is one thing at a time: it is claimed with a lease and a fencing token that only grows, and its jobs are
done in the order they came. Deliveries never overtake each other, even while an earlier one waits for its next
try; the other kinds read the present state and may. One code for SQLite and PostgreSQL.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.store.keys import new_key, us
from app.store.raw import Raw

WAITING, RUNNING, DONE, DEAD = range(4)
DELIVERY = "delivery"
BEHIND = "/behind"
# What these write stands on GitHub, where no fence can hold back a request that is under way.
WRITES_OUTSIDE = frozenset({"publish", "summary", "statement"})


@dataclass(frozen=True, slots=True)
class NewJob:
    """A thing to do at `run_at` or later (aware UTC).

    `dedupe` tells, within the account, which job is the same as one that waits already.
    """

    account_id: int
    lane: str
    kind: str
    dedupe: str
    args: dict[str, Any]
    run_at: datetime

    def __post_init__(self) -> None:
        if not self.lane.startswith(f"{self.account_id}/"):
            raise ValueError(f"the lane {self.lane} is not one of account {self.account_id}")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its story sees it. `attempts` counts this one too."""

    id: str
    account_id: int
    lane: str
    kind: str
    args: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1


def behind(account_id: int) -> str:
    """The account's lane for what may wait: a worker takes it up only when nothing else of anybody's is due."""
    return f"{account_id}{BEHIND}"


def enqueue(session: Session, new: NewJob, now: datetime) -> None:
    """Add a job within the caller's transaction, or fold it into the waiting one with the same `dedupe`.

    The folded job has the newer arguments and the earlier due time (a debounced kind keeps the one it has).
    """
    enqueue_all(session, [new], now)


def enqueue_all(session: Session, jobs: Sequence[NewJob], now: datetime) -> None:
    """As `enqueue`, in two statements: lanes first and in one order, so that writers cannot deadlock on them."""
    if not jobs:
        return
    WAKE_LANE.run_all(session, [row | {"now_us": us(now)} for row in _lane_rows(jobs)])
    INSERT_JOB.run_all(session, [_job_row(new, us(now)) for new in jobs])
    session.info["enqueued"] = True  # Database.transaction tells the worker of this process after the commit


def resettle_job(account_id: int, after: str, now: datetime) -> NewJob:
    """Settling an account's jobs anew, behind the id `after`. A later change begins at the start again."""
    return NewJob(account_id, f"{account_id}/resettle", "resettle", f"resettle:{after}", {"after": after}, now)


def state_of(session: Session, account_id: int, dedupe: str) -> tuple[int, str]:
    """The state of the newest job with this `dedupe`, and the last error if there is one."""
    row = session.connection().execute(STATE_OF, {"dedupe": f"{account_id}/{dedupe}"}).first()
    return (DONE, "") if row is None else (row.state, row.error)


def _job_row(new: NewJob, now_us: int) -> dict[str, Any]:
    return {
        "id": new_key(),
        "account_id": new.account_id,
        "lane": new.lane,
        "kind": new.kind,
        "dedupe": f"{new.account_id}/{new.dedupe}",
        "args": json.dumps(new.args),
        "run_at_us": us(new.run_at),
        "now_us": now_us,
    }


def _lane_rows(jobs: Sequence[NewJob]) -> list[dict[str, Any]]:
    earliest: dict[str, NewJob] = {}
    for new in jobs:
        if new.lane not in earliest or new.run_at < earliest[new.lane].run_at:
            earliest[new.lane] = new
    return [
        {"lane": lane, "account_id": new.account_id, "next_at_us": us(new.run_at)}
        for lane, new in sorted(earliest.items())
    ]


# A debounced kind ("publish") keeps the due time of the one that waits: a stream of changes must not starve it.
INSERT_JOB = Raw("""
    INSERT INTO job (id, account_id, lane, kind, dedupe, args, run_at_us, attempts, state, error, created_at_us)
    VALUES (:id, :account_id, :lane, :kind, :dedupe, :args, :run_at_us, 0, 0, '', :now_us)
    ON CONFLICT (dedupe) WHERE state = 0 DO UPDATE SET
        args = excluded.args,
        run_at_us = CASE WHEN job.kind <> 'publish' AND excluded.run_at_us < job.run_at_us
                         THEN excluded.run_at_us ELSE job.run_at_us END
""")
# Too early a `next_at_us` costs one idle claim, too late a one would forget a job: here it only ever moves down. A
# lane that is not moved is locked all the same, so whoever gives it back meanwhile sees the new job, or waits for it.
# The fence starts at the present, so that a lane which was pruned and comes back cannot repeat one.
WAKE_LANE = Raw("""
    INSERT INTO lane (key, account_id, next_at_us, lease_until_us, fence)
    VALUES (:lane, :account_id, :next_at_us, 0, :now_us)
    ON CONFLICT (key) DO UPDATE SET next_at_us = excluded.next_at_us
    WHERE lane.next_at_us IS NULL OR excluded.next_at_us < lane.next_at_us
""")
STATE_OF = text("SELECT state, error FROM job WHERE dedupe = :dedupe ORDER BY id DESC LIMIT 1")
REVIVE_BY_DEDUPE = Raw("""
    UPDATE job SET state = 0, attempts = 0, run_at_us = :now_us WHERE dedupe = :dedupe AND state = 3
""")
