"""Writes to GitHub are spaced for each account, on both databases, across processes and without sleeping."""

from datetime import timedelta

import pytest

from app.core.outcomes import Later
from app.store import lanes
from app.store.buckets import CREATES_PER_HOUR, CREATES_PER_MINUTE, Allowance
from app.store.database import Database
from tests.engine.play import Clock, put, rows, world_of


def wait_s(allowance: Allowance, clock: Clock, creating: bool = False) -> float:
    """0 when the write may be made now, else the seconds until it is due."""
    try:
        allowance.before_write(creating)
    except Later as later:
        return (later.until - clock.now).total_seconds()
    return 0


def test_a_second_write_waits_a_second_and_a_second_creation_three(database: Database) -> None:
    clock = Clock()
    allowance = Allowance(database, 1, 1, 3, clock)
    assert wait_s(allowance, clock, creating=True) == 0
    assert wait_s(allowance, clock) == 1
    clock.move(1)
    assert wait_s(allowance, clock) == 0
    assert wait_s(allowance, clock, creating=True) >= 2
    clock.move(2)
    assert wait_s(allowance, clock, creating=True) == 0


def test_other_accounts_do_not_wait(database: Database) -> None:
    clock = Clock()
    assert wait_s(Allowance(database, 1, 1, 3, clock), clock) == 0
    assert wait_s(Allowance(database, 2, 1, 3, clock), clock) == 0


def test_those_who_must_wait_are_told_distinct_times(database: Database) -> None:
    clock = Clock()
    allowance = Allowance(database, 1, 1, 3, clock)
    assert [wait_s(allowance, clock) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_creations_are_capped_for_each_minute(sqlite: Database) -> None:
    clock = Clock()
    allowance = Allowance(sqlite, 1, 0, 0, clock)
    waits = [wait_s(allowance, clock, creating=True) for _ in range(CREATES_PER_MINUTE + 1)]
    assert waits == [0] * CREATES_PER_MINUTE + [60]


def test_creations_are_capped_for_each_hour(sqlite: Database) -> None:
    clock, made = Clock(), 0
    allowance = Allowance(sqlite, 1, 0, 0, clock)
    for _ in range(CREATES_PER_HOUR // CREATES_PER_MINUTE + 2):
        made += sum(wait_s(allowance, clock, creating=True) == 0 for _ in range(CREATES_PER_MINUTE))
        clock.move(60)
    assert made == CREATES_PER_HOUR
    clock.move(3600)
    assert wait_s(allowance, clock, creating=True) == 0


@pytest.mark.parametrize(
    ("headers", "status", "expected_s"),
    [
        ({"Retry-After": "30"}, 403, 30),
        ({"retry-after": "30"}, 429, 30),
        ({}, 429, 60),
        ({}, 403, 0),
        ({"Retry-After": "30"}, 200, 0),
        ({"X-RateLimit-Remaining": "1"}, 200, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "garbage"}, 200, 1),
        ({"Retry-After": "999999999"}, 403, 7200),
        ({"Retry-After": "-5"}, 429, 60),
    ],
)
def test_github_says_how_long_to_wait(
    sqlite: Database, headers: dict[str, str], status: int, expected_s: float
) -> None:
    clock = Clock()
    allowance = Allowance(sqlite, 1, 0, 0, clock)
    allowance.saw(headers, status)
    assert wait_s(allowance, clock) == expected_s


def test_a_worker_that_lost_its_lane_does_not_write(database: Database) -> None:
    clock = Clock()
    world = world_of(database, clock)
    put(world)
    lease = timedelta(seconds=60)
    with database.transaction() as session:
        (frozen,) = lanes.claim(session, clock.now, lease, 1)
    clock.move(61)
    with database.transaction() as session:
        lanes.claim(session, clock.now, lease, 1)
    with pytest.raises(lanes.LostLaneError):
        Allowance(database, 1, 1, 3, clock, frozen).before_write(creating=True)
    assert rows(database, "SELECT count(*) FROM bucket") == [(0,)]
