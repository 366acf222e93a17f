"""GitHub's AI credits become money exactly, and are shown as what was charged."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ai_credits import arithmetic_text, cost_of
from app.core.costing import LARGEST_COST
from app.core.money import NanoUsd


@pytest.mark.parametrize(("nano_credits", "cost"), [(0, 0), (50, 0), (150, 2), (250, 2), (51, 1), (10**9, 10**7)])
def test_a_credit_is_a_cent_rounded_half_even(nano_credits: int, cost: int) -> None:
    assert cost_of(nano_credits) == cost


@given(st.integers(0, int(LARGEST_COST) * 100))
def test_the_cost_is_what_decimals_give(nano_credits: int) -> None:
    exact = Decimal(nano_credits) * Decimal("0.01")
    assert cost_of(nano_credits) == int(exact.to_integral_value(rounding=ROUND_HALF_EVEN))


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=20))
def test_rounding_never_costs_more_than_half_a_nano_dollar_a_session(sessions: list[int]) -> None:
    off = 100 * sum(map(cost_of, sessions)) - sum(sessions)
    assert abs(off) <= 50 * len(sessions)


@given(st.integers(0, int(LARGEST_COST)))
def test_the_arithmetic_gives_the_cost(cost: int) -> None:
    text = arithmetic_text(NanoUsd(cost))
    used, _, rest = text.partition(" ")
    assert rest == "AI credits × $0.01"
    assert Decimal(used.replace(",", "")) * Decimal("0.01") * 10**9 == cost
