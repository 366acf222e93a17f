"""`python -m app inbox`: dead letters, listed, shown and revived."""

import sys
from datetime import datetime

from app.core.report.escape import plain
from app.store.database import Database
from app.store.dead import dead_job, dead_jobs, revive
from app.store.inbox import load

SHOWN = ("id", "account_id", "lane", "kind", "args", "attempts", "created_at", "error")


def list_dead(database: Database) -> int:
    """Print every dead job, the oldest first."""
    with database.reading() as session:
        found = dead_jobs(session)
    for job in found:
        about = f"{job.kind:<9} {job.lane}  {job.delivery_id}"
        print(f"{job.id}  {job.created_at:%Y-%m-%d %H:%M}  {about}  {plain(job.error)}")
    print(f"{len(found)} dead" if found else "nothing is dead", file=sys.stderr)
    return 0


def show_dead(database: Database, which: str) -> int:
    """Print one dead job (its id or its delivery's), with the delivery's payload as it came."""
    with database.reading() as session:
        job = dead_job(session, which)
        if job is None:
            return _not_dead(which)
        kept = load(session, job.delivery_id) if job.delivery_id else None
    for name in SHOWN:
        print(f"{name:<11} {plain(str(getattr(job, name)))}")
    if kept is not None:
        print(f"{'event':<11} {kept.event}")
        sys.stdout.flush()
        sys.stdout.buffer.write(kept.payload + b"\n")
    return 0


def revive_dead(database: Database, which: str | None, now: datetime) -> int:
    """Have one dead job, or all of them (None), tried again from the first attempt."""
    with database.transaction() as session:
        if which is None:
            found = dead_jobs(session)
        else:
            one = dead_job(session, which)
            if one is None:
                return _not_dead(which)
            found = [one]
        for job in found:
            revive(session, job, now)
    print(f"{len(found)} revived; a running worker takes them up within a second", file=sys.stderr)
    return 0


def _not_dead(which: str) -> int:
    print(f"There is no dead job or delivery {plain(which)}; `inbox list` shows them all.", file=sys.stderr)
    return 1
