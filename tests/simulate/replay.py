"""Plays a world against the App's stories: late, shuffled, doubled, and some of it never delivered.

Everything that the App would do is done by its own parts: the inbox, the worker with its timetable, the stories, the
GitHub client. Left out are the web server, the signatures, and what is written on GitHub (it ties nothing).
"""

import heapq
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random

from sqlalchemy import event

from app.core.events import route
from app.core.outcomes import Refused
from app.core.pricing import PriceList
from app.github.app import GitHubApp
from app.sandbox.state import Delivery
from app.settings import Settings
from app.store.bulk import BulkWriter
from app.store.compressed import compressed
from app.store.database import Database
from app.store.inbox import Delivery as Kept
from app.store.inbox import keep
from app.store.queue import Job
from app.stories.record import RecordRefusedError, admit, prepare, record
from app.timetable import entries, stories
from app.worker import Story, Worker
from app.world import World as AppWorld
from tests.simulate.github import URL, Wire
from tests.simulate.truth import Report
from tests.simulate.world import Happening, World

AUDIENCE = "https://meter.example"
NOT_PLAYED = ("publish", "summary", "survey")  # they only write what was found out
DAY = timedelta(days=1)
FIRED_EVERY = DAY
SETTLING = (DAY, DAY, 4 * DAY, 10 * DAY)  # then all sweeps have run, and what has no pull is abandoned
REFUSALS = 3
UNSEEN_S = 2 * 86_400.0  # what stands on pulls is not played: what would be put there is folded into little
LANES_AT_ONCE = 32  # are claimed, and worked on one by one
LOOPS = 25  # the same job so often at one instant asks for itself for ever


@dataclass(frozen=True)
class Manner:
    """How the App hears of things. `seed` is of the order alone; `loss_seed` says which deliveries are dropped.

    `anywhere`: a delivery comes at any time up to `longest` later; else mostly within seconds, sometimes hours.
    `late`: so many of the records come at any time up to `latest` later.
    """

    seed: int
    anywhere: bool = False
    longest: timedelta = 20 * DAY
    doubled: float = 0.2
    dropped: float = 0.0
    loss_seed: int = 0
    in_order: bool = False
    late: float = 0.0
    latest: timedelta = 50 * DAY


@dataclass
class Told:
    """What was told and what it cost, for the figures."""

    deliveries: int = 0
    doubles: int = 0
    drops: int = 0
    records: int = 0
    refused: dict[str, str] = field(default_factory=dict)  # session → code
    requests: int = 0
    loops: set[str] = field(default_factory=set)  # workflow jobs (or other things) whose job asked for itself for ever


@cache
def prices() -> PriceList:
    return PriceList.load()


class Replay:
    """One App on one database that lives through one world."""

    def __init__(self, world: World, database: Database, manner: Manner) -> None:
        self.world, self.database, self.manner = world, database, manner
        self.random = Random(f"order {manner.seed}")
        self.told = Told()
        self.wire = Wire(world.github)
        app = world.github.app
        settings = Settings(
            app_id=app["app_id"], public_url=AUDIENCE, oidc_audience=AUDIENCE, github_api_url=URL,
            debounce_s=UNSEEN_S, write_spacing_s=0, create_spacing_s=0, workers=LANES_AT_ONCE,
        )  # fmt: skip
        github = GitHubApp(app["app_id"], app["private_key"], URL, transport=self.wire)
        self.app = AppWorld(settings, database, github, prices(), world.github.now)
        self._repeats: Counter[tuple[str, str]] = Counter()
        played = {kind: self._bounded(story) for kind, story in stories().items() if kind not in NOT_PLAYED}
        self.worker = Worker(
            self.app,
            played | dict.fromkeys(NOT_PLAYED, lambda _job, _world: None),
            entries(settings),
            jitter=lambda: 0.5,
        )
        if database.sqlite:
            event.listen(database.engine, "connect", _hurry)
        self.writer = BulkWriter(database)
        self._due: list[tuple[datetime, int, Delivery | Report, int]] = []
        self._count = self._sent = 0
        self._gone: set[str] = set()  # guids of what never comes
        self._fire_at = world.github.now()

    def play(self, progress: Callable[["Replay"], None] = lambda _replay: None) -> Told:
        """All of it, and then quiet until everything is where it stays. `progress` is told of each step."""
        with quiet():
            self._plan(self.world.begin())
            while self._due or not self.world.over:
                if not self.world.over and (not self._due or self.world.next_at <= self._due[0][0]):
                    self._plan(self.world.step())
                else:
                    self._tell_some()
                progress(self)
            self._settle()
        self.writer.close()
        self.app.github.close()
        self.told.requests = self.wire.requests
        return self.told

    # ---- when ------------------------------------------------------------------------------------------------------

    def _plan(self, happened: list[Happening], *, by_app: bool = False) -> None:
        for one in happened:
            if isinstance(one.what, Report):
                self._later(one.at + self._until_sent(), one.what)
                continue
            if self._is_lost(one.what, by_app):
                one.what.status, one.what.status_code = "timed out", 0
                self.world.github.note_delivery(one.what)
                continue
            # GitHub has its answer at once, however late the work on it is done; a log of nothing but losses would say
            # that nothing arrives, and then hardly anything is asked for again.
            one.what.status, one.what.status_code = "OK", 202
            self.world.github.note_delivery(one.what)
            self._later(one.at + self._delay(), one.what)
            if self.random.random() < self.manner.doubled:
                self.told.doubles += 1
                self._later(one.at + self._delay() + timedelta(minutes=1), one.what)

    def _later(self, at: datetime, what: Delivery | Report, tries: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, what, tries))

    def _delay(self) -> timedelta:
        if self.manner.anywhere:
            return self.manner.longest * self.random.random()
        return self._seconds(longest=DAY / 4)

    def _until_sent(self) -> timedelta:
        if self.manner.late and self.random.random() < self.manner.late:
            return self.manner.latest * self.random.random()
        return self._seconds(longest=DAY)

    def _seconds(self, longest: timedelta) -> timedelta:
        if self.manner.in_order:
            return timedelta(0)
        return (
            longest * self.random.random()
            if self.random.random() < 0.1
            else timedelta(seconds=self.random.random() * 20)
        )

    def _is_lost(self, delivery: Delivery, by_app: bool) -> bool:
        """Half of what is dropped never comes, the other half when it is asked for: nothing else tells of a comment.

        By what it is and not by when it comes, so that two orders lose the same. Installing is done with a person by.
        """
        if by_app:
            return delivery.redelivery and delivery.guid in self._gone
        if delivery.event.startswith("installation") and delivery.action == "created":
            return False
        self._sent += 1
        drawn = Random(f"loss {self.manner.loss_seed} {self._sent}").random()
        if drawn < self.manner.dropped:
            self.told.drops += 1
            if drawn < self.manner.dropped / 2 and delivery.event != "issue_comment":
                self._gone.add(delivery.guid)
        return drawn < self.manner.dropped

    def _bounded(self, story: Story) -> Story:
        """The story, but for a job that would be done for ever at the same instant: it ends as a dead one."""

        def told(job: Job, app: AppWorld) -> None:
            what = str(job.args.get("workflow_job_id", job.args))
            self._repeats[job.kind, f"{job.lane} {what}"] += 1
            if self._repeats[job.kind, f"{job.lane} {what}"] > LOOPS:
                self.told.loops.add(what)
                raise Refused(403, "done too often at one instant")
            story(job, app)

        return told

    # ---- telling ---------------------------------------------------------------------------------------------------

    def _tell_some(self) -> None:
        """What is due up to some minutes from the first, told at once, then worked on."""
        first = self._due[0][0]
        until = first if self.manner.in_order else first + timedelta(minutes=self.random.choice([0, 1, 30, 240]))
        if not self.world.over:
            until = max(first, min(until, self.world.next_at - timedelta(seconds=1)))
        self.world.github.set_time(max(first, self.world.github.now()))
        some: list[tuple[datetime, int, Delivery | Report, int]] = []
        while self._due and self._due[0][0] <= until and len(some) < 40:
            some.append(heapq.heappop(self._due))
        if not self.manner.in_order:
            self.random.shuffle(some)
        self._deliver([what for _, _, what, _ in some if isinstance(what, Delivery)])
        for _, _, what, tries in some:
            if isinstance(what, Report):
                self._record(what, tries)
        self._work()

    def _deliver(self, deliveries: list[Delivery]) -> None:
        rows = []
        for delivery in deliveries:
            routed = route(delivery.event, delivery.body)
            if routed is None:
                continue
            rows.append(
                Kept(
                    delivery.guid, delivery.event, routed.action, routed.installation_id, routed.account_id,
                    routed.repository_id, routed.lane, compressed(delivery.body),
                )
            )  # fmt: skip
        self.told.deliveries += len(rows)
        for row in rows:
            with self.writer.transaction() as bulk:
                keep(bulk, [row], self.app.now())

    def _record(self, report: Report, tries: int) -> None:
        body = dict(report.body)
        try:
            with self.database.reading() as session:
                terms = admit(session, report.claims)
            (outcome,) = record(self.app, [prepare(self.app, report.claims, terms, json.dumps(body).encode(), body)])
        except RecordRefusedError as refused:
            outcome = refused
        if isinstance(outcome, RecordRefusedError):
            # Jobs try again for a while, and their records can be sent once more by hand.
            if tries < REFUSALS:
                self._later(self.app.now() + DAY, report, tries + 1)
            else:
                self.told.refused |= {run["session"]: outcome.code for run in body["agent_runs"]}
            return
        if isinstance(outcome, Exception):
            raise outcome
        self.told.records += 1

    def _work(self) -> None:
        if self.app.now() >= self._fire_at:
            self.worker._next_slot = None
            self.worker._fire()
            self._fire_at = self.app.now() + FIRED_EVERY
        self._repeats.clear()
        self.worker.drain()
        # What was redelivered meanwhile comes like everything else.
        self._plan(self.world.heard(), by_app=True)

    def _settle(self) -> None:
        for wait in SETTLING:
            self.world.github.set_time(self.app.now() + wait)
            self._work()
            while self._due:
                self._tell_some()


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    """Nobody kills this process: no commit needs to wait for the disk."""
    connection.execute("PRAGMA synchronous=OFF")


@contextmanager
def quiet() -> Iterator[None]:
    """Deliveries of unknown accounts and refused tokens are part of the play, not news."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
