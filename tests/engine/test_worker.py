"""What the worker promises, on both databases: retry, back-off, dead letters, Later, gates, schedule, stop."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.outcomes import Later, Refused
from app.store.buckets import Allowance
from app.store.database import Database
from app.store.dead import dead_job, dead_jobs, revive
from app.store.queue import Job, NewJob
from app.store.schedule import Entry
from app.worker import TRIES, Worker
from app.world import World
from tests.engine.play import Clock, Diary, put, rows, worker_of, world_of


def fail(_job: Job, _world: World) -> None:
    raise ConnectionError("GitHub is away")


def test_a_failed_job_is_tried_again_after_5_15_45_seconds_up_to_an_hour(database: Database) -> None:
    clock, diary = Clock(), Diary(fail=fail)
    world = world_of(database, clock)
    put(world, do="fail")
    worker, waits = worker_of(world, diary), []
    while not dead_jobs_of(database):
        worker.drain()
        ((next_at_us,),) = rows(database, "SELECT next_at_us FROM lane")
        if next_at_us is not None:
            wait_s = next_at_us / 1e6 - clock.now.timestamp()
            waits.append(round(wait_s))
            clock.move(wait_s)
    assert waits == [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600]
    assert len(diary.jobs) == TRIES


def test_deliveries_wait_behind_one_that_failed_but_other_jobs_do_not(database: Database) -> None:
    once = iter([True])

    def fail_once(job: Job, world: World) -> None:
        if next(once, False):
            fail(job, world)

    clock, diary = Clock(), Diary(fail=fail_once)
    world = world_of(database, clock)
    put(world, 1, kind="delivery", do="fail")
    put(world, 2, kind="delivery")
    put(world, 3, kind="note")
    worker = worker_of(world, diary)
    worker.drain()
    assert diary.done == [1, 3]
    clock.move(5)
    worker.drain()
    assert diary.done == [1, 3, 1, 2]


def test_a_waiting_failure_does_not_keep_the_worker_busy(database: Database) -> None:
    clock, diary = Clock(), Diary(fail=fail)
    world = world_of(database, clock)
    put(world, 1, kind="delivery", do="fail")
    put(world, 2, kind="delivery")
    worker = worker_of(world, diary)
    worker.drain()
    assert worker.drain() == 0


def test_a_dead_job_keeps_its_error_and_can_be_revived(database: Database) -> None:
    clock, diary = Clock(), Diary(refuse=refuse)
    world = world_of(database, clock)
    put(world, 1, do="refuse")
    put(world, 2)
    worker = worker_of(world, diary)
    worker.drain()
    (dead,) = dead_jobs_of(database)
    assert dead.error == "Refused: 403: the repository is archived"
    assert diary.done == [1, 2]
    diary.deeds.clear()
    with database.transaction() as session:
        revive(session, dead, clock.now)
    worker.drain()
    assert diary.done == [1, 2, 1]
    assert dead_jobs_of(database) == []


def test_reviving_what_waits_anew_leaves_one(database: Database) -> None:
    clock, diary = Clock(), Diary(refuse=refuse)
    world = world_of(database, clock)
    put(world, 1, do="refuse")
    worker = worker_of(world, diary)
    worker.drain()
    put(world, 1)
    with database.transaction() as session:
        found = dead_job(session, dead_jobs(session)[0].id)
        assert found is not None
        revive(session, found, clock.now)
    worker.drain()
    assert diary.done == [1, 1]
    assert rows(database, "SELECT state FROM job") == [(2,), (2,)]


def test_later_is_not_a_failed_try(database: Database) -> None:
    clock = Clock()

    def later(_job: Job, _world: World) -> None:
        raise Later(clock.now + timedelta(seconds=30), "rate limit")

    diary = Diary(later=later)
    world = world_of(database, clock)
    put(world, do="later")
    worker = worker_of(world, diary)
    for _ in range(TRIES + 5):
        worker.drain()
        clock.move(30)
    assert {job.attempts for job in diary.jobs} == {1}
    assert len(diary.jobs) == TRIES + 5


def test_a_failed_job_that_was_asked_for_anew_leaves_its_tries_to_the_newer_one(database: Database) -> None:
    def fail_after_asking(job: Job, world: World) -> None:
        put(world, "x")
        fail(job, world)

    clock, diary = Clock(), Diary(fail=fail_after_asking)
    world = world_of(database, clock)
    put(world, "x", do="fail")
    worker = worker_of(world, diary)
    worker.drain()
    assert diary.done == ["x"]
    clock.move(5)
    worker.drain()
    assert diary.done == ["x", "x"]
    assert diary.jobs[1].attempts == 2


def test_a_job_that_ends_its_worker_every_time_is_dead_in_the_end(database: Database) -> None:
    world, diary = world_of(database, Clock()), Diary()
    put(world)
    with database.transaction() as session:
        session.connection().exec_driver_sql(f"UPDATE job SET state = 1, attempts = {TRIES}")
    worker_of(world, diary).drain()
    assert diary.done == []
    assert dead_jobs_of(database)[0].error == "10 workers ended while they did this"


def test_a_job_without_a_story_is_dead(database: Database) -> None:
    world = world_of(database, Clock())
    put(world, kind="unheard-of")
    worker_of(world, Diary()).drain()
    assert dead_jobs_of(database)[0].error == "there is no story for 'unheard-of'"


def test_lanes_of_an_account_that_github_blocks_are_not_claimed(database: Database) -> None:
    clock, diary = Clock(), Diary()
    world = world_of(database, clock)
    put(world, "blocked", lane="1/a")
    put(world, "free", lane="2/a")
    Allowance(database, 1, 1, 3, clock).saw({"Retry-After": "60"}, 403)
    worker = worker_of(world, diary)
    worker.drain()
    assert diary.done == ["free"]
    clock.move(60)
    worker.drain()
    assert diary.done == ["free", "blocked"]


def test_two_workers_fire_a_slot_exactly_once(database: Database) -> None:
    clock, diary = Clock(), Diary()

    def fan_out(_session: Any, slot: Any) -> list[NewJob]:
        return [NewJob(1, "1/a", "note", f"slot/{slot}", {"n": str(slot)}, slot)]

    entries = [Entry("hourly", timedelta(hours=1), timedelta(minutes=10), fan_out)]
    both = [worker_of(world_of(database, clock), diary, entries=entries) for _ in range(2)]
    for _ in range(6):  # an hour and a half: the slots of 12:10 and 13:10
        for worker in both:
            worker._fire()
            worker.drain()
        clock.move(15 * 60)
    assert diary.done == ["2026-11-03 12:10:00+00:00", "2026-11-03 13:10:00+00:00"]


def test_a_running_worker_does_what_is_enqueued_in_its_process_at_once(database: Database) -> None:
    done = threading.Event()
    world = world_of(database, real_clock)
    with running(worker_of(world, Diary(tell=lambda job, world: done.set()), poll_s=60)):
        put(world, do="tell")
        assert done.wait(10)


def test_stopping_finishes_what_runs_and_leaves_what_waits(database: Database) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(_job: Job, _world: World) -> None:
        started.set()
        go_on.wait(10)

    diary = Diary(wait=wait)
    world = world_of(database, real_clock)
    put(world, 1, do="wait")
    put(world, 2)
    worker = worker_of(world, diary)
    with running(worker):
        assert started.wait(10)
        worker.stop()
        go_on.set()
    assert rows(database, "SELECT state FROM job ORDER BY id") == [(2,), (0,)]
    assert worker_of(world, diary).drain() == 1
    assert diary.done == [1, 2]


def test_a_long_story_keeps_its_lane_by_renewing_the_lease(database: Database) -> None:
    go_on, started = threading.Event(), threading.Event()

    def wait(_job: Job, _world: World) -> None:
        started.set()
        go_on.wait(10)

    diary = Diary(wait=wait)
    world = world_of(database, real_clock)
    put(world, do="wait")
    lease = timedelta(seconds=0.9)
    with running(worker_of(world, diary, lease=lease, poll_s=0.1)):
        assert started.wait(10)
        other = worker_of(world, diary, lease=lease)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert other.drain() == 0
            time.sleep(0.1)
        go_on.set()
    assert len(diary.jobs) == 1


class running:  # noqa: N801 - reads as a statement
    """The worker in a thread of its own, stopped at the end."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.thread = threading.Thread(target=worker.run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_error: object) -> None:
        self.worker.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


def refuse(_job: Job, _world: World) -> None:
    raise Refused(403, "the repository is archived")


def real_clock() -> datetime:
    return datetime.now(UTC)


def dead_jobs_of(database: Database) -> Any:
    with database.reading() as session:
        return dead_jobs(session)


@pytest.mark.parametrize("status", [200, 403, 429])
def test_an_exhausted_primary_limit_blocks_until_its_reset(database: Database, status: int) -> None:
    clock = Clock()
    allowance = Allowance(database, 1, 1, 3, clock)
    allowance.saw({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(clock.now.timestamp()) + 90)}, status)
    with pytest.raises(Later) as refused:
        allowance.before_write(creating=False)
    assert refused.value.until == clock.now + timedelta(seconds=90)
