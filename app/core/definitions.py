"""What each metric means: the one place for names, formulas and versions, so that a standard can replace one.

The code computes by these words; `docs/concepts.md` prints them, and a test holds the two together.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. `version` goes up whenever the same input would give another figure."""

    id: str
    name: str
    formula: str
    unit: str  # "USD", "ratio" (0 to 1), "factor", "USD by …"
    version: int = 1


DEFINITIONS = (
    Definition(
        "cost_per_merged_pr_period",
        "Cost per merged PR, period",
        "(cost + what pulls open at the start had cost by then − what those open at the end had) ÷ surviving pulls",
        "USD",
    ),
    Definition(
        "cost_per_merged_pr_cohort",
        "Cost per merged PR, cohort",
        "lifetime cost of all agent pulls merged in the period ÷ surviving pulls",
        "USD",
    ),
    Definition(
        "cost_per_merged_pr_direct",
        "Cost per merged PR, direct",
        "lifetime cost of the surviving pulls ÷ surviving pulls",
        "USD",
    ),
    Definition("load_factor", "Load factor", "cost per merged PR, period ÷ direct", "factor"),
    Definition(
        "dead_spend",
        "Dead spend",
        "cost of shares that are superseded retries, failed, rejected, abandoned, reverted, or without a pull",
        "USD by reason",
    ),
    Definition(
        "token_yield_generated",
        "Token yield",
        "output tokens of productive and support ÷ those of all classes but unknown and pending",
        "ratio",
    ),
    Definition("token_yield_consumed", "Token yield, all tokens", "the same with tokens of every kind", "ratio"),
    Definition("token_yield_cost", "Token yield, cost", "the same in money", "ratio"),
    Definition(
        "coverage",
        "Coverage of the yield",
        "1 − unknown ÷ all, by output tokens and by agent runs: the lower one. Below 0.8 there is no yield",
        "ratio",
    ),
    Definition("cache_read_share", "Input from cache", "cache-read tokens ÷ all input tokens", "ratio"),
    Definition("retry_tax", "Retry tax", "cost of attempts that a later one replaced ÷ cost", "ratio"),
    Definition("support_share", "Support share", "cost of support ÷ cost of support and productive", "ratio"),
    Definition(
        "lifetime_cost_median",
        "Lifetime cost, median",
        "the middle lifetime cost of the surviving pulls of a size band (lines added + deleted)",
        "USD by size band",
    ),
    Definition(
        "lifetime_cost_p90",
        "Lifetime cost, 90th percentile",
        "the least lifetime cost that nine of ten of these pulls do not exceed",
        "USD by size band",
    ),
    Definition("trend", "Trend", "each of these for the last 6 months", "as each"),
)
BY_ID = {each.id: each for each in DEFINITIONS}
