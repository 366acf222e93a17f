"""Cost per merged PR against the worked example of the definitions, and the laws behind it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.metrics import PullSpend, period_cost
from app.core.money import NANO_PER_USD, NanoUsd
from app.core.month import Month
from app.core.period import Period

OCTOBER = Month(2026, 10)
NOVEMBER = Month(2026, 11)
LATE = datetime(2027, 1, 1, tzinfo=UTC)


def dollars(amount: float) -> NanoUsd:
    return NanoUsd(round(amount * NANO_PER_USD))


def merged(number: int, cost: float, day: int = 10, reverted_after: timedelta | None = None) -> PullSpend:
    at = datetime(2026, 10, day, tzinfo=UTC)
    reverted_at = at + reverted_after if reverted_after else None
    return PullSpend(number, 1, {OCTOBER.start: dollars(cost)}, closed_at=at, merged_at=at, reverted_at=reverted_at)


EXAMPLE_A = [
    merged(1, 10),
    merged(2, 14),
    merged(3, 6, reverted_after=timedelta(days=3)),
    PullSpend(4, 1, {OCTOBER.start: dollars(8)}, closed_at=datetime(2026, 10, 20, tzinfo=UTC)),
    PullSpend(5, 1, {OCTOBER.start: dollars(5)}),
]
NO_PULL = {OCTOBER.start: dollars(7)}


def test_example_a_to_the_nano_dollar() -> None:
    found = period_cost(Period.of(OCTOBER), EXAMPLE_A, NO_PULL, LATE)
    assert found.cost == dollars(50)
    assert found.period == dollars(22.50)
    assert found.cohort == dollars(15)
    assert found.direct == dollars(12)
    assert found.load_factor == Decimal("1.875")
    assert (found.merged, found.agent_merged, found.survived) == (3, 3, 2)


def test_the_naive_figure_is_none_of_them() -> None:
    found = period_cost(Period.of(OCTOBER), EXAMPLE_A, NO_PULL, LATE)
    assert round(dollars(50) / 3) not in {found.period, found.cohort, found.direct}


def test_money_spent_in_october_on_a_pull_that_merges_in_november_counts_in_november() -> None:
    at = datetime(2026, 11, 3, tzinfo=UTC)
    pulls = [PullSpend(1, 2, {OCTOBER.start: dollars(5), NOVEMBER.start: dollars(2)}, closed_at=at, merged_at=at)]
    october, november = (period_cost(Period.of(month), pulls, {}, LATE) for month in (OCTOBER, NOVEMBER))
    assert (october.cost, october.released, october.period) == (dollars(5), 0, None)
    assert (november.cost, november.released, november.period) == (dollars(2), dollars(7), dollars(7))


def test_spend_without_a_merge_has_no_figure_rather_than_zero() -> None:
    found = period_cost(Period.of(OCTOBER), [], NO_PULL, LATE)
    assert (found.cost, found.period, found.cohort, found.direct, found.load_factor) == (dollars(7), *[None] * 4)


def test_pulls_without_an_agent_run_are_counted_beside_and_never_mixed_in() -> None:
    plain = merged(9, 0)
    found = period_cost(
        Period.of(OCTOBER), [merged(1, 10), PullSpend(9, 0, {}, plain.closed_at, plain.merged_at)], {}, LATE
    )
    assert (found.merged, found.agent_merged, found.survived, found.direct) == (2, 1, 1, dollars(10))


def test_a_revert_pull_itself_never_counts_as_survivor() -> None:
    at = datetime(2026, 10, 12, tzinfo=UTC)
    revert = PullSpend(6, 1, {OCTOBER.start: dollars(1)}, closed_at=at, merged_at=at, is_revert=True)
    assert period_cost(Period.of(OCTOBER), [merged(1, 10), revert], {}, LATE).survived == 1


@pytest.mark.parametrize(("days", "survived"), [(14, 0), (15, 1)])
def test_a_revert_counts_within_fourteen_days(days: int, survived: int) -> None:
    assert (
        period_cost(Period.of(OCTOBER), [merged(1, 10, reverted_after=timedelta(days=days))], {}, LATE).survived
        == survived
    )


@pytest.mark.parametrize(("day", "provisional"), [(14, True), (15, False)])
def test_a_month_is_provisional_until_fourteen_days_after_its_end(day: int, provisional: bool) -> None:
    now = datetime(2026, 11, day, tzinfo=UTC)
    assert period_cost(Period.of(OCTOBER), [], {}, now).provisional is provisional


amounts = st.integers(0, 10**12).map(NanoUsd)
instants = st.none() | st.integers(0, 150).map(lambda day: datetime(2026, 8, 1, tzinfo=UTC) + timedelta(days=day))
pulls = st.builds(
    lambda spend, closed, was_merged: PullSpend(
        1,
        1,
        {Month(2026, 8 + i).start: amount for i, amount in enumerate(spend)},
        closed,
        closed if was_merged else None,
    ),
    st.lists(amounts, min_size=5, max_size=5),
    instants,
    st.booleans(),
)


@given(st.lists(pulls, max_size=8), st.lists(amounts, min_size=5, max_size=5))
def test_what_is_released_over_all_months_is_all_cost_but_what_is_still_open(
    all_pulls: list[PullSpend], loose: list[NanoUsd]
) -> None:
    months = [Month(2026, 8 + i) for i in range(5)]
    without_pull = dict(zip((month.start for month in months), loose, strict=True))
    found = [period_cost(Period.of(month), all_pulls, without_pull, LATE) for month in months]
    still_open = sum(pull.lifetime for pull in all_pulls if pull.closed_at is None)
    assert sum(month.released for month in found) == sum(month.cost for month in found) - still_open
