"""Token yield against the worked example of the definitions, its nine rules in their order, and its laws."""

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.metrics import PullFate
from app.core.month import Month
from app.core.period import Period
from app.core.shares import Share
from app.core.usage import Completeness, Purpose, Tokens
from app.core.yields import Dead, ShareClass, class_of, dead_because, yields_of
from tests.core.share_samples import DAY, IN_OCTOBER, LATE, PERIOD, days, fate, merged, organisations, share

REVERTED = merged(3, reverted_at=merged(3).merged_at + 3 * DAY)  # type: ignore[operator]
REJECTED = fate(4, closed_at=IN_OCTOBER)
OPEN = fate(5)
THOUSAND = 1_000


def output(count: int) -> Tokens:
    return Tokens(output=count * THOUSAND)


EXAMPLE_B = [
    *(share(f"productive-{n}", merged(1), tokens=output(60)) for n in range(10)),
    *(share(f"support-{n}", merged(1), tokens=output(10), purpose=Purpose.REVIEW) for n in range(10)),
    share("retry", merged(1), tokens=output(80), retried=True),
    share("rejected", REJECTED, tokens=output(60)),
    share("abandoned", None, tokens=output(100)),
    share("reverted", REVERTED, tokens=output(60)),
    share("pending", OPEN, tokens=output(200)),
    share("unknown", merged(1), tokens=output(50), completeness=Completeness.ESTIMATED),
]


def classed(shares: list[Share], now: datetime = LATE) -> list[tuple[Share, ShareClass]]:
    return [(each, class_of(each, now)) for each in shares]


def test_example_b_to_the_digit() -> None:
    found = yields_of(classed(EXAMPLE_B), PERIOD)
    assert found.generated == Fraction(70, 100)
    assert found.coverage == Fraction(96, 100)
    assert {kind.value: part.output_tokens // THOUSAND for kind, part in found.classes.items()} == {
        "productive": 600, "support": 100, "superseded_retry": 80, "rejected": 60, "abandoned": 100, "reverted": 60,
        "pending": 200, "unknown": 50, "failed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pull", "facts", "expected"),
    [
        (merged(1), {"completeness": Completeness.MISSING, "retried": True}, ShareClass.UNKNOWN),
        (None, {"tied": True}, ShareClass.UNKNOWN),
        (merged(1), {"retried": True, "failed": True}, ShareClass.SUPERSEDED_RETRY),
        (merged(1), {"retried": True, "kept": True}, ShareClass.PRODUCTIVE),
        (REJECTED, {"failed": True}, ShareClass.FAILED),
        (merged(1), {"failed": True, "kept": True}, ShareClass.PRODUCTIVE),
        (REJECTED, {}, ShareClass.REJECTED),
        (None, {}, ShareClass.ABANDONED),
        (REVERTED, {"purpose": Purpose.REVIEW}, ShareClass.REVERTED),
        (OPEN, {}, ShareClass.PENDING),
        (merged(1, is_revert=True), {}, ShareClass.PENDING),
        (merged(1, tracked=False), {}, ShareClass.PENDING),
        (merged(1), {"purpose": Purpose.REVIEW}, ShareClass.SUPPORT),
        (merged(1), {"purpose": Purpose.TRIAGE}, ShareClass.SUPPORT),
        (merged(1), {"purpose": Purpose.CI_FIX}, ShareClass.SUPPORT),
        (merged(1), {"purpose": Purpose.AUTHOR}, ShareClass.PRODUCTIVE),
        (merged(1), {"purpose": Purpose.OTHER}, ShareClass.PRODUCTIVE),
        (merged(1), {"completeness": Completeness.LOWER_BOUND}, ShareClass.PRODUCTIVE),
    ],
)
def test_the_first_rule_that_fits_wins(pull: PullFate | None, facts: dict[str, Any], expected: ShareClass) -> None:
    assert class_of(share("run", pull, **facts), LATE) is expected


@pytest.mark.parametrize(
    ("after", "expected"), [(13.9, ShareClass.PENDING), (14, ShareClass.ABANDONED)], ids=["before", "at"]
)
def test_work_without_a_pull_is_abandoned_after_fourteen_days(after: float, expected: ShareClass) -> None:
    assert class_of(share("run"), IN_OCTOBER + timedelta(days=after)) is expected


@pytest.mark.parametrize(
    ("after", "expected"), [(13.9, ShareClass.PENDING), (14, ShareClass.PRODUCTIVE)], ids=["before", "at"]
)
def test_merged_work_is_pending_until_a_revert_comes_too_late(after: float, expected: ShareClass) -> None:
    pull = merged(1)
    assert pull.merged_at is not None
    assert class_of(share("run", pull), pull.merged_at + timedelta(days=after)) is expected


def test_a_revert_after_the_window_changes_no_class() -> None:
    late = merged(3, reverted_at=merged(3).merged_at + 15 * DAY)  # type: ignore[operator]
    assert class_of(share("run", late), LATE) is ShareClass.PRODUCTIVE


@pytest.mark.parametrize(
    ("tokens", "agent_runs", "coverage"),
    [(20, 10, Fraction(80, 100)), (21, 10, Fraction(79, 100)), (1, 4, Fraction(75, 100))],
)
def test_below_eighty_percent_there_is_no_figure(tokens: int, agent_runs: int, coverage: Fraction) -> None:
    known = [share(f"run-{n}", merged(1), tokens=Tokens(output=0)) for n in range(agent_runs - 2)]
    known.append(share("much", merged(1), tokens=Tokens(output=100 - tokens)))
    unknown = share("lost", merged(1), tokens=Tokens(output=tokens), completeness=Completeness.ESTIMATED)
    found = yields_of(classed([*known, unknown]), PERIOD)
    assert found.coverage == coverage
    assert found.insufficient is (coverage < Fraction(4, 5))
    assert (found.generated is None) is found.insufficient


def test_agent_runs_without_usage_lower_the_coverage_though_they_have_no_tokens() -> None:
    lost = [share(f"lost-{n}", merged(1), completeness=Completeness.MISSING) for n in range(3)]
    found = yields_of(classed([share("run", merged(1), tokens=output(1)), *lost]), PERIOD)
    assert (found.coverage, found.generated) == (Fraction(1, 4), None)


def test_without_agent_runs_there_is_neither_yield_nor_coverage() -> None:
    found = yields_of([], PERIOD)
    assert (found.coverage, found.generated, found.consumed, found.cost, found.insufficient) == (*[None] * 4, False)


def test_a_tie_is_dead_spend_that_is_unattributed_however_old_it_is() -> None:
    assert dead_because(share("run", None, tied=True), LATE) is Dead.UNATTRIBUTED


def test_estimated_usage_on_a_rejected_pull_is_dead_spend_all_the_same() -> None:
    assert dead_because(share("run", REJECTED, completeness=Completeness.ESTIMATED), LATE) is Dead.REJECTED


PERIODS = st.sampled_from([Period.of(Month(2026, month)) for month in (8, 9, 10, 11)])


@given(organisations(), PERIODS, days)
def test_the_classes_partition_what_was_used(organisation: Any, period: Period, now: datetime) -> None:
    shares, _ = organisation
    parts = yields_of(classed(shares, now), period).classes
    used = [piece for each in shares for piece in each.pieces if piece.at in period]
    assert set(parts) == set(ShareClass)
    assert sum(part.output_tokens for part in parts.values()) == sum(piece.tokens.output for piece in used)
    assert sum(part.tokens for part in parts.values()) == sum(piece.tokens.total for piece in used)
    assert sum(part.cost for part in parts.values()) == sum(piece.cost for piece in used)


@given(organisations(), PERIODS, days)
def test_yields_and_coverage_are_shares_of_one_or_nothing(organisation: Any, period: Period, now: datetime) -> None:
    found = yields_of(classed(organisation[0], now), period)
    for figure in (found.coverage, found.generated, found.consumed, found.cost):
        assert figure is None or 0 <= figure <= 1


@given(organisations(), PERIODS, st.randoms())
def test_the_order_of_shares_does_not_matter(organisation: Any, period: Period, random: Any) -> None:
    shares, _ = organisation
    mixed = random.sample(shares, len(shares))
    assert yields_of(classed(mixed), period) == yields_of(classed(shares), period)


@given(organisations(), days)
def test_what_is_dead_by_its_class_has_that_reason(organisation: Any, now: datetime) -> None:
    for each in organisation[0]:
        kind = class_of(each, now)
        if kind.value in set(Dead):
            assert dead_because(each, now) == kind.value
        elif kind in {ShareClass.SUPPORT, ShareClass.PRODUCTIVE}:
            assert dead_because(replace(each, tied=False), now) is None
