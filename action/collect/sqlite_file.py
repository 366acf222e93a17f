"""Opens an SQLite database that somebody else owns, and writes neither to it nor beside it.

A database with nothing beside it is read as it lies, as one that does not change. One with a write-ahead log or a
journal is copied together with it into a temporary folder, for SQLite would write to what lies beside; only one that is
too large to be copied is opened in place, where its log's index is there already.

Refuses what is not a regular file, and to read for longer than it may.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from .files import BLOCK, open_regular

if TYPE_CHECKING:
    from sqlite3 import Connection

COPY_LIMIT = 256 << 20
TRIES = 3
STEPS = 10_000  # of SQLite's machine between looks at the clock
_BESIDE = ("-wal", "-journal")


class Unreadable(Exception):
    """A database that cannot be read, or not to its end. The message is our own."""


@contextmanager
def opened(path: str, until: float) -> Iterator[Connection]:
    """The database, read-only, with all text as bytes, until that moment of the monotonic clock.

    Whatever goes wrong with it, when it is opened and later, is Unreadable.
    """
    try:
        import sqlite3  # noqa: PLC0415 - some Pythons lack it, and few jobs need it
    except ImportError as problem:
        raise Unreadable("this runner's Python cannot read SQLite") from problem
    try:
        with ExitStack() as stack:
            address = stack.enter_context(_address(path))
            connection = stack.enter_context(closing(sqlite3.connect(address, uri=True, timeout=2)))
            connection.text_factory = bytes
            connection.set_progress_handler(lambda: int(time.monotonic() > until), STEPS)
            connection.execute("PRAGMA query_only = 1")
            yield connection
    except (sqlite3.Error, sqlite3.Warning, OSError, OverflowError, ValueError, MemoryError) as problem:
        raise Unreadable("a database could not be read") from problem


@contextmanager
def _address(path: str) -> Iterator[str]:
    import tempfile  # noqa: PLC0415 - these two take time to load, and few jobs need them
    from pathlib import Path  # noqa: PLC0415

    with open_regular(path):
        pass
    if not any(_size(path + name) for name in _BESIDE):
        yield Path(path).as_uri() + "?mode=ro&immutable=1"
    elif sum(map(_size, [path, *(path + name for name in _BESIDE)])) > COPY_LIMIT:
        if not _size(path + "-shm"):
            raise OSError("too large")
        yield Path(path).as_uri() + "?mode=ro"
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(_copy(path, folder)).as_uri()


def _size(path: str) -> int:
    """The size of a regular file; 0 where there is none."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    return status.st_size


def _copy(path: str, folder: str) -> str:
    """A copy of the database and of what belongs to it, none of which changed meanwhile."""
    target = os.path.join(folder, "copy.db")
    for _ in range(TRIES):
        before = _state(path)
        for name in ("", *_BESIDE):
            if _size(path + name):
                _copy_file(path + name, target + name)
        if _state(path) == before:
            return target
    raise OSError("it changes all the time")


def _state(path: str) -> list[tuple[int, int]]:
    found = [os.lstat(path + name) for name in ("", *_BESIDE) if _size(path + name)]
    return [(status.st_size, status.st_mtime_ns) for status in found]


def _copy_file(source: str, target: str) -> None:
    left = COPY_LIMIT
    with open_regular(source) as read, open(target, "wb") as written:
        while left > 0 and (block := read.read(min(BLOCK, left))):
            written.write(block)
            left -= len(block)
