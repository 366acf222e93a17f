"""The books: where cost sits, and which entries move it.

Cost enters once, from `usage` into `unattributed`, and afterwards only moves. The entries of every transaction
sum to zero, so Σ pulls + Σ abandoned + Σ unattributed + Σ overhead = Σ charges holds by construction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.money import NanoUsd, share
from app.core.month import Month


class Book(StrEnum):
    USAGE = "usage"  # where cost comes from; always negative
    UNATTRIBUTED = "unattributed"
    PULL = "pull"
    ABANDONED = "abandoned"  # no pull within 14 days
    OVERHEAD = "overhead"  # allocated by a rule


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where cost sits. `number` is the pull's, 0 in every other book.

    `repository_id` is the pull's, where it is not the repository in which the agent ran (0).
    """

    book: Book
    number: int = 0
    repository_id: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    place: Place
    month: Month  # of the charge, whenever it is posted
    amount: NanoUsd


# What one agent run's cost amounts to in each place and charge month.
Holding = Mapping[tuple[Place, Month], NanoUsd]


def usage_entries(by_month: Mapping[Month, NanoUsd]) -> list[Entry]:
    """The entries by which an agent run's charges enter the books: they sum to zero in each month."""
    return [
        entry
        for month, amount in sorted(by_month.items())
        if amount
        for entry in (
            Entry(Place(Book.USAGE), month, NanoUsd(-amount)),
            Entry(Place(Book.UNATTRIBUTED), month, amount),
        )
    ]


def revaluation(
    holding: Holding, homes: Sequence[tuple[Place, int]], differences: Mapping[Month, NanoUsd]
) -> list[Entry]:
    """The entries by which charges that cost more or less than was said change the books; they sum to zero.

    A month's difference goes where the month's cost sits, by share, so that no place falls below zero; where nothing of
    the month sits anywhere, to `homes`: places with weights, in stable order.
    """
    entries = []
    for month, by in sorted(differences.items()):
        sits = [(place, held) for (place, of), held in sorted(holding.items()) if of == month and held > 0]
        places = sits or homes
        parts = share(by, [weight for _, weight in places])
        changes = [
            (Place(Book.USAGE), NanoUsd(-by)),
            *((place, part) for (place, _), part in zip(places, parts, strict=True)),
        ]
        entries += [Entry(place, month, amount) for place, amount in changes if amount]
    return entries


def moves(holding: Holding, target: Sequence[tuple[Place, int]]) -> list[Entry]:
    """The entries that bring a holding to its target: places with weights, in stable order.

    Nothing to do gives no entries; the result sums to zero in each month. `usage` is neither read nor moved.
    """
    now = {key: amount for key, amount in holding.items() if key[0].book is not Book.USAGE}
    wanted: dict[tuple[Place, Month], int] = {}
    for month in {month for _, month in now}:
        total = NanoUsd(sum(amount for (_, m), amount in now.items() if m == month))
        parts = share(total, [weight for _, weight in target])
        for (place, _), part in zip(target, parts, strict=True):
            wanted[place, month] = wanted.get((place, month), 0) + part
    changed = sorted(now.keys() | wanted.keys(), key=lambda key: (key[1], key[0]))
    differences = ((key, wanted.get(key, 0) - now.get(key, 0)) for key in changed)
    return [Entry(place, month, NanoUsd(by)) for (place, month), by in differences if by]
