"""One stage for a test run on SQLite, and one on PostgreSQL for what must be the same there."""

import re
from collections.abc import Iterator

import pytest

from app.store.keys import new_key
from tests.databases import SharedPostgres
from tests.e2e.stage import Organisation, Stage, staged


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The App on SQLite."""
    with staged(tmp_path_factory.mktemp("e2e")) as made:
        yield made


@pytest.fixture(scope="session")
def postgres_stage(postgres: SharedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The App on PostgreSQL."""
    name = f"e2e_{new_key()}"
    postgres.create(name)
    with staged(tmp_path_factory.mktemp("e2e-postgresql"), postgres.url(name)) as made:
        yield made
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest) -> Stage:
    """The App on each kind of database in turn."""
    found = request.getfixturevalue("stage" if request.param == "sqlite" else "postgres_stage")
    assert isinstance(found, Stage)
    return found


@pytest.fixture
def acme(request: pytest.FixtureRequest, stage: Stage) -> Organisation:
    """An organisation of the test's own."""
    return stage.organisation(named(request))


@pytest.fixture
def anywhere(request: pytest.FixtureRequest, either: Stage) -> Organisation:
    """An organisation of the test's own, once on each kind of database."""
    return either.organisation(named(request))


def named(request: pytest.FixtureRequest) -> str:
    """A login from the test's name."""
    return re.sub(r"[^a-z0-9]+", "-", str(request.node.name).lower())[:38].strip("-") + f"-{next(NUMBERS)}"


NUMBERS = iter(range(1, 10_000))
