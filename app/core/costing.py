"""What model calls cost, twice over: at list prices, and as contracted, which is what the books hold.

Contracted is an own price where one matches, else the list price less the discount in force. A call without a price is
None in either, never 0: an own price can name a model that the list does not know.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

from app.core.money import NanoUsd
from app.core.pricing import PriceList
from app.core.rates import CHARGES, Charge
from app.core.usage import ModelCall

if TYPE_CHECKING:  # it brings parsers, which the Action's standalone mode has not
    from app.core.agreements import OwnPrice
    from app.core.config import Config

# One million dollars in one job is a broken log, and sums of such would leave 64 bits.
LARGEST_COST = NanoUsd(10**15)
WEB_SEARCH = CHARGES.index(Charge.WEB_SEARCH)


class Costs(NamedTuple):
    """Costs of calls, in the calls' order. `price_lists` names what each call's contracted cost was priced with.

    Without own prices and discounts `contracted` and `listed` are one and the same sequence.
    """

    contracted: Sequence[NanoUsd | None] = ()
    listed: Sequence[NanoUsd | None] = ()
    price_lists: Sequence[str] = ()

    def of(self, chosen: Iterable[bool]) -> "Costs":
        """The costs of those calls that are chosen."""
        flags = list(chosen)
        contracted = list(compress(self.contracted, flags))
        listed = contracted if self.listed is self.contracted else list(compress(self.listed, flags))
        return Costs(contracted, listed, list(compress(self.price_lists, flags)))


def costs_of(prices: PriceList, config: "Config", calls: Sequence[ModelCall]) -> Costs:
    """Price calls, each at its own time."""
    listed = prices.costs(calls)
    if not config.discounts and not config.prices:
        return Costs(listed, listed, [prices.version] * len(calls))
    priced = [_contracted(prices, config, call, at_list) for call, at_list in zip(calls, listed, strict=True)]
    return Costs([cost for cost, _ in priced], listed, [price_list for _, price_list in priced])


def agreed_for(prices: PriceList, config: "Config", call: ModelCall) -> "tuple[OwnPrice | None, Decimal | None]":
    """The own price and the discount that hold for a call. A provider is meant by any of its names."""
    providers = tuple(dict.fromkeys((call.provider, prices.provider_id(call.provider, call.model))))
    own = next(filter(None, (config.own_price(each, call.model, call.at) for each in providers)), None)
    share = next(filter(None, (config.discount(each, call.at) for each in providers)), None)
    return own, share


def _contracted(
    prices: PriceList, config: "Config", call: ModelCall, at_list: NanoUsd | None
) -> tuple[NanoUsd | None, str]:
    """What was agreed for a call, and the price list that says so."""
    own, share = agreed_for(prices, config, call)
    if own is not None:
        searched = _searched(prices, call, share) if call.web_searches and not own.web_search else NanoUsd(0)
        return None if searched is None else NanoUsd(own.cost(call) + searched), own.version
    return (prices.cost(call, share) if share else at_list), prices.version


def _searched(prices: PriceList, call: ModelCall, share: Decimal | None) -> NanoUsd | None:
    """What an own price does not say of web searches: the list price, less the discount. None: nobody knows it."""
    priced = prices.price(call, share) if share else prices.price(call)
    return None if priced.cost is None else priced.charges[WEB_SEARCH]
