"""A cost center's metrics of a month as its statement shows them, with ratios as decimals of four places."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from app.core.chargeback.statement import Figures
from app.core.month import Month
from app.core.scope_metrics import Metrics

PLACES = Decimal("0.0001")


def figures_of(month: Month, metrics: Metrics) -> Figures:
    """What a statement keeps of a month's metrics."""
    cost, yields = metrics.cost, metrics.yields
    return Figures(
        month=month,
        cost=cost.cost,
        released=cost.released,
        agent_runs=metrics.agent_runs,
        merged=cost.merged,
        agent_merged=cost.agent_merged,
        survived=cost.survived,
        per_merged_pr=cost.period,
        per_merged_pr_cohort=cost.cohort,
        direct_per_merged_pr=cost.direct,
        dead=metrics.dead_total,
        yield_generated=_decimal(yields.generated),
        coverage=_decimal(yields.coverage),
        provisional=metrics.provisional,
        unpriced_calls=metrics.unpriced_calls,
    )


def _decimal(ratio: Fraction | None) -> str:
    if ratio is None:
        return ""
    return str((Decimal(ratio.numerator) / Decimal(ratio.denominator)).quantize(PLACES, ROUND_HALF_EVEN))
