"""Cost enters once and then only moves: every transaction sums to zero, in every month."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from app.core.ledger import Book, Entry, Place, moves, revaluation, usage_entries
from app.core.money import NanoUsd
from app.core.month import Month

UNATTRIBUTED = Place(Book.UNATTRIBUTED)
months = st.sampled_from([Month(2026, 9), Month(2026, 10), Month(2026, 11)])
places = st.sampled_from([UNATTRIBUTED, Place(Book.ABANDONED), Place(Book.PULL, 1), Place(Book.PULL, 2)])
charges = st.dictionaries(months, st.integers(0, 10**12).map(NanoUsd), max_size=3)
targets = st.lists(st.tuples(places, st.integers(0, 5)), min_size=1, max_size=3, unique_by=lambda part: part[0])


def holding_of(entries: list[Entry]) -> dict[tuple[Place, Month], NanoUsd]:
    held: Counter[tuple[Place, Month]] = Counter()
    for entry in entries:
        held[entry.place, entry.month] += entry.amount
    return {key: NanoUsd(amount) for key, amount in held.items() if amount}


@given(charges, st.lists(targets, max_size=6))
def test_whatever_moves_are_made_nothing_is_lost_or_made(
    by_month: dict[Month, NanoUsd], all_targets: list[list[tuple[Place, int]]]
) -> None:
    entries = usage_entries(by_month)
    for target in all_targets:
        entries += moves(holding_of(entries), target)
    held = holding_of(entries)
    for month, amount in by_month.items():
        assert sum(v for (place, m), v in held.items() if m == month and place.book is not Book.USAGE) == amount
        assert sum(v for (_, m), v in held.items() if m == month) == 0


@given(charges, targets)
def test_a_move_that_was_made_is_not_made_again(
    by_month: dict[Month, NanoUsd], target: list[tuple[Place, int]]
) -> None:
    entries = usage_entries(by_month)
    entries += moves(holding_of(entries), target)
    assert moves(holding_of(entries), target) == []


def test_a_move_keeps_the_month_of_the_charge() -> None:
    entries = usage_entries({Month(2026, 10): NanoUsd(5)})
    assert moves(holding_of(entries), [(Place(Book.PULL, 1), 1)]) == [
        Entry(Place(Book.PULL, 1), Month(2026, 10), NanoUsd(5)),
        Entry(UNATTRIBUTED, Month(2026, 10), NanoUsd(-5)),
    ]


@given(charges, st.lists(targets, max_size=3), st.lists(charges, max_size=4), targets)
def test_whatever_charges_come_to_cost_nothing_is_lost_and_no_place_falls_below_zero(
    by_month: dict[Month, NanoUsd],
    all_targets: list[list[tuple[Place, int]]],
    later: list[dict[Month, NanoUsd]],
    homes: list[tuple[Place, int]],
) -> None:
    entries = usage_entries(by_month)
    for target in all_targets:
        entries += moves(holding_of(entries), target)
    now = by_month
    for then in later:
        by = {month: NanoUsd(then.get(month, 0) - now.get(month, 0)) for month in now.keys() | then.keys()}
        made = revaluation(holding_of(entries), homes, by)
        assert sum(entry.amount for entry in made) == 0
        entries, now = entries + made, then
        held = holding_of(entries)
        for month in by:
            cost = now.get(month, 0)
            assert held.get((Place(Book.USAGE), month), 0) == -cost
            assert sum(v for (place, m), v in held.items() if m == month and place.book is not Book.USAGE) == cost
        assert all(amount > 0 for (place, _), amount in held.items() if place.book is not Book.USAGE)


def test_a_difference_goes_where_the_months_cost_sits_by_share() -> None:
    month, one, two = Month(2026, 10), Place(Book.PULL, 1), Place(Book.PULL, 2)
    holding = {(one, month): NanoUsd(30), (two, month): NanoUsd(10), (Place(Book.USAGE), month): NanoUsd(-40)}
    assert revaluation(holding, [(UNATTRIBUTED, 1)], {month: NanoUsd(-8)}) == [
        Entry(Place(Book.USAGE), month, NanoUsd(8)),
        Entry(one, month, NanoUsd(-6)),
        Entry(two, month, NanoUsd(-2)),
    ]


def test_a_difference_of_a_month_that_sits_nowhere_goes_home() -> None:
    month, home = Month(2026, 10), Place(Book.PULL, 7)
    assert revaluation({(UNATTRIBUTED, Month(2026, 9)): NanoUsd(1)}, [(home, 1)], {month: NanoUsd(5)}) == [
        Entry(Place(Book.USAGE), month, NanoUsd(-5)),
        Entry(home, month, NanoUsd(5)),
    ]


def test_no_difference_makes_no_entries() -> None:
    assert revaluation({}, [(UNATTRIBUTED, 1)], {Month(2026, 10): NanoUsd(0)}) == []
