"""What the stand-in API charged: made-up token counts, different for every response, and their sums.

The counts of no two classes or responses are multiples of each other, so that a wrong sum cannot look right.
`input` is what was neither read from nor written to a cache; `output` includes `reasoning`.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

Usage = dict[str, dict[str, int]]
CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "output", "reasoning")


@dataclass(frozen=True)
class Tokens:
    """The tokens of one response, in classes that do not overlap but for reasoning."""

    input: int
    cache_read: int
    output: int
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write_other: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All that went in, cached or not."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h + self.cache_write_other


@dataclass(frozen=True)
class Served:
    """One response that went out. `whole` is False where its end never reached the client."""

    number: int
    api: str
    model: str
    kind: str  # "main", "child", or "side": a call without tools, as for a title
    scenario: str
    turn: int
    response_id: str
    request_id: str
    stream: bool
    at: float  # seconds since the epoch
    tokens: Tokens
    whole: bool = True


def tokens(api: str, number: int) -> Tokens:
    """The counts of the `number`th response (from 1) as that API can tell them."""
    if api == "anthropic":
        hour = 5 * number if number % 2 == 0 else 0
        return Tokens(11 + 2 * number, 4001 + 137 * number, 59 + 11 * number, 301 + 17 * number, hour)
    written = 200 + 20 * number if api == "responses" and number % 2 == 0 else 0
    return Tokens(
        1901 + 37 * number, 3001 + 103 * number, 61 + 13 * number, cache_write_other=written, reasoning=19 + 3 * number
    )


def by_model(served: Iterable[Served]) -> Usage:
    """The sums for each model, every class named."""
    sums: Usage = defaultdict(lambda: dict.fromkeys(["responses", *CLASSES], 0))
    for one in served:
        sums[one.model]["responses"] += 1
        for name in CLASSES:
            sums[one.model][name] += getattr(one.tokens, name)
    return dict(sums)


def report(served: Iterable[Served]) -> dict[str, Any]:
    """The truth as data: sums by model and by kind of call, and every response."""
    every = list(served)
    kinds = sorted({one.kind for one in every})
    return {
        "note": "input excludes cached tokens; output includes reasoning; each API response counted once",
        "per_model": by_model(every),
        "per_kind": {kind: by_model(one for one in every if one.kind == kind) for kind in kinds},
        "served": [asdict(one) for one in every],
    }
