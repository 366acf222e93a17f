"""A stage for each test; every request to the sandbox and every answer is held against GitHub's description."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from app.sandbox import Sandbox
from app.store.database import Database
from tests.openapi.contract import Observer
from tests.stories.stage import Stage

START = datetime(2026, 10, 5, 9, tzinfo=UTC)


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    """On SQLite and on PostgreSQL, in October 2026."""
    observer = Observer()
    with Sandbox(observer=observer) as gh:
        gh.set_time(START)
        made = Stage(gh, database)
        with closing(made):
            yield made
            assert made.differing() == []
    assert observer.violations == []
