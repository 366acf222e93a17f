"""A worker that was away for longer than its lease finishes a request that somebody else has overtaken."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.core.events import route
from app.sandbox import Sandbox
from app.sandbox.faults import Fault
from app.store.bulk import BulkWriter
from app.store.compressed import compressed
from app.store.database import Database
from app.store.inbox import Delivery, keep
from app.timetable import stories
from app.worker import Worker
from tests.chaos.verdict import wait_until_idle
from tests.stories.stage import REPOSITORY, Stage

LEASE = timedelta(seconds=0.3)
AWAY_S = 3.0  # so that who acts meanwhile is done before, on a machine that stalls for a moment too


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    """A pull that an agent worked on, in real time."""
    with Sandbox() as gh:
        made = Stage(gh, database)
        made.world = replace(made.world, now=lambda: datetime.now(UTC))  # leases need more than whole seconds
        made.worker = Worker(made.world, stories())
        made.install()
        gh.open_pull(REPOSITORY, "topic", files={"a.py": "1"})
        made.agent(pull=1)
        made.settle()
        yield made
        made.close()


@contextmanager
def away(stage: Stage, method: str, path: str) -> Iterator[None]:
    """A worker takes what is due and stays in that request past its lease; inside, somebody else may act."""
    # Nobody renews for it: `drain` alone does what a frozen process does.
    frozen = threading.Thread(target=Worker(stage.world, stories(), lease=LEASE).drain)
    slow = delayed(stage, method, path)
    frozen.start()
    wait_for(slow)
    time.sleep(LEASE.total_seconds() + 0.1)
    yield
    frozen.join()
    stage.worker.drain()
    wait_until_idle(stage.world.db, 1)


def delayed(stage: Stage, method: str, path: str) -> Fault:
    """The next such request reaches GitHub late."""
    slow = Fault("latency", 1, method, path, False, 0, None, AWAY_S)
    stage.gh.faults.add(slow)
    return slow


def wait_for(slow: Fault) -> None:
    """Return when the request is on its way."""
    deadline = time.monotonic() + 10
    while slow.times:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def take_in(stage: Stage) -> None:
    """Keep what GitHub has to tell, as the web does: the worker's work."""
    waiting, stage.waiting = stage.waiting, []
    found = [(one, route(one.event, one.body)) for one in waiting]
    kept = [
        Delivery(
            one.guid,
            one.event,
            r.action,
            r.installation_id,
            r.account_id,
            r.repository_id,
            r.lane,
            compressed(one.body),
        )
        for one, r in found
        if r is not None
    ]
    with BulkWriter(stage.world.db).transaction() as bulk:
        keep(bulk, kept, stage.now())


def check(stage: Stage) -> str:
    [found] = stage.gh.checks(REPOSITORY, 1)
    return str(found["output"]["title"])


def test_a_comment_that_comes_late_is_withdrawn(stage: Stage) -> None:
    stage.gh.merge(REPOSITORY, 1)
    stage.deliver()
    with away(stage, "POST", "/comments"):
        stage.worker.drain()
    assert stage.comment(1) is not None


def test_a_late_edit_of_the_comment_does_not_stay(stage: Stage) -> None:
    stage.gh.merge(REPOSITORY, 1)
    stage.settle()
    stage.agent(pull=1)
    stage.worker.drain(only=stage.rows("SELECT lane FROM job WHERE kind = 'place' AND state = 0")[0][0])
    with away(stage, "PATCH", "/issues/comments/"):
        stage.agent(pull=1)
        stage.worker.drain()
        assert "3 agent runs" in (stage.comment(1) or "")
    assert "3 agent runs" in (stage.comment(1) or "")


def test_a_late_edit_of_the_check_does_not_stay(stage: Stage) -> None:
    stage.agent(pull=1)
    stage.worker.drain(only=stage.rows("SELECT lane FROM job WHERE kind = 'place' AND state = 0")[0][0])
    with away(stage, "PATCH", "/check-runs/"):
        stage.agent(pull=1)
        stage.worker.drain()
        assert "3 agent runs" in check(stage)
    assert "3 agent runs" in check(stage)


def test_what_was_read_of_a_pull_before_it_merged_is_not_kept_afterwards(stage: Stage) -> None:
    stage.gh.push_to_pull(REPOSITORY, 1, {"a.py": "2"})
    take_in(stage)
    with away(stage, "GET", "/pulls/1/commits"):
        stage.gh.merge(REPOSITORY, 1)
        take_in(stage)
        stage.worker.drain()
    assert stage.rows("SELECT state FROM pull") == [("merged",)]
    assert stage.comment(1) is not None


def test_an_agent_run_that_is_placed_during_a_merge_keeps_the_pull_merged(stage: Stage) -> None:
    number = stage.gh.open_pull(REPOSITORY, "other", files={"b.py": "1"})
    stage.waiting = []  # nobody has told of this pull yet
    stage.agent(pull=number)
    slow = delayed(stage, "GET", f"/pulls/{number}/commits")
    placing = threading.Thread(target=stage.worker.drain)
    placing.start()
    wait_for(slow)
    stage.gh.merge(REPOSITORY, number)
    take_in(stage)
    Worker(stage.world, stories()).drain()
    placing.join()
    stage.settle()
    assert stage.rows("SELECT state FROM pull WHERE number = 2") == [("merged",)]
    assert stage.comment(number) is not None
