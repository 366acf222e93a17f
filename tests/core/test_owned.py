"""Whose a repository was over a month, and what CODEOWNERS and teams hint at."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.owned import held_in
from app.core.chargeback.ownership import Basis, Owner, PropertyValues
from app.core.codeowners import code_owners
from app.core.facts import TeamRole
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.owners_table import Owned, owners_lines
from app.core.team_hints import TeamHint, leading
from tests.core.test_ownership import histories, ownership, run, since

OCTOBER = Month(2026, 10)
MOVED = datetime(2026, 10, 15, 12, 30, 5, tzinfo=UTC)
CORE, PAYMENTS = Owner("core", Basis.PROPERTY), Owner("payments", Basis.PROPERTY)


def test_a_repository_that_moved_has_both_with_the_instant() -> None:
    known = ownership(since((datetime(2026, 1, 1, tzinfo=UTC), "core"), (MOVED, "PAY")))
    assert [(each.owner, each.start, each.end) for each in held_in(known, 1, "widgets", OCTOBER)] == [
        (CORE, None, MOVED), (PAYMENTS, MOVED, None),
    ]  # fmt: skip
    for month, owner in ((OCTOBER.previous, CORE), (OCTOBER.next, PAYMENTS)):
        assert [(each.owner, each.start) for each in held_in(known, 1, "widgets", month)] == [(owner, None)]


def test_a_rule_s_day_is_an_instant_of_change_and_a_change_to_the_same_is_none() -> None:
    day = datetime(2026, 10, 15, tzinfo=UTC)
    [first, second] = held_in(ownership(), 1, "ledger", OCTOBER)
    assert (first.owner.cost_center, first.end, second.owner.cost_center, second.start) == (
        "core", day, "ledgers", day,
    )  # fmt: skip
    [whole] = held_in(ownership(since((MOVED - timedelta(5), "PAY"), (MOVED, "payments"))), 1, "widgets", OCTOBER)
    assert (whole.owner, whole.start, whole.end) == (PAYMENTS, None, None)


@given(histories, st.integers(0, 31 * 24 - 1))
def test_at_any_instant_one_owner_holds_a_repository_as_its_agent_runs_find_it(
    history: dict[int, PropertyValues], hour: int
) -> None:
    at = OCTOBER.start + timedelta(hours=hour)
    known = ownership(history)
    held = held_in(known, 1, "ledger", OCTOBER)
    [now] = [each for each in held if (each.start is None or each.start <= at) and (each.end is None or at < each.end)]
    found = known.owner_of(run(repository="ledger", agent="", workflow="", at=at))
    assert (now.owner.cost_center, now.owner.basis) == (found.cost_center, found.basis)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* @acme/payments", ("@acme/payments",)),
        ("# who\n\n*   @acme/payments @ada  # both\n/docs/ @bob", ("@acme/payments", "@ada")),
        ("* @old\n* @new", ("@new",)),
        ("/src/ @ada\n/src/a @ada @bob\n/docs @eve", ("@ada", "@bob", "@eve")),
        ("* ada@example.com", ()),
        ("* @a @b @c @d", ("@a", "@b", "@c")),
        ("[Section]\n* @acme/core", ("@acme/core",)),
        ("", ()),
        ("*", ()),
        ("* @<script> @acme/a/b @", ()),
        ("* @ada\r\n", ("@ada",)),
    ],
)
def test_the_owners_of_everything_are_read(text: str, expected: tuple[str, ...]) -> None:
    assert code_owners(text) == expected


@given(st.text())
def test_any_file_gives_few_short_names(text: str) -> None:
    found = code_owners(text)
    assert len(found) <= 3
    assert all(each.startswith("@") and len(each) < 210 and each.isprintable() for each in found)


def test_the_table_shows_both_parts_of_a_repository_that_moved_and_what_nobody_owns() -> None:
    known = ownership(since((datetime(2026, 1, 1, tzinfo=UTC), "core"), (MOVED, "PAY")))
    first, second = held_in(known, 1, "widgets", OCTOBER)
    lines = owners_lines(
        "acme, 2026-10",
        [
            Owned("acme/widgets", "core", Basis.PROPERTY, (first,), (), NanoUsd(12_500_000_000), 3),
            Owned("acme/widgets", "payments", Basis.PROPERTY, (second,), ("alice", "bob"), NanoUsd(500_000_000), 1),
            Owned("acme/widgets", "shared:bots", Basis.POOL, (), (), NanoUsd(7_000_000), 1_000),
            Owned("", "unassigned", Basis.NOTHING, (), (), NanoUsd(1_000_000_000), 2, ("@acme/core",)),
        ],
    )
    assert lines[3].split() == [
        "acme/widgets", "core", "until", "2026-10-15", "12:30:05", "property", "value", "–", "$12.50", "3",
    ]  # fmt: skip
    assert "from 2026-10-15 12:30:05   property value  @alice @bob " in lines[4]
    assert "shared:bots  by agent run" in lines[5]
    assert lines[6].endswith("2  CODEOWNERS says @acme/core")
    assert "Unassigned: $1.00 of $14.01." in lines


ADMIN, MAINTAIN, WRITE = (partial(TeamHint, role=role) for role in TeamRole)


@pytest.mark.parametrize(
    ("teams", "expected"),
    [
        ([], ()),
        ([WRITE("a/w"), MAINTAIN("a/m"), ADMIN("a/z"), ADMIN("a/b")], (ADMIN("a/b"), ADMIN("a/z"), MAINTAIN("a/m"))),
        ([WRITE("a/w"), MAINTAIN("a/m")], (MAINTAIN("a/m"),)),
        ([WRITE("a/w"), WRITE("a/b")], (WRITE("a/b"), WRITE("a/w"))),
    ],
)
def test_teams_that_may_run_a_repository_come_before_those_that_may_write(
    teams: list[TeamHint], expected: tuple[TeamHint, ...]
) -> None:
    assert leading(teams) == expected


@pytest.mark.parametrize(
    ("code_owners", "teams", "hint"),
    [
        ((), (), "1"),
        (("@acme/core",), (ADMIN("acme/core"),), "1  CODEOWNERS says @acme/core; teams: @acme/core (admin)"),
        ((), (ADMIN("acme/a"), MAINTAIN("acme/b")), "1  teams: @acme/a (admin), @acme/b (maintain)"),
        ((), tuple(WRITE(f"acme/{n}") for n in "abcde"),
         "1  teams: @acme/a (write), @acme/b (write), @acme/c (write) and 2 more"),
        ((), (ADMIN("acme/\x1b[31ma\nb\u202e" + "x" * 90),), f"1  teams: @acme/[31ma b{'x' * 67}… (admin)"),
    ],
)  # fmt: skip
def test_hints_stand_beside_each_other_and_show_what_is_visible(
    code_owners: tuple[str, ...], teams: tuple[TeamHint, ...], hint: str
) -> None:
    owned = Owned("acme/a", "unassigned", Basis.NOTHING, (), (), NanoUsd(0), 1, code_owners, teams)
    line = owners_lines("acme", [owned])[3]
    assert line.isprintable()
    assert line.endswith("  " + hint)
