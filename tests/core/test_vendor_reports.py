"""Vendors' reports and files as they write them: exact amounts, agent spend alone, and every mistake with its place."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NanoUsd
from app.core.month import Month
from app.core.usage import Tokens
from app.core.vendors import anthropic, claude_enterprise, github, openai
from app.core.vendors.accounts import AgentSpend
from app.core.vendors.sheet import own_rows_told, read_sheet
from app.core.vendors.values import Bucket, InvoiceLine, Reader, Told, VendorCost, number_of

DATA = Path(__file__).parents[1] / "data" / "vendors"
OCTOBER = Month(2026, 10)
WORKSPACE = "wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ"
SONNET = "claude-sonnet-4-5-20250929"


def page(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"), parse_float=Decimal)


def sheet_of(text: str) -> Told:
    spend = {
        "anthropic": AgentSpend("anthropic", frozenset({"wrkspc_ci"})),
        "aws": AgentSpend("aws", frozenset({"123456789012"})),
    }
    return own_rows_told(read_sheet(text), spend.get)


def amounts(told: Told) -> dict[tuple[str, str, int], int]:
    assert told.mistakes == ()
    return {(each.bucket.account, each.bucket.model, each.bucket.day): each.billed for each in told.costs}


def anthropic_told(**spend: frozenset[str]) -> Told:
    named = AgentSpend("anthropic", **{"accounts": frozenset(), **spend})  # type: ignore[arg-type]
    return anthropic.vendor_costs([page("anthropic_cost_report.json")], [page("anthropic_usage_report.json")], named)


def test_a_workspace_costs_what_anthropic_bills_in_cents_with_searches_put_to_their_model() -> None:
    told = anthropic_told(accounts=frozenset({WORKSPACE}))
    assert amounts(told) == {
        (WORKSPACE, SONNET, 1): 1_237_891_200 + 400_000_000,
        (WORKSPACE, "", 1): 55_000_000,  # code execution is of no model
    }
    assert told.left_out == 1
    assert [each.tokens for each in told.costs if each.bucket.model] == [Tokens(1500, 200, 500, 1000, 0, 500)]


def test_the_default_workspace_has_a_name() -> None:
    told = anthropic_told(accounts=frozenset({"default"}))
    assert amounts(told) == {("default", SONNET, 1): 9_000_000_100_000}
    assert told.left_out == 3


def test_a_key_costs_its_part_of_each_line_of_its_workspace() -> None:
    told = anthropic_told(api_keys=frozenset({"apikey_agents"}))
    # It made 300 of the 900 output tokens that the line of $9,000.0001 is for.
    assert amounts(told) == {("apikey_agents", SONNET, 1): 3_000_000_033_333}
    assert told.left_out == 3


def test_a_key_has_its_part_also_where_only_one_report_tells_the_context_window() -> None:
    usage = page("anthropic_usage_report.json")
    for row in usage["data"][0]["results"]:
        row["context_window"] = None
    spend = AgentSpend("anthropic", frozenset(), frozenset({"apikey_agents"}))
    told = anthropic.vendor_costs([page("anthropic_cost_report.json")], [usage], spend)
    assert amounts(told) == {("apikey_agents", SONNET, 1): 3_000_000_033_333}


def test_a_key_in_a_named_workspace_is_not_counted_twice() -> None:
    both = anthropic_told(accounts=frozenset({WORKSPACE}), api_keys=frozenset({"apikey_01Rj2N8SVvo6BePZj99NhmiT"}))
    assert amounts(both) == amounts(anthropic_told(accounts=frozenset({WORKSPACE})))


def test_claude_enterprise_is_read_by_product_after_discounts() -> None:
    spend = AgentSpend("claude-enterprise", frozenset({"claude_code"}))
    told = claude_enterprise.vendor_costs([page("claude_enterprise_cost_report.json")], spend)
    where = Bucket("claude-enterprise", "claude_code", "claude-opus-4-6", OCTOBER, 1)
    assert told.costs == (VendorCost(where, 412_800_000_000, 516_000_000_000),)  # type: ignore[arg-type]
    assert told.left_out == 1


def test_claude_enterprise_with_as_many_groups_as_it_tells_at_most_is_refused() -> None:
    body = page("claude_enterprise_cost_report.json")
    body["data"][0]["results"] *= 50
    told = claude_enterprise.vendor_costs([body], AgentSpend("claude-enterprise", frozenset({"claude_code"})))
    assert "100 groups" in str(told.mistakes[0])


def openai_told(**spend: frozenset[str]) -> Told:
    named = AgentSpend("openai", **{"accounts": frozenset(), **spend})  # type: ignore[arg-type]
    return openai.vendor_costs([page("openai_costs.json")], [page("openai_completions.json")], named)


def test_a_project_costs_what_openai_bills_in_dollars_and_cached_input_is_not_counted_twice() -> None:
    told = openai_told(accounts=frozenset({"proj_abc"}))
    assert amounts(told) == {("proj_abc", "gpt-5-2025-08-07", 1): 60_000_000 + 123_456_789}
    assert told.costs[0].tokens == Tokens(input=200, cache_read=800, output=500)
    assert told.left_out == 2


def test_a_key_of_openai_has_a_cost_of_its_own() -> None:
    told = openai_told(api_keys=frozenset({"key_agents"}))
    assert amounts(told) == {("key_agents", "Image models", 1): 2_000_000_000}
    assert told.left_out == 3


@pytest.mark.parametrize(
    ("line_item", "model"),
    [
        ("gpt-5-2025-08-07, input", "gpt-5-2025-08-07"),
        ("codex-mini-latest, cached input", "codex-mini-latest"),
        ("o3", "o3"),
        ("Image models", "Image models"),
        ("web search tool calls, gpt-5", "web search tool calls, gpt-5"),
        ("completions", "completions"),
        ("", ""),
    ],
)
def test_a_line_item_that_begins_with_a_model_is_of_that_model(line_item: str, model: str) -> None:
    assert openai.model_of(line_item) == model


GITHUB = AgentSpend("github", frozenset({"acme"}), skus=("coding_agent_*",))


def test_github_bills_net_and_lists_gross() -> None:
    told = github.vendor_costs(page("github_ai_credit_usage.json"), "acme", date(2026, 10, 1), GITHUB)
    where = Bucket("github", "acme", "Claude Sonnet 4.5", OCTOBER, 1)
    assert told == Told((VendorCost(where, 36_898_600, 86_898_600),), 1)  # type: ignore[arg-type]


def test_githubs_csv_tells_the_same_and_tokens_where_it_has_them() -> None:
    rows = read_sheet((DATA / "github_ai_usage.csv").read_text(encoding="utf-8"))
    told = github.rows_told(rows.rows, GITHUB)
    assert amounts(told) == {
        ("acme", "Claude Sonnet 4.5", 1): 36_898_600,
        ("acme", "Claude Sonnet 4.5", 3): 100_000_000,
    }
    assert told.costs[0].listed == 86_898_600
    assert told.costs[0].tokens == Tokens(100, 3, 0, 0, 4, 20)
    assert told.left_out == 2


def test_nothing_of_github_is_taken_where_it_is_not_named() -> None:
    rows = read_sheet((DATA / "github_ai_usage.csv").read_text(encoding="utf-8"))
    assert github.rows_told(rows.rows, None) == Told((), 4)


def test_an_invoice_is_read_line_by_line() -> None:
    told = sheet_of((DATA / "invoice.csv").read_text(encoding="utf-8"))
    assert told.mistakes == ()
    assert told.left_out == 1
    line, credit, report = told.costs
    assert line.bucket == Bucket("anthropic", "wrkspc_ci", SONNET, OCTOBER, 0)
    assert (line.billed, line.listed) == (1_204_500_000_000, 1_338_333_333_333)
    described = "Claude Sonnet 4.5, all tokens"
    assert line.line == InvoiceLine("ANT-2026-10-000117", "1", "usage", described, Decimal("401.5"), "1000000 Tokens")
    assert (credit.bucket.day, credit.billed, credit.line and credit.line.kind) == (31, -4_500_000_000, "credit")
    assert (report.bucket.vendor, report.line) == ("aws", None)


MISTAKES = """\
vendor,account,day,amount,currency,kind,quantity,invoice_id,line_id,modell
anthropic,wrkspc_ci,2026-10-32,1,USD,usage,,A,1,
anthropic,wrkspc_ci,2026-10-01,"1,204.50",EUR,gift,many,A,2,
anthropic,,20261001,nan,USD,,,A,1,
anthropic,wrkspc_ci,2026-10-01,1e999,USD,credit,,,,
anthropic,wrkspc_ci,2026-10-01,1
"""


def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines() -> None:
    told = [str(each) for each in sheet_of(MISTAKES).mistakes]
    assert told == [
        "line 6: has 4 cells, and the head has 10",
        "line 1: has the column 'modell', which is not known",
        "line 2: day is not a day, like 2026-10-05",
        "line 3: currency is not USD: only that is read",
        "line 3: amount is not an amount of at most ten million dollars",
        "line 3: kind is none of usage, credit, fee, tax",
        "line 3: quantity is not a number",
        "line 4: account is not a text of 1 to 200 characters on one line",
        "line 4: day is not a day, like 2026-10-05",
        "line 4: amount is not an amount of at most ten million dollars",
        "line 4: is line 1 of invoice A, as line 2 is",
        "line 5: amount is not an amount of at most ten million dollars",
        "line 5: has a line_id or a kind without the invoice_id that it is of",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('vendor,account\na,"b', "line 2: is not CSV: unexpected end of data"),
        ("vendor,account,vendor\n", "line 1: has the column vendor twice"),
        ("a\x00b,c\n", ""),
    ],
)
def test_what_is_no_csv_is_refused(text: str, told: str) -> None:
    assert told in "\n".join(map(str, read_sheet(text).mistakes))


@pytest.mark.parametrize("value", [None, True, 1.5, "", "1_000", "0x10", "1,5", "NaN", "١", "--1", Decimal("NaN"), []])
def test_what_is_no_exact_number_is_none(value: object) -> None:
    assert number_of(value) is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"amount": 1.5}, "amount is not an amount"),
        ({"amount": None}, "amount is not an amount"),
        ({"currency": "EUR"}, "currency is not USD"),
        ({"workspace_id": 7}, "workspace_id is not a text"),
        ({"model": "a\nb"}, "model is not a text"),
    ],
)
def test_a_row_of_a_report_that_cannot_be_read_is_told_with_its_place(changed: dict[str, Any], told: str) -> None:
    body = page("anthropic_cost_report.json")
    body["data"][0]["results"][1] |= changed
    reader = Reader()
    anthropic.cost_rows([body], reader)
    assert f"page 1, data[0].results[1]: {told}" in str(reader.mistakes[0])
    assert anthropic.vendor_costs([body], [], AgentSpend("anthropic", frozenset({WORKSPACE}))).costs == ()


def test_more_cached_input_than_input_is_a_mistake() -> None:
    body = page("openai_completions.json")
    body["data"][0]["results"][0]["input_cached_tokens"] = 1001
    told = openai.vendor_costs([], [body], AgentSpend("openai", frozenset({"proj_abc"})))
    assert "input_cached_tokens are more" in str(told.mistakes[0])


@pytest.mark.parametrize("body", [{}, {"usageItems": 1}, {"usageItems": [1]}, {"usageItems": [{"sku": "x"}]}])
def test_an_answer_of_github_that_is_no_report_is_a_mistake(body: dict[str, Any]) -> None:
    told = github.vendor_costs(body, "acme", date(2026, 10, 1), AgentSpend("github", frozenset({"acme"})))
    assert told.mistakes


# ---- laws -----------------------------------------------------------------------------------------------------

DAYS = st.sampled_from([date(2026, 10, 1), date(2026, 10, 2)])
WORKSPACES = st.sampled_from(["ci", "production"])
MEASURES = st.sampled_from(["output_tokens", "uncached_input_tokens", "web_search", "code_execution"])
VARIANTS = st.sampled_from([("standard", "0-200k"), ("batch", ""), ("", "")])
NANO = st.integers(-(10**12), 10**15).map(NanoUsd)
MODEL_NAMES = st.sampled_from(["a", "b"])
COST_ROWS = st.lists(st.builds(anthropic.CostRow, DAYS, WORKSPACES, MODEL_NAMES, MEASURES, VARIANTS, NANO), max_size=8)
TOKENS = st.builds(Tokens, input=st.integers(0, 10**9), output=st.integers(0, 10**9))
KEYS = st.sampled_from(["k1", "k2", "k3"])
USAGE_ROWS = st.lists(
    st.builds(anthropic.UsageRow, DAYS, WORKSPACES, KEYS, MODEL_NAMES, VARIANTS, TOKENS, st.integers(0, 99)), max_size=8
)


@given(COST_ROWS, USAGE_ROWS)
def test_a_workspace_costs_all_of_its_lines_however_they_are_shared_out(
    costs: list[anthropic.CostRow], usage: list[anthropic.UsageRow]
) -> None:
    told = anthropic.agent_spend_of(costs, usage, AgentSpend("anthropic", frozenset({"ci"})))
    assert sum(each.billed for each in told.costs) == sum(row.amount for row in costs if row.workspace == "ci")
    assert told.left_out == sum(row.workspace != "ci" for row in costs)
    assert {each.bucket.account for each in told.costs} <= {"ci"}


@given(COST_ROWS, USAGE_ROWS)
def test_all_keys_together_cost_every_line_that_is_not_left_out(
    costs: list[anthropic.CostRow], usage: list[anthropic.UsageRow]
) -> None:
    every = AgentSpend("anthropic", frozenset(), frozenset({"k1", "k2", "k3"}))
    told = anthropic.agent_spend_of(costs, usage, every)
    kept = [row for row in costs if anthropic.agent_spend_of([row], usage, every).left_out == 0]
    assert sum(each.billed for each in told.costs) == sum(row.amount for row in kept)
    assert told.left_out == len(costs) - len(kept)
    assert {each.bucket.account for each in told.costs} <= every.api_keys
