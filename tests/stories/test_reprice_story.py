"""Prices change, and what is recorded follows: call, agent run, books, and what stands on the pull."""

import json
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import data_snapshot
from genai_prices.types import ModelPrice

from app.core.costing import LARGEST_COST
from app.core.pricing import PriceList
from app.store.compressed import decompressed
from app.store.configs import config_of, save_config
from app.stories.reprice import Repriced, reprice
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_pull_story import merged_pull

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
HALF = "discounts:\n- {provider: anthropic, percent: 50, from: 2026-01-01}\n"
HOUSE = "prices:\n- {provider: house, model: llama-9, from: 2026-01-01, input: 1, output: 1}\n"


def agree(stage: Stage, text: str) -> None:
    with stage.world.db.transaction() as session:
        save_config(session, config_of(session, account(stage)), text, [], stage.now())


def account(stage: Stage) -> int:
    [(account_id,)] = stage.rows("SELECT account_id FROM installation")
    return int(account_id)


def again(stage: Stage, since: datetime = OCTOBER, dry_run: bool = False) -> Repriced:
    return reprice(stage.world, account(stage), since, dry_run)


def corrections(stage: Stage) -> list[Any]:
    return stage.rows(
        "SELECT before_cost_nano_usd, after_cost_nano_usd, before_list_cost_nano_usd, after_list_cost_nano_usd,"
        " before_price_list, after_price_list, reason FROM correction ORDER BY id"
    )


def unheard_of(stage: Stage, number: int, calls: int = 1) -> dict[str, Any]:
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    made = [stage.call(f"house/{n}", provider="house", model="llama-9") for n in range(calls)]
    stage.report(run, made, "house")
    return run


def test_a_discount_that_came_late_corrects_calls_agent_run_books_and_comment(stage: Stage) -> None:
    number = merged_pull(stage, calls=4)
    before = stage.comment(number)
    agree(stage, HALF)
    found = again(stage)
    stage.settle()
    assert found.text(dry_run=False) == "1 of 1 agent run corrected, $0.09 → $0.04"
    assert stage.books() == {("usage", 0): -2 * CALL_NANO_USD, ("pull", number): 2 * CALL_NANO_USD}
    assert stage.rows("SELECT DISTINCT cost_nano_usd, list_cost_nano_usd FROM model_call") == [
        (CALL_NANO_USD // 2, CALL_NANO_USD)
    ]
    assert stage.rows("SELECT cost_nano_usd, list_cost_nano_usd, unpriced_calls FROM agent_run") == [
        (2 * CALL_NANO_USD, 4 * CALL_NANO_USD, 0)
    ]
    assert before is not None
    assert before.startswith("**$0.09**")
    after = stage.comment(number)
    assert after is not None
    assert after.startswith("**$0.04**")


def test_what_was_is_kept(stage: Stage) -> None:
    merged_pull(stage, calls=2)
    agree(stage, HALF)
    again(stage)
    listed = stage.world.prices.version
    whole = 2 * CALL_NANO_USD
    assert corrections(stage) == [(whole, whole // 2, whole, whole, listed, listed, "repriced")]
    [(kept,)] = stage.rows("SELECT before_calls FROM correction")
    assert json.loads(decompressed(bytes(kept))) == [[n, CALL_NANO_USD, CALL_NANO_USD, listed] for n in range(2)]
    reasons = stage.rows("SELECT COUNT(DISTINCT transaction_id) FROM ledger_entry WHERE reason = 'repriced'")
    assert reasons == [(1,)]


def test_a_second_time_nothing_is_left_to_change(stage: Stage) -> None:
    merged_pull(stage)
    agree(stage, HALF)
    again(stage)
    stage.settle()
    kept = stage.rows("SELECT id FROM ledger_entry ORDER BY id"), stage.rows("SELECT id FROM job ORDER BY id")
    assert again(stage) == Repriced(agent_runs=1)
    assert kept == (stage.rows("SELECT id FROM ledger_entry ORDER BY id"), stage.rows("SELECT id FROM job ORDER BY id"))
    assert len(corrections(stage)) == 1


def test_two_that_price_anew_at_the_same_time_correct_each_agent_run_once(stage: Stage) -> None:
    number = merged_pull(stage)
    for _ in range(5):
        stage.agent(pull=number, calls=2)
    stage.settle()
    agree(stage, HALF)
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(again, [stage, stage]))
    assert sum(each.corrected for each in both) == len(corrections(stage)) == 6
    assert stage.books() == {("usage", 0): -6 * CALL_NANO_USD, ("pull", number): 6 * CALL_NANO_USD}


def test_a_dry_run_tells_and_writes_nothing(stage: Stage) -> None:
    merged_pull(stage)
    agree(stage, HALF)
    books = stage.books()
    told = again(stage, dry_run=True)
    assert told.text(dry_run=True).startswith("1 of 1 agent run would be corrected, $0.04 → $0.02")
    assert (stage.books(), corrections(stage)) == (books, [])
    assert again(stage) == told


def test_only_calls_since_the_day_are_priced_anew(stage: Stage) -> None:
    merged_pull(stage)
    agree(stage, HALF)
    assert again(stage, since=stage.now() + timedelta(days=1)) == Repriced()
    assert corrections(stage) == []


def test_a_call_is_priced_at_its_own_time(stage: Stage) -> None:
    number = merged_pull(stage, calls=2)
    day = f"{stage.now() + timedelta(days=1):%Y-%m-%d}"
    agree(stage, f"discounts:\n- {{provider: anthropic, percent: 50, from: {day}}}\n")
    assert again(stage) == Repriced(agent_runs=1)
    assert stage.books()["pull", number] == 2 * CALL_NANO_USD


def test_a_model_that_gets_a_price_enters_the_books_on_the_pull_it_is_tied_to(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    unheard_of(stage, number, calls=2)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert stage.books() == {}
    agree(stage, HOUSE)
    found = again(stage)
    stage.settle()
    assert (found.unpriced_before, found.unpriced_after) == (2, 0)
    assert stage.books() == {("usage", 0): -4_600_000, ("pull", number): 4_600_000}
    assert stage.rows("SELECT list_cost_nano_usd, unlisted_calls, unpriced_calls FROM agent_run") == [(0, 2, 0)]
    [(price_list,)] = stage.rows("SELECT DISTINCT price_list FROM model_call")
    assert price_list.startswith("mergemeter.yml ")


def test_a_model_that_gets_a_price_and_belongs_to_no_pull_is_looked_at(stage: Stage) -> None:
    stage.install()
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", event="schedule")
    stage.report(run, [stage.call("house", provider="house", model="llama-9")], "house")
    stage.settle()
    agree(stage, HOUSE)
    stage.gh.advance(15 * 86_400)
    again(stage)
    assert stage.books() == {("usage", 0): -2_300_000, ("unattributed", 0): 2_300_000}
    stage.settle()
    assert stage.books() == {("usage", 0): -2_300_000, ("abandoned", 0): 2_300_000}


def test_a_price_that_is_taken_back_leaves_the_call_unpriced_and_not_at_zero(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    agree(stage, HOUSE)
    unheard_of(stage, number)
    stage.settle()
    agree(stage, "")
    found = again(stage)
    assert found.text(dry_run=False).endswith("0 → 1 model calls without a price")
    assert stage.books() == {}
    assert stage.rows("SELECT cost_nano_usd, price_list FROM model_call") == [(None, stage.world.prices.version)]


def test_a_newer_price_list_is_named_by_what_it_corrects(stage: Stage) -> None:
    merged_pull(stage, calls=1)
    old = stage.world.prices.version
    stage.world = replace(stage.world, prices=dearer())
    again(stage)
    whole = CALL_NANO_USD
    assert corrections(stage) == [(whole, 2 * whole, whole, 2 * whole, old, "genai-prices 9", "repriced")]
    assert stage.rows("SELECT price_list FROM model_call") == [("genai-prices 9",)]


def dearer() -> PriceList:
    """The price list with claude-sonnet-4-5 at twice its price."""
    snapshot = deepcopy(data_snapshot.get_snapshot())
    _, model = snapshot.find_provider_model("claude-sonnet-4-5", None, "anthropic", None)
    model.prices = ModelPrice(input_mtok=Decimal(6), output_mtok=Decimal(30))
    return PriceList(snapshot, "genai-prices 9")


def test_an_agent_run_that_would_cost_more_than_any_can_is_left_and_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged_pull(stage, calls=2)
    books = stage.books()
    agree(stage, "prices:\n- {provider: anthropic, model: '*', from: 2026-01-01, input: 10000, output: 10000}\n")
    monkeypatch.setattr("app.stories.reprice.LARGEST_COST", LARGEST_COST // 10**5)
    found = again(stage)
    assert found.text(dry_run=False).endswith("; 1 left as before, at more than a million dollars")
    assert (stage.books(), corrections(stage)) == (books, [])


def test_an_account_prices_only_its_own(stage: Stage) -> None:
    merged_pull(stage)
    agree(stage, HALF)
    assert reprice(stage.world, account(stage) + 1, OCTOBER) == Repriced()
    assert corrections(stage) == []
