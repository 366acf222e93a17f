"""The price list: genai-prices' dated public prices, read once into plain tables. No network, no clock, no guesses.

The library prices about 2,400 calls a second; we keep its tables, not its calls. What it would answer for each
call alone is the law: tests compare the two over its whole list.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib import metadata
from typing import TYPE_CHECKING

from app.core.money import NanoUsd
from app.core.rates import CHARGES, NOTHING, UNPRICED, Charge, Priced, Rate, UnitPrices
from app.core.usage import ModelCall

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

# The list's price keys for each charge, the closest first. A class that has no price of its own is priced as the
# wider one it belongs to: https://github.com/pydantic/genai-prices (decompose.py, data_units.py).
MILLION, THOUSAND = 1_000_000, 1_000
PRICE_KEYS: dict[Charge, tuple[int, tuple[str, ...]]] = {
    Charge.INPUT: (MILLION, ("input_mtok",)),
    Charge.CACHE_READ: (MILLION, ("cache_read_mtok", "input_mtok")),
    Charge.CACHE_WRITE_5M: (MILLION, ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok")),
    Charge.CACHE_WRITE_1H: (MILLION, ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok")),
    Charge.CACHE_WRITE_OTHER: (MILLION, ("cache_write_mtok", "input_mtok")),
    Charge.OUTPUT: (MILLION, ("output_mtok",)),
    Charge.REASONING: (MILLION, ("output_reasoning_mtok", "output_mtok")),
    Charge.WEB_SEARCH: (THOUSAND, ("web_searches_kcount",)),
    Charge.REQUEST: (THOUSAND, ("requests_kcount",)),
}
NO_DISCOUNT = Decimal(0)
ALWAYS = (0, 0)  # the window of prices that never change
ROUTER = "litellm"
PLAIN = frozenset({"", "standard", "default"})
# Model names come from outside: the memory of them has an end.
LARGEST_MEMORY = 10_000


@dataclass(slots=True)
class _Listed:
    """One model as it was asked for, with the instants at which its prices can change."""

    model: "ModelInfo"
    context: dict[str, str]
    dates: list[date]
    times: list[time]
    windows: dict[tuple[int, int], UnitPrices | None] = field(default_factory=dict)
    discounted: dict[tuple[int, int, Decimal], UnitPrices | None] = field(default_factory=dict)

    def at(self, instant: datetime) -> UnitPrices | None:
        window = self._window(instant) if self.dates or self.times else ALWAYS
        try:
            return self.windows[window]
        except KeyError:
            listed = self.windows[window] = _unit_prices(self.model.get_prices(instant, self.context))
            return listed

    def less(self, instant: datetime, discount: Decimal) -> UnitPrices | None:
        key = *self._window(instant), discount
        if key not in self.discounted:
            listed = self.at(instant)
            self.discounted[key] = None if listed is None else listed.less(discount)
        return self.discounted[key]

    def _window(self, instant: datetime) -> tuple[int, int]:
        utc = instant.astimezone(UTC)
        return bisect_right(self.dates, utc.date()), bisect_right(self.times, utc.time())


class PriceList:
    """Public list prices by provider, model and time. Safe to share between threads."""

    def __init__(self, snapshot: "DataSnapshot", version: str) -> None:
        self.version = version
        self._snapshot = snapshot
        self._listed: dict[tuple[str, str, str, str], _Listed | None] = {}
        self._ids: dict[tuple[str, str], str] = {}

    @classmethod
    def load(cls) -> "PriceList":
        """The pinned list as shipped (0.3 s and 10 MB, so never at import)."""
        from genai_prices import data_snapshot  # noqa: PLC0415

        return cls(data_snapshot.get_snapshot(), f"genai-prices {metadata.version('genai-prices')}")

    def unit_prices(
        self,
        provider: str,
        model: str,
        at: datetime,
        service_tier: str = "standard",
        speed: str = "standard",
        discount: Decimal = NO_DISCOUNT,
    ) -> UnitPrices | None:
        """The prices in force at an aware instant, or None where the list has none for tokens of this model.

        `discount` is a share off the list (0 to 1): what was contracted is list × (1 − discount).
        """
        listed = self._known((provider, model, service_tier, speed))
        if listed is None:
            return None
        return listed.less(at, discount) if discount else listed.at(at)

    def _known(self, key: tuple[str, str, str, str]) -> _Listed | None:
        """What is listed for a provider's model at a service tier and speed, looked for once."""
        try:
            return self._listed[key]
        except KeyError:
            if len(self._listed) >= LARGEST_MEMORY:
                self._listed.clear()
            provider, model, service_tier, speed = key
            listed = self._listed[key] = self._find(provider, model, _context(service_tier, speed))
            return listed

    def provider_id(self, provider: str, model: str) -> str:
        """The list's id of who sold a model: "aws" for "bedrock". The name itself where the list knows none."""
        key = provider, model
        if key not in self._ids:
            if len(self._ids) >= LARGEST_MEMORY:
                self._ids.clear()
            found, _ = self._provider(provider, model.lower())
            self._ids[key] = provider if found is None else found.id
        return self._ids[key]

    def tier_starts(self, models: Iterable[str]) -> set[int]:
        """Every number of prompt tokens at which a price tier of one of these begins, whoever sells it."""
        sellers = [*(provider.id for provider in self._snapshot.providers), ROUTER]
        listed = (self._find(seller, model, {}) for model in models for seller in sellers)
        prices = (prices for found in listed if found for prices in _every_price(found.model))
        return {tier.start for each in prices for price in vars(each).values() for tier in getattr(price, "tiers", ())}

    def model_id(self, provider: str, model: str) -> str:
        """The list's id of a model: "claude-sonnet-4-5" for a dated name of it. "" where the list knows none."""
        listed = self._known((provider, model, "standard", "standard"))
        return "" if listed is None else listed.model.id

    def price(self, call: ModelCall, discount: Decimal = NO_DISCOUNT) -> Priced:
        """Price one model call at its own time; UNPRICED where the list has no price."""
        prices = self.unit_prices(call.provider, call.model, call.at, call.service_tier, call.speed, discount)
        return UNPRICED if prices is None else prices.price(call)

    def cost(self, call: ModelCall, discount: Decimal = NO_DISCOUNT) -> NanoUsd | None:
        """What `price` says a call costs, without its charges; for the hot path."""
        prices = self.unit_prices(call.provider, call.model, call.at, call.service_tier, call.speed, discount)
        return None if prices is None else prices.cost(call)

    def costs(self, calls: Sequence[ModelCall]) -> list[NanoUsd | None]:
        """What `cost` says of each call. Most calls of a record are of one model, which is looked for once."""
        found: list[NanoUsd | None] = []
        key: tuple[str, str, str, str] | None = None
        listed: _Listed | None = None
        for call in calls:
            wanted = call.provider, call.model, call.service_tier, call.speed
            if wanted != key:
                key, listed = wanted, self._known(wanted)
            prices = listed.at(call.at) if listed is not None else None
            found.append(None if prices is None else prices.cost(call))
        return found

    def _find(self, provider_id: str, model_ref: str, context: dict[str, str]) -> _Listed | None:
        provider, model_ref = self._provider(provider_id, model_ref.lower())
        # Asked of the provider itself: the snapshot's own look-up remembers every name for ever.
        model = None if provider is None else provider.find_model(model_ref, all_providers=self._snapshot.providers)
        if provider is None or model is None:
            return None
        if not any(model is own for own in provider.models):
            context = {}  # another vendor's model, sold here: the list knows no variants of it
        return _Listed(model, context, *_changes(model))

    def _provider(self, provider_id: str, model_ref: str) -> tuple["Provider | None", str]:
        """The provider, and the model's name there. "litellm" is a router: its model names begin with the vendor."""
        from genai_prices.data_snapshot import find_provider_by_id  # noqa: PLC0415

        providers = self._snapshot.providers
        vendor, slash, name = model_ref.partition("/")
        if provider_id.lower() != ROUTER:
            return find_provider_by_id(providers, provider_id), model_ref
        if slash and vendor and (found := find_provider_by_id(providers, vendor)):
            return found, name
        own = (p for p in providers if p.model_match is not None and p.model_match.is_match(model_ref))
        return next(own, None), model_ref


def _context(service_tier: str, speed: str) -> dict[str, str]:
    """What the log says about the request, in the list's words for its price variants."""
    context = {}
    if service_tier == "batch":
        context["processing"] = "batch"
    elif service_tier not in PLAIN:
        context["service_tier"] = service_tier
    if speed not in PLAIN:
        context["speed"] = speed
    return context


def _changes(model: "ModelInfo") -> tuple[list[date], list[time]]:
    """The UTC dates and times of day at which any price of this model starts or ends."""
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint  # noqa: PLC0415

    dated = model.prices if isinstance(model.prices, list) else []
    constraints = [price.constraint for price in [*dated, *(model.price_variants or ())]]
    dates = {c.start_date for c in constraints if isinstance(c, StartDateConstraint)}
    daily = [c for c in constraints if isinstance(c, TimeOfDateConstraint)]
    times = {_utc(edge) for c in daily for edge in (c.start_time, c.end_time)}
    return sorted(dates), sorted(times)


def _every_price(model: "ModelInfo") -> "list[ModelPrice]":
    """All sets of prices of a model, whenever they hold."""
    dated = [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]
    return dated + [each.prices for each in model.price_variants or ()]


def _utc(edge: time) -> time:
    if edge.tzinfo is None:
        return edge
    return datetime.combine(date(1970, 1, 2), edge).astimezone(UTC).time()


def _unit_prices(listed: "ModelPrice") -> UnitPrices | None:
    """Plain tables of one set of prices. An empty set is a free model; one without prices for tokens is a gap."""
    prices = {key: price for key, price in vars(listed).items() if price is not None}
    if prices and not prices.keys() & {"input_mtok", "output_mtok", "requests_kcount"}:
        return None
    chosen = [_chosen(charge, prices) for charge in CHARGES]
    starts = sorted({tier.start for price in chosen for tier in getattr(price, "tiers", ())})
    rows = tuple(
        tuple(
            NOTHING if price is None else Rate.of(_in_tier(price, start), PRICE_KEYS[charge][0])
            for charge, price in zip(CHARGES, chosen, strict=True)
        )
        for start in [-1, *starts]
    )
    return UnitPrices(tuple(starts), rows, reasoning_apart="output_reasoning_mtok" in prices)


def _chosen(charge: Charge, prices: "dict[str, Decimal | TieredPrices]") -> "Decimal | TieredPrices | None":
    return next((prices[key] for key in PRICE_KEYS[charge][1] if key in prices), None)


def _in_tier(price: "Decimal | TieredPrices", start: int) -> Decimal:
    """The price in the tier that begins at `start`; the list keeps tiers in ascending order."""
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if tier.start <= start]
    return reached[-1] if reached else price.base
