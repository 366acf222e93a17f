"""Dead letters: jobs that failed for good. They are kept with their last error until somebody revives them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlmodel import Session

from app.store.keys import instant, us
from app.store.queue import WAKE_LANE


@dataclass(frozen=True, slots=True)
class DeadJob:
    id: str
    account_id: int
    lane: str
    kind: str
    args: dict[str, Any]
    attempts: int
    error: str
    created_at: datetime

    @property
    def delivery_id(self) -> str:
        """The delivery that the job was to tell, or ""."""
        return str(self.args.get("delivery_id", ""))


def dead_jobs(session: Session, limit: int = 1000) -> list[DeadJob]:
    """The dead jobs of every account, the oldest first: a page for operators, never for tenants."""
    rows = session.connection().execute(text(f"{SELECT} ORDER BY id LIMIT :limit"), {"limit": limit})
    return [_dead(row) for row in rows.mappings()]


def dead_job(session: Session, which: str) -> DeadJob | None:
    """One dead job, by its id or its delivery's id."""
    query = text(f"{SELECT} AND (id = :which OR args = :args)")
    row = (
        session.connection()
        .execute(query, {"which": which, "args": json.dumps({"delivery_id": which})})
        .mappings()
        .first()
    )
    return _dead(row) if row else None


def revive(session: Session, job: DeadJob, now: datetime) -> None:
    """Let a dead job be tried again, from its first attempt. One that waits anew already takes its place."""
    connection, now_us = session.connection(), us(now)
    lane = {"lane": job.lane, "account_id": job.account_id, "next_at_us": now_us, "now_us": now_us}
    WAKE_LANE.run(session, lane)
    connection.execute(REVIVE, {"id": job.id, "now_us": now_us})
    if job.delivery_id:
        connection.execute(REVIVE_DELIVERY, {"delivery_id": job.delivery_id})
    session.info["enqueued"] = True


def _dead(row: RowMapping) -> DeadJob:
    values = dict(row)
    created_at, args = instant(values.pop("created_at_us")), json.loads(values.pop("args"))
    return DeadJob(**values, args=args, created_at=created_at)


SELECT = "SELECT id, account_id, lane, kind, args, attempts, error, created_at_us FROM job WHERE state = 3"
REVIVE = text("""
    UPDATE job SET attempts = 0, run_at_us = :now_us, state = CASE
        WHEN EXISTS (SELECT 1 FROM job AS twin WHERE twin.dedupe = job.dedupe AND twin.state = 0) THEN 2 ELSE 0 END
    WHERE id = :id AND state = 3
""")
REVIVE_DELIVERY = text("UPDATE inbox SET state = 'waiting' WHERE delivery_id = :delivery_id")
