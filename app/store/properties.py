"""Values of an organisation's custom property by repository, with the instants from which they held. Append-only."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session

from app.store.books import lock_books
from app.store.chargeback_tables import PropertyReading, PropertyValue
from app.store.keys import instant, us
from app.store.queue import NewJob
from app.store.rollups import mark

TICK = timedelta(microseconds=1)


def properties_job(account_id: int, due: datetime) -> NewJob:
    """Reading the values of an account's repositories."""
    return NewJob(account_id, f"{account_id}/properties", "properties", "properties", {}, due)


def reading_of(session: Session, account_id: int, name: str) -> PropertyReading | None:
    """What was found when the property was read last; None where that was another one, or none yet."""
    found = session.get(PropertyReading, account_id)
    return found if found is not None and found.name == name.lower() else None


def save_reading(session: Session, account_id: int, name: str, state: str, editors: str, now: datetime) -> None:
    session.merge(
        PropertyReading(account_id=account_id, name=name.lower(), state=state, editors=editors, read_at_us=us(now))
    )
    session.flush()


def save_values(
    session: Session, account_id: int, name: str, values: Mapping[int, str], since: datetime, now: datetime
) -> int:
    """Keep the values that differ from what was known, as holding since an instant; how many there were.

    `values` by repository, "" for none. Of one that was never seen also none is kept: so a value that comes later does
    not count as having held before. No month begins to close meanwhile, so it knows a value or does not.
    """
    lock_books(session, account_id, shared=True)
    asked = {"account_id": account_id, "name": name.lower()}
    known = {row[0]: (row[1], instant(row[2])) for row in session.connection().execute(LAST, asked)}
    changed = {each: value for each, value in sorted(values.items()) if known.get(each, (None,))[0] != value}
    for repository_id, value in changed.items():
        begin = max(since, known[repository_id][1] + TICK) if repository_id in known else since
        session.add(
            PropertyValue(
                account_id=account_id,
                repository_id=repository_id,
                name=name.lower(),
                since_us=us(begin),
                value=value,
                read_at_us=us(now),
            )
        )
        if value or repository_id in known:
            mark(session, account_id, repository_id)
    session.flush()
    return len(changed)


LAST = text("""
    SELECT repository_id, value, since_us FROM property_value AS held
    WHERE account_id = :account_id AND name = :name AND since_us = (
        SELECT MAX(since_us) FROM property_value AS other
        WHERE other.account_id = :account_id AND other.repository_id = held.repository_id AND other.name = :name)
""")
