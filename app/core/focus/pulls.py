"""The pulls beside a month's rows: with both, cost per merged PR can be computed by anybody (docs/focus.md)."""

from dataclasses import dataclass
from typing import Any

from app.core.focus.columns import Column, Kind
from app.core.focus.rows import ATTO, time_text
from app.core.metrics import PullFate, stands
from app.core.month import Month

COLUMNS = (
    Column("AgentRuns", Kind.NUMBER, about="How many agent runs of the cost center are tied to it."),
    Column("ClosedAt", Kind.TIME, about="When it was merged or closed; null while it is open."),
    Column("CostCenter", about="Whose agent runs these are: a pull has a row for each."),
    Column("LifetimeCost", Kind.NUMBER, about="What they cost at contracted prices, over all months."),
    Column("MergedAt", Kind.TIME, about="When it was merged."),
    Column("MergedInPeriod", Kind.FLAG, about="Whether it is a merged pull of this month, into a branch that counts."),
    Column("OpenAtEndCost", Kind.NUMBER, about="What they had cost by the month's end, if it was open then; else 0."),
    Column("OpenAtStartCost", Kind.NUMBER, about="What they had cost by its start, if it was open then; else 0."),
    Column("PeriodCost", Kind.NUMBER, about="What they cost in this month."),
    Column("PullRequestNumber", about="As x_PullRequestNumber of the rows, but of the pull that its work counts for."),
    Column("PullRequestRepository", about="As x_PullRequestRepository of the rows."),
    Column("Survived", Kind.FLAG, about="Merged, no revert itself, and not reverted within 14 days."),
)


@dataclass(slots=True)
class PullLine:
    """A pull with what one cost center's agent runs cost for it: before the month, in it, and behind it."""

    repository: str
    cost_center: str
    fate: PullFate
    agent_runs: int = 0
    before: int = 0
    within: int = 0
    behind: int = 0

    def cells(self, month: Month) -> dict[str, Any]:
        """Its columns in a month's file."""
        fate = self.fate
        open_at = [fate.closed_at is None or fate.closed_at >= at for at in (month.start, month.end)]
        return {
            "AgentRuns": self.agent_runs * 10**9,
            "ClosedAt": time_text(fate.closed_at) if fate.closed_at else None,
            "CostCenter": self.cost_center,
            "LifetimeCost": (self.before + self.within + self.behind) * ATTO,
            "MergedAt": time_text(fate.merged_at) if fate.merged_at else None,
            "MergedInPeriod": fate.merged_at in month and fate.tracked,
            "OpenAtEndCost": (self.before + self.within) * ATTO * open_at[1],
            "OpenAtStartCost": self.before * ATTO * open_at[0],
            "PeriodCost": self.within * ATTO,
            "PullRequestNumber": str(fate.number),
            "PullRequestRepository": self.repository,
            "Survived": self.agent_runs > 0 and stands(fate),
        }
