"""Values that both encodings share: which ones may be kept, and what tells a metric's series apart."""

import hashlib
import math
import re
from collections.abc import Iterable

from app.core.telemetry.told import Scalar

LONGEST_TEXT = 512
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL has no text with NUL, and nothing has half a character

Pairs = list[tuple[str, Scalar]]


def text(value: str) -> str | None:
    """The text, cut; None where no database could hold it."""
    if value.isascii():
        return None if "\0" in value else value[:LONGEST_TEXT]
    return None if _UNSTORABLE.search(value) else value[:LONGEST_TEXT]


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def digest(*parts: object) -> str:
    """32 hex digits that stand for the parts."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def in_order(pairs: Iterable[tuple[str, Scalar]]) -> Pairs:
    """By key, each once as the last one said it: senders may change the order from one export to the next."""
    return sorted(dict(pairs).items())
