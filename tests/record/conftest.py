"""The issuer, and the surface on each kind of database."""

from collections.abc import Iterator

import pytest

from app.store.database import Database
from tests.record.issuer import Issuer, issuing
from tests.record.serving import Server, install, serving, world_of


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


@pytest.fixture
def server(database: Database, issuer: Issuer) -> Iterator[Server]:
    """Installed on one account, with one private repository; on SQLite and on PostgreSQL."""
    with database.transaction() as session:
        install(session)
    with serving(world_of(database, issuer.url), issuer) as one:
        yield one


@pytest.fixture
def sqlite_server(sqlite: Database, issuer: Issuer) -> Iterator[Server]:
    """The same on SQLite alone, for what never reaches the database."""
    with sqlite.transaction() as session:
        install(session)
    with serving(world_of(sqlite, issuer.url), issuer) as one:
        yield one
