"""Entries become lines: sums by place, and proofs that hold for these entries alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.gathered import ENTRY, FIELD, Gathered, RunKnown, kind_of, places_of
from app.core.chargeback.ownership import Basis, Owner
from app.core.chargeback.statement import Kind, Line
from app.core.month import Month

HOME, OTHER = 5, 6
PAYMENTS = Owner("payments", Basis.REPOSITORY)
COVERED = Owner("payments", Basis.REPOSITORY, "Seats")
OCTOBER = Month(2026, 10)
BOOKS = st.sampled_from(["unattributed", "pull", "abandoned", "overhead"])


def entry(number: int, book: str, amount: int, repository_id: int = HOME, pull: int = 0, reason: str = "r") -> str:
    fields = (number, "t", book, repository_id, pull, "run", 202610, amount, 1, reason)
    return FIELD.join(map(str, fields))


def known(owner: Owner = PAYMENTS, *models: tuple[str, int], home: int = HOME) -> RunKnown:
    return RunKnown(home, "claude-code", owner, models or (("opus", 1),))


def lines(*runs: tuple[str, RunKnown]) -> tuple[Line, ...]:
    gathered = Gathered()
    for text, run in runs:
        gathered.add(HOME, text, run)
    return gathered.states({HOME: "acme/widgets"}).lines_of("payments")


RECORDED = ENTRY.join([entry(1, "usage", -90), entry(2, "unattributed", 90)])
MOVED = ENTRY.join([RECORDED, entry(3, "unattributed", -90), entry(4, "pull", 90, pull=7)])


def test_cost_stands_where_it_sits() -> None:
    (line,) = lines((MOVED, known()), (RECORDED.replace("90", "10"), known()))[:1]
    assert (line.book, line.number, line.amount, line.agent_runs, line.proof.entries) == ("pull", 7, 90, 1, 4)


def test_a_line_is_told_by_agent_and_model() -> None:
    (line,) = lines((RECORDED, known(PAYMENTS, ("opus", 60), ("haiku", 30))))
    assert [(part.model, part.amount) for part in line.parts] == [("opus", 60), ("haiku", 30)]


def test_what_a_subscription_covers_is_shown_and_not_an_amount() -> None:
    (line,) = lines((RECORDED, known(COVERED)))
    assert (line.amount, line.covered, line.agent_runs) == (0, 90, 1)
    assert (line.parts[0].amount, line.parts[0].covered) == (0, 90)


def test_what_has_left_a_repository_is_proven_there_and_counts_elsewhere() -> None:
    gone = ENTRY.join([entry(1, "usage", -90), entry(2, "unattributed", 90), entry(3, "unattributed", -90)])
    (line,) = lines((gone, known()))
    assert (line.book, line.amount, line.agent_runs, line.proof.entries) == ("unattributed", 0, 0, 3)


def test_entries_in_another_order_give_the_same_proof() -> None:
    backwards = ENTRY.join(reversed(MOVED.split(ENTRY)))
    assert places_of(backwards) == places_of(MOVED)


@given(st.lists(st.tuples(BOOKS, st.integers(-(10**12), 10**12), st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_lines_sum_to_their_entries_and_each_entry_matters(moves: list[tuple[str, int, int]], data: Any) -> None:
    entries = [entry(at, book, amount, pull=pull) for at, (book, amount, pull) in enumerate(moves, 1)]
    text = ENTRY.join(entries)
    found = lines((text, known()))
    assert sum(line.amount for line in found) == sum(amount for _, amount, _ in moves)
    assert all(sum(part.amount for part in line.parts) == line.amount for line in found)
    at = data.draw(st.integers(0, len(text) - 1))
    if text[at] in "0123456789" and (flipped := data.draw(st.sampled_from("0123456789"))) != text[at]:
        try:
            other = lines((text[:at] + flipped + text[at + 1 :], known()))
        except ValueError:
            return
        assert {line.proof.sha256 for line in other} != {line.proof.sha256 for line in found}


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [
        ({("usage", "recorded"), ("unattributed", "recorded")}, Kind.LATE),
        ({("usage", "recorded"), ("usage", "repriced")}, Kind.LATE),
        ({("usage", "repriced"), ("pull", "repriced")}, Kind.REPRICED),
        ({("pull", "moved"), ("unattributed", "moved")}, Kind.REATTRIBUTED),
    ],
)
def test_why_an_earlier_month_is_stated_now(reasons: set[tuple[str, str]], kind: Kind) -> None:
    assert kind_of(reasons) == kind


def test_adjustments_are_told_by_month_kind_and_place() -> None:
    gathered = Gathered()
    gathered.adjust(RECORDED, known(), OCTOBER)
    gathered.adjust(RECORDED, known(), OCTOBER)
    (found,) = gathered.states({}).adjustments_of("payments")
    assert (found.original, found.kind, found.amount, found.agent_runs) == (OCTOBER, Kind.REPRICED, 180, 2)
    assert gathered.late == 180
