"""How a model call came to its cost: counts, unit prices and charges, shown where they give what is in the books.

A call keeps the price that it was recorded with. Prices in force now are its arithmetic only if they come to the same
amount, to the nano-dollar; else there is none to show, and it is not made up.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from app.core.costing import WEB_SEARCH, agreed_for
from app.core.money import NANO_PER_USD, NanoUsd
from app.core.pricing import NO_DISCOUNT, PriceList
from app.core.rates import CHARGES, Charge, Rate, UnitPrices
from app.core.usage import ModelCall

if TYPE_CHECKING:
    from app.core.config import Config


class Line(NamedTuple):
    """One charge: so many units at `rate` come to `amount`."""

    charge: Charge
    units: int
    rate: Rate
    amount: NanoUsd


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The lines sum to the cost. `own`: at an own price; `discount`: the share off the list that is in the rates."""

    lines: tuple[Line, ...]
    own: bool = False
    discount: Decimal = NO_DISCOUNT


def arithmetic_of(prices: PriceList, config: "Config", call: ModelCall, cost: NanoUsd | None) -> Arithmetic | None:
    """How a call's contracted cost comes about; None where it has none, or prices in force now come to another one."""
    if cost is None:
        return None
    own, share = agreed_for(prices, config, call)
    discount = share or NO_DISCOUNT
    listed = prices.unit_prices(call.provider, call.model, call.at, call.service_tier, call.speed, discount)
    found = Arithmetic(_lines(listed, call), discount=discount)
    if own is None and listed is None:
        return None
    if own is not None:
        lines = _lines(own.unit_prices, call)
        searched = not own.web_search and [line for line in found.lines if line.charge is CHARGES[WEB_SEARCH]]
        found = Arithmetic((*lines, *searched) if searched else lines, own=True)
    return found if sum(line.amount for line in found.lines) == cost else None


def _lines(prices: UnitPrices | None, call: ModelCall) -> tuple[Line, ...]:
    """The charges that are not of nothing."""
    if prices is None:
        return ()
    counts, rates = prices.counts(call), prices.rates(call.tokens.prompt)
    lines = (Line(*each, each[2].charge(each[1])) for each in zip(CHARGES, counts, rates, strict=True))
    return tuple(line for line in lines if line.units and (line.rate.numerator or line.charge not in FIXED))


# Every call is a request, and few lists charge for it.
FIXED = {Charge.REQUEST}


def nano_usd_each(rate: Rate) -> str:
    """A rate in nano-USD for one unit, exactly."""
    return _digits(Fraction(*rate))


def dollars_per(rate: Rate, units: int) -> str:
    """A rate in USD for so many units, exactly."""
    return _digits(Fraction(*rate) * units / NANO_PER_USD)


def _digits(exact: Fraction) -> str:
    """Every digit: prices are decimals, so their ratios end."""
    whole, power = exact.numerator, 0
    while whole % exact.denominator:
        whole, power = whole * 10, power + 1
    digits = str(whole // exact.denominator).zfill(power + 1)
    return f"{digits[:-power]}.{digits[-power:]}" if power else digits
