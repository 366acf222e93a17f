"""Contracted cost beside list cost: own prices, discounts, and what neither knows."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import Config, read
from app.core.costing import costs_of
from app.core.money import nano_usd
from app.core.pricing import PriceList
from app.core.tally import tally
from app.core.usage import ModelCall, Tokens

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICES = PriceList.load()
LISTED = PRICES.version
TOKENS = Tokens(1_001, 2_003, 3_001, 507, 211, 4_003, 1_009)
HOUSE = "{provider: house, model: 'llama*', from: 2026-01-01, input: 0.1, output: 0.2}"


def config(text: str) -> Config:
    found, problems = read(text, public=False)
    assert problems == []
    assert found is not None
    return found


def own(entry: str) -> Config:
    return config(f"prices:\n- {entry}\n")


def call(model: str = "claude-sonnet-4-5", provider: str = "anthropic", **more: int) -> ModelCall:
    searches = more.pop("web_searches", 0)
    return ModelCall(provider, "r", model, NOW, Tokens(**more) if more else TOKENS, web_searches=searches)


def test_without_agreements_contracted_is_list_and_nothing_is_made_twice() -> None:
    costs = costs_of(PRICES, Config(), [call(), call("unheard-of")])
    assert costs.listed is costs.contracted
    assert list(costs.contracted) == [PRICES.cost(call()), None]
    assert list(costs.price_lists) == [LISTED] * 2
    some = costs.of([False, True])
    assert some.listed is some.contracted == [None]


def test_a_discount_leaves_the_list_cost_as_it_is() -> None:
    agreed = config("discounts:\n- {provider: anthropic, percent: 10, from: 2026-01-01}\n")
    costs = costs_of(PRICES, agreed, [call(input=1_000), call("gpt-5", "openai", input=1_000)])
    assert costs.contracted == [2_700_000, 1_250_000]
    assert costs.listed == [3_000_000, 1_250_000]
    assert costs.price_lists == [LISTED] * 2


def test_an_own_price_replaces_list_and_discount_class_by_class() -> None:
    agreed = config(
        "discounts:\n- {provider: anthropic, percent: 50, from: 2026-01-01}\n"
        "prices:\n- {provider: anthropic, model: claude-sonnet-4-5, from: 2026-01-01, input: 2, output: 11,"
        " cache_read: 0.15, cache_write_5m: 2.5, cache_write_1h: 4, web_search: 7}\n"
    )
    costs = costs_of(PRICES, agreed, [call()._replace(web_searches=3)])
    expected = 1_001 * 2_000 + 2_003 * 150 + 3_001 * 2_500 + 507 * 4_000 + 211 * 2_500 + 4_003 * 11_000 + 3 * 7_000_000
    assert costs.contracted == [expected]
    assert costs.listed == [PRICES.cost(call()._replace(web_searches=3))]
    assert costs.price_lists[0].startswith("mergemeter.yml ")


def test_a_class_without_an_own_price_costs_what_the_wider_one_does() -> None:
    agreed = own("{provider: house, model: m, from: 2026-01-01, input: 1, output: 2}")
    assert costs_of(PRICES, agreed, [call("m", "house")]).contracted == [6_723 * 1_000 + 4_003 * 2_000]
    agreed = own("{provider: house, model: m, from: 2026-01-01, input: 1, output: 2, cache_write_5m: 3}")
    assert costs_of(PRICES, agreed, [call("m", "house", cache_write_1h=1)]).contracted == [3_000]


def test_an_own_price_names_a_model_that_the_list_does_not_know() -> None:
    costs = costs_of(PRICES, own(HOUSE), [call("llama-9", "house", input=10), call("other", "house", input=10)])
    assert costs.contracted == [1_000, None]
    assert costs.listed == [None, None]
    assert costs.price_lists[1] == LISTED
    counted = tally([call("llama-9", "house", input=10), call("other", "house", input=10)], costs)
    assert (counted.cost, counted.unpriced_calls) == (1_000, 1)
    assert (counted.list_cost, counted.unlisted_calls) == (0, 2)


def test_searches_that_an_own_price_does_not_name_cost_the_list_price_less_the_discount() -> None:
    agreed = config(
        "discounts:\n- {provider: anthropic, percent: 10, from: 2026-01-01}\n"
        "prices:\n- {provider: anthropic, model: claude-sonnet-4-5, from: 2026-01-01, input: 1, output: 2}\n"
    )
    assert costs_of(PRICES, agreed, [call(input=1, web_searches=1)]).contracted == [1_000 + 9_000_000]


def test_searches_whose_price_nobody_knows_leave_a_call_unpriced() -> None:
    assert costs_of(PRICES, own(HOUSE), [call("llama-9", "house", input=10, web_searches=1)]).contracted == [None]


@pytest.mark.parametrize("logged", ["bedrock", "aws"])
def test_a_provider_is_meant_by_any_of_its_names(logged: str) -> None:
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    discounted = config("discounts:\n- {provider: aws, percent: 10, from: 2026-01-01}\n")
    assert costs_of(PRICES, discounted, [call(model, logged, input=10)]).contracted == [29_700]
    priced = own("{provider: aws, model: us.anthropic.*, from: 2026-01-01, input: 2, output: 2}")
    assert costs_of(PRICES, priced, [call(model, logged, input=10)]).contracted == [20_000]


AMOUNTS = st.decimals(0, 9_999, places=9)


@given(AMOUNTS, AMOUNTS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_own_price_is_exact_and_rounded_once_for_each_charge(
    entered: Decimal, produced: Decimal, sent: int, made: int
) -> None:
    agreed = own(f"{{provider: x, model: m, from: 2026-01-01, input: '{entered:f}', output: '{produced:f}'}}")
    found = costs_of(PRICES, agreed, [call("m", "x", input=sent, output=made)]).contracted
    assert found == [nano_usd(entered * sent / 10**6) + nano_usd(produced * made / 10**6)]
