"""Waste found in what agent runs of one workflow sent: as money, at list prices of today, with the arithmetic.

Estimates from counts alone, and low ones: that a call sent again what the call before had sent is told by its size, its
model and its time, since no content is kept. None of it is in any other figure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from app.core.money import NanoUsd, dollars_text
from app.core.rates import CHARGES, Charge, Rate, UnitPrices
from app.core.report.numbers import count
from app.core.usage import ModelCall

CACHE_LIFE = timedelta(minutes=5)
LEAST_CACHED = 1024  # tokens: vendors cache no shorter prompt
MILLION = 10**6
INPUT, READ, WRITE_5M, WRITE_1H, WRITE_OTHER = (
    CHARGES.index(charge)
    for charge in (
        Charge.INPUT, Charge.CACHE_READ, Charge.CACHE_WRITE_5M, Charge.CACHE_WRITE_1H, Charge.CACHE_WRITE_OTHER,
    )
)  # fmt: skip
Prices = Callable[[ModelCall], UnitPrices | None]


class Waste(StrEnum):
    """What to look at, the surest saving first."""

    RESENT_INPUT = "resent_input"
    UNREAD_CACHE_WRITES = "unread_cache_writes"
    REPEATED_REQUESTS = "repeated_requests"
    SUBAGENTS = "subagents"  # no waste by itself
    FAILED_ATTEMPTS = "failed_attempts"
    RETRIED_ATTEMPTS = "retried_attempts"


@dataclass(frozen=True, slots=True)
class Finding:
    """`count` is of tokens, of tool calls, of model calls or of agent runs, as the arithmetic says."""

    kind: Waste
    amount: NanoUsd
    count: int
    arithmetic: str


@dataclass(frozen=True, slots=True)
class WorkflowWaste:
    """One workflow's findings in the order of `Waste`; those that come to nothing are left out."""

    repository_id: int
    workflow: str
    agent_runs: int
    cost: NanoUsd  # of the calls that were looked at
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RunCalls:
    """An agent run with its calls of the period in order of time, and what is known of its end.

    `tool_calls` and `repeated_requests` are None where its log tells none.
    """

    calls: Sequence[tuple[ModelCall, NanoUsd | None]]  # with what each cost
    failed: bool = False  # and no commit was kept
    retried: bool = False
    tool_calls: int | None = None
    repeated_requests: int | None = None

    @property
    def cost(self) -> NanoUsd:
        return NanoUsd(sum(cost or 0 for _, cost in self.calls))


@dataclass(slots=True)
class _Sums:
    """Tokens by what they cost and what they could have cost, over all agent runs of a workflow."""

    resent: dict[tuple[str, Rate, Rate], int] = field(default_factory=dict)
    written: dict[tuple[str, Rate, Rate], int] = field(default_factory=dict)
    unread: dict[tuple[str, Rate, Rate], int] = field(default_factory=dict)


def waste_of(repository_id: int, workflow: str, runs: Iterable[RunCalls], prices: Prices) -> WorkflowWaste:
    """What one workflow's agent runs wasted. `prices` gives today's prices of a call's model, None for unknown ones."""
    listed = list(runs)
    sums = _Sums()
    for run in listed:
        for thread in _threads(run.calls):
            _find_resent(thread, prices, sums)
            _find_unread(thread, prices, sums)
    found = (_resent(sums), _unread(sums), _repeated(listed), _subagents(listed), *_ends(listed))
    cost = NanoUsd(sum(run.cost for run in listed))
    order = list(Waste)
    kept = sorted((each for each in found if each.amount > 0), key=lambda each: order.index(each.kind))
    return WorkflowWaste(repository_id, workflow, len(listed), cost, tuple(kept))


def _threads(calls: Iterable[tuple[ModelCall, NanoUsd | None]]) -> Iterable[list[ModelCall]]:
    """The calls of a session that can share a prompt: of one model, and all of sub-agents or none."""
    found: dict[tuple[str, str, bool], list[ModelCall]] = {}
    for call, _ in calls:
        found.setdefault((call.provider, call.model, call.subagent), []).append(call)
    return found.values()


def _find_resent(thread: Sequence[ModelCall], prices: Prices, sums: _Sums) -> None:
    """Uncached input that the call before had sent already, and what a cache of it would have had to take up first."""
    cached = 0
    for before, call in pairwise(thread):
        again = _sent_again(before, call)
        listed = prices(call) if again else None
        if listed is None:
            cached = 0
            continue
        rates = listed.rates(call.tokens.prompt)
        _count(sums.resent, (call.model, rates[INPUT], rates[READ]), again)
        _count(sums.written, (call.model, rates[WRITE_5M], rates[INPUT]), max(0, again - cached))
        cached = max(cached, again)


def _sent_again(before: ModelCall, call: ModelCall) -> int:
    """Tokens of a prompt that grew from the one before within a cache's life, beyond what was read from a cache."""
    common = before.tokens.prompt
    if common < LEAST_CACHED or call.tokens.prompt < common or call.at - before.at > CACHE_LIFE:
        return 0
    return min(call.tokens.input, max(0, common - call.tokens.cache_read))


def _find_unread(thread: Sequence[ModelCall], prices: Prices, sums: _Sums) -> None:
    """Cache writes beyond which no later call of the session read."""
    furthest = 0
    for call in reversed(thread):
        used = call.tokens
        written = used.cache_write_5m + used.cache_write_1h + used.cache_write_other
        unread = max(0, written - max(0, furthest - used.cache_read))
        furthest = max(furthest, used.cache_read)
        listed = prices(call) if unread else None
        if listed is not None:
            rates = listed.rates(used.prompt)
            _count(sums.unread, (call.model, rates[_dearest_write(call)], rates[INPUT]), unread)


def _dearest_write(call: ModelCall) -> int:
    if call.tokens.cache_write_1h:
        return WRITE_1H
    return WRITE_5M if call.tokens.cache_write_5m else WRITE_OTHER


def _count(sums: dict[tuple[str, Rate, Rate], int], key: tuple[str, Rate, Rate], tokens: int) -> None:
    if tokens:
        sums[key] = sums.get(key, 0) + tokens


def _resent(sums: _Sums) -> Finding:
    saved, told = _priced(sums.resent, "sent again")
    spent, first = _priced(sums.written, "to write first")
    text = " + ".join(told) + "".join(f" − {part}" for part in first)
    return Finding(Waste.RESENT_INPUT, NanoUsd(saved - spent), sum(sums.resent.values()), text)


def _unread(sums: _Sums) -> Finding:
    amount, told = _priced(sums.unread, "written and never read")
    return Finding(Waste.UNREAD_CACHE_WRITES, amount, sum(sums.unread.values()), " + ".join(told))


def _priced(sums: dict[tuple[str, Rate, Rate], int], what: str) -> tuple[NanoUsd, list[str]]:
    """What the tokens cost above the other rate, rounded once for each pair of rates, and how that was counted."""
    total, told = 0, []
    for (model, high, low), tokens in sorted(sums.items()):
        by = Fraction(high.numerator, high.denominator) - Fraction(low.numerator, low.denominator)
        amount = round(by * tokens)
        if amount:
            total += amount
            told.append(f"{model}: {tokens:,} tokens {what} × ({_million(high)} − {_million(low)} a million)")
    return NanoUsd(total), told


def _million(rate: Rate) -> str:
    return dollars_text(rate.charge(MILLION))


def _repeated(runs: Iterable[RunCalls]) -> Finding:
    """Tool calls with the name and input of an earlier one, at what a tool call of their agent run costs."""
    amount = repeated = tool_calls = 0
    for run in runs:
        if run.tool_calls and run.repeated_requests:
            amount += run.cost * run.repeated_requests // run.tool_calls
            repeated += run.repeated_requests
            tool_calls += run.tool_calls
    text = f"{repeated:,} of {tool_calls:,} tool calls repeat an earlier one × the cost of their agent runs"
    return Finding(Waste.REPEATED_REQUESTS, NanoUsd(amount), repeated, text)


def _subagents(runs: Iterable[RunCalls]) -> Finding:
    costs = [cost or 0 for run in runs for call, cost in run.calls if call.subagent]
    return Finding(Waste.SUBAGENTS, NanoUsd(sum(costs)), len(costs), f"{count(len(costs), 'model call')} of sub-agents")


def _ends(runs: Iterable[RunCalls]) -> tuple[Finding, Finding]:
    """An attempt that failed and was retried is told as retried alone."""
    listed = list(runs)
    retried = [run.cost for run in listed if run.retried]
    failed = [run.cost for run in listed if run.failed and not run.retried]
    return (
        Finding(
            Waste.FAILED_ATTEMPTS,
            NanoUsd(sum(failed)),
            len(failed),
            f"{count(len(failed), 'agent run')} in attempts that failed and left no commit in a pull",
        ),
        Finding(
            Waste.RETRIED_ATTEMPTS,
            NanoUsd(sum(retried)),
            len(retried),
            f"{count(len(retried), 'agent run')} in attempts that a later one replaced",
        ),
    )
