"""The items that used tokens become, priced by the list and agreements in force; each looked for once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import mul
from typing import Any, NamedTuple

from app.core import ai_credits
from app.core.agreements import OwnPrice
from app.core.config import Config
from app.core.costing import WEB_SEARCH, agreed_for
from app.core.focus.items import CREDITS_METER, METERS, ONE, Item, Meter, Variant, sku_of
from app.core.focus.sellers import seller_of
from app.core.pricing import PriceList
from app.core.rates import CHARGES, NOTHING, Charge, Rate, UnitPrices
from app.core.usage import ModelCall, Tokens

HALF_HOUR_S = 1800
OUTPUT, REASONING, REQUEST = (CHARGES.index(each) for each in (Charge.OUTPUT, Charge.REASONING, Charge.REQUEST))


class Deal(NamedTuple):
    """What decides the price of calls, half an hour (since the epoch) at a time.

    `prompt`: a number of prompt tokens of their price tier. `priced`: they have a contracted cost; `listed`: the list
    had a price for them.
    """

    half_hour: int
    provider: str
    model: str
    service_tier: str = "standard"
    speed: str = "standard"
    price_list: str = ""
    prompt: int = 0
    priced: int = 1
    listed: int = 1


class Used(NamedTuple):
    """Calls of one deal: how many, what they used together, and what is booked for them."""

    calls: int
    input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write_other: int = 0
    output: int = 0
    reasoning: int = 0
    web_searches: int = 0
    cost: int = 0
    list_cost: int = 0


class Circumstances(NamedTuple):
    """What else an item depends on: the subscription that pays for it, and why it comes after its month's close."""

    covered_by: str = ""
    correction: str = ""


HERE_AND_NOW = Circumstances()
Agreed = tuple[OwnPrice | None, Decimal | None]


class Line(NamedTuple):
    """One charge of a deal: the place of its item in the catalogue, and what one count of it costs.

    Costs are in the eighteenth decimal of a dollar: products of a price and a quantity of nine each.
    """

    charge: int  # place in CHARGES
    item: int
    contracted: int
    listed: int


class Lines:
    """What calls of one price become. `priced`: there is a price for them; else they have quantities alone."""

    def __init__(
        self,
        provider: str,
        model: str,
        lines: Sequence[Line],
        *,
        priced: bool,
        in_credits: bool = False,
        reasoning_apart: bool = False,
    ) -> None:
        self.provider, self.model, self.priced = provider, model, priced
        self.charges, self.items, self.contracted, self.listed = zip(*lines, strict=True)
        self._in_credits, self._apart = in_credits, reasoning_apart

    def counts(self, used: Sequence[int]) -> list[int]:
        """How much of each line `used` is (the fields of Used)."""
        if self._in_credits:
            return [used[9] * ai_credits.CREDITS_PER_USD]
        apart = used[7] if self._apart else 0
        counts = (*used[1:6], used[6] - apart, apart, used[8], used[0])
        return [counts[charge] for charge in self.charges]

    def at_contracted(self, counts: Sequence[int]) -> int:
        """What counts of each line come to."""
        return sum(map(mul, counts, self.contracted))

    def at_list(self, counts: Sequence[int]) -> int:
        return sum(map(mul, counts, self.listed))


class Catalogue:
    """Every item that came up; rows name items by their place in `items`."""

    def __init__(self, prices: PriceList, config: Config) -> None:
        self.items: list[Item] = []
        self._prices, self._config = prices, config
        self._places: dict[Item, int] = {}
        self._known: dict[Circumstances, dict[tuple[Any, ...], Lines]] = {}
        self._same: dict[tuple[Any, ...], Lines] = {}
        self._first: dict[tuple[Any, ...], Lines] = {}

    def place(self, item: Item) -> int:
        """Where an item stands; it is added where it is new."""
        found = self._places.get(item)
        if found is None:
            found = self._places[item] = len(self.items)
            self.items.append(item)
        return found

    def lines(self, deal: tuple[Any, ...], circumstances: Circumstances = HERE_AND_NOW) -> Lines:
        """The lines of a deal (the fields of Deal); deals of the same prices have the very same ones."""
        known = self._known.get(circumstances)
        if known is None:
            known = self._known[circumstances] = {}
        found = known.get(deal)
        if found is None:
            found = known[deal] = self._found(Deal(*deal), circumstances)
        return found

    def _found(self, deal: Deal, circumstances: Circumstances) -> Lines:
        at = datetime.fromtimestamp(deal.half_hour * HALF_HOUR_S, UTC)
        tokens = Tokens(input=deal.prompt)
        call = ModelCall(deal.provider, "", deal.model, at, tokens, deal.service_tier, deal.speed)
        listed = self._prices.unit_prices(deal.provider, deal.model, at, deal.service_tier, deal.speed)
        agreed = agreed_for(self._prices, self._config, call)
        # Prices are kept by the list and the configuration, so the same ones are the same objects.
        key = (deal[1:], circumstances, id(listed), id(agreed[0]), agreed[1])
        if key not in self._same:
            self._same[key] = self._made(deal, circumstances, call, listed, agreed)
        return self._unlike(self._same[key])

    def _unlike(self, made: Lines) -> Lines:
        """The first lines with these items: price tiers that a model does not have make no difference."""
        return self._first.setdefault((made.items, made.priced), made)

    def _made(
        self, deal: Deal, circumstances: Circumstances, call: ModelCall, listed: UnitPrices | None, agreed: Agreed
    ) -> Lines:
        if deal.priced and deal.price_list == ai_credits.PRICE_LIST:
            price = ONE // ai_credits.CREDITS_PER_USD
            line = self._line(0, CREDITS_METER, deal, (price, price, True), 0, circumstances)
            return Lines(deal.provider, deal.model, [line], priced=True, in_credits=True)
        contracted = self._contracted(call, listed, agreed) if deal.priced else None
        if contracted is None:
            return Lines(deal.provider, deal.model, self._unpriced(deal, circumstances), priced=False)
        apart, own = contracted
        rates = listed.rates(deal.prompt) if listed is not None else own
        above = _above(listed, deal.prompt)
        lines = []
        for charge, kind in enumerate(CHARGES):
            if (charge == REASONING and not apart) or (charge == REQUEST and not (own[charge][0] or rates[charge][0])):
                continue
            meter = METERS[kind]
            prices = (_price(own[charge], meter), _price(rates[charge], meter), listed is not None)
            lines.append(self._line(charge, meter, deal, prices, above, circumstances))
        return Lines(deal.provider, deal.model, lines, priced=True, reasoning_apart=apart)

    def _contracted(
        self, call: ModelCall, listed: UnitPrices | None, agreed: Agreed
    ) -> tuple[bool, tuple[Rate, ...]] | None:
        """Whether reasoning is priced apart, and the rates agreed for a call; None without a price."""
        own, share = agreed
        less = listed.less(share) if listed is not None and share else listed
        if own is None:
            return None if less is None else (less.reasoning_apart, less.rates(call.tokens.prompt))
        rates = list(own.unit_prices.rates(call.tokens.prompt))
        if not own.web_search:
            rates[WEB_SEARCH] = less.rates(call.tokens.prompt)[WEB_SEARCH] if less is not None else NOTHING
        apart = listed is not None and listed.reasoning_apart
        if apart:
            rates[REASONING] = rates[OUTPUT]
        return apart, tuple(rates)

    def _unpriced(self, deal: Deal, circumstances: Circumstances) -> list[Line]:
        charges = (each for each in range(len(CHARGES)) if each not in (REASONING, REQUEST))
        return [self._line(each, METERS[CHARGES[each]], deal, (0, 0, False), 0, circumstances) for each in charges]

    def _line(
        self, charge: int, meter: Meter, deal: Deal, prices: tuple[int, int, bool], above: int, why: Circumstances
    ) -> Line:
        contracted, listed, has_list = prices
        sku = sku_of(Variant(deal.provider, deal.model, deal.service_tier, deal.speed, above), meter)
        item = Item(
            seller_of(deal.provider),
            sku.description,
            unit=meter.unit,
            list_price=listed,
            contracted_price=contracted,
            price_list=deal.price_list,
            listed=has_list,
            covered_by=why.covered_by,
            correction=bool(why.correction),
            reason=why.correction,
            sku=sku.sku,
            meter=sku.meter,
            price_id=sku.price_id,
            details=sku.details,
        )
        step = meter.unit.pricing_step
        return Line(charge, self.place(item), contracted * step, listed * step)


def _price(rate: Rate, meter: Meter) -> int:
    """The price of one pricing unit in ninth decimals of a dollar, which nano-USD are."""
    return rate.charge(ONE // meter.unit.pricing_step)


def _above(listed: UnitPrices | None, prompt: int) -> int:
    """How many prompt tokens a call must exceed for its price tier; 0 in the lowest."""
    return max((start for start in listed.tier_starts if start < prompt), default=0) if listed is not None else 0
