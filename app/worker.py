"""Take one due thing, tell its story, mark it done or due again. The only loop, and the only retry.

One thread claims lanes and renews their leases; the others each work on one lane at a time. Whatever a story raises
is the outside's failure: the job is due again later, and after the last try it is dead, visible and revivable.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from app.core.events import Event, UnreadableEventError, parse
from app.core.outcomes import Later, Refused
from app.store import inbox, lanes, schedule
from app.store.lanes import Ended, Hold, LostLaneError
from app.store.prune import prune
from app.store.queue import DEAD, DELIVERY, DONE, WAITING, Job, NewJob, enqueue
from app.world import World

Story = Callable[[Job, World], None]
log = logging.getLogger("mergemeter.worker")

TRIES = 10
FIRST_BACK_OFF_S = 5.0
LONGEST_BACK_OFF_S = 3600.0
# Six times the time-out of a request to GitHub: a slow answer must not cost the lane.
LEASE = timedelta(seconds=60)
POLL_S = 0.5
JOBS_PER_HOLD = 50  # then the lane queues again, so that one busy pull cannot keep a thread for itself
JOBS_PER_HOLD_BEHIND = 1  # what may wait looks after each job whether something came that may not
ERROR_CHARACTERS = 500
FAILED_CLAIM_WAIT_S = 1.0
WRITE_AGAIN_AFTER_S = (0.2, 1.0)
SOONEST = timedelta(milliseconds=100)
# Kinds whose stories write on GitHub, where no fence of ours holds. They take `anew`: look at what stands there.
WRITES_OUTSIDE = frozenset({"publish", "summary", "statement"})
INBOX_STATES = {DONE: inbox.DONE, DEAD: inbox.DEAD}


class Worker:
    """`threads` lanes at a time until `stop`. `stories` tells for each kind of job what to call."""

    def __init__(
        self,
        world: World,
        stories: Mapping[str, Story],
        entries: Sequence[schedule.Entry] = (),
        lease: timedelta = LEASE,
        poll_s: float = POLL_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.world, self.stories, self.entries = world, stories, entries
        self.lease, self.poll_s, self.jitter = lease, poll_s, jitter
        self.threads = world.settings.workers
        self.most_behind = max(1, self.threads // 2)  # of the threads; the others are there for what comes meanwhile
        self.beat_at = 0.0  # time.monotonic() of the last claim that worked
        self._stopping = threading.Event()
        self._held: dict[Hold, float] = {}  # when each lease was last renewed, time.monotonic()
        self._lock = threading.Lock()
        self._next_slot: datetime | None = None

    def stop(self) -> None:
        """Ask `run` to end: running stories are finished, waiting ones stay for the next worker."""
        self._stopping.set()
        self.world.db.enqueued.set()

    def run(self) -> None:
        """Work until `stop` is called."""
        with ThreadPoolExecutor(self.threads, thread_name_prefix="lane") as pool:
            while not self._stopping.is_set():
                self.world.db.enqueued.clear()
                if not self._turn(pool):
                    self.world.db.enqueued.wait(self.poll_s)

    def drain(self, only: str | None = None) -> int:
        """Do all that is due now (or what is due in one lane), in this thread; the number of lanes it took."""
        taken = 0
        while worked := self.step(only):
            taken += worked
        return taken

    def step(self, only: str | None = None) -> int:
        """Work once on each lane that is due now, in this thread; the number of lanes."""
        holds = self._claim(self.threads, only)
        for hold in holds:
            self._work(hold)
        return len(holds)

    def _turn(self, pool: ThreadPoolExecutor) -> bool:
        """Renew, fire the schedule, claim. Whether there may be more to claim at once."""
        try:
            self._renew()
            self._fire()
            free = self.threads - len(self._held)
            holds = self._claim(free) if free else []
        except Exception:  # the database is away: nothing to do but to ask again
            log.exception("cannot claim work")
            self._stopping.wait(FAILED_CLAIM_WAIT_S)
            return False
        for hold in holds:
            pool.submit(self._work, hold)
        return bool(holds) and len(holds) == free and len(self._held) < self.threads

    def _claim(self, limit: int, only: str | None = None) -> list[Hold]:
        with self._lock:
            behind = self.most_behind - sum(hold.behind for hold in self._held)
        with self.world.db.transaction() as session:
            holds = lanes.claim(session, self.world.now(), self.lease, limit, only)
            if (left := min(limit - len(holds), behind)) > 0:
                holds += lanes.claim(session, self.world.now(), self.lease, left, only, waits=True)
        self.beat_at = time.monotonic()
        with self._lock:
            self._held |= dict.fromkeys(holds, self.beat_at)
        return holds

    def _renew(self) -> None:
        oldest = time.monotonic() - self.lease.total_seconds() / 3
        with self._lock:
            due = [hold for hold, renewed_at in self._held.items() if renewed_at < oldest]
        if not due:
            return
        with self.world.db.transaction() as session:
            lanes.renew(session, due, self.world.now(), self.lease)
        with self._lock:
            self._held |= {hold: time.monotonic() for hold in due if hold in self._held}

    def _fire(self) -> None:
        now = self.world.now()
        if not self.entries or (self._next_slot is not None and now < self._next_slot):
            return
        with self.world.db.transaction() as session:
            schedule.plan(session, self.entries, now)
            schedule.fire(session, self.entries, now)
            self._next_slot = schedule.next_slot(session)

    def _work(self, hold: Hold) -> None:
        try:
            self._work_through(hold)
        except LostLaneError:
            log.warning("lane %s: another worker has it now; what was done here is done again there", hold.lane)
        except Exception:
            log.exception("lane %s: cannot write to the queue; the lane is due again when its lease ends", hold.lane)
        finally:
            with self._lock:
                self._held.pop(hold, None)
            self.world.db.enqueued.set()

    def _work_through(self, hold: Hold) -> None:
        ended: Ended | None = None
        job: Job | None = None
        try:
            for _ in range(JOBS_PER_HOLD_BEHIND if hold.behind else JOBS_PER_HOLD):
                job = self._write(hold, ended, go_on=True)
                if job is None:
                    return
                ended = self._tell(job, hold)
                if self._stopping.is_set():
                    break
            self._write(hold, ended, go_on=False)
        except LostLaneError:
            if job is not None and job.kind in WRITES_OUTSIDE:
                self._look_again(job)
            raise

    def _look_again(self, job: Job) -> None:
        """Our last request may have reached GitHub after those of the worker that has the lane now: it stands there."""
        again = NewJob(
            job.account_id, job.lane, job.kind, f"anew:{job.lane}", {**job.args, "anew": True}, self.world.now()
        )
        with self.world.db.transaction() as session:
            enqueue(session, again, self.world.now())

    def _write(self, hold: Hold, ended: Ended | None, go_on: bool) -> Job | None:
        """Note how a job ended and take the next one, in one transaction, tried again where it collides."""
        for wait_s in (*WRITE_AGAIN_AFTER_S, None):
            try:
                with self.world.db.transaction() as session:
                    job = lanes.advance(session, hold, ended, self.world.now(), self.lease, go_on)
                    if ended is not None and ended.job.kind == DELIVERY and ended.state in INBOX_STATES:
                        inbox.settle(session, str(ended.job.args["delivery_id"]), INBOX_STATES[ended.state])
                    return job
            except LostLaneError:
                raise
            except Exception:
                if wait_s is None:
                    raise
                log.warning("lane %s: cannot write to the queue, trying again", hold.lane, exc_info=True)
                time.sleep(wait_s)
        return None

    def _tell(self, job: Job, hold: Hold) -> Ended:
        """Call the job's story and say how it ended."""
        story = self.stories.get(job.kind)
        if story is None:
            return Ended(job, DEAD, error=f"there is no story for {job.kind!r}")
        if job.attempts > TRIES:
            return Ended(job, DEAD, error=f"{TRIES} workers ended while they did this")
        try:
            story(job, self._world_of(hold))
        except Later as later:
            soonest = self.world.now() + SOONEST
            return Ended(job, WAITING, max(later.until, soonest), _text(later), counts=False)
        except LostLaneError:
            raise
        except (Refused, UnreadableEventError) as answer:
            log.warning("%s %s in lane %s: %s", job.kind, job.id, job.lane, answer)
            return Ended(job, DEAD, error=_text(answer))
        except Exception as error:  # the outside failed
            error.__cause__, error.__suppress_context__ = None, True  # the log has the last link of the chain
            log.warning("%s %s in lane %s failed, try %d", job.kind, job.id, job.lane, job.attempts, exc_info=True)
            return self._failed(job, error)
        return Ended(job)

    def _world_of(self, hold: Hold) -> World:
        """The world for a story in this lane: nothing is written there once somebody else has the lane."""
        return replace(self.world, hold=hold, db=self.world.db.guarded(lambda session: lanes.check(session, hold)))

    def _failed(self, job: Job, error: Exception) -> Ended:
        if job.attempts >= TRIES:
            return Ended(job, DEAD, error=_text(error))
        wait_s = min(FIRST_BACK_OFF_S * 3 ** (job.attempts - 1), LONGEST_BACK_OFF_S) * (0.75 + self.jitter() / 2)
        return Ended(job, WAITING, self.world.now() + timedelta(seconds=wait_s), _text(error))


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]


def deliver(listeners: Mapping[type[Event], Callable[[Any, World], None]]) -> Story:
    """The story of a delivery: read the payload as an event and tell whoever listens to that kind of event."""

    def tell(job: Job, world: World) -> None:
        with world.db.reading() as session:
            kept = inbox.load(session, str(job.args["delivery_id"]))
        if kept is None or kept.state == inbox.DONE:
            return
        event = parse(kept.event, kept.payload)
        if event is not None:
            listeners[type(event)](event, world)

    return tell


def throw_away(_job: Job, world: World) -> None:
    """Remove what is old."""
    log.info("pruned %d rows", prune(world.db, world.now()))
