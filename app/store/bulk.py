"""Many rows at the speed of the driver, for the one place where SQLAlchemy's care for each row and each transaction
would cost more than the work: the inbox, thousands of times a minute. The SQL is the same `text` as everywhere.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Dialect, TextClause
from sqlalchemy.engine.interfaces import DBAPICursor

from app.store.database import Database


class Bulk:
    """A writing transaction of the driver's own; named values go in, tuples come out."""

    def __init__(self, cursor: DBAPICursor, dialect: Dialect) -> None:
        self._cursor, self._dialect = cursor, dialect

    def write(self, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute an INSERT … VALUES (…) for all rows."""
        if not self._dialect.positional:
            self._cursor.executemany(_compiled(statement, self._dialect, 1)[0], rows)
            return
        # SQLite's driver gives up Python's lock at every step, and has to win it back from the server's thread:
        # many rows a step. Few sizes, so that the driver keeps the prepared statements.
        done = 0
        while done < len(rows):
            size = next(size for size in ROWS_A_STEP if size <= len(rows) - done)
            sql, places = _compiled(statement, self._dialect, size)
            self._cursor.execute(sql, [row[name] for row in rows[done : done + size] for name in places])
            done += size

    def execute(self, statement: TextClause, row: Mapping[str, Any]) -> None:
        compiled = statement.compile(dialect=self._dialect)
        self._cursor.execute(str(compiled), [row[name] for name in compiled.positiontup or ()] or row)

    def rows_of(self, query: str, keys: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """The rows of a query that ends in "IN ", for these keys."""
        mark = "?" if self._dialect.positional else "%s"
        self._cursor.execute(f"{query}({','.join([mark] * len(keys))})", tuple(keys))
        return self._cursor.fetchall()


@contextmanager
def bulk_transaction(database: Database) -> Iterator[Bulk]:
    """Committed when the block ends, rolled back when it raises (the driver's own errors)."""
    with database.writer, _connection(database) as connection:
        try:
            cursor = connection.cursor()
            if database.sqlite:
                cursor.execute("BEGIN IMMEDIATE")
            yield Bulk(cursor, database.engine.dialect)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


@contextmanager
def _connection(database: Database) -> Iterator[Any]:
    connection = database.engine.raw_connection()
    try:
        yield connection
    finally:
        connection.close()


@cache
def _compiled(statement: TextClause, dialect: Dialect, size: int) -> tuple[str, Sequence[str]]:
    """The SQL in the driver's own style with so many groups of values, and the order of the values in a group."""
    compiled = statement.compile(dialect=dialect)
    head, group, tail = VALUES.split(str(compiled), maxsplit=1)
    return f"{head}VALUES {', '.join([group] * size)}{tail}", compiled.positiontup or ()


# A statement has one group of values, on a line of its own, and no values after it.
VALUES = re.compile(r"VALUES (\(.*\))$", re.MULTILINE)
ROWS_A_STEP = (16, 4, 1)
