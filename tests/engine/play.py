"""A clock that only moves when told, a world without GitHub, and stories that write down what they did."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import text

from app.settings import Settings
from app.store.database import Database
from app.store.queue import Job, NewJob, enqueue
from app.worker import Worker
from app.world import World

START = datetime(2026, 11, 3, 12, tzinfo=UTC)
NOBODY: Any = None


class Clock:
    """The present, for a test."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def world_of(database: Database, clock: Callable[[], datetime], **settings: Any) -> World:
    read = Settings(public_url="https://mergemeter.example", **settings)
    return World(read, database, github=NOBODY, prices=NOBODY, now=clock)


class Diary:
    """A story that notes every job, in order, and then does what the test asks for that job's `do`."""

    def __init__(self, **deeds: Callable[[Job, World], None]) -> None:
        self.done: list[Any] = []
        self.jobs: list[Job] = []
        self.deeds = deeds

    def __call__(self, job: Job, world: World) -> None:
        self.jobs.append(job)
        self.done.append(job.args.get("n"))
        deed = self.deeds.get(cast("str", job.args.get("do", "")))
        if deed is not None:
            deed(job, world)


def worker_of(world: World, diary: Callable[[Job, World], None], **options: Any) -> Worker:
    stories = {"delivery": diary, "note": diary, "publish": diary}
    return Worker(world, stories, jitter=lambda: 0.5, **options)


def put(world: World, n: Any = 0, lane: str = "1/a", kind: str = "note", after_s: float = 0, **args: Any) -> None:
    """Enqueue one job of account 1 whose dedupe is its kind and `n`."""
    account = int(lane.partition("/")[0])
    now = world.now()
    if kind == "delivery":
        args["delivery_id"] = str(n)
    new = NewJob(account, lane, kind, f"{kind}/{n}", {"n": n, **args}, now + timedelta(seconds=after_s))
    with world.db.transaction() as session:
        enqueue(session, new, now)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]
