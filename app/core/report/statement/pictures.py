"""The three pictures of a statement as values: which points are drawn, and what is left out and must be said."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.chargeback.statement import Figures, Statement
from app.core.money import NANO_PER_CENT, per
from app.core.report.statement.parts import by_repository
from app.core.report.statement.said import NO_MERGE, short_month

BARS = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """Bars by name, in hundredths of `unit`, none below zero, and a second row of them (`others`) where there is one.

    The last bar has no name where it sums `more`. `beside`: what is not drawn, a sentence of ours. Names may come from
    outside; the other texts are ours.
    """

    title: str
    unit: str
    names: tuple[str, ...]
    heights: tuple[int, ...]
    others: tuple[int, ...] = ()
    legend: tuple[str, str] = ("", "")
    beside: str = ""
    more: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each bar."""
        return (*self.names, f"{self.more:,} more") if self.more else self.names


def trend(statement: Statement) -> Picture | None:
    """Cost per merged PR by month; None for fewer than two months that have one."""
    drawn = [each for each in statement.figures if each.per_merged_pr is not None and each.per_merged_pr >= 0]
    if len(drawn) < 2:
        return None
    heights = tuple(per(each.per_merged_pr or 0, NANO_PER_CENT) for each in drawn)
    without = [each for each in statement.figures if each.per_merged_pr is None]
    below = [each for each in statement.figures if each.per_merged_pr is not None and each.per_merged_pr < 0]
    said = [(NO_MERGE, without), ("below zero, as corrections outweigh the spend", below)]
    return Picture("Cost per merged PR", "USD", _months(drawn), heights, beside=_beside(said))


def spend(statement: Statement) -> Picture | None:
    """What the lines amount to by repository, the dearest first; None for fewer than two repositories."""
    all_sums = by_repository(statement)
    drawn = [each for each in all_sums if each.total > 0]
    if len(drawn) < 2:
        return None
    most = BARS if len(drawn) > BARS + 1 else len(drawn)
    names, heights = [each.repository for each in drawn[:most]], [each.total for each in drawn[:most]]
    if rest := drawn[most:]:
        heights.append(sum(each.total for each in rest))
    hidden = len(all_sums) - len(drawn)
    beside = f"{hidden} {'repository' if hidden == 1 else 'repositories'} at or below zero not drawn." if hidden else ""
    return Picture("Spend by repository", "USD", tuple(names), tuple(heights), beside=beside, more=len(drawn) - most)


def yields(statement: Statement) -> Picture | None:
    """Token yield beside dead spend, in percent by month; None where no month has both."""
    drawn = [each for each in statement.figures if each.yield_generated and _dead(each) is not None]
    if not drawn:
        return None
    generated = tuple(int(Decimal(each.yield_generated) * 10_000) for each in drawn)
    dead = tuple(_dead(each) or 0 for each in drawn)
    said = [("no yield", [each for each in statement.figures if each not in drawn])]
    legend = ("token yield", "dead spend ÷ cost")
    return Picture("Yield and waste", "%", _months(drawn), generated, dead, legend, _beside(said))


def _dead(figures: Figures) -> int | None:
    """Dead spend in hundredths of a percent of the cost; None where that says nothing."""
    return per(10_000 * figures.dead, figures.cost) if 0 <= figures.dead <= figures.cost and figures.cost else None


def _months(figures: Sequence[Figures]) -> tuple[str, ...]:
    return tuple(short_month(each.month) for each in figures)


def _beside(said: Sequence[tuple[str, Sequence[Figures]]]) -> str:
    """ "Not drawn: Aug 2026 (no merged PR)."."""
    left_out = [f"{', '.join(_months(months))} ({why})" for why, months in said if months]
    return f"Not drawn: {'; '.join(left_out)}." if left_out else ""
