"""Keys and instants as the tables hold them."""

import os
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_key() -> str:
    """A UUIDv7 as 32 hex digits (RFC 9562): keys that arrive in time order insert 2-6x faster on SQLite."""
    random = int.from_bytes(os.urandom(10))
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    return f"{value | 0b10 << 62 | random & ((1 << 62) - 1):032x}"


def us(instant: datetime) -> int:
    """Microseconds since the epoch; a naive datetime raises TypeError."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
