"""Which month states a ledger entry: exactly one, whatever comes late, and for ever the same."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.periods import (
    FOLLOWS,
    Mark,
    StatementState,
    closes_at,
    coverage,
    is_early,
    is_over,
    next_to_close,
    stated_in,
)
from app.core.month import Month

FIRST = Month(2026, 1)
OCTOBER = Month(2026, 10)
MARKS = st.lists(st.integers(0, 60), max_size=6).map(
    lambda until: [Mark(month, mark) for month, mark in zip(FIRST.until(Month(2026, 6)), sorted(until), strict=False)]
)
CHARGED = st.integers(0, 9).map(lambda after: FIRST.until(Month(2026, 12))[after])
ENTRY = st.integers(1, 80)


def covers(month: Month, marks: list[Mark], charge_month: Month, entry_id: int) -> bool:
    """Whether a month's coverage has an entry, as the store asks the database."""
    own = coverage(month, marks)
    until = own.until if own.until is not None else 10**9
    if charge_month == month:
        return entry_id <= until
    return charge_month < month and own.after < entry_id <= until


@given(MARKS, CHARGED, ENTRY)
def test_exactly_one_month_states_an_entry(marks: list[Mark], charge_month: Month, entry_id: int) -> None:
    months = FIRST.until(Month(2027, 6))
    stating = [month for month in months if coverage(month, marks).until is not None or _is_open(month, marks)]
    found = [month for month in stating if covers(month, marks, charge_month, entry_id)]
    wanted = stated_in(charge_month, entry_id, marks)
    if coverage(wanted, marks).until is None and wanted > _open(marks):
        assert found == []  # its month has not come yet
    else:
        assert found == [wanted]


def _open(marks: list[Mark]) -> Month:
    return marks[-1].month.next if marks else FIRST


def _is_open(month: Month, marks: list[Mark]) -> bool:
    return month == _open(marks)


@given(MARKS, CHARGED, ENTRY, st.integers(0, 20))
def test_what_a_closed_month_states_never_changes(
    marks: list[Mark], charge_month: Month, entry_id: int, more: int
) -> None:
    before = stated_in(charge_month, entry_id, marks)
    if coverage(before, marks).until is None:
        return  # it is in no closed month yet
    last = marks[-1]
    later = [*marks, Mark(last.month.next, last.ledger_until + more)]
    assert stated_in(charge_month, entry_id, later) == before


def test_the_first_month_that_closes_is_the_first_with_anything() -> None:
    assert next_to_close(None, []) is None
    assert next_to_close(OCTOBER, []) == OCTOBER
    assert next_to_close(FIRST, [Mark(OCTOBER, 7)]) == OCTOBER.next


def test_a_month_is_over_in_the_books_and_for_people() -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC)
    assert not is_over(OCTOBER, end - timedelta(seconds=1), "Pacific/Auckland")
    assert is_over(OCTOBER, end, "Pacific/Auckland")
    assert not is_over(OCTOBER, end, "America/Los_Angeles")
    assert is_over(OCTOBER, end + timedelta(hours=7), "America/Los_Angeles")


def test_before_day_eight_it_is_early() -> None:
    assert is_early(OCTOBER, datetime(2026, 11, 7, 23, 59, tzinfo=UTC))
    assert not is_early(OCTOBER, datetime(2026, 11, 8, tzinfo=UTC))


def test_a_month_closes_in_the_morning_of_its_day_there() -> None:
    assert closes_at(OCTOBER, 10, "Europe/Berlin") == datetime(2026, 11, 10, 5, tzinfo=UTC)
    assert closes_at(Month(2026, 12), 10, "UTC") == datetime(2027, 1, 10, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "follows"),
    [
        ("issued", {"accepted", "disputed"}),
        ("accepted", {"posted"}),
        ("disputed", {"replaced"}),
        ("replaced", set()),
        ("posted", {"accepted"}),
    ],
)
def test_what_may_follow_a_statements_state(state: str, follows: set[str]) -> None:
    assert FOLLOWS[StatementState(state)] == follows
