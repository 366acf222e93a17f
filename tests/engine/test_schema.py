"""The migrated schema is what the tables say, on both databases, and holds its own rules."""

from datetime import UTC, datetime

import psycopg
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


def test_both_databases_sort_and_compare_text_by_its_bytes(database: Database) -> None:
    names = ["é", "b", "B", "a b", "a-b", "ab", "A", "_", "1", "~"]
    columns = tables.Repository.metadata.tables["repository"].columns
    row = {column.name: 0 if "INT" in str(column.type) else "x" for column in columns} | {"archived": False}
    with database.transaction() as session:
        rows = [row | {"repository_id": number, "name": name, "has_issues": True} for number, name in enumerate(names)]
        session.connection().execute(insert(tables.Repository), rows)
        found = session.connection().execute(text("SELECT name FROM repository ORDER BY name")).scalars().all()
        between = session.connection().execute(text("SELECT COUNT(*) FROM repository WHERE name > 'Z'")).scalar()
    assert (found, between) == (sorted(names, key=str.encode), 7)


def test_every_text_column_of_postgresql_is_compared_by_bytes(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        found = connection.execute(COLLATIONS).fetchall()
    assert {collation for _, _, collation in found} == {"C"}, [each for each in found if each[2] != "C"]


COLLATIONS = """
    SELECT table_name, column_name, collation_name FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version'
"""
