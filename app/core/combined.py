"""From sums by repository to the metrics of each scope. What the repositories' sums add up to is the scope's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.core.metrics import cost_of_period
from app.core.money import NanoUsd
from app.core.period import Period
from app.core.scope_metrics import Metrics
from app.core.scope_sums import (
    AGENT_MERGED,
    AGENT_RUNS,
    CLASS_AT,
    COHORT,
    COST,
    DEAD_AT,
    DIRECT,
    OPEN_AT_END,
    OPEN_AT_START,
    RETRIED,
    SURVIVED,
    TOKENS,
    UNPRICED_CALLS,
    WITHOUT_PULL,
    ScopeSums,
)
from app.core.shares import Dimension
from app.core.size_bands import band_costs
from app.core.usage import Tokens
from app.core.yields import Part, ShareClass, ratio, yields_from


@dataclass(frozen=True, slots=True)
class Row:
    """A repository's period in one dimension. `merged`: all its pulls that merged and count."""

    repository_id: int
    merged: int = 0
    has_pulls: bool = False
    scopes: Mapping[str, ScopeSums] = field(default_factory=dict)


def combined(dimension: Dimension, period: Period, rows: Iterable[Row], now: datetime) -> dict[str, Metrics]:
    """The metrics of every scope of a dimension, by its key; the organisation is always there."""
    sums: dict[str, ScopeSums] = {}
    merged: dict[str, int] = {}
    if dimension is Dimension.ORGANISATION:
        sums[""], merged[""] = ScopeSums(), 0
    for row in rows:
        if dimension is Dimension.ORGANISATION:
            merged[""] += row.merged
        elif dimension is Dimension.REPOSITORY and row.has_pulls:
            sums.setdefault(str(row.repository_id), ScopeSums())
            merged[str(row.repository_id)] = merged.get(str(row.repository_id), 0) + row.merged
        for key, own in row.scopes.items():
            sums.setdefault(key, ScopeSums()).add(own)
            if dimension is not Dimension.ORGANISATION:
                merged[key] = merged.get(key, 0) + _merged_beside(dimension, key, row, own)
    return {key: metrics_of_sums(period, each, merged[key], now) for key, each in sorted(sums.items())}


def _merged_beside(dimension: Dimension, key: str, row: Row, own: ScopeSums) -> int:
    """A scope's merged pulls are its repositories' ones; a repository's are its own, and those that it paid for."""
    if dimension is not Dimension.REPOSITORY:
        return row.merged
    return 0 if key == str(row.repository_id) else own.numbers[AGENT_MERGED]


def metrics_of_sums(period: Period, sums: ScopeSums, merged: int, now: datetime) -> Metrics:
    """A scope's metrics from its sums, and from how many pulls of its repositories merged."""
    numbers = sums.numbers
    tokens = Tokens(*numbers[TOKENS : TOKENS + 7])
    classes = {kind: _part(numbers, at) for kind, at in CLASS_AT.items()}
    cost = cost_of_period(
        period,
        now,
        cost=numbers[COST],
        open_at_start=numbers[OPEN_AT_START],
        open_at_end=numbers[OPEN_AT_END],
        without_pull=numbers[WITHOUT_PULL],
        merged=merged,
        agent_merged=numbers[AGENT_MERGED],
        survived=numbers[SURVIVED],
        cohort=numbers[COHORT],
        direct=numbers[DIRECT],
    )
    support, productive = (classes[kind].cost for kind in (ShareClass.SUPPORT, ShareClass.PRODUCTIVE))
    return Metrics(
        period=period,
        cost=cost,
        agent_runs=numbers[AGENT_RUNS],
        unpriced_calls=numbers[UNPRICED_CALLS],
        tokens=tokens,
        yields=yields_from(classes, numbers[AGENT_RUNS]),
        dead={why: NanoUsd(numbers[at]) for why, at in DEAD_AT.items()},
        cache_read_share=ratio(tokens.cache_read, tokens.prompt),
        retry_tax=ratio(numbers[RETRIED], cost.cost),
        support_share=ratio(support, support + productive),
        by_size=band_costs({band: [NanoUsd(cost) for cost in costs] for band, costs in sums.bands.items()}),
    )


def _part(numbers: list[int], at: int) -> Part:
    runs, output, tokens, cost = numbers[at : at + 4]
    return Part(runs, output, tokens, NanoUsd(cost))
