"""Rows of a delivery, held as columns of numbers: a million of them are some arrays, and no object each."""

from array import array
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from app.core.focus.items import Item
from app.core.focus.origins import Origin

NO_INVOICE = -1
ATTO = 10**9


class Basis(StrEnum):
    """Where billed and effective cost are from."""

    ESTIMATED = "Estimated"  # no invoice yet: both are 0
    INVOICED = "Invoiced"
    SHOWN_AS_BILLED = "EstimateShownAsBilled"  # asked for; not an invoice


@dataclass(frozen=True, slots=True, order=True)
class Invoice:
    """A vendor's invoice, or one line of it."""

    invoice_id: str
    detail_id: str = ""


@dataclass(slots=True)
class Metered:
    """Rows with a price and a quantity: `count` of an item, of an origin, in an hour since the epoch.

    `billed` and `invoices` (places in the delivery's list, or NO_INVOICE) are empty where nothing is invoiced.
    """

    origins: list[Origin] = field(default_factory=list)
    origin: "array[int]" = field(default_factory=lambda: array("i"))
    item: "array[int]" = field(default_factory=lambda: array("i"))
    hour: "array[int]" = field(default_factory=lambda: array("i"))
    count: "array[int]" = field(default_factory=lambda: array("q"))
    billed: "array[int]" = field(default_factory=lambda: array("q"))
    invoice: "array[int]" = field(default_factory=lambda: array("i"))

    def __len__(self) -> int:
        return len(self.count)

    def add(self, origin: int, item: int, hour: int, count: int) -> None:
        self.origin.append(origin)
        self.item.append(item)
        self.hour.append(hour)
        self.count.append(count)


@dataclass(frozen=True, slots=True)
class Told:
    """A row of its own: a seat, credit, tax, adjustment. Where its item has a unit, `count` and the prices make costs.

    Amounts are in the eighteenth decimal of a dollar, of which a nano-dollar has ATTO.
    """

    record: str  # names it among all rows of a month
    item: Item
    origin: Origin
    start: datetime
    end: datetime
    count: int = 0
    list_cost: int = 0
    contracted: int = 0
    value: int = 0  # see x_ContractedValue
    billed: int | None = None  # None: nothing is invoiced
    invoice: Invoice | None = None


def hour_of(instant: datetime) -> int:
    """Whole hours since the epoch."""
    return int(instant.timestamp()) // 3600


def time_text(instant: datetime) -> str:
    """An instant as FOCUS writes it: 2026-10-01T00:00:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
