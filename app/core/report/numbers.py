"""Numbers as people read them: counts with their noun, tokens, shares, and columns of money that add up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.money import NANO_PER_USD, NanoUsd, dollars_text, share
from app.core.usage import Tokens

CENT = NanoUsd(NANO_PER_USD // 100)


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 agent run", "6 agent runs", "1,204 agent runs"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def tokens_text(number: int) -> str:
    """ "950", "12.3 K", "1.2 M", "3.4 B": one decimal below a hundred, none above."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        # What would be written as "1000 K" is written as "1.0 M".
        if number >= size - size // 2000 and number >= 1000:
            tenths = (number * 10 + size // 2) // size
            return (
                f"{tenths // 10}.{tenths % 10} {letter}"
                if tenths < 1000
                else f"{(number + size // 2) // size:,} {letter}"
            )
    return str(number)


def percent(part: int, whole: int) -> str:
    """ "71 %"; never "0 %" for something nor "100 %" for less than all; "–" of nothing."""
    if whole <= 0:
        return "–"
    rounded = (200 * part + whole) // (2 * whole)
    if rounded == 0 and part > 0:
        return "under 1 %"
    if rounded == 100 and part < whole:
        return "over 99 %"
    return f"{rounded} %"


def from_cache(tokens: Tokens) -> str:
    """The share of the input that was read from the prompt cache."""
    return percent(tokens.cache_read, tokens.prompt)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts of one page, rounded once so that what is shown adds up: rows to sums, sums to the total.

    `units[i]` is the i-th amount as a count of `unit` (a cent; less when the total is below a cent), by largest
    remainder. Where an amount is negative nothing is shared out and each one is rounded by itself.
    """

    costs: tuple[NanoUsd, ...]
    unit: NanoUsd
    units: tuple[int, ...]

    @classmethod
    def of(cls, costs: Sequence[NanoUsd]) -> "Amounts":
        total = NanoUsd(sum(costs))
        unit = _unit(total)
        if min(costs, default=0) < 0 or total == 0:
            return cls(tuple(costs), unit, tuple(_rounded(cost, unit) for cost in costs))
        return cls(tuple(costs), unit, tuple(share(NanoUsd(_rounded(total, unit)), costs)))

    def text(self, rows: Iterable[int]) -> str:
        """The sum of some rows: "$3.20"; "under $0.01" for something that rounds to nothing."""
        chosen = list(rows)
        units = sum(self.units[row] for row in chosen)
        if units == 0 and any(self.costs[row] for row in chosen):
            return f"under {dollars_text(self.unit)}"
        return dollars_text(NanoUsd(units * self.unit))

    @property
    def total(self) -> str:
        return self.text(range(len(self.costs)))


def factor_text(factor: Decimal) -> str:
    """ "1.88×"."""
    return f"{factor:.2f}×"


def _unit(total: NanoUsd) -> NanoUsd:
    """A cent, or two significant digits of a total below a cent."""
    if total <= 0 or total >= CENT:
        return CENT
    return NanoUsd(max(1, 10 ** (len(str(total)) - 2)))


def _rounded(amount: NanoUsd, unit: NanoUsd) -> int:
    return int((Decimal(amount) / unit).to_integral_value())
