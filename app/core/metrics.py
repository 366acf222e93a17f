"""Cost per merged PR for one scope and one month (definitions §4). Pure arithmetic on shares of cost.

    released   = cost(p) + open at the start − open at the end
    period     = released / survived               cohort = lifetime cost of agent pulls merged in p / survived
    direct     = lifetime cost of survivors / survived          load factor = period / direct

A denominator of zero gives None ("no merged PR"), never 0 and never infinity.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from app.core.money import NanoUsd, per
from app.core.month import Month

REVERT_WINDOW = timedelta(days=14)  # W


@dataclass(frozen=True, slots=True)
class PullSpend:
    """A pull with what its agent runs cost by charge month. A pull without agent runs has `agent_runs` 0.

    `tracked`: its base branch counts; a merge into another pull's branch is no merged PR, and no waste either.
    """

    number: int
    agent_runs: int
    by_month: Mapping[Month, NanoUsd]
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    reverted_at: datetime | None = None
    is_revert: bool = False
    tracked: bool = True
    carries: tuple[int, ...] = ()  # pulls that merged into its branch: what they cost is in here

    @property
    def lifetime(self) -> NanoUsd:
        return NanoUsd(sum(self.by_month.values()))

    def spent_before(self, month: Month) -> NanoUsd:
        return NanoUsd(sum(amount for m, amount in self.by_month.items() if m < month))

    @property
    def survived(self) -> bool:
        """Merged with an agent run, not a revert itself, and not reverted within W."""
        if self.merged_at is None or not self.tracked or not self.agent_runs or self.is_revert:
            return False
        return self.reverted_at is None or self.reverted_at - self.merged_at > REVERT_WINDOW


@dataclass(frozen=True, slots=True)
class MonthCost:
    """One scope's month. All amounts in nano-USD, contracted cost; the three figures are None without a merge."""

    month: Month
    cost: NanoUsd
    released: NanoUsd
    without_pull: NanoUsd  # unattributed, abandoned, overhead
    dead: NanoUsd
    merged: int  # all merged pulls
    agent_merged: int  # of them, with at least one tied agent run
    survived: int
    period: NanoUsd | None
    cohort: NanoUsd | None
    direct: NanoUsd | None
    load_factor: Decimal | None
    provisional: bool


def month_cost(
    month: Month, pulls: Sequence[PullSpend], without_pull: Mapping[Month, NanoUsd], now: datetime
) -> MonthCost:
    """The figures of a scope from every pull with spend or merged in the month; `without_pull` is by charge month."""
    loose = without_pull.get(month, NanoUsd(0))
    cost = sum(pull.by_month.get(month, 0) for pull in pulls) + loose
    released = cost + _open(pulls, month) - _open(pulls, month.next)
    merged = [pull for pull in pulls if pull.merged_at in month and pull.tracked]
    agent = [pull for pull in merged if pull.agent_runs]
    survivors = [pull for pull in agent if pull.survived]
    period = _per(released, len(survivors))
    direct = _per(_lifetime(survivors), len(survivors))
    return MonthCost(
        month=month,
        cost=NanoUsd(cost),
        released=NanoUsd(released),
        without_pull=loose,
        dead=NanoUsd(loose + sum(pull.lifetime for pull in pulls if _died_in(pull, month))),
        merged=len(merged),
        agent_merged=len(agent),
        survived=len(survivors),
        period=period,
        cohort=_per(_lifetime(agent), len(survivors)),
        direct=direct,
        load_factor=None if period is None or not direct else Decimal(period) / Decimal(direct),
        provisional=now < month.end + REVERT_WINDOW,
    )


def _open(pulls: Iterable[PullSpend], month: Month) -> int:
    """Money of earlier months on pulls that were not closed when `month` began.

    A pull that an agent worked for before it was opened counts too: its money is released when it closes.
    """
    return sum(pull.spent_before(month) for pull in pulls if pull.closed_at is None or pull.closed_at >= month.start)


def _died_in(pull: PullSpend, month: Month) -> bool:
    alive = pull.survived or pull.is_revert or (pull.merged_at is not None and not pull.tracked)
    return pull.closed_at in month and not alive


def _lifetime(pulls: Iterable[PullSpend]) -> int:
    return sum(pull.lifetime for pull in pulls)


def _per(amount: int, count: int) -> NanoUsd | None:
    return per(amount, count) if count else None
