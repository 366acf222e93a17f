"""Sums by repository give the metrics that the shares give: for every scope, any months, any instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from app.core.combined import Row, combined, metrics_of_sums
from app.core.metrics import PullFate
from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import Metrics, measure, measure_scopes
from app.core.scope_sums import RepositorySums, ScopeSums, sums_of
from app.core.shares import Dimension, Share
from tests.core.share_samples import DAY, LATE, PERIOD, days, fate, merged, organisations, share

MONTHS = [Month(2026, number) for number in range(7, 13)]
PERIODS = [Period.of(month) for month in MONTHS]


def rolled_up(
    shares: list[Share], pulls: list[PullFate], now: datetime, periods: list[Period] = PERIODS
) -> dict[int, RepositorySums]:
    found = {}
    for here in {each.repository_id for each in pulls} | {each.repository_id for each in shares}:
        near = [
            each
            for each in shares
            if each.repository_id == here or (each.pull is not None and each.pull.repository_id == here)
        ]
        own = [pull for pull in pulls if pull.repository_id == here]
        found[here] = sums_of(here, periods, list(Dimension), near, own, now)
    return found


def metrics(found: dict[int, RepositorySums], dimension: Dimension, at: int, now: datetime) -> dict[str, Metrics]:
    rows = [
        Row(here, sums.merged[at], sums.has_pulls, sums.by_scope[at, dimension]) for here, sums in sorted(found.items())
    ]
    return combined(dimension, PERIODS[at], rows, now)


@pytest.mark.parametrize("dimension", Dimension)
@given(organisation=organisations(), now=days)
def test_the_sums_of_repositories_are_the_metrics_of_shares(
    dimension: Dimension, organisation: Any, now: datetime
) -> None:
    shares, pulls = organisation
    found = rolled_up(shares, pulls, now)
    for at, period in enumerate(PERIODS):
        told = metrics(found, dimension, at, now)
        if dimension is Dimension.ORGANISATION:
            assert told == {"": measure(period, shares, pulls, now)}
        else:
            assert told == measure_scopes(dimension, period, shares, pulls, now)


@given(organisation=organisations(), now=days)
def test_sums_hold_as_long_as_they_say(organisation: Any, now: datetime) -> None:
    shares, pulls = organisation
    for here, sums in rolled_up(shares, pulls, now).items():
        until = sums.holds_until or LATE
        assert until > now
        late = rolled_up(shares, pulls, until - timedelta(microseconds=1))[here]
        assert late.by_scope == sums.by_scope


def test_a_merged_pull_is_pending_until_the_revert_window_is_over() -> None:
    pull = merged(1)
    assert pull.merged_at is not None
    found = rolled_up([share("one", pull, 10)], [pull], pull.merged_at + DAY)
    assert found[1].holds_until == pull.merged_at + 14 * DAY


def test_work_without_a_pull_is_given_up_after_two_weeks() -> None:
    now = datetime(2026, 10, 7, tzinfo=UTC)
    loose = share("one", None, 10)
    assert rolled_up([loose], [], now)[1].holds_until == loose.waits_since + 14 * DAY
    assert rolled_up([share("one", None, 10, tied=True)], [], now)[1].holds_until is None


def test_a_pull_of_another_repository_has_the_money_and_the_run_stays_where_it_ran() -> None:
    pull = fate(1, repository_id=2)
    found = rolled_up([share("one", pull, 10)], [pull], LATE, [PERIOD])
    here, there = (found[each].by_scope[0, Dimension.ORGANISATION][""] for each in (1, 2))
    whole = ScopeSums()
    whole.add(here)
    whole.add(there)
    assert metrics_of_sums(PERIOD, here, 0, LATE).agent_runs == 1
    assert metrics_of_sums(PERIOD, there, 0, LATE).cost.cost == 10
    assert metrics_of_sums(PERIOD, whole, 0, LATE) == measure(PERIOD, [share("one", pull, 10)], [pull], LATE)
