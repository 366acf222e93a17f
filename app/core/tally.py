"""What an agent run's counted model calls add up to. Unpriced calls are counted beside the cost, never as zero."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.costing import Costs
from app.core.money import ZERO, NanoUsd
from app.core.month import Month
from app.core.usage import ModelCall, Tokens

MOST_MODELS = 50


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over calls. `by_month` is the contracted cost by the month of each call, `models` by model, the most used
    first and not more than MOST_MODELS.

    `cost` and `list_cost` are of the calls that have one; `unpriced_calls` and `unlisted_calls` have none.
    """

    calls: int
    tokens: Tokens
    cost: NanoUsd
    by_month: dict[Month, NanoUsd]
    unpriced_calls: int
    unpriced_models: list[str]
    list_cost: NanoUsd
    unlisted_calls: int
    models: dict[str, NanoUsd]


def tally(calls: Sequence[ModelCall], priced: Costs) -> Tally:
    """Add up calls and their costs, which are in the same order."""
    costs, listed = priced.contracted, priced.listed
    by_month: dict[tuple[int, int], int] = {}
    by_model: dict[str, int] = {}
    for call, cost in zip(calls, costs, strict=True):
        month = call.at.year, call.at.month
        by_month[month] = by_month.get(month, 0) + (cost or 0)
        by_model[call.model] = by_model.get(call.model, 0) + (cost or 0)
    unpriced = Counter(call.model for call, cost in zip(calls, costs, strict=True) if cost is None)
    cost = NanoUsd(sum(by_month.values(), start=ZERO))
    same = listed is costs
    return Tally(
        calls=len(calls),
        tokens=_sum([call.tokens for call in calls]),
        cost=cost,
        by_month={Month(*month): NanoUsd(cost) for month, cost in by_month.items()},
        unpriced_calls=unpriced.total(),
        unpriced_models=_most(unpriced),
        models={model: NanoUsd(by_model[model]) for model in _most(Counter(call.model for call in calls))},
        list_cost=cost if same else NanoUsd(sum(each for each in listed if each is not None)),
        unlisted_calls=unpriced.total() if same else sum(each is None for each in listed),
    )


def _sum(tokens: Sequence[Tokens]) -> Tokens:
    return Tokens(*map(sum, zip(*tokens, strict=True)))


def _most(models: Counter[str]) -> list[str]:
    ordered = sorted(models.items(), key=lambda item: (-item[1], item[0]))
    return [model for model, _ in ordered[:MOST_MODELS]]
