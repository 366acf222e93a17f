"""Fixtures for every test: a fresh migrated `database` on SQLite and on PostgreSQL, and `sqlite` for one alone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from app.store.database import Database
from app.store.keys import new_key
from app.store.migrations import migrate
from tests import optional
from tests.databases import SharedPostgres, find_binaries, new_home

POSTGRES_HOME = "MERGEMETER_TEST_POSTGRES_HOME"
# Their files share what is dear to set up, so each of them goes to one worker as a whole.
WHOLE_FILES = "tests/e2e/"


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives tests to workers one by one, but for those in WHOLE_FILES."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(WHOLE_FILES) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    # Laws are checked on shared machines too, where a slow moment says nothing about the code.
    settings.register_profile("shared machine", deadline=None)
    settings.load_profile("shared machine")
    # The controller decides on the place before its workers start, and they inherit it.
    if not hasattr(config, "workerinput"):
        os.environ[POSTGRES_HOME] = str(new_home())


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        SharedPostgres(Path(os.environ.pop(POSTGRES_HOME))).stop()


def pytest_runtest_setup(item: pytest.Item) -> None:
    optional.check_markers(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    optional.summarize(terminalreporter)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file with no connection to it; copy it."""
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres() -> SharedPostgres:
    """The run's PostgreSQL. Where it is missing the test is skipped, with CI=true it fails."""
    optional.need("PostgreSQL", find_binaries() is not None, "no initdb found (Debian: apt-get install postgresql)")
    server = SharedPostgres(Path(os.environ[POSTGRES_HOME]))
    server.ensure()
    return server


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh migrated SQLite file."""
    path = tmp_path / "mergemeter.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: SharedPostgres) -> Iterator[str]:
    """The URL of a fresh migrated PostgreSQL database."""
    name = f"test_{new_key()}"
    postgres.create(name)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh migrated database; the test runs once on each kind."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh migrated database; the test runs once on each kind."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Database]:
    """A fresh migrated database on SQLite alone, for tests where the kind cannot matter."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()
