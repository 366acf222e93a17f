"""Over its whole list, our price of a call is genai-prices' own, class by class and rounded once for each."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

import genai_prices
import pytest
from genai_prices import Usage, data_snapshot
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TimeOfDateConstraint, calc_unit_price
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.money import nano_usd
from app.core.pricing import PRICE_KEYS, PriceList
from app.core.rates import CHARGES, Charge
from app.core.usage import ModelCall, Tokens

PRICES = PriceList.load()
LISTED = [(provider.id, model) for provider in data_snapshot.get_snapshot().providers for model in provider.models]
SMALL = Tokens(1_001, 2_003, 3_001, 507, 211, 4_003, 1_009)
LARGE = Tokens(100_003, 500_009, 3_001, 50_007, 21_001, 40_003, 10_009)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def usage(tokens: Tokens, web_searches: int) -> Usage:
    """The same call in the library's words, where wider counts include narrower ones."""
    return Usage(
        input_tokens=tokens.prompt,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_other,
        cache_write_5m_tokens=tokens.cache_write_5m,
        cache_write_1h_tokens=tokens.cache_write_1h,
        output_tokens=tokens.output,
        output_reasoning_tokens=tokens.reasoning,
        web_searches=web_searches,
    )


def context(service_tier: str, speed: str) -> dict[str, str]:
    tier = {"batch": {"processing": "batch"}, "standard": {}}.get(service_tier, {"service_tier": service_tier})
    return {**tier, **({"speed": speed} if speed != "standard" else {})}


def library(call: ModelCall) -> genai_prices.types.PriceCalculation:
    return genai_prices.calc_price(
        usage(call.tokens, call.web_searches),
        call.model,
        provider_id=call.provider,
        genai_request_timestamp=call.at,
        price_context=context(call.service_tier, call.speed),
    )


def check(call: ModelCall) -> None:
    ours, theirs = PRICES.price(call), library(call)
    assert PRICES.cost(call) == ours.cost
    assert PRICES.costs([call, call]) == [ours.cost] * 2
    prices = theirs.model_price
    if vars(prices) and not vars(prices).keys() & {"input_mtok", "output_mtok", "requests_kcount"}:
        assert ours.cost is None
        return
    assert ours.cost is not None
    # Exact: the charges before rounding, from the library's arithmetic for one unit, sum to its total.
    exact = [charge_in_dollars(prices, charge, call) for charge in CHARGES]
    assert sum(exact) == theirs.total_price
    assert [nano_usd(dollars) for dollars in exact] == list(ours.charges)
    whole = (theirs.total_price * 10**9).to_integral_value(rounding=ROUND_HALF_EVEN)
    if all(dollars * 10**9 == nano_usd(dollars) for dollars in exact):
        assert ours.cost == whole


def check_or_unpriced(call: ModelCall) -> None:
    try:
        library(call)
    except LookupError:
        assert PRICES.price(call).cost is None
    else:
        check(call)


def charge_in_dollars(prices: ModelPrice, charge: Charge, call: ModelCall) -> Decimal:
    t, apart = call.tokens, prices.output_reasoning_mtok is not None
    count = {
        Charge.INPUT: t.input,
        Charge.CACHE_READ: t.cache_read,
        Charge.CACHE_WRITE_5M: t.cache_write_5m,
        Charge.CACHE_WRITE_1H: t.cache_write_1h,
        Charge.CACHE_WRITE_OTHER: t.cache_write_other,
        Charge.OUTPUT: t.output - (t.reasoning if apart else 0),
        Charge.REASONING: t.reasoning if apart else 0,
        Charge.WEB_SEARCH: call.web_searches,
        Charge.REQUEST: 1,
    }[charge]
    per, keys = PRICE_KEYS[charge]
    price = next((value for key in keys if (value := getattr(prices, key)) is not None), None)
    return calc_unit_price(price, count, t.prompt, per)


def instants(model: ModelInfo) -> Iterator[datetime]:
    """Now, and both sides of every instant at which a price of the model may change."""
    yield NOW
    dated = model.prices if isinstance(model.prices, list) else []
    for constraint in [price.constraint for price in [*dated, *(model.price_variants or ())]]:
        if isinstance(constraint, StartDateConstraint):
            start = datetime.combine(constraint.start_date, time(), UTC)
            yield from (start, start - timedelta(microseconds=1))
        if isinstance(constraint, TimeOfDateConstraint):
            for edge in (constraint.start_time, constraint.end_time):
                at = datetime.combine(NOW.date(), edge if edge.tzinfo else edge.replace(tzinfo=UTC))
                yield from (at, at - timedelta(microseconds=1))


def names(model: ModelInfo, provider: str) -> bool:
    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(model.id, None, provider, None)
    except LookupError:
        return False
    return found is model


@pytest.mark.parametrize("part", range(4))
def test_every_listed_model_costs_what_the_library_says(part: int) -> None:
    checked = 0
    for provider, model in LISTED[part::4]:
        if names(model, provider):
            for at in set(instants(model)):
                for tokens in (SMALL, LARGE):
                    check(ModelCall(provider, "r", model.id, at, tokens, web_searches=2))
            checked += 1
    assert checked > 400


def test_every_listed_variant_costs_what_the_library_says() -> None:
    for provider, model in LISTED:
        for variant in (model.price_variants or ()) if names(model, provider) else ():
            tier = (
                "batch" if variant.when.get("processing") == "batch" else variant.when.get("service_tier", "standard")
            )
            speed = variant.when.get("speed", "standard")
            for at in set(instants(model)):
                check(ModelCall(provider, "r", model.id, at, LARGE, service_tier=tier, speed=speed))


COUNTS = st.one_of(st.integers(0, 300_000), st.integers(0, 10**12))
EDGES = st.sampled_from([0, 1, 199_999, 200_000, 200_001, 272_000, 272_001])
MODELS = st.sampled_from(LISTED).map(lambda listed: (listed[0], listed[1].id))
PREFIXES = st.sampled_from(["", "", "", "us.", "anthropic/", "arn:aws:bedrock:us-east-1:1234:inference-profile/"])
SUFFIXES = st.sampled_from(["", "", "", "-20260101", "[1m]", "[fast=true]", "-latest", ":free", "@20250929", "-v1:0"])
TIERS = st.sampled_from(["standard", "batch", "priority", "flex", "fast", "default", "", "auto", "@everyone"])
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))])


@st.composite
def calls(draw: st.DrawFn) -> ModelCall:
    provider, model = draw(MODELS)
    output = draw(COUNTS)
    sent = st.one_of(COUNTS, EDGES)
    prompt = draw(sent), draw(sent), draw(sent), draw(sent), draw(sent)
    tokens = Tokens(*prompt, output, draw(st.integers(0, output)))
    at = draw(st.datetimes(datetime(2024, 1, 1), datetime(2027, 6, 1), timezones=ZONES))  # noqa: DTZ001
    speed = draw(st.sampled_from(["standard", "fast", "slow"]))
    name = draw(PREFIXES) + model + draw(SUFFIXES)
    return ModelCall(provider, "r", name, at, tokens, draw(TIERS), speed, draw(st.integers(0, 99)))


@settings(max_examples=1_000, deadline=None)
@given(calls())
def test_any_call_costs_what_the_library_says(call: ModelCall) -> None:
    check_or_unpriced(call)


PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
# Ids as those who sell others' models write them, with the provider as agents log it: a region, a day, a deployment.
RESOLD = [
    ("litellm", "anthropic/claude-opus-4-5"),
    ("litellm", "claude-opus-4-5"),
    ("litellm", "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("litellm", "vertex_ai/claude-sonnet-4-5@20250929"),
    ("litellm", "azure/gpt-5"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
    ("aws", PROFILE),
    ("aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("aws", "eu.anthropic.claude-opus-4-8"),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("amazon-bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("google", "claude-sonnet-4-5@20250929"),
    ("google", "claude-opus-4-8@default"),
    ("vertex", "gemini-2.5-pro"),
    ("vertex_ai", "claude-sonnet-4-5@20250929"),
    ("azure", "gpt-5"),
    ("azure", "gpt-5-codex"),
    ("azure", "claude-sonnet-4-5"),
    ("github-copilot", "claude-sonnet-4.6"),
    ("github-copilot", "gpt-5.3-codex"),
    ("github-copilot", "claude-opus-4.8-fast"),
    ("cursor", "composer-2.5"),
    ("cursor", "composer-2.5[fast=true]"),
]
# What tells no model, and what the list does not have: never priced as a neighbour.
UNKNOWN = [
    ("litellm", "x/y"),
    ("aws", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"),
    ("aws", "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ("azure", "our-deployment"),
    ("github-copilot", "claude-sonnet-9"),
    ("cursor", "auto"),
    ("cursor", "gpt-5"),
    ("github", "gpt-5"),
]


def as_logged(provider: str, model: str) -> ModelCall:
    return ModelCall(provider, "r", model, NOW, SMALL, service_tier="batch", web_searches=1)


@pytest.mark.parametrize(("provider", "model"), RESOLD)
def test_an_id_that_the_library_resolves_is_priced_as_it_does(provider: str, model: str) -> None:
    check(as_logged(provider, model))


@pytest.mark.parametrize(("provider", "model"), UNKNOWN)
def test_an_id_that_the_library_does_not_resolve_is_unpriced(provider: str, model: str) -> None:
    with pytest.raises(LookupError):
        library(as_logged(provider, model))
    assert PRICES.cost(as_logged(provider, model)) is None


def test_a_region_has_its_own_price() -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    both = [PRICES.cost(ModelCall("aws", "r", area + model, NOW, Tokens(1_000))) for area in ("global.", "us.")]
    assert both == [3_000_000, 3_300_000]
