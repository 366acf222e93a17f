"""What an organisation has agreed with those who sell it models: discounts on list prices, and own prices, with dates.

Refuses days that do not exist and two agreements that hold for the same thing at the same time. Amounts are decimals
until they are exact ratios, never floats.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from app.core.config_file import Problem, Where, named
from app.core.money import NanoUsd
from app.core.pricing import MILLION, THOUSAND
from app.core.rates import CHARGES, NOTHING, Charge, Rate, UnitPrices
from app.core.usage import ModelCall

# The settings that price a charge, the closest first: a class without a price of its own costs what the wider one does,
# as in the price list.
OWN_KEYS: dict[Charge, tuple[str, ...]] = {
    Charge.INPUT: ("input",),
    Charge.CACHE_READ: ("cache_read", "input"),
    Charge.CACHE_WRITE_5M: ("cache_write_5m", "input"),
    Charge.CACHE_WRITE_1H: ("cache_write_1h", "cache_write_5m", "input"),
    Charge.CACHE_WRITE_OTHER: ("cache_write_5m", "input"),
    Charge.OUTPUT: ("output",),
}


class Dated(Protocol):
    """What holds from a day on and until a day, which is not included; days are UTC."""

    @property
    def start(self) -> date: ...
    @property
    def end(self) -> date | None: ...


@dataclass(frozen=True, slots=True)
class Discount:
    """A share off the list price of a provider (0 to 1), from a day on and until a day, which is not included."""

    provider: str
    share: Decimal
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """Contracted prices of a provider's model, which replace the list's. `model` is in lower case.

    `prefix`: for every model whose name begins so. `web_search` is False where nothing is agreed for searches.
    `version` names the agreement by what it says, for the charges that it prices.
    """

    provider: str
    model: str
    prefix: bool
    start: date
    end: date | None
    unit_prices: UnitPrices = field(repr=False)
    web_search: bool
    version: str

    def names(self, model: str) -> bool:
        """Whether it is for a model, by its name in lower case."""
        return model.startswith(self.model) if self.prefix else model == self.model

    def cost(self, call: ModelCall) -> NanoUsd:
        """What a call costs by it."""
        return self.unit_prices.cost(call)


Agreed = TypeVar("Agreed", Discount, OwnPrice)


def holds(agreed: Dated, at: datetime) -> bool:
    """Whether it is in force at an aware instant."""
    day = at.astimezone(UTC).date()
    return agreed.start <= day and (agreed.end is None or day < agreed.end)


def discounts_in(entries: Sequence[dict[str, Any]], lines: dict[Where, int]) -> tuple[list[Discount], list[Problem]]:
    """Discounts of which one at most holds for a provider at any time."""
    return _agreements("discounts", entries, lines, _discount, _same_provider)


def prices_in(entries: Sequence[dict[str, Any]], lines: dict[Where, int]) -> tuple[list[OwnPrice], list[Problem]]:
    """Own prices of which one at most holds for a model at any time."""
    return _agreements("prices", entries, lines, _own_price, _same_model)


def _agreements(
    key: str,
    entries: Sequence[dict[str, Any]],
    lines: dict[Where, int],
    made: Callable[[dict[str, Any]], Agreed | str],
    same: Callable[[Agreed, Agreed], str],
) -> tuple[list[Agreed], list[Problem]]:
    """The good ones, and what is wrong with the others. `same` says for what both hold, "" if for nothing."""
    kept: list[Agreed] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries):
        read = made(entry)
        fault = read if isinstance(read, str) else next(filter(None, (_clash(read, old, same) for old in kept)), "")
        if fault:
            problems.append(Problem(lines[key, number], named((key, number)), fault))
        elif not isinstance(read, str):
            kept.append(read)
    return kept, problems


def _clash(new: Agreed, old: Agreed, same: Callable[[Agreed, Agreed], str]) -> str:
    apart = (old.end is not None and old.end <= new.start) or (new.end is not None and new.end <= old.start)
    shared = "" if apart else same(new, old)
    return f"holds at the same time as another {shared}, from {old.start}" if shared else ""


def _same_provider(new: Discount, old: Discount) -> str:
    return f"discount of {new.provider}" if new.provider == old.provider else ""


def _same_model(new: OwnPrice, old: OwnPrice) -> str:
    meets = new.names(old.model) or old.names(new.model)
    return f"price of {old.provider} {old.model}{'*' * old.prefix}" if new.provider == old.provider and meets else ""


def _discount(entry: dict[str, Any]) -> Discount | str:
    """The discount, or what is wrong with it."""
    share = Decimal(entry["percent"]) / 100
    if not share:
        return "must have a percent above 0"
    days = _days(entry)
    return days if isinstance(days, str) else Discount(entry["provider"], share, *days)


def _own_price(entry: dict[str, Any]) -> OwnPrice | str:
    """The own price, or what is wrong with it."""
    days = _days(entry)
    if isinstance(days, str):
        return days
    name = entry["model"].lower()
    agreed = {key: Decimal(entry[key]) for key in PRICED if key in entry}
    amounts = [f"{key} {price.normalize():f}" for key, price in agreed.items()]
    said = "|".join([entry["provider"], name, *map(str, days), *amounts])
    return OwnPrice(
        entry["provider"],
        name.removesuffix("*"),
        name.endswith("*"),
        *days,
        unit_prices=UnitPrices((), (tuple(_rate(charge, agreed) for charge in CHARGES),)),
        web_search="web_search" in agreed,
        version=f"mergemeter.yml {sha256(said.encode()).hexdigest()[:8]}",
    )


PRICED = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "web_search")


def _rate(charge: Charge, agreed: dict[str, Decimal]) -> Rate:
    if charge is Charge.WEB_SEARCH:
        return Rate.of(agreed.get("web_search", Decimal(0)), THOUSAND)
    found = next((agreed[key] for key in OWN_KEYS.get(charge, ()) if key in agreed), None)
    return NOTHING if found is None else Rate.of(found, MILLION)


def _days(entry: dict[str, Any]) -> tuple[date, date | None] | str:
    try:
        start = date.fromisoformat(entry["from"])
        end = date.fromisoformat(entry["until"]) if "until" in entry else None
    except ValueError:
        return "needs days of the calendar in from and until"
    if end is not None and end <= start:
        return "must have an until later than its from"
    return start, end
