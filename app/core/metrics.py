"""Cost per merged PR for one scope and one period (definitions §4). Pure arithmetic on shares of cost.

    released   = cost(p) + open at the start − open at the end
    period     = released / survived               cohort = lifetime cost of agent pulls merged in p / survived
    direct     = lifetime cost of survivors / survived          load factor = period / direct

A denominator of zero gives None ("no merged PR"), never 0 and never infinity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from app.core.money import ZERO, NanoUsd, per
from app.core.period import Period

REVERT_WINDOW = timedelta(days=14)  # W


@dataclass(frozen=True, slots=True)
class PullSpend:
    """A pull with what its agent runs cost. A pull without agent runs has `agent_runs` 0.

    `spent` is by the beginning of a piece of time: a month, or what the bounds of a period leave of one.
    `tracked`: its base branch counts; a merge into another pull's branch is no merged PR, and no waste either.
    """

    number: int
    agent_runs: int
    spent: Mapping[datetime, NanoUsd] = field(default_factory=dict)
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    reverted_at: datetime | None = None
    is_revert: bool = False
    tracked: bool = True

    @property
    def lifetime(self) -> NanoUsd:
        return NanoUsd(sum(self.spent.values()))

    def spent_before(self, instant: datetime) -> NanoUsd:
        return NanoUsd(sum(amount for at, amount in self.spent.items() if at < instant))

    def spent_in(self, period: Period) -> NanoUsd:
        return spent_in(period, self.spent)

    @property
    def survived(self) -> bool:
        """Merged with an agent run, not a revert itself, and not reverted within W."""
        return bool(self.agent_runs) and stands(self)


@dataclass(frozen=True, slots=True)
class PullFate:
    """What became of a pull, as far as metrics ask. `lines_changed` is None where GitHub was not asked."""

    repository_id: int
    number: int
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    reverted_at: datetime | None = None
    is_revert: bool = False
    tracked: bool = True
    lines_changed: int | None = None

    @property
    def rejected(self) -> bool:
        return self.closed_at is not None and self.merged_at is None

    @property
    def reverted(self) -> bool:
        """Merged, and reverted within W."""
        return self.merged_at is not None and not outlived(self.merged_at, self.reverted_at)


def stands(pull: PullSpend | PullFate) -> bool:
    """Merged into a branch that counts, not a revert itself, and not reverted within W."""
    if pull.merged_at is None or not pull.tracked or pull.is_revert:
        return False
    return outlived(pull.merged_at, pull.reverted_at)


def outlived(merged_at: datetime, reverted_at: datetime | None) -> bool:
    """Whether what was merged was not reverted within W."""
    return reverted_at is None or reverted_at - merged_at > REVERT_WINDOW


@dataclass(frozen=True, slots=True)
class PeriodCost:
    """One scope's period. All amounts in nano-USD, contracted cost; the three figures are None without a merge."""

    cost: NanoUsd
    open_at_start: NanoUsd  # spent before on pulls that were open then
    open_at_end: NanoUsd
    released: NanoUsd  # cost + open at the start − open at the end
    without_pull: NanoUsd  # unattributed, abandoned, overhead
    merged: int  # all merged pulls
    agent_merged: int  # of them, with at least one tied agent run
    survived: int
    period: NanoUsd | None
    cohort: NanoUsd | None
    direct: NanoUsd | None
    load_factor: Decimal | None
    provisional: bool


def period_cost(
    period: Period, pulls: Sequence[PullSpend], without_pull: Mapping[datetime, NanoUsd], now: datetime
) -> PeriodCost:
    """The figures of a scope from every pull with spend or merged in the period.

    `without_pull`, like what was spent on pulls, is by the beginning of pieces of time that no bound of it cuts.
    """
    loose = spent_in(period, without_pull)
    cost = sum(pull.spent_in(period) for pull in pulls) + loose
    open_at_start, open_at_end = (NanoUsd(_open(pulls, at)) for at in (period.start, period.end))
    merged = [pull for pull in pulls if pull.merged_at in period and pull.tracked]
    agent = [pull for pull in merged if pull.agent_runs]
    survivors = [pull for pull in agent if pull.survived]
    return cost_of_period(
        period,
        now,
        cost=cost,
        open_at_start=open_at_start,
        open_at_end=open_at_end,
        without_pull=loose,
        merged=len(merged),
        agent_merged=len(agent),
        survived=len(survivors),
        cohort=_lifetime(agent),
        direct=_lifetime(survivors),
    )


def cost_of_period(
    period: Period,
    now: datetime,
    *,
    cost: int,
    open_at_start: int,
    open_at_end: int,
    without_pull: int,
    merged: int,
    agent_merged: int,
    survived: int,
    cohort: int,
    direct: int,
) -> PeriodCost:
    """The figures from their sums. `cohort`, `direct`: what agent pulls merged in the period cost over their lives."""
    released = cost + open_at_start - open_at_end
    per_pull, per_survivor = _per(released, survived), _per(direct, survived)
    return PeriodCost(
        cost=NanoUsd(cost),
        open_at_start=NanoUsd(open_at_start),
        open_at_end=NanoUsd(open_at_end),
        released=NanoUsd(released),
        without_pull=NanoUsd(without_pull),
        merged=merged,
        agent_merged=agent_merged,
        survived=survived,
        period=per_pull,
        cohort=_per(cohort, survived),
        direct=per_survivor,
        load_factor=None if per_pull is None or not per_survivor else Decimal(per_pull) / Decimal(per_survivor),
        provisional=now < period.end + REVERT_WINDOW,
    )


def spent_in(period: Period, spent: Mapping[datetime, NanoUsd]) -> NanoUsd:
    """What of an amount by pieces of time falls into a period."""
    return NanoUsd(sum((amount for at, amount in spent.items() if at in period), start=ZERO))


def _open(pulls: Iterable[PullSpend], at: datetime) -> int:
    """Money spent before an instant on pulls that were not closed then.

    A pull that an agent worked for before it was opened counts too: its money is released when it closes.
    """
    return sum(pull.spent_before(at) for pull in pulls if pull.closed_at is None or pull.closed_at >= at)


def _lifetime(pulls: Iterable[PullSpend]) -> int:
    return sum(pull.lifetime for pull in pulls)


def _per(amount: int, count: int) -> NanoUsd | None:
    return per(amount, count) if count else None
