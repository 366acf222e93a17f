"""Many rows at the speed of the driver, for the one place where SQLAlchemy's care for each row and each transaction
would cost more than the work: the inbox, thousands of times a minute. The SQL is the same `text` as everywhere.
"""

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
        """Execute the statement once for each row."""
        sql, places = _compiled(statement, self._dialect)
        self._cursor.executemany(sql, [_values(row, places) for row in rows])

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


def _values(row: Mapping[str, Any], places: Sequence[str] | None) -> Any:
    return row if places is None else tuple([row[name] for name in places])


@cache
def _compiled(statement: TextClause, dialect: Dialect) -> tuple[str, Sequence[str] | None]:
    """The SQL in the driver's own style, and the order of the values where it takes them by position."""
    compiled = statement.compile(dialect=dialect)
    return str(compiled), compiled.positiontup if compiled.positional else None
