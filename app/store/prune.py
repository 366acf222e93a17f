"""What is thrown away, and when. Ledger, records and agent runs are never among it.

Finished jobs and delivery ids are the record of what was done: they stay as long as something could ask again.
"""

from datetime import datetime, timedelta

from sqlalchemy import TextClause, text

from app.store.database import Database
from app.store.keys import us

PIECE = 2000  # rows a transaction: writers behind it wait for milliseconds
# GitHub redelivers for three days (seven on a server of one's own): a payload can still be of use that long.
RULES: tuple[tuple[timedelta, TextClause], ...] = (
    (
        timedelta(days=14),
        text("""
            DELETE FROM job WHERE id IN (
                SELECT id FROM job WHERE state = 2 AND created_at_us < :before_us LIMIT :piece)
        """),
    ),
    (
        timedelta(days=7),
        text("""
            UPDATE inbox SET payload = :empty WHERE delivery_id IN (
                SELECT delivery_id FROM inbox
                WHERE received_at_us < :before_us AND state = 'done' AND payload <> :empty LIMIT :piece)
        """),
    ),
    (
        timedelta(days=30),
        text("""
            DELETE FROM inbox WHERE delivery_id IN (
                SELECT delivery_id FROM inbox
                WHERE received_at_us < :before_us AND state IN ('done', 'ignored') LIMIT :piece)
        """),
    ),
    (
        timedelta(days=7),
        text("""
            DELETE FROM lane WHERE key IN (
                SELECT key FROM lane WHERE next_at_us IS NULL AND lease_until_us < :before_us LIMIT :piece)
            AND next_at_us IS NULL
        """),
    ),
    (
        timedelta(days=8),
        text("""
            DELETE FROM undelivered WHERE guid IN (
                SELECT guid FROM undelivered WHERE delivered_at_us < :before_us LIMIT :piece)
        """),
    ),
    (
        timedelta(days=60),
        text("""
            DELETE FROM telemetry_total WHERE (account_id, agent, session, series, start_us) IN (
                SELECT account_id, agent, session, series, start_us FROM telemetry_total
                WHERE start_us < :before_us LIMIT :piece)
        """),
    ),
    (
        timedelta(hours=1),
        text("""
            DELETE FROM used_token WHERE (issuer, jti) IN (
                SELECT issuer, jti FROM used_token WHERE expires_at_us < :before_us LIMIT :piece)
        """),
    ),
)


def prune(database: Database, now: datetime) -> int:
    """Throw away what is old, piece by piece; the number of rows."""
    return sum(_prune(database, statement, us(now - age)) for age, statement in RULES)


def _prune(database: Database, statement: TextClause, before_us: int) -> int:
    total = 0
    values = {"before_us": before_us, "piece": PIECE}
    if ":empty" in statement.text:
        values |= {"empty": b""}  # type: ignore[dict-item]
    while True:
        with database.transaction() as session:
            gone = session.connection().execute(statement, values).rowcount
        total += gone
        if gone < PIECE:
            return total
