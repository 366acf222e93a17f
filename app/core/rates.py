"""Unit prices as exact integer ratios, and the charges they make. Refuses floats; rounds once for each charge."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from app.core.money import NANO_PER_USD, NanoUsd
from app.core.usage import ModelCall, Tokens


class Charge(StrEnum):
    """What one model call can be charged for: one token class, or one server tool."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    CACHE_WRITE_OTHER = "cache_write_other"
    OUTPUT = "output"  # reasoning included, unless the list prices it apart
    REASONING = "reasoning"
    WEB_SEARCH = "web_search"
    REQUEST = "request"


CHARGES = tuple(Charge)  # the first five are those of Tokens


class Rate(NamedTuple):
    """Nano-USD for one unit, as `numerator / denominator` in lowest terms."""

    numerator: int
    denominator: int

    @classmethod
    def of(cls, dollars: Decimal, units: int) -> "Rate":
        """The rate of so many dollars for so many units (a price list's "per million tokens")."""
        exact = Fraction(dollars) * NANO_PER_USD / units
        return cls(exact.numerator, exact.denominator)

    def less(self, share: Decimal) -> "Rate":
        """The rate with a share of it (0 to 1) taken off, exactly."""
        exact = Fraction(self.numerator, self.denominator) * (1 - Fraction(share))
        return Rate(exact.numerator, exact.denominator)

    def charge(self, count: int) -> NanoUsd:
        """The charge for `count` units, rounded half-even to nano-USD."""
        whole, rest = divmod(count * self.numerator, self.denominator)
        if rest * 2 > self.denominator or (rest * 2 == self.denominator and whole & 1):
            whole += 1
        return NanoUsd(whole)


NOTHING = Rate(0, 1)


class Priced(NamedTuple):
    """A priced model call: `charges` follow the order of CHARGES and sum to `cost`. No cost: the list has no price."""

    cost: NanoUsd | None
    charges: tuple[NanoUsd, ...] = ()


UNPRICED = Priced(None)


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What one model costs in one window of time: a row of rates (in the order of CHARGES) for each price tier.

    A call is priced by row `n`, where `n` counts the `tier_starts` (in tokens, ascending) below its whole prompt,
    cached tokens included: a tier applies to all tokens of the call, not to those above its start.
    """

    tier_starts: tuple[int, ...]
    rows: tuple[tuple[Rate, ...], ...]
    reasoning_apart: bool = False
    whole: tuple[tuple[int, ...] | None, ...] = field(init=False, repr=False)  # the rows that need no rounding

    def __post_init__(self) -> None:
        whole = (tuple(n for n, _ in row) if all(d == 1 for _, d in row) else None for row in self.rows)
        object.__setattr__(self, "whole", tuple(whole))

    def rates(self, prompt_tokens: int) -> tuple[Rate, ...]:
        """The rates for a call with so many prompt tokens."""
        return self.rows[bisect_left(self.tier_starts, prompt_tokens)]

    def less(self, share: Decimal) -> "UnitPrices":
        """The same prices with a share off the list, e.g. a negotiated discount."""
        rows = tuple(tuple(rate.less(share) for rate in row) for row in self.rows)
        return UnitPrices(self.tier_starts, rows, self.reasoning_apart)

    def price(self, call: ModelCall) -> Priced:
        """Charge one model call."""
        counts = self.counts(call)
        charges = tuple(map(Rate.charge, self.rates(call.tokens.prompt), counts))
        return Priced(NanoUsd(sum(charges)), charges)

    def cost(self, call: ModelCall) -> NanoUsd:
        """What `price` sums to, at a third of the effort: most prices are whole nano-dollars and need no rounding."""
        tokens = call.tokens
        row = bisect_left(self.tier_starts, tokens.prompt) if self.tier_starts else 0
        whole = self.whole[row]
        if whole is None:
            return NanoUsd(sum(map(Rate.charge, self.rows[row], self._counts(tokens, call.web_searches))))
        apart = tokens[6] if self.reasoning_apart else 0
        return NanoUsd(
            tokens[0] * whole[0]
            + tokens[1] * whole[1]
            + tokens[2] * whole[2]
            + tokens[3] * whole[3]
            + tokens[4] * whole[4]
            + (tokens[5] - apart) * whole[5]
            + apart * whole[6]
            + call.web_searches * whole[7]
            + whole[8]
        )

    def counts(self, call: ModelCall) -> Sequence[int]:
        """How many units of each charge a call is, in the order of CHARGES."""
        return self._counts(call.tokens, call.web_searches)

    def _counts(self, tokens: Tokens, web_searches: int) -> Sequence[int]:
        apart = tokens.reasoning if self.reasoning_apart else 0
        return (*tokens[:5], tokens.output - apart, apart, web_searches, 1)
