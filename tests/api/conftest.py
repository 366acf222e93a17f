"""A stage whose App also serves HTTP, with two organisations in which much has happened."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from app.sandbox import Sandbox
from app.store.database import Database
from app.web.app import build_app
from tests.api.reader import Reader, new_token
from tests.record.serving import Server, serving
from tests.stories.stage import PATH, REPOSITORY, Stage

START = datetime(2026, 10, 5, 9, tzinfo=UTC)
OTHERS = "other/secret"


@dataclass(frozen=True)
class Scene:
    """`acme` and `other` are accounts' ids; `reader` reads acme, `stranger` the other one."""

    stage: Stage
    server: Server
    acme: int
    other: int

    @property
    def reader(self) -> Reader:
        return Reader(self.server, new_token(self.stage.world.db, self.acme))

    @property
    def stranger(self) -> Reader:
        return Reader(self.server, new_token(self.stage.world.db, self.other))

    def rows(self, query: str, account_id: int) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.stage.rows(query, account_id=account_id)]


def play(stage: Stage) -> None:
    """Two merged pulls, an open one over two months, an unpriced and a shared session, and work without a pull."""
    for branch, calls in (("one", 3), ("two", 1), ("three", 2)):
        number = stage.gh.open_pull(REPOSITORY, branch, files={"a.py": branch}, title=f"Pull {branch} | =1+1")
        stage.agent(pull=number, calls=calls)
        stage.tick()
        if branch != "three":
            stage.gh.merge(REPOSITORY, number, "squash")
    unpriced = [stage.call("no-price", model="a-model-that-nobody-sells")]
    stage.report(stage.gh.start_workflow_run(REPOSITORY, path=PATH, pull=3), unpriced, "unpriced")
    stage.agent(event="schedule", calls=4)
    stage.agent("acme/gadgets", event="schedule", calls=1)
    stage.agent(OTHERS, event="schedule", calls=7)
    stage.settle()
    stage.tick(30 * 24 * 3600)
    stage.agent(pull=3, calls=1)
    stage.settle()


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    """On SQLite and on PostgreSQL: October and November of 2026."""
    yield from staged(database)


@pytest.fixture
def sqlite_scene(sqlite: Database) -> Iterator[Scene]:
    """On SQLite alone."""
    yield from staged(sqlite)


def staged(database: Database) -> Iterator[Scene]:
    with Sandbox() as gh:
        gh.set_time(START)
        stage = Stage(gh, database)
        with closing(stage):
            acme = stage.install(REPOSITORY, "acme/gadgets")
            other = stage.install(OTHERS, account="other")
            play(stage)
            with serving(stage.world, app=build_app(stage.world)) as server:
                yield Scene(stage, server, acme, other)
