"""Laws of the rows, for any calls, prices, places and invoices: sums are the books', and no price is bent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.agreements import Discount
from app.core.config import Config, read
from app.core.focus.billing import Billing, Bucket
from app.core.focus.builder import OTHER_PRICES, ROUNDING, Builder, Terms
from app.core.focus.catalogue import Catalogue, Deal, Used
from app.core.focus.columns import Version
from app.core.focus.fees import fee_of
from app.core.focus.items import ONE
from app.core.focus.origins import Allocation
from app.core.focus.rows import ATTO, Basis, Invoice, Told, hour_of
from app.core.focus.spread import Spot, Spread, Stated
from app.core.focus.view import View, ViewError
from app.core.ledger import Book
from app.core.money import NanoUsd, share
from app.core.rates import CHARGES, Charge
from app.core.usage import ModelCall, Tokens
from tests.focus.sample import (
    CREDIT_PACK,
    CREDITS,
    DISCOUNTED,
    LIST_OF_PRICES,
    OCTOBER,
    SEATS,
    SEPTEMBER,
    at,
    booked,
    call,
    pull,
    run,
    same_name,
    summed,
)

COUNTS = st.integers(0, 400_000)
MODELS = st.sampled_from(
    [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5"), ("google", "gemini-2.5-flash-lite"), ("openai", "o3")]
)
SPOTS = [pull(1), pull(2), pull(3, "acme/web"), Spot(Book.UNATTRIBUTED)]


@st.composite
def calls(draw: st.DrawFn) -> list[ModelCall]:
    found = []
    for _ in range(draw(st.integers(1, 6))):
        provider, model = draw(MODELS)
        tokens = [draw(COUNTS) for _ in range(6)]
        used = Tokens._make([*tokens, draw(st.integers(0, tokens[5]))])
        when = at(draw(st.integers(1, 28)), draw(st.integers(0, 23)), draw(st.integers(0, 59)))
        searches = draw(st.integers(0, 3)) if provider == "anthropic" else 0
        found.append(call(provider, model, when, used, web_searches=searches))
    return found


@st.composite
def discounts(draw: st.DrawFn) -> Config:
    percent = draw(st.decimals(Decimal("0.000001"), Decimal(99), places=6))
    return Config(discounts=(Discount("openai", percent / 100, date(2026, 1, 1), None),))


WEIGHTS = st.lists(st.integers(0, 1000), min_size=1, max_size=4).filter(any)


def builder(config: Config = DISCOUNTED, **terms: Any) -> Builder:
    return Builder(Catalogue(LIST_OF_PRICES(), config), Terms(OCTOBER, **terms))


def value(built: Builder, told: Sequence[Told] = ()) -> tuple[int, int]:
    """What rows come to at contracted and at list prices, in the eighteenth decimal."""
    rows, _ = built.take()
    contracted = listed = 0
    for item_id, count in zip(rows.item, rows.count, strict=True):
        item = built.catalogue.items[item_id]
        assert item.unit is not None
        contracted += item.contracted_price * item.unit.pricing_step * count
        listed += item.list_price * item.unit.pricing_step * count
    return contracted + sum(row.value for row in told), listed + sum(row.list_cost for row in told)


@settings(max_examples=120, deadline=None)
@given(calls(), discounts(), WEIGHTS)
def test_rows_and_what_rounding_left_sum_to_the_books(
    made: list[ModelCall], config: Config, weights: list[int]
) -> None:
    used = summed(made, config)
    cost = booked(used)
    holding = {spot: part for spot, part in zip(SPOTS, share(NanoUsd(cost), weights), strict=False) if part}
    built = builder(config)
    built.add(Stated(run(1), OCTOBER, holding), used)
    told = built.rest()
    contracted, listed = value(built, told)
    assert contracted == sum(holding.values()) * ATTO
    assert listed == sum(each.list_cost for _, each in used) * ATTO
    assert {row.item.reason for row in told} <= {ROUNDING}


@settings(max_examples=60, deadline=None)
@given(calls(), st.lists(WEIGHTS, min_size=2, max_size=4))
def test_parts_of_tokens_follow_the_books_and_never_get_lost(made: list[ModelCall], moves: list[list[int]]) -> None:
    """A run whose cost moves month by month: what all months state together is where it stands now."""
    used = summed(made)
    cost = max(1, booked(used))
    whole: Counter[int] = Counter()
    at_place: Counter[tuple[int, str]] = Counter()
    before: Mapping[Spot, int] = {}
    built = builder()
    for weights in moves:
        after: Mapping[Spot, int] = {
            spot: part for spot, part in zip(SPOTS, share(NanoUsd(cost), weights), strict=False) if part
        }
        built.add(Stated(run(1), SEPTEMBER, after, before), used)
        before = after
    rows, _ = built.take()
    for origin, item, count in zip(rows.origin, rows.item, rows.count, strict=True):
        whole[item] += count
        at_place[item, rows.origins[origin].key] += count
    expected: Counter[int] = Counter()
    for deal, each in used:
        lines = built.catalogue.lines(deal, next(iter(built.catalogue._known)))
        for item, count in zip(lines.items, lines.counts(each), strict=True):
            expected[item] += count
    assert +whole == +expected
    spread = Spread(Stated(run(1), SEPTEMBER, before), ())
    for item, count in expected.items():
        # Hours are divided one by one, so a place can differ by a token for each.
        for place, part in zip(spread.origins, spread.of(count), strict=True):
            assert abs(at_place[item, place.key] - part) <= len(used) * len(SPOTS)


@settings(max_examples=60, deadline=None)
@given(st.integers(-(10**12), 10**12), st.dictionaries(st.text("abc", min_size=1), st.integers(0, 10**15), min_size=1))
def test_parts_of_a_shared_cost_sum_to_it_and_ratios_to_one(count: int, weights: dict[str, int]) -> None:
    receivers = Allocation("proportional", weights).receivers()
    assert sum(Fraction(each.ratio) for each in receivers) == 1
    spread = Spread(Stated(run(1), OCTOBER, {pull(1): 5, pull(2): 7}), receivers)
    assert sum(spread.of(count)) == count


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(10**20), 10**24), max_size=20), st.integers(0, 10**14), st.integers(0, 10**14))
def test_what_is_invoiced_goes_to_rows_or_stays_and_is_told(parts: list[int], billed: int, contracted: int) -> None:
    bucket = Bucket(NanoUsd(billed), NanoUsd(contracted), Invoice("I", "1"))
    billing = Billing({("anthropic", "m", 3): bucket}, OCTOBER, same_name)
    given_to_rows = sum(billing.part("anthropic", "m", hour_of(at(3)), part)[0] for part in parts)
    left = sum(row.billed or 0 for row in billing.rest())
    assert given_to_rows * ATTO + left == billed * ATTO
    assert {row.invoice for row in billing.rest()} <= {Invoice("I")}


def test_a_bucket_that_nobody_reconciled_leaves_rows_estimated() -> None:
    assert Billing({}, OCTOBER, same_name).part("anthropic", "m", hour_of(at(1)), 10**18) == (0, -1)


@pytest.mark.parametrize(
    ("key", "hour", "found"),
    [
        (("anthropic", "m", 3), at(3, 23), True),
        (("anthropic", "m", 3), at(4, 0), False),
        (("anthropic", "m", 0), at(28), True),
        (("anthropic", "", 3), at(3), True),
        (("anthropic", "", 0), at(1, 0), True),
        (("openai", "", 0), at(1), False),
        (("anthropic", "", 0), at(30, month=SEPTEMBER), False),
    ],
)
def test_a_row_is_billed_by_the_bucket_that_it_is_in(key: Any, hour: Any, found: bool) -> None:
    bucket = Bucket(NanoUsd(5), NanoUsd(1), Invoice("I"))
    billing = Billing({key: bucket}, OCTOBER, same_name)
    assert (billing.part("anthropic", "m", hour_of(hour), ATTO) == (5, 0)) == found


def test_other_prices_than_now_are_told_and_no_price_is_bent() -> None:
    ((deal, used),) = summed([call("anthropic", "claude-sonnet-4-5", at(1), Tokens(1_000, output=10))])
    dearer = used._replace(cost=used.cost + 100_000)
    built = builder()
    built.add(Stated(run(1), OCTOBER, {pull(1): dearer.cost}), [(deal, dearer)])
    (told,) = built.rest()
    assert (told.item.reason, told.value, told.list_cost) == (OTHER_PRICES, 100_000 * ATTO, 0)
    assert {item.contracted_price for item in built.catalogue.items} >= {3 * ONE, 15 * ONE}


def test_calls_that_are_not_there_any_more_are_told() -> None:
    built = builder()
    built.add(Stated(run(1), OCTOBER, {pull(1): 77}), [])
    (told,) = built.rest()
    assert (told.item.reason, told.contracted) == (OTHER_PRICES, 77 * ATTO)


def test_half_hours_of_one_price_are_one_row() -> None:
    made = [call("anthropic", "claude-sonnet-4-5", at(1, 9, minute), Tokens(10)) for minute in (1, 29, 31, 59)]
    built = builder()
    used = summed(made)
    assert len(used) == 2
    built.add(Stated(run(1), OCTOBER, {pull(1): booked(used)}), used)
    rows, _ = built.take()
    assert list(rows.count) == [40]
    assert built.rest() == []


def test_a_tier_has_a_sku_price_of_its_own_and_the_same_sku() -> None:
    made = [call("anthropic", "claude-sonnet-4-5", at(1), Tokens(count)) for count in (200_000, 200_001)]
    built = builder()
    built.add(Stated(run(1), OCTOBER, {pull(1): booked(summed(made))}), summed(made))
    rows, _ = built.take()
    plain, dear = (built.catalogue.items[item] for item in rows.item)
    assert (plain.list_price, dear.list_price) == (3 * ONE, 6 * ONE)
    assert plain.sku == dear.sku
    assert dear.price_id == plain.price_id + "-above-200000"
    assert built.rest() == []


def test_reasoning_is_told_apart_only_where_it_is_priced_apart() -> None:
    built = builder()
    used = summed([call("openai", "o3", at(1), Tokens(1, output=100, reasoning=60))])
    built.add(Stated(run(1), OCTOBER, {pull(1): booked(used)}), used)
    rows, _ = built.take()
    assert [built.catalogue.items[item].meter for item in rows.item] == ["Input Tokens", "Output Tokens"]
    assert list(rows.count) == [1, 100]


def test_an_own_price_of_an_unlisted_model_stands_for_the_list_price_and_says_so() -> None:
    config, problems = read(
        "prices: [{provider: acme-ai, model: acme-1, from: 2026-01-01, input: 1.5, output: 2}]", public=False
    )
    assert config is not None, problems
    used = summed([call("acme-ai", "acme-1", at(1), Tokens(1_000, output=1))], config)
    built = builder(config)
    built.add(Stated(run(1), OCTOBER, {pull(1): booked(used)}), used)
    rows, _ = built.take()
    (first, _) = (built.catalogue.items[item] for item in rows.item)
    assert (first.list_price, first.contracted_price, first.listed) == (3 * ONE // 2, 3 * ONE // 2, False)
    assert first.price_list.startswith("mergemeter.yml ")
    assert built.rest() == []


def test_credits_are_counted_as_such() -> None:
    deal, used = CREDITS
    built = builder()
    built.add(Stated(run(1), OCTOBER, {pull(1): used.cost}), [CREDITS])
    rows, _ = built.take()
    item = built.catalogue.items[rows.item[0]]
    assert (item.unit and item.unit.consumed, item.contracted_price) == ("AI Credits", ONE // 100)
    assert rows.count[0] == used.cost * 100
    assert built.rest() == []
    assert deal.price_list == item.price_list


def test_the_catalogue_prices_as_the_price_list_does() -> None:
    """Each charge of a call by itself, which the list rounds, is within half a nano-dollar of its row."""
    prices = LIST_OF_PRICES()
    made = call("openai", "gpt-5-mini", at(3), Tokens(333, 77, output=12_345, reasoning=5))
    charges = dict(zip(CHARGES, prices.price(made).charges, strict=True))
    ((deal, used),) = summed([made], Config())
    built = builder(Config())
    lines = built.catalogue.lines(deal)
    for charge, count, cost in zip(lines.charges, lines.counts(used), lines.listed, strict=True):
        assert abs(count * cost - charges[CHARGES[charge]] * ATTO) <= ATTO // 2
    assert Charge.REASONING not in {CHARGES[charge] for charge in lines.charges}


@pytest.mark.parametrize(
    ("subscription", "unit", "count"), [(SEATS, "User-Months", 12 * ONE), (CREDIT_PACK, "Months", ONE)]
)
def test_a_fee_is_by_seats_where_each_costs_a_whole_number_of_nano_dollars(
    subscription: Any, unit: str, count: int
) -> None:
    row = fee_of(subscription, OCTOBER)
    assert row.item.unit is not None
    assert (row.item.unit.pricing, row.count) == (unit, count)
    assert row.item.contracted_price * row.count == subscription.monthly * ONE
    assert row.origin.run.cost_center == (subscription.cost_center or f"subscription:{subscription.name}")


def test_no_fee_of_seats_that_do_not_divide_it_is_lost() -> None:
    row = fee_of(replace(SEATS, monthly=NanoUsd(100), seats=3), OCTOBER)
    assert row.item.contracted_price * row.count == 100 * ONE


@pytest.mark.parametrize(
    ("version", "options", "sentence"),
    [
        ("1.4", {"native": True}, "ISO currencies alone"),
        ("1.2", {"splits": True}, "no columns for shared costs"),
        ("1.3", {"basis": Basis.INVOICED}, "is not invoiced"),
    ],
)
def test_a_view_that_makes_no_sense_is_refused(version: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ViewError, match=sentence):
        View(Version(version), OCTOBER, "acme", 1, **options)


def test_deals_and_used_have_the_fields_that_the_store_sends() -> None:
    assert len(Deal._fields) == 9
    assert len(Used._fields) == 11
