"""What of a vendor's figures is agent spend, by the configuration. Everything else is another's, and is not kept.

Refuses a vendor that is named twice, one that names nothing, and a kind of id that the vendor does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from app.core.config_file import Problem, Where, named
from app.core.money import ZERO, NanoUsd, nano_usd

ANTHROPIC, CLAUDE_ENTERPRISE, OPENAI, GITHUB = "anthropic", "claude-enterprise", "openai", "github"
# What each vendor's own report tells costs by. Other vendors come in files alone, with accounts as those write them.
KINDS: dict[str, tuple[str, ...]] = {
    ANTHROPIC: ("workspaces", "api_keys"),
    CLAUDE_ENTERPRISE: ("products",),
    OPENAI: ("projects", "api_keys"),
    GITHUB: ("organizations",),
}
OTHERS = ("accounts",)
NARROWED = "skus"
# Whose models a vendor sells, where that is not its own name.
SELLS = {CLAUDE_ENTERPRISE: ANTHROPIC}


class Residuals(StrEnum):
    """What becomes of what only one side knows."""

    NONE = "none"
    PROPORTIONAL = "proportional"


@dataclass(frozen=True, slots=True)
class AgentSpend:
    """The ids of one vendor that agents alone use. `skus`: of GitHub, the ones that count; empty for all."""

    vendor: str
    accounts: frozenset[str]  # whole workspaces, projects, products, organisations
    api_keys: frozenset[str] = frozenset()
    skus: tuple[str, ...] = ()

    def takes(self, account: str) -> bool:
        return account.lower() in self.accounts if self.vendor == GITHUB else account in self.accounts

    def takes_sku(self, sku: str) -> bool:
        return not self.skus or any(fnmatchcase(sku.lower(), each.lower()) for each in self.skus)

    @property
    def selection(self) -> str:
        """What is selected, as a text that changes with it."""
        return "|".join([*sorted(self.accounts), "keys", *sorted(self.api_keys), "skus", *sorted(self.skus)])


@dataclass(frozen=True, slots=True)
class VendorRules:
    """Vendors as configured. A difference within either tolerance is none."""

    agent_spend: tuple[AgentSpend, ...] = ()
    tolerance_percent: Decimal = Decimal(1)
    tolerance: NanoUsd = ZERO
    residuals: Residuals = Residuals.NONE

    def of(self, vendor: str) -> AgentSpend | None:
        return next((each for each in self.agent_spend if each.vendor == vendor), None)


def vendors_in(tree: dict[str, Any], lines: dict[Where, int]) -> tuple[VendorRules, list[Problem]]:
    """The rules in `vendors`, which fits the schema, and what is wrong with them beyond it."""
    kept: list[AgentSpend] = []
    problems: list[Problem] = []
    for number, entry in enumerate(tree.get("agent_spend", ())):
        fault = _fault(entry, kept)
        if fault:
            where = "vendors", "agent_spend", number
            problems.append(Problem(lines[where], named(where), fault))
        else:
            kept.append(_spend(entry))
    rules = VendorRules(
        tuple(kept),
        Decimal(tree.get("tolerance_percent", 1)),
        nano_usd(Decimal(tree.get("tolerance_usd", 0))),
        Residuals(tree.get("residuals", Residuals.NONE)),
    )
    return rules, problems


def _fault(entry: dict[str, Any], kept: Sequence[AgentSpend]) -> str:
    vendor = entry["vendor"]
    kinds = KINDS.get(vendor, OTHERS)
    allowed = {"vendor", *kinds, *([NARROWED] if vendor == GITHUB else [])}
    foreign = [key for key in entry if key not in allowed]
    if foreign:
        return f"says {foreign[0]}, which {vendor} does not have: it has {' and '.join(kinds)}"
    if not any(entry.get(kind) for kind in kinds):
        return f"names nothing that is agent spend: say {' or '.join(kinds)}"
    return f"is of {vendor}, which stands here already" if any(each.vendor == vendor for each in kept) else ""


def _spend(entry: dict[str, Any]) -> AgentSpend:
    vendor = entry["vendor"]
    kinds = [kind for kind in KINDS.get(vendor, OTHERS) if kind != "api_keys"]
    ids = {str(each) for kind in kinds for each in entry.get(kind, ())}
    accounts = frozenset(each.lower() for each in ids) if vendor == GITHUB else frozenset(ids)
    return AgentSpend(vendor, accounts, frozenset(map(str, entry.get("api_keys", ()))), tuple(entry.get(NARROWED, ())))
