"""Has GitHub deliver again what did not arrive: it tries each delivery once, and tells of it in a list for three days.

What has arrived is decided for each guid, over all its attempts and by our own inbox. GitHub's filter for failures is
never used: a delivery without any answer is none to it. https://docs.github.com/en/webhooks/using-webhooks
"""

import logging
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session

from app.core.events import is_used
from app.core.facts import DeliveryAttempt
from app.core.outcomes import Refused
from app.store.keys import us
from app.store.queue import Job, enqueue
from app.store.queue_tables import DeliverySweep
from app.store.redeliveries import (
    count_due,
    deliveries_job,
    due_redeliveries,
    last_asked_at_us,
    note_asked,
    note_attempts,
    note_gone,
    strike_held,
    sweep_of,
)
from app.world import World

MOST_PAGES = 50  # of a hundred each, in one run
AT_ONCE = 30  # with the pause: 3,600 an hour of the 5,000 requests that an App has
PAUSE = timedelta(seconds=30)
# Attempts end in another order than they began, and are listed when they have ended.
OVERLAP_US = 15 * 60 * 1_000_000
CURSOR_LIVES_US = 3600 * 1_000_000
PROBE_EVERY_US = 10 * 60 * 1_000_000
log = logging.getLogger(__name__)


def deliveries(_job: Job, world: World) -> None:
    """Read GitHub's list back to where the last reading began, then ask for some of what did not arrive."""
    if not _read_list(world):
        _again(world)
        return
    with world.db.transaction() as session:
        strike_held(session)
        asked = due_redeliveries(session, world.now(), _leave(world, session))
        for lost in asked:
            note_asked(session, lost, world.now())
    for lost in asked:
        try:
            world.github.redeliver(lost.delivery_id)
        except Refused as no:
            log.warning("delivery %s (%s) cannot be had again: %s", lost.guid, lost.event, no)
            with world.db.transaction() as session:
                note_gone(session, lost)
    if asked:
        _tell(world, len(asked))
        _again(world)


def _read_list(world: World) -> bool:
    """Whether the end was reached; if not, the next run goes on from there."""
    with world.db.reading() as session:
        sweep = sweep_of(session, world.settings.app_id)
    if not sweep.cursor or us(world.now()) - sweep.read_at_us > CURSOR_LIVES_US:
        sweep.cursor, sweep.newest_us = "", 0
    for _ in range(MOST_PAGES):
        attempts, cursor = world.github.delivery_attempts(sweep.cursor)
        _note_page(world, sweep, attempts, cursor)
        if not sweep.cursor:
            return True
    return False


def _note_page(world: World, sweep: DeliverySweep, attempts: list[DeliveryAttempt], cursor: str) -> None:
    back_to_us = sweep.swept_until_us - OVERLAP_US
    if not sweep.newest_us:
        sweep.newest_us = us(attempts[0].delivered_at) if attempts else us(world.now())
        sweep.arriving = attempts[0].ok if attempts else True
    whole = not cursor or us(attempts[-1].delivered_at) < back_to_us
    sweep.cursor, sweep.read_at_us = "" if whole else cursor, us(world.now())
    if whole:
        sweep.swept_until_us = max(sweep.swept_until_us, sweep.newest_us)
    with world.db.transaction() as session:
        note_attempts(session, [replace(each, ok=each.ok or not is_used(each.event, each.action)) for each in attempts])
        session.merge(sweep)


def _leave(world: World, session: Session) -> int:
    """How many may be asked for now. While nothing arrives here, one now and then shows whether that is over."""
    if sweep_of(session, world.settings.app_id).arriving:
        return AT_ONCE
    return int(us(world.now()) - last_asked_at_us(session) >= PROBE_EVERY_US)


def _tell(world: World, asked: int) -> None:
    with world.db.reading() as session:
        left = count_due(session, world.now())
    log.info("asked GitHub for %d deliveries that did not arrive; %d are left", asked, left)


def _again(world: World) -> None:
    """Soon, to see what became of it, and for the rest."""
    with world.db.transaction() as session:
        enqueue(session, deliveries_job(world.now() + PAUSE), world.now())
