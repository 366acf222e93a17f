"""What a row is for, apart from whose it is, when and how much: the SKU with its prices, or a credit or adjustment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from app.core.focus.columns import SCALE
from app.core.focus.sellers import Seller, developer_of
from app.core.rates import Charge

ONE = 10**SCALE
Cell = str | int | None  # a number is in units of the ninth decimal
CORRECTION = "Correction"


class Category(StrEnum):
    USAGE = "Usage"
    PURCHASE = "Purchase"
    TAX = "Tax"
    CREDIT = "Credit"
    ADJUSTMENT = "Adjustment"


class Frequency(StrEnum):
    ONE_TIME = "One-Time"
    RECURRING = "Recurring"
    USAGE_BASED = "Usage-Based"


class Unit(NamedTuple):
    """How a count becomes quantities: what one count is of a consumed unit and of a pricing unit, in ninth decimals."""

    consumed: str
    consumed_step: int
    pricing: str
    pricing_step: int


TOKENS = Unit("Tokens", ONE, "1000000 Tokens", ONE // 1_000_000)
REQUESTS = Unit("Requests", ONE, "1000 Requests", ONE // 1_000)
SEARCHES = Unit("Searches", ONE, "1000 Searches", ONE // 1_000)
CREDITS = Unit("AI Credits", 1, "AI Credits", 1)  # counted in billionths
SEATS = Unit("User-Months", 1, "User-Months", 1)  # counted in billionths
AI_CREDITS = "AI Credits"


class Meter(NamedTuple):
    name: str
    unit: Unit
    details: Mapping[str, str] = {}

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")


def _input(action: str, **more: str) -> dict[str, str]:
    return {"x_TokenDirection": "Input", "x_TokenCacheAction": action, **more}


METERS: Mapping[Charge, Meter] = {
    Charge.INPUT: Meter("Input Tokens", TOKENS, _input("Uncached")),
    Charge.CACHE_READ: Meter("Cache Read Input Tokens", TOKENS, _input("Read")),
    Charge.CACHE_WRITE_5M: Meter("Cache Write 5m Input Tokens", TOKENS, _input("Write", x_TokenCacheDuration="5m")),
    Charge.CACHE_WRITE_1H: Meter("Cache Write 1h Input Tokens", TOKENS, _input("Write", x_TokenCacheDuration="1h")),
    Charge.CACHE_WRITE_OTHER: Meter("Cache Write Input Tokens", TOKENS, _input("Write")),
    Charge.OUTPUT: Meter("Output Tokens", TOKENS, {"x_TokenDirection": "Output"}),
    Charge.REASONING: Meter("Reasoning Tokens", TOKENS, {"x_TokenDirection": "Output", "x_TokenPurpose": "Reasoning"}),
    Charge.WEB_SEARCH: Meter("Web Searches", SEARCHES),
    Charge.REQUEST: Meter("Requests", REQUESTS),
}
CREDITS_METER = Meter(AI_CREDITS, CREDITS)


@dataclass(frozen=True)
class Item:
    """The part of a row that many rows share. Prices are of one pricing unit, in ninth decimals of a dollar.

    Without a `unit` there is no quantity and no price: the row's costs are told, not computed.
    """

    seller: Seller
    description: str
    category: Category = Category.USAGE
    frequency: Frequency = Frequency.USAGE_BASED
    correction: bool = False
    reason: str = ""
    unit: Unit | None = None
    sku: str = ""
    meter: str = ""
    price_id: str = ""
    details: str = ""
    list_price: int = 0
    contracted_price: int = 0
    price_list: str = ""
    listed: bool = True  # the list has a price; else `list_price` is the contracted one
    covered_by: str = ""  # the subscription that pays for it: nothing is contracted beside its fee

    @cached_property
    def key(self) -> str:
        """Tells its rows of one origin and one hour from those of every other item."""
        return f"{self.price_id}@{self.list_price}/{self.contracted_price}/{self.price_list}" + "+" * self.correction

    @property
    def emitted_price(self) -> int:
        """The contracted unit price as the row has it."""
        return 0 if self.covered_by else self.contracted_price

    def cells(self) -> dict[str, Cell]:
        """Its columns; those that it does not have are null."""
        found: dict[str, Cell] = {
            **self.seller.cells(),
            "ChargeCategory": self.category.value,
            "ChargeClass": CORRECTION if self.correction else None,
            "ChargeDescription": self.description,
            "ChargeFrequency": self.frequency.value,
            "x_CoveredBy": self.covered_by or None,
            "x_Reason": self.reason or None,
        }
        return found | self._priced(self.unit) if self.unit else found

    def _priced(self, unit: Unit) -> dict[str, Cell]:
        found: dict[str, Cell] = {
            "ConsumedUnit": unit.consumed,
            "ContractedUnitPrice": self.emitted_price,
            "ListUnitPrice": self.list_price,
            "PricingCategory": "Standard",
            "PricingCurrencyContractedUnitPrice": self.emitted_price,
            "PricingCurrencyListUnitPrice": self.list_price,
            "PricingUnit": unit.pricing,
            "SkuId": self.sku,
            "SkuMeter": self.meter,
            "SkuPriceDetails": self.details or None,
            "SkuPriceId": self.price_id,
            "x_ListPriceBasis": "PriceList" if self.listed else "Contracted",
            "x_PriceList": self.price_list or None,
        }
        if unit is CREDITS:
            found |= {"x_VirtualCurrencyName": AI_CREDITS, "x_VirtualCurrencyUnitPrice": ONE}
        return found


class Variant(NamedTuple):
    """A model as it was asked for, and the price tier of the call: what SKU prices of one SKU differ by."""

    provider: str
    model: str
    service_tier: str = "standard"
    speed: str = "standard"
    above: int = 0  # prompt tokens beyond which the price tier begins

    @property
    def plain(self) -> "Variant":
        """Without words that change nothing."""
        tier, speed = (word if word not in PLAIN else "standard" for word in (self.service_tier, self.speed))
        return self._replace(service_tier=tier, speed=speed)


PLAIN = frozenset({"", "standard", "default"})


class Sku(NamedTuple):
    """The names of an item's SKU and SKU price. They never depend on discounts or the month."""

    sku: str
    meter: str
    price_id: str
    details: str
    description: str


def sku_of(variant: Variant, meter: Meter) -> Sku:
    """What a meter of a model is called."""
    variant = variant.plain
    sku = f"{variant.provider}/{variant.model}/{meter.slug}"
    words = [variant.service_tier]
    words += [variant.speed] if variant.speed != "standard" else []
    words += [f"above-{variant.above}"] if variant.above else []
    details = dict(meter.details)
    details["x_ModelId"] = variant.model
    if developer := developer_of(variant.model):
        details["x_ModelDeveloper"] = developer
    details["x_ServiceTier"] = variant.service_tier
    if variant.speed != "standard":
        details["x_Speed"] = variant.speed
    if variant.above:
        details["x_PromptTokensAbove"] = str(variant.above)
    return Sku(sku, meter.name, f"{sku}/{'-'.join(words)}", json_text(details), f"{variant.model} {meter.name}")


def json_text(value: object) -> str:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
