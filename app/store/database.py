"""One door to the database: transactions that write, and snapshots that only read. SQLite or PostgreSQL by URL.

On SQLite writers take turns behind a lock of this process and `BEGIN IMMEDIATE` (the default BEGIN loses updates
under concurrency); on PostgreSQL a transaction that collides (SQLSTATE 40001, 40P01) rises and its job is retried.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

BUSY_TIMEOUT_MS = 30_000
# A batch of records changes more pages than SQLite's 2 MB hold: they would be written twice.
CACHE_KB = 16_000
SORTING_KB = 8_000
MAPPED = 2**31  # bytes; SQLite maps no more
# A replica that freezes inside a transaction must not keep its locks: the others could not take its lanes over.
POSTGRESQL_OPTIONS = {"options": "-c idle_in_transaction_session_timeout=30s"}


class Database:
    """`url` is an SQLAlchemy URL: "sqlite:///file.sqlite3" or "postgresql+psycopg://…". Sessions are sync."""

    def __init__(self, url: str, pool_size: int = 10, *, mapped: bool = False, sorts_on_disk: bool = False) -> None:
        """`mapped`: for a process that reads much of the database, which then copies no pages; on SQLite alone.

        `sorts_on_disk`: for one that sorts more than it should hold.
        """
        self.url = url
        self.engine = _engine(url, pool_size)
        self.sqlite = self.engine.dialect.name == "sqlite"
        if self.sqlite and mapped:
            event.listen(self.engine, "connect", lambda sqlite, _record: sqlite.execute(f"PRAGMA mmap_size={MAPPED}"))
        if self.sqlite and sorts_on_disk:
            event.listen(self.engine, "connect", _sort_on_disk)
        self.enqueued = threading.Event()  # set when a commit brought work: a hint for the worker of this process
        self.guard: Callable[[Session], None] | None = None
        self.writer: threading.Lock | nullcontext[None] = threading.Lock() if self.sqlite else nullcontext()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A writing session: committed when the block ends, rolled back when it raises."""
        with self.writer, Session(self.engine, expire_on_commit=False) as session:
            if self.sqlite:
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            if self.guard is not None:
                self.guard(session)
            yield session
            session.commit()
            if session.info.get("enqueued"):
                self.enqueued.set()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading one consistent snapshot. What it loaded may be used after it has ended."""
        with Session(self.engine, expire_on_commit=False) as session:
            if self.sqlite:
                session.connection().exec_driver_sql("BEGIN")
            elif self.engine.dialect.name == "postgresql":
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session  # closing rolls back; a rollback here would make what was loaded unreadable

    def guarded(self, guard: Callable[[Session], None]) -> "Database":
        """This database, where `guard` looks first in each transaction and may raise."""
        guarded = copy(self)
        guarded.guard = guard
        return guarded

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str, pool_size: int) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(
            url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True, connect_args=POSTGRESQL_OPTIONS
        )
    # The connection used last comes first: its cache has the pages that were written last.
    engine = create_engine(url, poolclass=QueuePool, pool_size=pool_size, max_overflow=pool_size, pool_use_lifo=True)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _sort_on_disk(connection: sqlite3.Connection, _record: Any) -> None:
    for pragma in ("temp_store=FILE", f"cache_size=-{SORTING_KB}"):  # it sorts in as much as it caches
        connection.execute(f"PRAGMA {pragma}")


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # isolation_level None hands BEGIN to us; FULL costs nothing once commits are grouped (docs/decisions).
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"cache_size=-{CACHE_KB}",
        "temp_store=MEMORY",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")
