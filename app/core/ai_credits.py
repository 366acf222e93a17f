"""GitHub's AI credits as money. The price is GitHub's list price, which no price list of tokens has."""

from decimal import Decimal

from app.core.money import NANO_PER_USD, NanoUsd, per

PRICE_LIST = "GitHub AI credits"
REASON = "GitHub tells AI credits, not tokens"
CREDITS_PER_USD = 100


def cost_of(nano_credits: int) -> NanoUsd:
    """What billionths of AI credits cost at $0.01 a credit, rounded half-even to nano-USD."""
    return per(nano_credits, CREDITS_PER_USD)


def arithmetic_text(cost: NanoUsd) -> str:
    """How a cost came about: "123.45 AI credits × $0.01"."""
    credits_used = (Decimal(cost) * CREDITS_PER_USD / NANO_PER_USD).normalize()
    return f"{credits_used:,f} AI credits × $0.01"
