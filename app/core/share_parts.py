"""How an agent run becomes shares: its amounts and tokens in pieces, parted so that the parts sum to the whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.money import ZERO, NanoUsd, share
from app.core.month import Month
from app.core.shares import Piece
from app.core.usage import Tokens


@dataclass(frozen=True, slots=True)
class Grain:
    """What an agent run's calls of one model used from `at` on: on one day, or altogether."""

    at: datetime
    model: str
    cost: NanoUsd
    tokens: Tokens


def parted(tokens: Tokens, weights: Sequence[int]) -> list[Tokens]:
    """Tokens by weights. Each count of the parts sums to the whole's, and reasoning stays a part of output."""
    if len(weights) == 1:
        return [tokens]
    columns = [share(NanoUsd(count), weights) for count in tokens[:-1]]
    # Within each part's output, so that it can never exceed it.
    outputs = columns[-1]
    reasoning = share(NanoUsd(tokens.reasoning), outputs if tokens.reasoning else weights)
    return [Tokens(*counts) for counts in zip(*columns, reasoning, strict=True)]


def pieces_by_model(
    grains: Sequence[Grain], tokens: Sequence[Tokens], by_month: Mapping[Month, NanoUsd]
) -> dict[str, tuple[Piece, ...]]:
    """The pieces of a share by model: `tokens` are the share's of each grain, `by_month` is what it costs.

    What a month costs goes to the month's grains, by their cost; where it has none, to all of them.
    """
    if len(grains) == 1:  # most agent runs: nothing is parted
        return {grains[0].model: (Piece(grains[0].at, NanoUsd(sum(by_month.values())), tokens[0]),)}
    costs: list[NanoUsd] = [ZERO] * len(grains)
    months = [Month.of(grain.at) for grain in grains]
    for month, amount in by_month.items():
        where = [n for n, grain in enumerate(grains) if months[n] == month] or list(range(len(grains)))
        weights = [grains[n].cost for n in where]
        parts = weights if sum(weights) == amount else share(amount, weights)
        for n, part in zip(where, parts, strict=True):
            costs[n] = NanoUsd(costs[n] + part)
    return _grouped(
        (grain.model, Piece(grain.at, cost, of)) for grain, cost, of in zip(grains, costs, tokens, strict=True)
    )


def _grouped(found: Iterable[tuple[str, Piece]]) -> dict[str, tuple[Piece, ...]]:
    groups: dict[str, list[Piece]] = {}
    for model, piece in found:
        groups.setdefault(model, []).append(piece)
    return {model: tuple(pieces) for model, pieces in groups.items()}
