"""The migrated schema is what the tables say, on both databases, and holds its own rules."""

from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from app.store import tables
from app.store.database import Database
from app.store.migrations import migrate
from app.store.queue import NewJob, enqueue

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    assert tables.Job.metadata is SQLModel.metadata
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database.url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE job SET state = 4",
        "UPDATE job SET attempts = -1",
        "UPDATE lane SET fence = -1",
    ],
)
def test_a_row_that_breaks_a_rule_is_refused(database: Database, statement: str) -> None:
    with database.transaction() as session:
        enqueue(session, NewJob(1, "1/a", "work", "work", {}, NOW), NOW)
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.connection().execute(text(statement))


def test_token_counts_cannot_be_negative(database: Database) -> None:
    row = {"id": "x", "account_id": 1, "agent_run_id": "r", "provider": "p", "response_id": "1", "model": "m"}
    numbers = [c.name for c in tables.ModelCallRow.__table__.columns if c.name.endswith(("_tokens", "_us"))]  # type: ignore[attr-defined]
    good = tables.ModelCallRow(
        **row,
        **dict.fromkeys(numbers, 0),
        web_searches=0,
        service_tier="",
        speed="",
        subagent=False,
        cost_nano_usd=None,
    )
    with database.transaction() as session:
        session.add(good)
    for name in numbers[1:]:
        with pytest.raises(IntegrityError), database.transaction() as session:
            session.connection().execute(text(f"UPDATE model_call SET {name} = -1"))
