"""Numbers as people read them."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NanoUsd
from app.core.report.numbers import Amounts, count, factor_text, from_cache, percent, tokens_text
from app.core.usage import Tokens


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (999, "999"), (1_000, "1.0 K"), (12_345, "12.3 K"), (99_949, "99.9 K"), (99_950, "100 K"),
        (999_499, "999 K"), (999_500, "1.0 M"), (1_234_567, "1.2 M"), (999_999_999, "1.0 B"), (12 * 10**12, "12,000 B"),
    ],
)  # fmt: skip
def test_tokens_are_short(number: int, text: str) -> None:
    assert tokens_text(number) == text


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_more_tokens_never_read_as_fewer(one: int, two: int) -> None:
    sizes = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}

    def read(number: int) -> Decimal:
        value, _, letter = tokens_text(number).replace(",", "").partition(" ")
        return Decimal(value) * sizes[letter]

    assert (read(one) <= read(two)) or one > two


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "–"),
        (0, 5, "0 %"),
        (5, 5, "100 %"),
        (71, 100, "71 %"),
        (1, 1000, "under 1 %"),
        (999, 1000, "over 99 %"),
        (1, 200, "1 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_all(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text


def test_the_cache_share_is_of_all_input() -> None:
    assert from_cache(Tokens(input=9, cache_read=71, cache_write_1h=20, output=500)) == "71 %"


@pytest.mark.parametrize(("number", "text"), [(0, "0 pulls"), (1, "1 pull"), (2, "2 pulls"), (1204, "1,204 pulls")])
def test_counts_have_their_noun(number: int, text: str) -> None:
    assert count(number, "pull") == text


def test_a_factor_has_two_decimals() -> None:
    assert factor_text(Decimal("1.875")) == "1.88×"


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=20))
def test_amounts_that_are_shown_add_up(costs: list[int]) -> None:
    amounts = Amounts.of([NanoUsd(cost) for cost in costs])
    rows = [amounts.text([row]) for row in range(len(costs))]
    shown = sum(Decimal(re.sub(r"[$,]", "", row)) for row in rows if not row.startswith("under"))
    assert shown == Decimal(re.sub(r"[$,]", "", amounts.total))
    assert all(row != "$0.00" for row, cost in zip(rows, costs, strict=True) if cost)


@given(st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=20))
def test_every_amount_is_shown_within_its_unit(costs: list[int]) -> None:
    amounts = Amounts.of([NanoUsd(cost) for cost in costs])
    for cost, units in zip(costs, amounts.units, strict=True):
        assert abs(units * amounts.unit - cost) <= amounts.unit * (2 if min(costs) >= 0 else 1)
