"""A vendor's figures as plain values, and what is wrong with those that cannot be read.

Amounts are decimals until they are rounded half-even to nano-USD, once for each row of a report. Nothing is guessed: a
row that cannot be read is a mistake with its place, and whoever reads takes all of a file or none of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.core.money import NanoUsd, nano_usd
from app.core.month import Month
from app.core.usage import Tokens

CURRENCY = "USD"
NUMBER = re.compile(r"[+-]?([0-9]{1,18}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,2})?")
DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?=T|\Z)")
LARGEST_USD = Decimal(10_000_000)
LARGEST_COUNT = 10**15
LONGEST_NAME = 200
WHOLE_MONTH = 0
NO_TOKENS = Tokens()
MOST_MISTAKES = 50


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """Where a vendor puts a cost. `account` is its workspace, project, key, product or organisation, by the id it uses.

    `model` is the vendor's name of it, "" for what it puts to none. `day` is of the month; 0 stands for all of it.
    """

    vendor: str
    account: str
    model: str
    month: Month
    day: int

    @classmethod
    def on(cls, vendor: str, account: str, model: str, day: date) -> "Bucket":
        """The bucket of a day, UTC."""
        return cls(vendor, account, model, Month(day.year, day.month), day.day)


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A line of an invoice. `kind` is "usage", "credit", "fee" or "tax"."""

    invoice_id: str
    line_id: str
    kind: str = "usage"
    description: str = ""
    quantity: Decimal | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class VendorCost:
    """What a vendor bills in a bucket. `listed` is the same at list prices; None where the vendor does not tell it.

    Several values of one bucket add up. `line` is there for what an invoice says, and not for a report.
    """

    bucket: Bucket
    billed: NanoUsd
    listed: NanoUsd | None = None
    tokens: Tokens = NO_TOKENS
    line: InvoiceLine | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something that cannot be read: where (as "line 3"), and what is wrong."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a report or a file tells. With mistakes nothing of it may be taken.

    `left_out`: rows of workspaces, projects, keys, products or organisations that are not named as agent spend.
    """

    costs: tuple[VendorCost, ...] = ()
    left_out: int = 0
    mistakes: tuple[Mistake, ...] = ()


@dataclass(slots=True)
class Reader:
    """Reads the fields of one row after the other, and gathers all mistakes."""

    mistakes: list[Mistake] = field(default_factory=list)
    place: str = ""

    def wrong(self, sentence: str) -> None:
        self.mistakes.append(Mistake(self.place, sentence))

    def usd(self, value: Any, name: str, per_usd: int = 1) -> NanoUsd:
        """An exact amount, given in units of which `per_usd` are a dollar, rounded half-even to nano-USD."""
        exact = number_of(value)
        if exact is None or abs(exact) > LARGEST_USD * per_usd:
            self.wrong(f"{name} is not an amount of at most ten million dollars")
            return NanoUsd(0)
        return nano_usd(exact / per_usd)

    def currency(self, value: Any, name: str = "currency") -> None:
        if not isinstance(value, str) or value.upper() != CURRENCY:
            self.wrong(f"{name} is not {CURRENCY}: only that is read")

    def count(self, value: Any, name: str) -> int:
        """A whole number, not negative; nothing is 0."""
        if value is None or value == "":
            return 0
        exact = number_of(value)
        if exact is None or exact != exact.to_integral_value() or not 0 <= exact <= LARGEST_COUNT:
            self.wrong(f"{name} is not a count")
            return 0
        return int(exact)

    def text(self, value: Any, name: str, missing: str | None = None) -> str:
        """A name on one line. `missing` is what stands for none; without it one must be there."""
        if (value is None or value == "") and missing is not None:
            return missing
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
            self.wrong(f"{name} is not a text of 1 to {LONGEST_NAME} characters on one line")
            return ""
        return value

    def day(self, value: Any, name: str) -> date:
        """A day that a text begins with, as 2026-10-05."""
        try:
            return date(*map(int, DAY.match(value).groups()))  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError):
            self.wrong(f"{name} is not a day, like 2026-10-05")
            return date(2000, 1, 1)


def number_of(value: Any) -> Decimal | None:
    """An exact number from a text, a whole number or a decimal; None for everything else, floats too."""
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return Decimal(value)
    return None


def summed(costs: Iterable[VendorCost]) -> list[VendorCost]:
    """The costs of each bucket as one, in the order of buckets. List amounts are known where all of a bucket are.

    For reports: an invoice's lines stay apart.
    """
    by_bucket: dict[Bucket, VendorCost] = {}
    for cost in costs:
        known = by_bucket.get(cost.bucket)
        by_bucket[cost.bucket] = cost if known is None else _added(known, cost)
    return [by_bucket[bucket] for bucket in sorted(by_bucket)]


def _added(one: VendorCost, other: VendorCost) -> VendorCost:
    listed = None if one.listed is None or other.listed is None else NanoUsd(one.listed + other.listed)
    return VendorCost(one.bucket, NanoUsd(one.billed + other.billed), listed, one.tokens + other.tokens)
