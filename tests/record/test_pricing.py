"""Prices are those of the list, exact to the nano-dollar: cases here, the whole list in test_pricing_oracle."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.pricing import PriceList
from app.core.rates import CHARGES, Charge, Rate
from app.core.usage import ModelCall, Tokens

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICES = PriceList.load()


def call(model: str = "claude-sonnet-4-5", provider: str = "anthropic", at: datetime = NOW, **counts: int) -> ModelCall:
    searches = counts.pop("web_searches", 0)
    return ModelCall(provider, "msg_1", model, at, Tokens(**counts), web_searches=searches)


def cost(call: ModelCall) -> int | None:
    return PRICES.price(call).cost


def test_the_version_names_the_pinned_list() -> None:
    assert PRICES.version == "genai-prices 0.2.3"


def test_each_token_class_has_its_own_price() -> None:
    priced = PRICES.price(
        call(
            "claude-opus-4-5", input=1, cache_read=1, cache_write_5m=1, cache_write_1h=1, cache_write_other=1, output=1
        )
    )
    assert priced.charges[:6] == (5_000, 500, 6_250, 10_000, 6_250, 25_000)
    assert priced.cost == sum(priced.charges)


def test_a_tier_is_decided_by_the_whole_prompt_with_cached_tokens() -> None:
    below = call("gemini-2.5-pro", "google", input=1_000, cache_read=199_000)
    above = call("gemini-2.5-pro", "google", input=1_000, cache_read=199_001)
    assert cost(below) == 1_000 * 1_250 + 199_000 * 125
    assert cost(above) == 1_000 * 2_500 + 199_001 * 250


def test_a_price_changes_at_its_start_date_in_utc() -> None:
    before = call("deepseek-chat", "deepseek", datetime(2025, 2, 7, 23, 59, 59, tzinfo=UTC), input=1_000_000)
    after = call("deepseek-chat", "deepseek", datetime(2026, 11, 8, 1, tzinfo=UTC), input=1_000_000)
    assert cost(before) != cost(after)


def test_a_charge_is_rounded_half_to_even_once() -> None:
    half = Rate.of(Decimal("0.0005"), 1_000_000)  # half a nano-dollar for each token
    assert [half.charge(count) for count in (0, 1, 2, 3, 4, 5)] == [0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("provider", "model"),
    [("anthropic", "claude-nonsense"), ("anthropic", ""), ("nobody", "gpt-5"), ("openai", "</details><img src=x>")],
)
def test_an_unknown_model_or_provider_is_unpriced_and_not_zero(provider: str, model: str) -> None:
    assert cost(call(model, provider, input=5)) is None


def test_a_model_that_is_listed_only_by_the_hour_is_unpriced_for_tokens() -> None:
    assert cost(call("whisper-1", "openai", input=5)) is None


def test_a_free_model_is_priced_at_zero() -> None:
    assert cost(call("gemma-4-31b-it", "google", input=5, output=7)) == 0


@pytest.mark.parametrize("model", ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5[1m]", "CLAUDE-SONNET-4-5"])
def test_dates_and_context_suffixes_name_the_same_model(model: str) -> None:
    assert cost(call(model, input=1_000)) == cost(call(input=1_000)) == 3_000_000


def test_web_searches_are_charged() -> None:
    priced = PRICES.price(call(web_searches=3))
    assert priced.charges[CHARGES.index(Charge.WEB_SEARCH)] == priced.cost == 30_000_000


def test_fast_and_batch_requests_have_their_own_prices() -> None:
    plain = ModelCall("anthropic", "m", "claude-opus-4-8", NOW, Tokens(output=1))
    fast = ModelCall("anthropic", "m", "claude-opus-4-8", NOW, Tokens(output=1), speed="fast")
    batch = ModelCall("anthropic", "m", "claude-opus-4-8", NOW, Tokens(output=1), service_tier="batch")
    assert [cost(c) for c in (plain, fast, batch)] == [25_000, 50_000, 12_500]


def test_a_tier_that_the_list_does_not_know_costs_the_standard_price() -> None:
    odd = ModelCall("anthropic", "m", "claude-opus-4-8", NOW, Tokens(output=1), service_tier="@everyone")
    assert cost(odd) == 25_000


def test_many_made_up_names_do_not_stay_in_memory() -> None:
    prices = PriceList.load()
    for i in range(10_050):
        prices.unit_prices("nobody", f"model-{i}", NOW)
    assert len(prices._listed) <= 10_000


def test_a_discount_is_taken_off_the_price_before_the_one_rounding() -> None:
    one = call("claude-opus-4-5", input=3, output=1)
    assert PRICES.price(one, Decimal("0.125")).charges[:6] == (13_125, 0, 0, 0, 0, 21_875)
    assert PRICES.cost(one, Decimal("0.99999")) == 0
    assert PRICES.cost(one) == 40_000


def test_calls_together_cost_what_each_costs_alone() -> None:
    models = ["claude-sonnet-4-5", "unknown-1", "claude-opus-4-5", "claude-sonnet-4-5"]
    calls = [call(model, input=3, output=number) for number, model in enumerate(models)]
    assert PRICES.costs(calls) == [PRICES.cost(one) for one in calls]
