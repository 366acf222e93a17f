"""Deliveries that did not arrive: found by their guid over all attempts, asked for gently, judged by our own inbox."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn

from app.sandbox import Sandbox
from app.store.database import Database
from app.store.queue import Job
from app.store.queue_tables import Inbox
from app.stories import redeliver
from app.timetable import stories
from app.web.app import build_app
from app.worker import Worker
from tests.openapi.contract import Observer
from tests.sandbox.listener import Listener, listening
from tests.stories.stage import REPOSITORY, Stage

START = datetime(2026, 10, 5, 9, tzinfo=UTC)
JOB = Job("j", 0, "0/deliveries", "deliveries")
QUARTER_S = 15 * 60
DAY_S = 86_400
SECRET = "the-secret-of-the-webhook"


class Receiving(Stage):
    """A stage to which GitHub really sends; `heard` says what arrived, and with which answer."""

    def __init__(self, gh: Sandbox, database: Database, heard: Listener) -> None:
        super().__init__(gh, database)
        self.heard = heard
        self.install()
        gh.hub.deliver = gh.courier.post
        gh.set_hook_url(heard.url)

    def lose(self, count: int, status: int | None = None) -> list[str]:
        """Events that do not arrive: without any HTTP answer, or refused with a status; their guids."""
        before = len(self.gh.deliveries())
        if status is None:
            self.gh.drop_next(count)
        else:
            self.heard.answers += [status] * count
        for number in range(count):
            self.gh.edit_pull(REPOSITORY, 1, title=f"Title {before + number}")
        self.gh.drain()
        self.gh.drop_next(0)
        return [one["guid"] for one in self.gh.deliveries()[before:]]

    def sweep(self, after_s: float = QUARTER_S) -> list[str]:
        """Run the sweep that comes next; the guids that arrived by it."""
        self.gh.advance(after_s)
        before = len(self.heard.taken)
        redeliver.deliveries(JOB, self.world)
        assert self.gh.drain()
        return [headers["x-github-delivery"] for headers, _ in self.heard.taken[before:]]


@pytest.fixture
def stage(database: Database) -> Iterator[Receiving]:
    observer = Observer()
    with Sandbox(observer=observer) as gh, listening() as heard:
        gh.set_time(START)
        made = Receiving(gh, database, heard)
        with closing(made):
            gh.open_pull(REPOSITORY, "a", files={"a.py": "1"})
            gh.drain()
            yield made
    assert observer.violations == []


def states(stage: Stage) -> dict[str, str]:
    return {row[0]: row[1] for row in stage.rows("SELECT guid, state FROM undelivered")}


def arrived(stage: Receiving) -> None:
    """One more event, which arrives: GitHub reaches us."""
    stage.gh.edit_pull(REPOSITORY, 1, title="It arrives")
    stage.gh.drain()


@pytest.mark.parametrize("status", [None, 500, 404])
def test_what_did_not_arrive_is_delivered_again(stage: Receiving, status: int | None) -> None:
    lost = stage.lose(3, status)
    arrived(stage)
    assert sorted(stage.sweep()) == sorted(lost)
    assert stage.sweep() == []
    assert set(states(stage).values()) == {"arrived"}


def test_what_arrived_is_not_delivered_again(stage: Receiving) -> None:
    arrived(stage)
    assert stage.sweep() == []
    assert states(stage) == {}


def test_one_good_attempt_of_several_is_enough(stage: Receiving) -> None:
    [lost] = stage.lose(1)
    stage.gh.redeliver(lost)
    stage.gh.drain()
    arrived(stage)
    assert stage.sweep() == []


def test_what_the_inbox_holds_is_not_asked_for(stage: Receiving) -> None:
    [lost] = stage.lose(1)
    arrived(stage)
    row = Inbox(delivery_id=lost, event="pull_request", action="edited", payload=b"", received_at_us=0)
    with stage.world.db.transaction() as session:
        session.add(row)
    assert stage.sweep() == []
    assert states(stage) == {lost: "arrived"}


def test_events_that_we_do_not_use_are_not_asked_for(stage: Receiving) -> None:
    stage.gh.drop_next(1)
    stage.gh.ping()
    stage.gh.drop_next(0)
    arrived(stage)
    assert stage.sweep() == []


def test_while_nothing_arrives_one_is_asked_for_now_and_then(stage: Receiving) -> None:
    stage.lose(5)
    stage.gh.set_hook_url("http://127.0.0.1:9/")
    attempts = len(stage.gh.deliveries())
    stage.sweep()
    stage.sweep(after_s=60)
    assert len(stage.gh.deliveries()) == attempts + 1
    stage.sweep()
    assert len(stage.gh.deliveries()) == attempts + 2
    stage.gh.set_hook_url(stage.heard.url)
    assert len(stage.sweep()) == 1
    assert len(stage.sweep(after_s=30)) >= 2  # it is over: all that are due


def test_a_weekend_comes_in_small_groups_the_oldest_first(stage: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeliver, "AT_ONCE", 4)
    lost = stage.lose(10)
    arrived(stage)
    stage.gh.advance(60)
    groups = [stage.sweep(after_s=30) for _ in range(4)]
    assert [len(group) for group in groups] == [4, 4, 2, 0]
    assert sorted(guid for group in groups for guid in group) == sorted(lost)
    assert stage.rows("SELECT COUNT(*) FROM job WHERE dedupe = '0/deliveries' AND state = 0") == [(1,)]


def test_what_never_succeeds_is_asked_for_less_and_less(stage: Receiving) -> None:
    [lost] = stage.lose(1, 400)
    asked = 0
    for _ in range(3 * 24 * 4):
        stage.heard.answers.append(400)
        asked += len(stage.sweep())
        stage.heard.answers.clear()
        arrived(stage)
    assert 8 <= asked <= 20
    assert states(stage)[lost] == "lost"


def test_what_github_has_forgotten_is_given_up(stage: Receiving) -> None:
    [lost] = stage.lose(1)
    stage.gh.set_hook_url("http://127.0.0.1:9/")
    stage.sweep()
    stage.gh.set_hook_url(stage.heard.url)
    stage.gh.advance(3 * DAY_S)
    arrived(stage)
    assert stage.sweep() == []
    assert states(stage) == {lost: "gone"}


def test_the_list_is_read_back_to_where_the_last_reading_began(stage: Receiving) -> None:
    for _ in range(110):
        arrived(stage)
    assert pages(stage) == 2
    stage.gh.advance(QUARTER_S)
    arrived(stage)
    assert pages(stage) == 2  # the quarter of an hour before is looked at again
    stage.gh.advance(QUARTER_S)
    assert pages(stage) == 1


def pages(stage: Receiving) -> int:
    asked = len(stage.gh.requests)
    stage.sweep()
    return sum(path == "/app/hook/deliveries" for _, path, _ in stage.gh.requests[asked:])


def test_a_reading_that_was_cut_off_goes_on_from_its_page(stage: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeliver, "MOST_PAGES", 1)
    [lost] = stage.lose(1)
    for _ in range(110):
        arrived(stage)
    assert stage.sweep(after_s=60) == []
    assert stage.rows("SELECT cursor <> '' FROM delivery_sweep") == [(1,)]
    assert stage.sweep(after_s=60) == [lost]


def test_a_cursor_that_is_old_is_not_used(stage: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeliver, "MOST_PAGES", 1)
    for _ in range(110):
        arrived(stage)
    stage.sweep()
    monkeypatch.undo()
    [lost] = stage.lose(1)
    arrived(stage)
    assert stage.sweep(after_s=2 * 3600) == [lost]


def test_a_failure_of_githubs_leaves_the_rest_for_the_next_time(stage: Receiving) -> None:
    lost = stage.lose(3)
    arrived(stage)
    stage.gh.fail("status", path="/attempts")
    with pytest.raises(Exception, match="502"):
        stage.sweep()
    got: set[Any] = {*stage.sweep(), *stage.sweep(), *stage.sweep()}
    assert got == set(lost)


@contextmanager
def answering(stage: Receiving) -> Iterator[None]:
    """The App's own end point takes what GitHub sends, instead of the listener."""
    stage.world = replace(stage.world, settings=replace(stage.world.settings, webhook_secrets=(SECRET,)))
    stage.worker = Worker(stage.world, stories())
    server = uvicorn.Server(uvicorn.Config(build_app(stage.world), port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    stage.gh.set_hook_url(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/webhooks/github")
    yield
    server.should_exit = True
    thread.join()


def test_a_weekend_without_deliveries_ends_as_if_they_had_come(stage: Receiving) -> None:
    """Also with what only events tell: a head that a force-push took away."""
    gh = stage.gh
    gh.hub.apps[stage.app["app_id"]].webhook_secret = SECRET
    gh.set_hook_url("http://127.0.0.1:9/")
    gh.push(REPOSITORY, "work", {"w.py": "1"})
    number = gh.open_pull(REPOSITORY, "work")
    stage.agent(event="push", branch="work")
    gh.advance(60)
    gh.push_to_pull(REPOSITORY, number, {"w.py": "2"}, force=True)
    gh.merge(REPOSITORY, number)
    gh.drain()
    gh.advance(2 * DAY_S)
    with answering(stage):
        for _ in range(3):
            stage.sweep(after_s=QUARTER_S)
            stage.worker.drain()
    assert stage.evidence() == [("E3", number)]
    assert stage.comment(number) is not None
    assert {state for (state,) in stage.rows("SELECT state FROM inbox")} == {"done"}
    assert set(states(stage).values()) == {"arrived"}
