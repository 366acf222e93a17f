"""How far behind the work is."""

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from app.store.keys import instant, us


def oldest_due(session: Session, now: datetime) -> datetime | None:
    """When the lane that waits longest was due; None where nothing is due.

    Lanes of blocked accounts do not count, nor those of what may wait.
    """
    at_us = session.connection().execute(OLDEST, {"now_us": us(now)}).scalar()
    return None if at_us is None else instant(at_us)


OLDEST = text("""
    SELECT min(next_at_us) FROM lane
    WHERE next_at_us <= :now_us AND lease_until_us <= :now_us AND key NOT LIKE '%/behind' AND NOT EXISTS (
        SELECT 1 FROM bucket WHERE bucket.account_id = lane.account_id AND bucket.blocked_until_us > :now_us)
""")
