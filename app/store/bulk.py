"""Many rows at the speed of the driver, for the one place where SQLAlchemy's care for each transaction would cost
more than the work: the inbox, thousands of times a minute. The statements are the same as everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.interfaces import DBAPICursor

from app.store.database import Database
from app.store.raw import Raw, mark_for

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection

# Pages of 4 kB. Whoever commits the last of them also copies all of them to the file, and keeps the others waiting:
# often and little, rather than SQLite's 1000, makes the slowest deliveries a third faster (docs/performance.md).
CHECKPOINT_PAGES = 300


class Bulk:
    """A writing transaction of the driver's own; named values go in, tuples come out."""

    def __init__(self, cursor: DBAPICursor, mark: str) -> None:
        self._cursor, self._mark = cursor, mark

    def write(self, statement: Raw, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run an INSERT for all rows."""
        statement.run_all_by(self._cursor, self._mark, rows)

    def execute(self, statement: Raw, row: Mapping[str, Any]) -> None:
        statement.run_by(self._cursor, self._mark, row)

    def rows_of(self, query: str, keys: Sequence[str]) -> Sequence[tuple[Any, ...]]:
        """The rows of a query that ends in "IN ", for these keys."""
        self._cursor.execute(f"{query}({','.join([self._mark] * len(keys))})", tuple(keys))
        return self._cursor.fetchall()


class BulkWriter:
    """One writer of many rows, for one thread. It keeps its connection: a pool's care costs as much as a row."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark = mark_for(database.engine.dialect.name)
        self._connection: PoolProxiedConnection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Bulk]:
        """Committed when the block ends, rolled back when it raises (the driver's own errors)."""
        with self._database.writer:
            connection = self._connection = self._connection or self._open()
            try:
                cursor = connection.cursor()
                if self._database.sqlite:
                    cursor.execute("BEGIN IMMEDIATE")
                yield Bulk(cursor, self._mark)
                connection.commit()
            except BaseException:
                self.close()  # which rolls back; perhaps the server has gone, so the next one connects anew
                raise

    def _open(self) -> "PoolProxiedConnection":
        connection = self._database.engine.raw_connection()
        if self._database.sqlite:
            connection.cursor().execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        return connection

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
