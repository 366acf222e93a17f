"""Metrics of a scope against the worked example of the definitions, and the laws that every choice of shares keeps."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.definitions import DEFINITIONS
from app.core.metrics import PullFate
from app.core.money import NANO_PER_USD, NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import measure, measure_scopes, trend_months
from app.core.shares import Dimension, Piece, Share
from app.core.size_bands import by_band
from app.core.usage import Purpose, Tokens
from app.core.yields import Dead
from tests.core.share_samples import DAY, IN_OCTOBER, LATE, OCTOBER, PERIOD, days, fate, merged, organisations, share

CONCEPTS = Path(__file__).resolve().parents[2] / "docs" / "concepts.md"


def dollars(amount: float) -> NanoUsd:
    return NanoUsd(round(amount * NANO_PER_USD))


def example_a() -> tuple[list[Share], list[PullFate]]:
    reverted = merged(3, reverted_at=datetime(2026, 10, 13, tzinfo=UTC))
    closed = fate(4, closed_at=datetime(2026, 10, 20, tzinfo=UTC))
    pulls = [merged(1), merged(2), reverted, closed, fate(5)]
    costs = (10, 14, 6, 8, 5)
    shares = [share(f"run-{pull.number}", pull, dollars(cost)) for pull, cost in zip(pulls, costs, strict=True)]
    return [*shares, share("run-6", None, dollars(7))], pulls


@pytest.mark.parametrize("now", [datetime(2026, 10, 21, tzinfo=UTC), LATE], ids=["when it was new", "later"])
def test_example_a_to_the_nano_dollar(now: datetime) -> None:
    shares, pulls = example_a()
    found = measure(PERIOD, shares, pulls, now)
    assert found.cost.cost == dollars(50)
    assert found.cost.period == dollars(22.50)
    assert found.cost.cohort == dollars(15)
    assert found.cost.direct == dollars(12)
    assert found.cost.load_factor == Decimal("1.875")
    assert found.dead_total == dollars(21)
    assert (found.dead[Dead.REVERTED], found.dead[Dead.REJECTED]) == (dollars(6), dollars(8))
    assert found.dead[Dead.UNATTRIBUTED] + found.dead[Dead.ABANDONED] == dollars(7)
    assert found.cost.without_pull == dollars(7)


def test_a_period_of_days_takes_only_what_was_used_in_it() -> None:
    week = Period.between(date(2026, 10, 5), date(2026, 10, 11))
    halves = (
        Piece(datetime(2026, 10, 1, tzinfo=UTC), dollars(3), Tokens(output=30)),
        Piece(week.start, dollars(4), Tokens(output=40)),
    )
    found = measure(week, [share("run", merged(1), pieces=halves)], [merged(1)], LATE)
    assert (found.cost.cost, found.cost.released, found.cost.direct) == (dollars(4), dollars(7), dollars(7))
    assert found.tokens.output == 40
    assert str(week) == "2026-10-05 to 2026-10-11"


def test_shares_of_the_month_are_told_as_ratios() -> None:
    shares = [
        share("first", merged(1), dollars(2), retried=True, tokens=Tokens(input=10, cache_read=90)),
        share("second", merged(1), dollars(6), attempt=2, tokens=Tokens(input=70, cache_read=30)),
        share("review", merged(1), dollars(2), purpose=Purpose.REVIEW),
    ]
    found = measure(PERIOD, shares, [merged(1)], LATE)
    assert found.retry_tax == Fraction(2, 10)
    assert found.cache_read_share == Fraction(120, 200)
    assert found.support_share == Fraction(2, 8)
    assert found.dead[Dead.SUPERSEDED_RETRY] == dollars(2)


def test_a_scope_without_anything_has_no_figure_and_divides_by_nothing() -> None:
    found = measure(PERIOD, [], [], LATE)
    figures = (found.cost.period, found.cost.load_factor, found.retry_tax, found.cache_read_share, found.support_share)
    assert figures == (None,) * 5
    assert (found.dead_total, found.by_size) == (0, ())


@pytest.mark.parametrize(
    ("costs", "median", "p90"),
    [([7], 7, 7), ([1, 2], 2, 2), ([1, 3], 2, 3), (list(range(1, 11)), 6, 9), (list(range(1, 12)), 6, 10)],
)
def test_median_and_ninetieth_percentile_of_a_band(costs: list[int], median: int, p90: int) -> None:
    [band] = by_band([(12, NanoUsd(cost)) for cost in costs])
    assert (band.band, band.pulls, band.median, band.p90) == ("S", len(costs), median, p90)


def test_pulls_are_told_apart_by_size_and_one_of_unknown_size_is_never_guessed() -> None:
    sizes = [0, 9, 10, 99, 100, 499, 500, 1000, 10**6, None]
    found = {each.band: each.pulls for each in by_band([(size, NanoUsd(1)) for size in sizes])}
    assert found == {"XS": 2, "S": 1, "M": 1, "L": 2, "XL": 1, "XXL": 2, "unknown": 1}


def test_only_surviving_pulls_that_merged_in_the_period_have_a_size() -> None:
    shares, pulls = example_a()
    [band] = measure(PERIOD, shares, pulls, LATE).by_size
    assert (band.band, band.pulls, band.median, band.p90) == ("S", 2, dollars(12), dollars(14))


def test_a_trend_is_six_months_and_the_last_one_is_the_asked() -> None:
    shares, pulls = example_a()
    found = [measure(Period.of(month), shares, pulls, LATE) for month in trend_months(OCTOBER)]
    assert [str(each.period) for each in found] == [f"2026-{month:02}" for month in range(5, 11)]
    assert [each.cost.cost for each in found] == [*[0] * 5, dollars(50)]


def test_a_month_is_provisional_until_reverts_come_too_late() -> None:
    shares, pulls = example_a()
    assert measure(PERIOD, shares, pulls, PERIOD.end + 13 * DAY).provisional
    assert not measure(PERIOD, shares, pulls, PERIOD.end + 14 * DAY).provisional


def test_the_same_pull_number_in_two_repositories_is_two_pulls() -> None:
    other = PullFate(2, 1, merged(1).closed_at, merged(1).merged_at)
    shares = [share("one", merged(1), 10), share("two", other, 30, repository_id=2)]
    found = measure_scopes(Dimension.REPOSITORY, PERIOD, shares, [merged(1), other], LATE)
    assert {key: each.cost.direct for key, each in found.items()} == {"1": 10, "2": 30}


def test_a_repository_whose_pulls_merge_without_agents_is_counted_too() -> None:
    found = measure_scopes(Dimension.REPOSITORY, PERIOD, [], [merged(1)], LATE)
    assert (found["1"].cost.merged, found["1"].cost.agent_merged) == (1, 0)


@pytest.mark.parametrize("dimension", Dimension)
@given(organisation=organisations(), now=days)
def test_what_scopes_cost_adds_up_to_the_whole(dimension: Dimension, organisation: Any, now: datetime) -> None:
    shares, pulls = organisation
    whole = measure(PERIOD, shares, pulls, now)
    parts = measure_scopes(dimension, PERIOD, shares, pulls, now).values()
    assert sum(each.cost.cost for each in parts) == whole.cost.cost
    assert sum(each.cost.released for each in parts) == whole.cost.released
    assert sum(each.dead_total for each in parts) == whole.dead_total
    assert sum((each.tokens for each in parts), Tokens()) == whole.tokens


@given(organisations(), days)
def test_dead_spend_and_the_rest_are_all_cost(organisation: Any, now: datetime) -> None:
    shares, pulls = organisation
    found = measure(PERIOD, shares, pulls, now)
    assert 0 <= found.dead_total <= found.cost.cost
    assert sum(part.cost for part in found.yields.classes.values()) == found.cost.cost


@given(organisations(), st.randoms(), days)
def test_the_order_of_facts_does_not_matter(organisation: Any, random: Any, now: datetime) -> None:
    shares, pulls = organisation
    mixed = random.sample(shares, len(shares)), random.sample(pulls, len(pulls))
    assert measure(PERIOD, *mixed, now=now) == measure(PERIOD, shares, pulls, now)


@given(organisations(), days)
def test_every_ratio_is_a_share_of_one_or_nothing(organisation: Any, now: datetime) -> None:
    shares, pulls = organisation
    found = measure(PERIOD, shares, pulls, now)
    for figure in (found.cache_read_share, found.retry_tax, found.support_share):
        assert figure is None or 0 <= figure <= 1


@given(organisations(), days)
def test_two_halves_of_a_period_cost_what_the_whole_does(organisation: Any, now: datetime) -> None:
    shares, pulls = organisation
    halves = (
        Period.between(date(2026, 10, 1), date(2026, 10, 13)),
        Period.between(date(2026, 10, 14), date(2026, 10, 31)),
    )
    found = [measure(half, shares, pulls, now) for half in halves]
    whole = measure(PERIOD, shares, pulls, now)
    assert sum(each.cost.cost for each in found) == whole.cost.cost
    assert sum(each.cost.released for each in found) == whole.cost.released


def test_the_table_of_definitions_in_the_documents_is_the_one_in_force() -> None:
    row = r"^\| `([a-z_0-9]+)` \| (.+?) \| (.+?) \| (.+?) \| (\d+) \|$"
    rows = re.findall(row, CONCEPTS.read_text("utf-8"), re.MULTILINE)
    ours = [(each.id, each.name, each.formula, each.unit, str(each.version)) for each in DEFINITIONS]
    assert rows == ours


@pytest.mark.parametrize("bounds", [(IN_OCTOBER, PERIOD.end), (PERIOD.end, PERIOD.start), (PERIOD.end, PERIOD.end)])
def test_a_period_that_is_not_whole_days_is_refused(bounds: tuple[datetime, datetime]) -> None:
    with pytest.raises(ValueError, match="whole days"):
        Period(*bounds)


def test_a_month_is_written_as_a_month() -> None:
    assert str(Period.of(Month(2026, 10))) == "2026-10"
