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

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, (time.time_ns() // 1_000_000) << 12)
            return self._last


_ticks = _Ticks()


def new_key() -> str:
    """A UUIDv7 as 32 hex digits, later than every one made before by this process.

    Keys that arrive in time order insert 2-6x faster on SQLite, and jobs are done in the order of their keys.
    """
    tick = _ticks.next()
    value = (tick >> 12) << 80 | 0x7 << 76 | (tick & 0xFFF) << 64
    return f"{value | 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2:032x}"


def us(instant: datetime) -> int:
    """Microseconds since the epoch; a naive datetime raises TypeError."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
