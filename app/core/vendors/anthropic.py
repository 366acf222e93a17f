"""Anthropic's Usage and Cost API: the cost report by workspace, and the usage report by workspace and key.

https://platform.claude.com/docs/en/api/admin/cost_report and …/usage_report. Costs have no key and web searches no
model: where the configuration names keys, and for searches, a line is shared out by the usage that it is for, as prices
are in proportion to it. What cannot be shared so is left out and counted (keys), or stays without a model (searches).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.core.money import NanoUsd, share
from app.core.usage import Tokens
from app.core.vendors.accounts import ANTHROPIC, AgentSpend
from app.core.vendors.pages import buckets
from app.core.vendors.values import Bucket, Reader, Told, VendorCost, summed

CENTS = 100
DEFAULT_WORKSPACE = "default"  # Anthropic says null
SEARCHES = "web_search"
ANY = ("", "")  # where one report tells a service tier or context window and the other does not
CLASSES = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of the cost report. `measure` is the token class or kind of cost that it is for."""

    day: date
    workspace: str
    model: str
    measure: str
    variant: tuple[str, str]  # service tier and context window, as the report says them
    amount: NanoUsd


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One line of the usage report. `key` is "" for the console's own use."""

    day: date
    workspace: str
    key: str
    model: str
    variant: tuple[str, str]
    tokens: Tokens
    searches: int

    def measured(self, measure: str) -> int:
        """How much of a kind of cost it has."""
        return self.searches if measure == SEARCHES else int(getattr(self.tokens, CLASSES.get(measure, ""), 0))


def cost_rows(pages: Iterable[Any], reader: Reader) -> list[CostRow]:
    """The lines of pages of GET /v1/organizations/cost_report, grouped by workspace and description."""
    rows = []
    for start, row in buckets(pages, reader, "starting_at"):
        reader.currency(row.get("currency"))
        kind = reader.text(row.get("cost_type"), "cost_type", missing="")
        measure = reader.text(row.get("token_type"), "token_type", missing=kind)
        rows.append(
            CostRow(
                reader.day(start, "starting_at"),
                reader.text(row.get("workspace_id"), "workspace_id", missing=DEFAULT_WORKSPACE),
                reader.text(row.get("model"), "model", missing=""),
                measure,
                _variant(row, reader),
                reader.usd(row.get("amount"), "amount", per_usd=CENTS),
            )
        )
    return rows


def usage_rows(pages: Iterable[Any], reader: Reader) -> list[UsageRow]:
    """The lines of pages of GET /v1/organizations/usage_report/messages, grouped by all that costs depend on."""
    rows = []
    for start, row in buckets(pages, reader, "starting_at"):
        written = row.get("cache_creation") or {}
        tokens = Tokens(
            input=reader.count(row.get("uncached_input_tokens"), "uncached_input_tokens"),
            cache_read=reader.count(row.get("cache_read_input_tokens"), "cache_read_input_tokens"),
            cache_write_5m=reader.count(written.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens"),
            cache_write_1h=reader.count(written.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens"),
            output=reader.count(row.get("output_tokens"), "output_tokens"),
        )
        rows.append(
            UsageRow(
                reader.day(start, "starting_at"),
                reader.text(row.get("workspace_id"), "workspace_id", missing=DEFAULT_WORKSPACE),
                reader.text(row.get("api_key_id"), "api_key_id", missing=""),
                reader.text(row.get("model"), "model", missing=""),
                _variant(row, reader),
                tokens,
                reader.count((row.get("server_tool_use") or {}).get("web_search_requests"), "web_search_requests"),
            )
        )
    return rows


def vendor_costs(cost_pages: Iterable[Any], usage_pages: Iterable[Any], spend: AgentSpend) -> Told:
    """What of the pages of both reports is agent spend."""
    reader = Reader()
    costs, usage = cost_rows(cost_pages, reader), usage_rows(usage_pages, reader)
    return Told(mistakes=tuple(reader.mistakes)) if reader.mistakes else agent_spend_of(costs, usage, spend)


def agent_spend_of(costs: Sequence[CostRow], usage: Sequence[UsageRow], spend: AgentSpend) -> Told:
    """What of both reports is agent spend, with searches put to the models that made them."""
    found: list[VendorCost] = []
    left_out = 0
    known = _by_measure(usage)
    for cost in costs:
        used = known.get(_of_cost(cost, _priced_by(cost))) or known.get(_of_cost(cost, ANY)) or ()
        if spend.takes(cost.workspace):
            found += _parts(cost, used, lambda row: (row.workspace, row.model))
            continue
        kept = _parts(cost, used, _only(spend)) if spend.api_keys and used else []
        found += [each for each in kept if each.bucket.account]
        left_out += not any(each.bucket.account for each in kept)
    for row in usage:
        account = row.workspace if spend.takes(row.workspace) else row.key if row.key in spend.api_keys else ""
        if account:
            found.append(VendorCost(Bucket.on(ANTHROPIC, account, row.model, row.day), NanoUsd(0), None, row.tokens))
    return Told(tuple(summed(found)), left_out)


Cell = tuple[date, str, str, str, tuple[str, str]]


def _of_cost(cost: CostRow, variant: tuple[str, str]) -> Cell:
    return cost.day, cost.workspace, "" if cost.measure == SEARCHES else cost.model, cost.measure, variant


def _priced_by(row: CostRow) -> tuple[str, str]:
    """What the price of a line depends on: of searches on nothing."""
    return ANY if row.measure == SEARCHES else row.variant


def _by_measure(usage: Sequence[UsageRow]) -> Mapping[Cell, list[UsageRow]]:
    cells: dict[Cell, list[UsageRow]] = defaultdict(list)
    for row in usage:
        for measure in CLASSES:
            if row.measured(measure):
                for variant in {row.variant, ANY}:
                    cells[row.day, row.workspace, row.model, measure, variant].append(row)
        if row.searches:
            cells[row.day, row.workspace, "", SEARCHES, ANY].append(row)
    return cells


def _only(spend: AgentSpend) -> Callable[[UsageRow], tuple[str, str]]:
    """A named key as the account, and no account for the others."""
    return lambda row: (row.key if row.key in spend.api_keys else "", row.model)


def _parts(cost: CostRow, used: Sequence[UsageRow], where: Callable[[UsageRow], tuple[str, str]]) -> list[VendorCost]:
    """A line shared out by usage; whole, in its own workspace, where no usage is known."""
    if not used:
        return [VendorCost(Bucket.on(ANTHROPIC, cost.workspace, cost.model, cost.day), cost.amount)]
    weights: dict[tuple[str, str], int] = defaultdict(int)
    for row in used:
        weights[where(row)] += row.measured(cost.measure)
    places = sorted(weights)
    amounts = share(cost.amount, [weights[place] for place in places])
    return [
        VendorCost(Bucket.on(ANTHROPIC, account, model, cost.day), amount)
        for (account, model), amount in zip(places, amounts, strict=True)
    ]


def _variant(row: Mapping[str, Any], reader: Reader) -> tuple[str, str]:
    return (
        reader.text(row.get("service_tier"), "service_tier", missing=""),
        reader.text(row.get("context_window"), "context_window", missing=""),
    )
