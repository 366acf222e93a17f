"""Deliveries that GitHub could not bring us: how far its list was read, and which are to be asked for when."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select, update

from app.core.facts import DeliveryAttempt
from app.store.keys import us
from app.store.queue import NewJob
from app.store.queue_tables import DeliverySweep, Inbox, Undelivered

# A delivery that is under way is neither here nor there: GitHub gives one ten seconds.
UNDER_WAY = timedelta(minutes=1)
FIRST_WAIT = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=6)
# What the inbox holds, or has held, needs no redelivery; what died there lives again by one.
HELD = ("waiting", "done", "ignored")


def deliveries_job(due: datetime) -> NewJob:
    """The job that looks for deliveries which did not arrive."""
    return NewJob(0, "0/deliveries", "deliveries", "deliveries", {}, due)


def sweep_of(session: Session, app_id: int) -> DeliverySweep:
    return session.get(DeliverySweep, app_id) or DeliverySweep(app_id=app_id)


def note_attempts(session: Session, attempts: Sequence[DeliveryAttempt]) -> None:
    """Take note of attempts, the newest first: what arrived by any of them has arrived."""
    arrived = [attempt.guid for attempt in attempts if attempt.ok]
    known = set(session.exec(select(Undelivered.guid).where(col(Undelivered.guid).in_({a.guid for a in attempts}))))
    session.exec(update(Undelivered).where(col(Undelivered.guid).in_(arrived)).values(state="arrived"))
    for attempt in attempts:
        if attempt.guid in known:
            continue
        known.add(attempt.guid)
        if attempt.guid not in arrived:
            session.add(_lost(attempt))
    session.flush()


def _lost(attempt: DeliveryAttempt) -> Undelivered:
    return Undelivered(
        guid=attempt.guid,
        delivery_id=attempt.delivery_id,
        event=attempt.event,
        delivered_at_us=us(attempt.delivered_at),
        due_at_us=us(attempt.delivered_at + UNDER_WAY),
    )


def strike_held(session: Session) -> None:
    """Strike off those whose answer alone was lost: our inbox has them."""
    held = select(Inbox.delivery_id).where(col(Inbox.state).in_(HELD))
    session.exec(
        update(Undelivered)
        .where(col(Undelivered.state) == "lost", col(Undelivered.guid).in_(held))
        .values(state="arrived")
    )


def due_redeliveries(session: Session, now: datetime, most: int) -> list[Undelivered]:
    """Those to be asked for now, the oldest first: GitHub will forget it soonest."""
    query = (
        select(Undelivered)
        .where(Undelivered.state == "lost", Undelivered.due_at_us <= us(now))
        .order_by(col(Undelivered.delivered_at_us), col(Undelivered.guid))
        .limit(most)
    )
    return list(session.exec(query))


def count_due(session: Session, now: datetime) -> int:
    query = select(func.count()).where(Undelivered.state == "lost", Undelivered.due_at_us <= us(now))
    return session.exec(query).one()


def last_asked_at_us(session: Session) -> int:
    return session.exec(select(func.max(Undelivered.asked_at_us))).one() or 0


def note_asked(session: Session, lost: Undelivered, now: datetime) -> None:
    """Written before GitHub is asked: what makes us stumble comes later again, and does not hold up the others."""
    lost.asked, lost.asked_at_us = lost.asked + 1, us(now)
    lost.due_at_us = us(now + min(FIRST_WAIT * 2 ** (lost.asked - 1), LONGEST_WAIT))
    session.merge(lost)


def note_gone(session: Session, lost: Undelivered) -> None:
    session.exec(update(Undelivered).where(col(Undelivered.guid) == lost.guid).values(state="gone"))
