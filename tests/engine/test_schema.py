"""The migrated schema is what the tables say, on both databases, and holds its own rules."""

from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from app.store import (
    chargeback_tables,
    effect_tables,
    invoice_tables,
    queue_tables,
    reading_tables,
    rollup_tables,
    tables,
    vendor_tables,
)
from app.store.database import Database
from app.store.migrations import migrate
from app.store.queue import NewJob, enqueue

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_migrations_make_exactly_the_tables_that_the_code_uses(database: Database) -> None:
    assert (
        chargeback_tables.PeriodRow.metadata
        is effect_tables.Effect.metadata
        is queue_tables.Job.metadata
        is reading_tables.PullReading.metadata
        is rollup_tables.Rollup.metadata
        is tables.Tie.metadata
        is SQLModel.metadata
    )
    assert vendor_tables.PullTold.metadata is invoice_tables.VendorDay.metadata is SQLModel.metadata
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    migrate(database.url)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


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
    columns = tables.ModelCallRow.metadata.tables["model_call"].columns
    row = {column.name: 0 if "INT" in str(column.type) or column.name == "subagent" else "x" for column in columns}
    with database.transaction() as session:
        session.connection().execute(insert(tables.ModelCallRow), [row | {"subagent": False, "identity": b"x"}])
    for name in (name for name in row if name.endswith("_tokens")):
        with pytest.raises(IntegrityError), database.transaction() as session:
            session.connection().execute(text(f"UPDATE model_call SET {name} = -1"))
