"""Waste found, as lines for a terminal: each workflow with its findings, and the arithmetic of each."""

from collections.abc import Iterator, Mapping, Sequence

from app.core.money import dollars_text
from app.core.report.numbers import count, percent
from app.core.waste import Waste, WorkflowWaste

NAMES = {
    Waste.RESENT_INPUT: "input sent again that a cache would have saved",
    Waste.UNREAD_CACHE_WRITES: "cache writes never read in their session",
    Waste.REPEATED_REQUESTS: "repeated identical tool calls",
    Waste.SUBAGENTS: "sub-agents (no waste by itself)",
    Waste.FAILED_ATTEMPTS: "failed attempts",
    Waste.RETRIED_ATTEMPTS: "attempts that a later one replaced",
}
NOTHING = "No waste was found in the agent runs of this period."
BASIS = "Estimates at list prices of today, from counts alone; the same money can be in more than one line."


def waste_lines(found: Sequence[WorkflowWaste], names: Mapping[int, str]) -> Iterator[str]:
    """The lines; `names` are repositories by id. Whoever prints them escapes what workflows and models are called."""
    told = [each for each in found if each.findings]
    if not told:
        yield NOTHING
        return
    for each in told:
        where = f"{names.get(each.repository_id, '(no repository)')} {each.workflow}".strip()
        yield f"{where}: {count(each.agent_runs, 'agent run')}, {dollars_text(each.cost)}"
        for finding in each.findings:
            part = percent(finding.amount, each.cost) if each.cost else "–"
            yield f"  {dollars_text(finding.amount):>12}  {part:>10}  {NAMES[finding.kind]}"
            yield f"  {'':>12}  {'':>10}  {finding.arithmetic}"
    yield BASIS
