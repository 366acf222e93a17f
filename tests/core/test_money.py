"""Money is divided without loss and shown without lies."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NanoUsd, dollars_text, nano_usd, per, share


def cents(amount: int) -> NanoUsd:
    return NanoUsd(amount)


def test_example_c_gives_the_last_id_the_cent() -> None:
    assert share(cents(10_000), [1, 1, 1]) == [3333, 3333, 3334]


@given(st.integers(-(10**18), 10**18).map(NanoUsd), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_parts_always_sum_to_the_whole(amount: NanoUsd, weights: list[int]) -> None:
    assert sum(share(amount, weights)) == amount


@given(st.integers(0, 10**18).map(NanoUsd), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_each_part_is_within_one_unit_of_its_exact_share(amount: NanoUsd, weights: list[int]) -> None:
    for part, weight in zip(share(amount, weights), weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_impossible_weights_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        share(NanoUsd(1), weights)


@pytest.mark.parametrize(("dollars", "nano"), [("0.0000000005", 0), ("0.0000000015", 2), ("1", 10**9)])
def test_a_charge_is_rounded_half_to_even(dollars: str, nano: int) -> None:
    assert nano_usd(Decimal(dollars)) == nano


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**6))
def test_an_average_is_rounded_half_to_even(amount: int, count: int) -> None:
    assert per(amount, count) == round(Decimal(amount) / count)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (3_200_000_000, "$3.20"),
        (0, "$0.00"),
        (4_200_000, "$0.0042"),
        (9_999_999, "$0.01"),
        (1, "$0.0000000010"),
        (-1_000_000_000, "−$1.00"),
        (1_234_567_890_000_000, "$1,234,567.89"),
    ],
)
def test_amounts_read_as_people_write_them(nano: int, text: str) -> None:
    assert dollars_text(NanoUsd(nano)) == text
