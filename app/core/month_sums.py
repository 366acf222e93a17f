"""What is told of a repository's month beside its metrics: kept with them, and made of the same books.

Money sits where a pull is; what was used, and how well it is known, where the agent ran.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.known import Known
from app.core.month import Month
from app.core.shares import Share
from app.core.usage import Tokens

DEAREST = 10


class DearPull(NamedTuple):
    """A pull that was closed or spent on in the month; `lifetime` in nano-USD. `carries`: pulls merged into it."""

    lifetime: int
    number: int
    agent_runs: int
    carries: list[int]


@dataclass(slots=True)
class MonthSums:
    """`agent_runs` and what follows are of those that began in the month; calls and tokens of calls made in it."""

    books: dict[str, int] = field(default_factory=dict)  # the month's charges by book, nano-USD
    model_calls: int = 0
    unpriced_calls: int = 0
    unpriced_models: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=lambda: [0] * len(Tokens._fields))
    told_cost: int = 0  # of calls that telemetry with an access token told of
    agent_runs: int = 0
    incomplete: int = 0
    unattributed: int = 0
    told: int = 0
    by_team: dict[str, int] = field(default_factory=dict)  # agent runs by tag; "" is none
    price_lists: list[str] = field(default_factory=list)
    tied: Known = field(default_factory=Known)  # of agent runs at work in the month: those that pulls have
    loose: Known = field(default_factory=Known)  # and the others
    unrecorded: list[int] = field(default_factory=list)  # whose pulls merged without a record: the agents' accounts
    agent_pulls_closed: int = 0
    dearest: list[DearPull] = field(default_factory=list)

    @property
    def is_busy(self) -> bool:
        """Whether there are charges, or agents were at work."""
        return bool(any(self.books.values()) or self.tied.agent_runs or self.loose.agent_runs)

    def __bool__(self) -> bool:
        return self != MonthSums()


@dataclass(slots=True)
class _Spend:
    closed_in: Month | None
    carries: set[int]
    by_month: Counter[Month] = field(default_factory=Counter)
    agent_runs: set[str] = field(default_factory=set)


def add_pulls(sums: dict[Month, MonthSums], here: int, shares: Iterable[Share], carried: dict[int, int]) -> set[int]:
    """Add the dearest pulls of each month, and how many agents' pulls were closed; the pulls with an agent run.

    `carried`: pulls that merged into another one's branch, each with that one.
    """
    spends: dict[int, _Spend] = {}
    carries: defaultdict[int, set[int]] = defaultdict(set)
    for child, last in carried.items():
        carries[last].add(child)
    for share in shares:
        pull = share.pull
        if pull is None or pull.repository_id != here:
            continue
        spend = spends.get(pull.number)
        if spend is None:
            closed_in = None if pull.closed_at is None else Month.of(pull.closed_at)
            spend = spends[pull.number] = _Spend(closed_in, carries[pull.number])
        spend.agent_runs.add(share.agent_run_id)
        for piece in share.pieces:
            spend.by_month[Month.of(piece.at)] += piece.cost
    for month, own in sums.items():
        own.agent_pulls_closed = sum(spend.closed_in == month for spend in spends.values())
        own.dearest = _dearest(month, spends)
    return set(spends)


def _dearest(month: Month, spends: dict[int, _Spend]) -> list[DearPull]:
    found = [
        DearPull(spend.by_month.total(), number, len(spend.agent_runs), sorted(spend.carries))
        for number, spend in spends.items()
        if spend.closed_in == month or spend.by_month[month]
    ]
    return dearest(found)


def dearest(pulls: Iterable[DearPull]) -> list[DearPull]:
    """The dearest ones, the dearest first."""
    return sorted(pulls, key=lambda each: (-each.lifetime, each.number))[:DEAREST]
