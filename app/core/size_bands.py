"""Pulls by the number of lines that they change, and what they cost in each band. The bands are data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.core.money import NanoUsd, per


@dataclass(frozen=True, slots=True)
class Band:
    """Pulls that add and delete at least `least` lines together, and fewer than the next band."""

    name: str
    least: int


BANDS = (Band("XS", 0), Band("S", 10), Band("M", 30), Band("L", 100), Band("XL", 500), Band("XXL", 1000))
UNKNOWN_SIZE = "unknown"  # GitHub has not told


@dataclass(frozen=True, slots=True)
class BandCost:
    """Lifetime costs of a band's pulls: the middle one, and the one that nine of ten do not exceed."""

    band: str
    pulls: int
    median: NanoUsd
    p90: NanoUsd


def band_of(lines_changed: int | None) -> str:
    """The name of the band that a pull is in."""
    if lines_changed is None:
        return UNKNOWN_SIZE
    return [band.name for band in BANDS if band.least <= lines_changed][-1]


def by_band(pulls: Iterable[tuple[int | None, NanoUsd]]) -> tuple[BandCost, ...]:
    """Costs by band from each pull's lines changed and lifetime cost; bands without a pull are left out."""
    costs: dict[str, list[NanoUsd]] = {}
    for lines_changed, cost in pulls:
        costs.setdefault(band_of(lines_changed), []).append(cost)
    return band_costs(costs)


def band_costs(costs: Mapping[str, Sequence[NanoUsd]]) -> tuple[BandCost, ...]:
    """The same from the costs of each band by its name."""
    names = (*(band.name for band in BANDS), UNKNOWN_SIZE)
    return tuple(_cost(name, sorted(costs[name])) for name in names if name in costs)


def _cost(band: str, ordered: Sequence[NanoUsd]) -> BandCost:
    number = len(ordered)
    middle = per(ordered[(number - 1) // 2] + ordered[number // 2], 2)
    return BandCost(band, number, middle, ordered[(9 * number + 9) // 10 - 1])
