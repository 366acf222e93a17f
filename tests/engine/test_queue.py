"""What the queue promises, on both databases: order in a lane, one at a time, folding, leases and fences."""

from datetime import timedelta

import pytest

from app.store import lanes
from app.store.database import Database
from app.store.lanes import Ended, LostLaneError
from app.store.queue import NewJob
from tests.engine.play import START, Clock, Diary, put, rows, worker_of, world_of

LEASE = timedelta(seconds=60)


def test_jobs_of_a_lane_are_done_in_the_order_they_came(database: Database) -> None:
    world, diary = world_of(database, Clock()), Diary()
    for n in range(20):
        put(world, n, kind="delivery" if n % 2 else "note")
    worker_of(world, diary).drain()
    assert diary.done == list(range(20))


def test_a_job_is_not_done_before_its_time(database: Database) -> None:
    clock, diary = Clock(), Diary()
    world = world_of(database, clock)
    put(world, "later", after_s=10)
    put(world, "now")
    worker = worker_of(world, diary)
    worker.drain()
    clock.move(9.9)
    worker.drain()
    assert diary.done == ["now"]
    clock.move(0.1)
    worker.drain()
    assert diary.done == ["now", "later"]


def test_the_same_thing_waits_only_once_and_at_the_earlier_time(database: Database) -> None:
    clock, diary = Clock(), Diary()
    world = world_of(database, clock)
    put(world, "x", after_s=30, note="old")
    put(world, "x", after_s=5, note="new")
    put(world, "x", after_s=60, note="newest")
    clock.move(5)
    worker_of(world, diary).drain()
    assert [job.args for job in diary.jobs] == [{"n": "x", "note": "newest"}]
    assert rows(database, "SELECT state FROM job") == [(2,)]


def test_a_stream_of_changes_does_not_put_a_debounced_job_off_or_bring_it_forward(database: Database) -> None:
    clock, diary = Clock(), Diary()
    world = world_of(database, clock)
    worker = worker_of(world, diary)
    put(world, "x", kind="publish", after_s=10)
    for _ in range(3):
        clock.move(3)
        put(world, "x", kind="publish", after_s=0)
        worker.drain()
    assert diary.done == []
    clock.move(1)
    worker.drain()
    assert diary.done == ["x"]


def test_the_same_thing_asked_for_while_it_runs_is_done_once_more(database: Database) -> None:
    diary = Diary(again=lambda job, world: put(world, "x") if len(diary.jobs) == 1 else None)
    world = world_of(database, Clock())
    put(world, "x", do="again")
    worker_of(world, diary).drain()
    assert diary.done == ["x", "x"]


def test_a_lane_is_claimed_by_one_worker_at_a_time(database: Database) -> None:
    world = world_of(database, Clock())
    for lane in "abc":
        put(world, lane=f"1/{lane}")
    with database.transaction() as session:
        first = lanes.claim(session, START, LEASE, 2)
    with database.transaction() as session:
        second = lanes.claim(session, START, LEASE, 9)
    assert sorted(hold.lane for hold in first + second) == ["1/a", "1/b", "1/c"]
    assert len(first) == 2


def test_the_lane_of_a_dead_worker_is_taken_over_when_its_lease_ends(database: Database) -> None:
    clock, diary = Clock(), Diary()
    world = world_of(database, clock)
    put(world, "interrupted")
    put(world, "next")
    with database.transaction() as session:
        (hold,) = lanes.claim(session, clock.now, LEASE, 1)
        lanes.advance(session, hold, None, clock.now, LEASE)
    worker = worker_of(world, diary)
    clock.move(59)
    worker.drain()
    assert diary.done == []
    clock.move(1)
    worker.drain()
    assert diary.done == ["interrupted", "next"]
    assert diary.jobs[0].attempts == 2


def test_who_lost_its_lease_cannot_write_in_the_name_of_the_lane(database: Database) -> None:
    clock = Clock()
    world = world_of(database, clock)
    put(world, "x")
    with database.transaction() as session:
        (frozen,) = lanes.claim(session, clock.now, LEASE, 1)
        job = lanes.advance(session, frozen, None, clock.now, LEASE)
    assert job is not None
    clock.move(60)
    with database.transaction() as session:
        (taker,) = lanes.claim(session, clock.now, LEASE, 1)
    assert taker.fence > frozen.fence
    with pytest.raises(LostLaneError), database.transaction() as session:
        lanes.advance(session, frozen, Ended(job), clock.now, LEASE)
    with pytest.raises(LostLaneError), database.transaction() as session:
        lanes.check(session, frozen)
    assert rows(database, "SELECT state FROM job") == [(1,)]


def test_a_renewed_lease_is_not_taken_over(database: Database) -> None:
    clock = Clock()
    put(world_of(database, clock), "x")
    with database.transaction() as session:
        held = lanes.claim(session, clock.now, LEASE, 1)
    clock.move(50)
    with database.transaction() as session:
        lanes.renew(session, held, clock.now, LEASE)
    clock.move(50)
    with database.transaction() as session:
        assert lanes.claim(session, clock.now, LEASE, 1) == []


def test_a_pruned_lane_that_comes_back_never_repeats_a_fence(database: Database) -> None:
    clock = Clock()
    world = world_of(database, clock)
    put(world, 1)
    with database.transaction() as session:
        (old,) = lanes.claim(session, clock.now, LEASE, 1)
        session.connection().exec_driver_sql("DELETE FROM lane")
    clock.move(1)
    put(world, 2)
    with database.transaction() as session:
        (new,) = lanes.claim(session, clock.now, LEASE, 1)
    assert new.fence > old.fence + 100


def test_a_lane_outside_its_account_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of account 1"):
        NewJob(1, "12/a", "note", "x", {}, START)


def test_the_same_dedupe_in_two_accounts_is_two_jobs(database: Database) -> None:
    world, diary = world_of(database, Clock()), Diary()
    put(world, "x", lane="1/a")
    put(world, "x", lane="2/a")
    worker_of(world, diary).drain()
    assert sorted(job.account_id for job in diary.jobs) == [1, 2]
