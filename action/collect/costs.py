"""What agents themselves say that calls cost: a cross-check, never added to anything. Absurd amounts are left out."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from .calls import AgentRun, Refused

LIMIT = 10**9  # USD, as the record's schema says


def money(value: object) -> Decimal:
    """An amount in USD that the agent reports, or a refusal."""
    try:
        amount = Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else Decimal(-1)
    except InvalidOperation as problem:
        raise Refused("cost") from problem
    if not 0 <= amount < 10**9:
        raise Refused("cost")
    return amount


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


def decimal_text(amount: Decimal) -> str:
    """A non-negative amount as plain digits with at most twelve decimals, or nothing."""
    if amount < 0:
        return ""
    plain = format(amount.quantize(Decimal("1e-12")), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
