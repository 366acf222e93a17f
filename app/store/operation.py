"""How the work goes over all accounts, for whoever operates the server. Counts and ages alone: no tenant's data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from app.store.keys import us


@dataclass(frozen=True, slots=True)
class KindOfJob:
    """`waiting` includes what is due later; `oldest_due_s` is 0 where nothing is due."""

    kind: str
    waiting: int
    due: int
    oldest_due_s: int
    running: int
    dead: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What GitHub lets us do. `least_remaining`: of the account that has the fewest requests left; None: not told."""

    least_remaining: int | None
    blocked_accounts: int


def jobs_by_kind(session: Session, now: datetime) -> Sequence[KindOfJob]:
    """The unfinished and the dead jobs by kind."""
    found = session.connection().execute(JOBS_BY_KIND, {"now_us": us(now)})
    return [
        KindOfJob(kind, int(waiting), int(due), max(0, (us(now) - oldest) // 1_000_000) if due else 0, *map(int, rest))
        for kind, waiting, due, oldest, *rest in found
    ]


def limits(session: Session, now: datetime) -> Limits:
    """Over all accounts."""
    least, blocked = session.connection().execute(LIMITS, {"now_us": us(now)}).one()
    return Limits(None if least is None else int(least), int(blocked or 0))


JOBS_BY_KIND = text("""
    SELECT kind, SUM(CASE WHEN state = 0 THEN 1 ELSE 0 END),
        SUM(CASE WHEN state = 0 AND run_at_us <= :now_us THEN 1 ELSE 0 END),
        MIN(CASE WHEN state = 0 THEN run_at_us END),
        SUM(CASE WHEN state = 1 THEN 1 ELSE 0 END), SUM(CASE WHEN state = 3 THEN 1 ELSE 0 END)
    FROM job WHERE state IN (0, 1, 3) GROUP BY kind ORDER BY kind
""")
LIMITS = text("""
    SELECT MIN(CASE WHEN remaining >= 0 THEN remaining END),
        SUM(CASE WHEN blocked_until_us > :now_us THEN 1 ELSE 0 END)
    FROM bucket
""")
