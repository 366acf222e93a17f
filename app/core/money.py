"""Money as an integer count of nano-dollars, and the only two ways it is divided or shown.

1 USD = 1,000,000,000 nano-USD. Nothing here uses floats, and nothing rounds twice.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
NANO_PER_CENT = NANO_PER_USD // 100
ZERO = NanoUsd(0)
# SQLite and PostgreSQL both hold a signed 64-bit integer: 9.2 billion USD.
LARGEST = NanoUsd(2**63 - 1)


def nano_usd(dollars: Decimal) -> NanoUsd:
    """Round an exact decimal amount in USD half-even to nano-USD. Call it once for each charge."""
    return NanoUsd(int((dollars * NANO_PER_USD).to_integral_value(rounding=ROUND_HALF_EVEN)))


def usd(amount: NanoUsd) -> Decimal:
    """The exact amount in USD."""
    return Decimal(amount) / NANO_PER_USD


def share(amount: NanoUsd, weights: Sequence[int]) -> list[NanoUsd]:
    """Divide an amount by weights so that the parts sum to it exactly (largest remainder).

    Weights are non-negative integers in stable order; equal remainders give the unit to the last one
    (definitions: "the last id in stable order gets the unit"). All-zero weights share evenly.
    Raises ValueError for no weights or a negative one.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"weights must be non-negative and not empty, got {list(weights)}")
    if not any(weights):
        weights = [1] * len(weights)
    total = sum(weights)
    sign, size = (-1, -amount) if amount < 0 else (1, amount)
    floors = [size * weight // total for weight in weights]
    left = size - sum(floors)
    by_remainder = sorted(range(len(weights)), key=lambda i: (size * weights[i] % total, i), reverse=True)
    for i in by_remainder[:left]:
        floors[i] += 1
    return [NanoUsd(sign * part) for part in floors]


def cents(amounts: Sequence[int], total: int | None = None) -> list[int]:
    """Amounts in nano-USD as whole cents that add up to `total` cents (their sum, rounded half-even).

    By largest remainder, as `share`: each is its amount rounded down or up. Negative ones are rounded down as well,
    so that one rule holds for credits. Raises ValueError for a total that no rounding of them reaches.
    """
    floors = [amount // NANO_PER_CENT for amount in amounts]
    wanted = per(sum(amounts), NANO_PER_CENT) if total is None else total
    left = wanted - sum(floors)
    if not 0 <= left <= len(amounts):
        raise ValueError(f"{len(amounts)} amounts that sum to {sum(amounts)} nano-USD cannot be {wanted} cents")
    by_remainder = sorted(range(len(amounts)), key=lambda i: (amounts[i] % NANO_PER_CENT, i), reverse=True)
    for i in by_remainder[:left]:
        floors[i] += 1
    return floors


def per(amount: int, count: int) -> NanoUsd:
    """An amount divided by a positive count, rounded half-even to nano-USD: for averages, never for parts of a sum."""
    quotient, rest = divmod(amount, count)
    up = 2 * rest > count or (2 * rest == count and quotient % 2 == 1)
    return NanoUsd(quotient + up)


def dollars_text(amount: NanoUsd) -> str:
    """What people read: "$3.20"; below one cent two significant digits ("$0.0042"); negative "−$1.00"."""
    sign = "−" if amount < 0 else ""
    value = abs(usd(amount))
    cent = Decimal("0.01")
    step = Decimal(1).scaleb(value.adjusted() - 1) if 0 < value < cent else cent
    shown = value.quantize(step, rounding=ROUND_HALF_EVEN)
    if shown >= cent:
        shown = shown.quantize(cent)
    return f"{sign}${shown:,f}"
