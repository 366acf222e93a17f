"""Waste found in calls: each kind by hand, its arithmetic, and that it is never more than what was spent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NanoUsd
from app.core.rates import NOTHING, Rate, UnitPrices
from app.core.report.waste import waste_lines
from app.core.usage import ModelCall, Tokens
from app.core.waste import Finding, RunCalls, Waste, waste_of

AT = datetime(2026, 10, 6, 9, tzinfo=UTC)
# Dollars a million: input 3, read 0.30, writes 3.75, 6 and 3.75, output and reasoning 15.
PRICES = UnitPrices(
    (),
    ((*(Rate.of(Decimal(d), 10**6) for d in ("3", "0.30", "3.75", "6", "3.75", "15", "15")), NOTHING, NOTHING),),
)


def call(minute: float = 0, subagent: bool = False, **tokens: int) -> ModelCall:
    return ModelCall(
        "anthropic", f"msg_{minute}", "m", AT + timedelta(minutes=minute), Tokens(**tokens), subagent=subagent
    )


def run(*calls: ModelCall, **facts: Any) -> RunCalls:
    return RunCalls([(each, PRICES.cost(each)) for each in calls], **facts)


def found(runs: Sequence[RunCalls]) -> dict[Waste, Finding]:
    return {each.kind: each for each in waste_of(1, "a.yml", runs, lambda _: PRICES).findings}


def test_input_sent_again_costs_what_a_cache_would_have_saved_less_its_writes() -> None:
    growing = run(call(0, input=10_000), call(1, input=12_000), call(2, input=14_000))
    finding = found([growing])[Waste.RESENT_INPUT]
    # 22,000 sent again × $2.70 a million, less 12,000 that had to be written × $0.75 a million.
    assert finding.amount == 22_000 * 2_700 - 12_000 * 750
    assert finding.count == 22_000
    assert finding.arithmetic == (
        "m: 22,000 tokens sent again × ($3.00 − $0.30 a million)"
        " − m: 12,000 tokens to write first × ($3.75 − $3.00 a million)"
    )


@pytest.mark.parametrize(
    "second",
    [
        call(1, input=2_000, cache_read=10_000),
        call(6, input=12_000),
        call(1, input=9_000),
        call(1, input=12_000, subagent=True),
    ],
    ids=["it was cached", "the cache had ended", "the prompt shrank", "another thread"],
)
def test_what_no_cache_would_have_saved_is_no_waste(second: ModelCall) -> None:
    assert Waste.RESENT_INPUT not in found([run(call(0, input=10_000), second)])


def test_prompts_too_short_for_a_cache_are_no_waste() -> None:
    assert found([run(call(0, input=1_000), call(1, input=1_020))]) == {}


def test_cache_writes_that_no_later_call_reads_cost_their_surcharge() -> None:
    finding = found([run(call(0, cache_write_5m=10_000), call(1, cache_read=10_000, cache_write_5m=4_000))])[
        Waste.UNREAD_CACHE_WRITES
    ]
    assert (finding.count, finding.amount) == (4_000, 4_000 * 750)
    assert finding.arithmetic == "m: 4,000 tokens written and never read × ($3.75 − $3.00 a million)"


def test_writes_for_an_hour_cost_their_own_surcharge() -> None:
    assert found([run(call(0, cache_write_1h=1_000))])[Waste.UNREAD_CACHE_WRITES].amount == 1_000 * 3_000


def test_repeated_tool_calls_cost_their_part_of_the_agent_run() -> None:
    finding = found([run(call(0, output=1_000), tool_calls=40, repeated_requests=10), run(call(0, output=7))])[
        Waste.REPEATED_REQUESTS
    ]
    assert (finding.count, finding.amount) == (10, 15_000_000 // 4)
    assert finding.arithmetic.startswith("10 of 40 tool calls")


def test_sub_agents_failed_and_retried_attempts_are_told_with_what_they_cost() -> None:
    listed = found(
        [
            run(call(0, output=1), call(1, subagent=True, output=2)),
            run(call(0, output=4), failed=True),
            run(call(0, output=8), failed=True, retried=True),
        ]
    )
    assert {kind: (each.count, each.amount // 15_000) for kind, each in listed.items()} == {
        Waste.SUBAGENTS: (1, 2), Waste.FAILED_ATTEMPTS: (1, 4), Waste.RETRIED_ATTEMPTS: (1, 8),
    }  # fmt: skip


def test_a_model_without_a_price_has_no_amount() -> None:
    runs = [RunCalls([(call(0, input=10_000), None), (call(1, input=12_000, cache_write_5m=9), None)])]
    assert waste_of(1, "a.yml", runs, lambda _: None).findings == ()


def test_a_workflow_is_told_with_its_share_and_its_arithmetic() -> None:
    [where, head, arithmetic, basis] = waste_lines(
        [waste_of(1, ".github/workflows/a.yml", [run(call(0, output=4), failed=True)], lambda _: PRICES)],
        {1: "widgets"},
    )
    assert where == "widgets .github/workflows/a.yml: 1 agent run, $0.000060"
    assert head.split() == ["$0.000060", "100", "%", "failed", "attempts"]
    assert arithmetic.strip() == "1 agent run in attempts that failed and left no commit in a pull"
    assert basis.startswith("Estimates")


def test_nothing_found_is_said() -> None:
    assert len(list(waste_lines([], {}))) == 1


counts = st.integers(0, 50_000)
calls = st.builds(
    lambda minute, subagent, read, write, fresh: call(
        minute, subagent, cache_read=read, cache_write_5m=write, input=fresh
    ),
    st.integers(0, 20), st.booleans(), counts, counts, counts,
)  # fmt: skip


@given(st.lists(st.lists(calls, min_size=1, max_size=8), max_size=4))
def test_no_finding_is_more_than_what_was_spent_and_none_is_below_zero(runs: list[list[ModelCall]]) -> None:
    told = waste_of(1, "a.yml", [run(*sorted(each, key=lambda call: call.at)) for each in runs], lambda _: PRICES)
    assert all(NanoUsd(0) < each.amount <= told.cost for each in told.findings)
