"""What agents themselves say that calls cost: a cross-check, never added to anything. Absurd amounts are left out."""

from __future__ import annotations

from decimal import Decimal

from .calls import AgentRun, Refused
from .claude_transcript import decimal_text, money

LIMIT = 10**9  # USD, as the record's schema says


def cost_of(value: object) -> Decimal:
    """An amount in USD that a log tells, or nothing."""
    try:
        return money(value)
    except Refused:
        return Decimal(0)


def report(run: AgentRun, cost: Decimal) -> None:
    """Add to what the agent says that this run cost."""
    total = Decimal(run.reported_cost_usd or 0) + cost
    if cost and total < LIMIT:
        run.reported_cost_usd = decimal_text(total)
