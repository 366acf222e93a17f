"""What kept model calls cost by the prices and agreements in force now, beside what they were said to cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core import ai_credits
from app.core.config import Config
from app.core.costing import costs_of
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.pricing import PriceList
from app.core.usage import ModelCall


@dataclass(frozen=True, slots=True)
class Price:
    """What a call costs, contracted and at list prices, and the price list that the contracted cost is from."""

    cost: NanoUsd | None
    list_cost: NanoUsd | None
    price_list: str


@dataclass(frozen=True, slots=True)
class KeptCall:
    """A model call as it is kept: its place in its agent run, and its price."""

    position: int
    call: ModelCall
    price: Price


@dataclass(frozen=True, slots=True)
class Change:
    """A call whose cost is another one now."""

    position: int
    model: str
    month: Month
    before: Price
    after: Price


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes amount to in their agent run."""

    by_month: dict[Month, NanoUsd]  # contracted
    by_model: dict[str, NanoUsd]  # the same
    list_cost: NanoUsd
    unpriced_calls: int
    unlisted_calls: int

    @property
    def cost(self) -> NanoUsd:
        """Over all months."""
        return NanoUsd(sum(self.by_month.values()))


def changes_of(prices: PriceList, config: Config, kept: Sequence[KeptCall]) -> list[Change]:
    """The calls that cost something else now. One that costs the same keeps the price list that said so first.

    What a vendor charged in credits no price list knows better.
    """
    kept = [each for each in kept if each.price.price_list != ai_credits.PRICE_LIST]
    costs = costs_of(prices, config, [each.call for each in kept])
    now = (Price(*price) for price in zip(*costs, strict=True))
    return [
        Change(each.position, each.call.model, Month.of(each.call.at), each.price, price)
        for each, price in zip(kept, now, strict=True)
        if (price.cost, price.list_cost) != (each.price.cost, each.price.list_cost)
    ]


def difference(changes: Sequence[Change]) -> Difference:
    """After less before; an unpriced call has no cost, and is counted beside."""
    by_month: dict[Month, NanoUsd] = {}
    by_model: dict[str, NanoUsd] = {}
    for each in changes:
        by = (each.after.cost or 0) - (each.before.cost or 0)
        by_month[each.month] = NanoUsd(by_month.get(each.month, 0) + by)
        by_model[each.model] = NanoUsd(by_model.get(each.model, 0) + by)
    return Difference(
        by_month=by_month,
        by_model=by_model,
        list_cost=NanoUsd(sum((each.after.list_cost or 0) - (each.before.list_cost or 0) for each in changes)),
        unpriced_calls=sum((each.after.cost is None) - (each.before.cost is None) for each in changes),
        unlisted_calls=sum((each.after.list_cost is None) - (each.before.list_cost is None) for each in changes),
    )
