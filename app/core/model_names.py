"""One name for a model, whatever its vendor, its invoice and the agents call it."""

import re
from collections.abc import Callable

from app.core.pricing import PriceList

# "-20250929", "-2025-08-07", "@20250929", "-latest": which snapshot of a model it is.
SNAPSHOT = re.compile(r"([-@]\d{8}|-\d{4}-\d{2}-\d{2}|-latest)\Z")


def canonical_by(prices: PriceList) -> Callable[[str, str], tuple[str, str]]:
    """What gives a provider and model the price list's names; of what that does not know, the plain name itself."""

    def canonical(provider: str, model: str) -> tuple[str, str]:
        name = plain_name(model)
        seller = prices.provider_id(provider, name)
        return seller, (prices.model_id(provider, name) or SNAPSHOT.sub("", name)) if name else ""

    return canonical


def plain_name(model: str) -> str:
    """ "Claude Sonnet 4.5" as "claude-sonnet-4.5"."""
    return "-".join(model.lower().split())
