"""Lanes as a worker sees them: claim some, take their jobs one by one, give them back.

Every statement on a claimed lane is fenced: whoever was frozen past its lease finds that the lane has moved on and
gets `LostLaneError` instead of writing. A lane whose worker died is simply due again when its lease has run out; the
job that was running then is the first to be taken. Nothing here decides when a failed job is due again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    RowMapping,
    Select,
    String,
    bindparam,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlmodel import Session, col

from app.store import queue_tables
from app.store.keys import us
from app.store.queue import BEHIND, DONE, WAITING, Job


class LostLaneError(Exception):
    """Somebody else has the lane now: nothing may be written in its name."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A claimed lane. `fence` is larger than that of every earlier holder."""

    lane: str
    account_id: int
    fence: int

    @property
    def behind(self) -> bool:
        """Whether it is a lane of what may wait."""
        return self.lane.endswith(BEHIND)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: `state` is DONE, DEAD, or WAITING with the time of its next try (aware UTC)."""

    job: Job
    state: int = DONE
    run_at: datetime | None = None
    error: str = ""
    counts: bool = True  # whether the try that ended counts as one


def claim(
    session: Session, now: datetime, lease: timedelta, limit: int, only: str | None = None, *, waits: bool = False
) -> list[Hold]:
    """Take up to `limit` lanes that are due, the longest due first; never one of an account that GitHub blocks.

    With `waits` these are lanes of what may wait, and none of an account whose requests are left to the others;
    without, they are the others. `only` names a lane: no other one is taken.

    Several workers may claim at once: each lane goes to one of them (SKIP LOCKED; SQLite's writers take turns).
    """
    values = {"at_us": us(now), "leased_until_us": us(now + lease), "most": limit, "only_lane": only}
    claimed = session.connection().execute(_claiming(waits, only is not None), values)
    return [Hold(lane, account_id, fence) for lane, account_id, fence in claimed]


@cache
def _claiming(waits: bool, only: bool) -> ReturningUpdate[str, int, int]:
    """The statement of `claim`, which an idle worker asks twice a second: to make it takes longer than to run it."""
    lane, bucket = queue_tables.Lane, queue_tables.Bucket
    at_us = bindparam("at_us", type_=BigInteger)
    until_us = [bucket.blocked_until_us, bucket.rests_until_us] if waits else [bucket.blocked_until_us]
    blocked = select(bucket.account_id).where(  # type: ignore[call-overload]
        col(bucket.account_id) == col(lane.account_id), or_(*(col(column) > at_us for column in until_us))
    )
    kind = col(lane.key).endswith(BEHIND)
    # As a CTE: PostgreSQL must not evaluate LIMIT … FOR UPDATE more than once, and never inlines one that locks.
    due = (
        select(col(lane.key))
        .where(col(lane.next_at_us) <= at_us, col(lane.lease_until_us) <= at_us, ~blocked.exists())
        .where(kind if waits else ~kind)
        .where(col(lane.key) == bindparam("only_lane", type_=String) if only else true())
        .order_by(col(lane.next_at_us))
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    return (
        update(lane)
        .where(col(lane.key).in_(select(due.c.key)))
        .values(lease_until_us=bindparam("leased_until_us", type_=BigInteger), fence=col(lane.fence) + 1)
        .returning(col(lane.key), col(lane.account_id), col(lane.fence))
        .execution_options(synchronize_session=False)
    )


def renew(session: Session, holds: Sequence[Hold], now: datetime, lease: timedelta) -> None:
    """Keep the lanes that are still ours; the ones that are lost tell so when they are next used."""
    session.connection().execute(RENEW, [_fenced(hold, us(now + lease)) for hold in holds])


def check(session: Session, hold: Hold) -> None:
    """Raise LostLaneError unless the lane is still ours; it stays so until the transaction ends."""
    held = session.connection().execute(_still_held(), {"lane_key": hold.lane, "held_fence": hold.fence})
    if held.first() is None:
        raise LostLaneError(hold.lane)


@cache
def _still_held() -> Select[str]:
    lane = queue_tables.Lane
    # The lock keeps claims away and nothing else: who wakes the lane for a new job does not wait for us, so that two
    # stories which enqueue in each other's lane cannot wait for one another.
    key, fence = bindparam("lane_key", type_=String), bindparam("held_fence", type_=BigInteger)
    still = select(col(lane.key)).where(col(lane.key) == key, col(lane.fence) == fence)
    return still.with_for_update(read=True, key_share=True)


def advance(
    session: Session, hold: Hold, ended: Ended | None, now: datetime, lease: timedelta, go_on: bool = True
) -> Job | None:
    """Note how the last job ended and start the next one that is due; None when the lane was given back.

    Without `go_on` the lane is given back with all its jobs. Raises LostLaneError, and then has changed nothing.
    """
    connection = session.connection()
    # First of all, and locking the row: what was enqueued before is seen below, what comes later wakes the lane itself.
    if not connection.execute(RENEW, _fenced(hold, us(now + lease))).rowcount:
        raise LostLaneError(hold.lane)
    if ended is not None:
        _note(session, ended)
    row = connection.execute(NEXT, {"lane": hold.lane, "now_us": us(now)}).mappings().first()
    if go_on and row is not None and row["due"]:
        connection.execute(START, {"id": row["id"]})
        return _job(row)
    next_at_us = None if row is None else row["run_at_us"]
    connection.execute(RELEASE, {"lane": hold.lane, "next_at_us": next_at_us, "now_us": us(now)})
    return None


def _note(session: Session, ended: Ended) -> None:
    connection = session.connection()
    values = {
        "id": ended.job.id,
        "state": ended.state,
        "run_at_us": us(ended.run_at) if ended.run_at else None,
        "error": ended.error,
        "attempts": ended.job.attempts if ended.counts else ended.job.attempts - 1,
    }
    # While it ran, the same thing may have been asked for anew. At most one waits: the newer one takes over the tries.
    if ended.state == WAITING and connection.execute(HAND_OVER, values).rowcount:
        values |= {"state": DONE, "run_at_us": None, "error": f"taken over by a newer one; {ended.error}"}
    connection.execute(NOTE, values)


def _fenced(hold: Hold, until_us: int) -> dict[str, Any]:
    return {"lane": hold.lane, "fence": hold.fence, "until_us": until_us}


def _job(row: RowMapping) -> Job:
    return Job(row["id"], row["account_id"], row["lane"], row["kind"], json.loads(row["args"]), row["attempts"] + 1)


RENEW = text("UPDATE lane SET lease_until_us = :until_us WHERE key = :lane AND fence = :fence")
RELEASE = text("UPDATE lane SET lease_until_us = :now_us, next_at_us = :next_at_us WHERE key = :lane")
# The first row is the next job, or else the one that is due soonest. Only a lane's first delivery may go.
NEXT = text("""
    SELECT id, account_id, lane, kind, args, attempts, run_at_us, state = 1 OR run_at_us <= :now_us AS due
    FROM job
    WHERE lane = :lane AND state < 2 AND NOT (kind = 'delivery' AND EXISTS (
        SELECT 1 FROM job AS earlier
        WHERE earlier.lane = :lane AND earlier.state < 2 AND earlier.kind = 'delivery' AND earlier.id < job.id))
    ORDER BY CASE WHEN state = 1 THEN 0 WHEN run_at_us <= :now_us THEN 1 ELSE 2 END,
             CASE WHEN run_at_us <= :now_us THEN 0 ELSE run_at_us END, id
    LIMIT 1
""")
START = text("UPDATE job SET state = 1, attempts = attempts + 1 WHERE id = :id")
NOTE = text("""
    UPDATE job SET state = :state, attempts = :attempts, error = :error,
        run_at_us = COALESCE(CAST(:run_at_us AS BIGINT), run_at_us)
    WHERE id = :id
""")
HAND_OVER = text("""
    UPDATE job SET
        attempts = CASE WHEN attempts < :attempts THEN :attempts ELSE attempts END,
        run_at_us = CASE WHEN run_at_us < :run_at_us THEN :run_at_us ELSE run_at_us END,
        error = :error
    WHERE state = 0 AND id <> :id AND dedupe = (SELECT ended.dedupe FROM job AS ended WHERE ended.id = :id)
""")
