"""An adjustment by hand is entered once, into the month that is open; what cannot be one is refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.by_hand import ByHand, NoSuchAdjustmentError, amount_in
from app.core.chargeback.periods import PeriodState
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.adjustments import adjustments_of
from app.store.database import Database
from app.stories.adjust import NotAdjustedError, adjust
from app.world import World
from tests.core.statement_samples import line, statement, usd
from tests.engine.play import rows, world_of
from tests.stories.closed_months import ACCOUNT, NOW, close, install, issued, named

SEPTEMBER = Month(2026, 9)
TRANSFER = ByHand(SEPTEMBER, "web", usd("12.34"), "their pull", "ticket 7", giver="api")


@pytest.fixture
def world(database: Database) -> World:
    """August and September have closed, October begins to close: November is open."""
    install(database)
    close(database, "2026-08", "2026-09")
    close(database, "2026-10", state=PeriodState.CLOSING)
    issued(
        database,
        [replace(each, month=SEPTEMBER) for each in named(statement("api", [line(usd("20"))]), statement("Gone"))],
    )
    return world_of(database, lambda: NOW)


def test_a_transfer_is_a_pair_that_sums_to_zero_in_the_first_month_that_is_open(world: World) -> None:
    done = adjust(world, ACCOUNT, TRANSFER, "root")
    assert not done.again
    with world.db.reading() as session:
        found = adjustments_of(session, ACCOUNT, Month(2026, 11))
    assert [(row.cost_center, row.amount_nano_usd, row.original_month) for row in found] == [
        ("api", -usd("12.34"), 202609),
        ("web", usd("12.34"), 202609),
    ]
    assert {(row.kind, row.reason, row.evidence, row.actor) for row in found} == {
        ("manual", "their pull", "ticket 7", "root")
    }
    assert len({row.transfer for row in found}) == 1
    assert found[0].transfer


def test_the_same_a_second_time_changes_nothing(world: World) -> None:
    first = adjust(world, ACCOUNT, TRANSFER, "root")
    close(world.db, "2026-11")
    again = adjust(world, ACCOUNT, TRANSFER, "somebody else")
    assert again.again
    assert [row.id for row in again.rows] == [row.id for row in first.rows]
    assert rows(world.db, "SELECT COUNT(*), MIN(month), MAX(month) FROM adjustment") == [(2, 202611, 202611)]


@pytest.mark.parametrize(
    "other",
    [
        {"amount": usd("12.35")},
        {"reason": "another"},
        {"evidence": "ticket 8"},
        {"to": "ops"},
        {"original": Month(2026, 8)},
    ],
)
def test_whatever_differs_is_another_adjustment(world: World, other: dict[str, Any]) -> None:
    adjust(world, ACCOUNT, TRANSFER, "root")
    assert not adjust(world, ACCOUNT, replace(TRANSFER, **other), "root").again
    assert rows(world.db, "SELECT COUNT(*), SUM(amount_nano_usd) FROM adjustment") == [(4, 0)]


def test_a_credit_takes_from_one_cost_center_and_names_itself(world: World) -> None:
    asked = replace(TRANSFER, giver="", credit="Credit note 17")
    assert not adjust(world, ACCOUNT, asked, "root").again
    assert rows(world.db, "SELECT cost_center, amount_nano_usd, reason, transfer FROM adjustment") == [
        ("web", -usd("12.34"), "Credit note 17: their pull", "")
    ]


@pytest.mark.parametrize("name", ["unassigned", "Gone", "ops"])
def test_a_cost_center_is_known_by_the_configuration_or_by_a_statement(world: World, name: str) -> None:
    assert not adjust(world, ACCOUNT, replace(TRANSFER, giver=name), "root").again


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"original": Month(2026, 11)}, "is open"),
        ({"original": Month(2027, 3)}, "attribute"),
        ({"original": Month(2026, 7)}, "the first month that closed is 2026-08"),
        ({"to": "webb"}, "There is no cost center 'webb'. There are: Gone, api, ops, unassigned, web."),
        ({"giver": "shared:bots"}, "no cost center 'shared:bots'"),
    ],
)
def test_what_the_books_do_not_allow_is_refused(world: World, other: dict[str, Any], told: str) -> None:
    with pytest.raises(NotAdjustedError, match=told.replace("(", r"\(")):
        adjust(world, ACCOUNT, replace(TRANSFER, **other), "root")
    assert rows(world.db, "SELECT COUNT(*) FROM adjustment") == [(0,)]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"to": "api"}, "the same cost center"),
        ({"giver": ""}, "Say --from"),
        ({"credit": "x"}, "Say --from"),
        ({"reason": ""}, "Say --reason"),
        ({"evidence": ""}, "Say --evidence"),
        ({"evidence": "x" * 301}, "1 to 300"),
    ],
)
def test_what_is_no_adjustment_is_refused(world: World, other: dict[str, Any], told: str) -> None:
    with pytest.raises(NoSuchAdjustmentError, match=told):
        adjust(world, ACCOUNT, replace(TRANSFER, **other), "root")
    assert rows(world.db, "SELECT COUNT(*) FROM adjustment") == [(0,)]


def test_while_nothing_has_closed_nothing_is_adjusted(database: Database) -> None:
    install(database)
    with pytest.raises(NotAdjustedError, match="is open"):
        adjust(world_of(database, lambda: NOW), ACCOUNT, TRANSFER, "root")


def test_another_accounts_months_and_cost_centers_do_not_count(world: World) -> None:
    install(world.db, "cost_centers: {centers: {web: {}}}", 2, "globex")
    with pytest.raises(NotAdjustedError, match="is open"):
        adjust(world, 2, TRANSFER, "root")
    close(world.db, "2026-09", account_id=2)
    with pytest.raises(NotAdjustedError, match="There are: unassigned, web"):
        adjust(world, 2, TRANSFER, "root")
    credit = replace(TRANSFER, giver="", credit="Credit note 17")
    assert not adjust(world, 2, credit, "root").again
    assert not adjust(world, ACCOUNT, credit, "root").again
    with world.db.reading() as session:
        into = [len(adjustments_of(session, account_id, Month(2026, 11))) for account_id in (ACCOUNT, 2)]
    assert into == [1, 0]  # the other one's October is open


def test_the_same_entered_by_several_at_once_is_entered_once(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda name: adjust(world, ACCOUNT, TRANSFER, name).again, "abcd"))
    assert sorted(again) == [False, True, True, True]
    assert rows(world.db, "SELECT COUNT(*) FROM adjustment") == [(2,)]


@pytest.mark.parametrize(
    ("text", "nano"),
    [("12.34", 12_340_000_000), ("0.000000001", 1), ("7", 7 * 10**9), ("999999999.999999999", 10**18 - 1)],
)
def test_an_amount_is_read_to_the_nano_dollar(text: str, nano: int) -> None:
    assert amount_in(text) == nano


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0", "zero"), ("0.00", "zero"), ("-5", "swap"), ("12,34", "write US dollars"), ("1e3", "write US dollars"),
        ("$5", "write US dollars"), ("0.0000000001", "nine places"), ("", "write US dollars"),
        ("٣", "write US dollars"), ("1234567890", "write US dollars"), ("5.", "write US dollars"),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str, told: str) -> None:
    with pytest.raises(NoSuchAdjustmentError, match=told):
        amount_in(text)


NAMES = st.sampled_from(["api", "web", "ops"])
ASKED = st.builds(
    ByHand,
    original=st.just(SEPTEMBER),
    to=NAMES,
    amount=st.integers(1, 10**18).map(NanoUsd),
    reason=st.text(min_size=1, max_size=5),
    evidence=st.text(min_size=1, max_size=5),
    giver=NAMES,
)


@given(ASKED, ASKED)
def test_a_transfer_sums_to_zero_and_is_the_same_only_as_itself(one: ByHand, other: ByHand) -> None:
    assert sum(amount for _, amount in one.amounts) == 0
    assert (one.once == other.once) == (one == other)
