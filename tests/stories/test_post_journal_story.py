"""What is accepted of a closed month is booked once; what was booked is undone by another journal, and stays."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest

from app.core.chargeback.journal import JournalKind, csv_of
from app.core.chargeback.periods import PeriodState, StatementState
from app.core.chargeback.statement import Statement
from app.store.compressed import compressed, decompressed
from app.store.configs import config_of, save_config
from app.store.database import Database
from app.store.journals import journal_in, journals_of
from app.store.statements import settle, statement_numbered, statements_of
from app.stories.post_journal import NotPostedError, listed, post, preview, reverse, show
from app.world import World
from tests.core.statement_samples import OCTOBER, SEPTEMBER, adjustment, fee, line, statement, usd
from tests.engine.play import rows, world_of
from tests.stories.closed_months import ACCOUNT, CONFIG, NOW, close, install, issued, named, states

API, OPS, WEB, OWNERLESS = "2026-10-001", "2026-10-002", "2026-10-003", "2026-10-004"
STATEMENTS = named(
    statement("api", [line(usd("412.17"))], [fee(usd("25.00"))]),
    statement("ops", [line(usd("10.00"))]),
    statement("web", [line(usd("5.00"))], adjustments=[adjustment(usd("3.00"), SEPTEMBER)]),
    statement("unassigned", [line(usd("99.00"))], chargeback=False),
)


@pytest.fixture
def world(database: Database) -> World:
    """October has closed: api's and web's statements are accepted, so is what is showback; ops has not answered."""
    install(database)
    close(database, "2026-09", "2026-10")
    issued(database, STATEMENTS, accepted=["api", "web", "unassigned"])
    return world_of(database, lambda: NOW)


def test_accepted_chargeback_statements_are_posted_and_no_others(world: World) -> None:
    journal = post(world, ACCOUNT, OCTOBER, "ada")
    assert (journal.number, journal.total_cents) == ("J-2026-10-1", 41217 + 2500 + 500 + 300)
    assert [each.number for each in journal.statements] == [API, WEB]
    assert states(world.db, API, OPS, WEB, OWNERLESS) == [
        ("posted", "J-2026-10-1"),
        ("issued", ""),
        ("posted", "J-2026-10-1"),
        ("accepted", ""),
    ]
    assert [(each.account, each.debit, each.credit) for each in journal.lines] == [
        ("6400-10", 41217, 0),
        ("6400-10", 2500, 0),
        ("1590", 0, 43717),
        ("6400-20", 500, 0),
        ("6400-20", 300, 0),
        ("1590", 0, 500),
        ("1590", 0, 300),
    ]
    events = "SELECT event, cost_center, reason, login, source FROM statement_event WHERE event = 'posted' ORDER BY id"
    assert rows(world.db, events) == [
        ("posted", "api", "journal J-2026-10-1", "ada", "command line"),
        ("posted", "web", "journal J-2026-10-1", "ada", "command line"),
    ]


def test_a_preview_is_what_is_posted_and_books_nothing(world: World) -> None:
    before = preview(world, ACCOUNT, OCTOBER)
    assert rows(world.db, "SELECT COUNT(*) FROM journal") == [(0,)]
    assert post(world, ACCOUNT, OCTOBER, "ada") == before


def test_a_journal_is_shown_as_it_was_written_whatever_the_configuration_became(world: World) -> None:
    written = csv_of(post(world, ACCOUNT, OCTOBER, "ada"))
    with world.db.transaction() as session:
        save_config(session, config_of(session, ACCOUNT), CONFIG.replace("6400", "7000").replace("1590", "1"), (), NOW)
    assert csv_of(show(world, ACCOUNT, "J-2026-10-1")) == written


def test_what_is_accepted_later_comes_into_a_journal_of_its_own(world: World) -> None:
    post(world, ACCOUNT, OCTOBER, "ada")
    with pytest.raises(NotPostedError, match="Nothing more of 2026-10 is accepted: 1 issued"):
        post(world, ACCOUNT, OCTOBER, "ada")
    accept(world, OPS)
    later = post(world, ACCOUNT, OCTOBER, "ada")
    assert (later.number, later.total_cents) == ("J-2026-10-2", 1000)
    assert later.lines[0].account == "6400"  # it has none of its own


def test_a_month_is_posted_once(world: World) -> None:
    accept(world, OPS)
    post(world, ACCOUNT, OCTOBER, "ada")
    with pytest.raises(NotPostedError, match="posted already, by J-2026-10-1"):
        post(world, ACCOUNT, OCTOBER, "ada")
    assert rows(world.db, "SELECT COUNT(*) FROM journal") == [(1,)]


def test_two_who_post_at_once_make_one_journal(world: World) -> None:
    accept(world, OPS)

    def attempt(name: str) -> str:
        try:
            return post(world, ACCOUNT, OCTOBER, name).number
        except NotPostedError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        found = Counter(pool.map(attempt, "abcd"))
    assert found == {"J-2026-10-1": 1, "refused": 3}
    assert rows(world.db, "SELECT COUNT(*) FROM journal") == [(1,)]


def test_a_reversal_frees_its_statements_to_be_posted_again(world: World) -> None:
    first = post(world, ACCOUNT, OCTOBER, "ada")
    undone = reverse(world, ACCOUNT, first.number, "wrong account", "bob")
    assert (undone.number, undone.kind, undone.reverses) == ("J-2026-10-2", JournalKind.REVERSAL, "J-2026-10-1")
    assert states(world.db, API, WEB) == [("accepted", "")] * 2
    assert rows(world.db, "SELECT cost_center, reason, login FROM statement_event WHERE event = 'reversed'") == [
        ("api", "J-2026-10-1 was reversed by J-2026-10-2: wrong account", "bob"),
        ("web", "J-2026-10-1 was reversed by J-2026-10-2: wrong account", "bob"),
    ]
    again = post(world, ACCOUNT, OCTOBER, "ada")
    assert (again.number, again.lines) == ("J-2026-10-3", first.lines)
    assert csv_of(show(world, ACCOUNT, first.number)) == csv_of(first)
    told = [(row.number, row.kind, row.reverses, by) for row, by in listed(world, ACCOUNT, OCTOBER)]
    assert told == [
        ("J-2026-10-1", "accrual", "", "J-2026-10-2"),
        ("J-2026-10-2", "reversal", "J-2026-10-1", ""),
        ("J-2026-10-3", "accrual", "", ""),
    ]
    assert (listed(world, ACCOUNT, SEPTEMBER), listed(world, 2, None)) == ([], [])


def test_what_cannot_be_reversed_or_shown_is_refused(world: World) -> None:
    number = post(world, ACCOUNT, OCTOBER, "ada").number
    with pytest.raises(NotPostedError, match="no journal 'J-2026-10-9'"):
        reverse(world, ACCOUNT, "J-2026-10-9", "x", "ada")
    with pytest.raises(NotPostedError, match="no journal"):
        show(world, 2, number)
    undone = reverse(world, ACCOUNT, number, "x", "ada")
    with pytest.raises(NotPostedError, match="reversed already, by J-2026-10-2"):
        reverse(world, ACCOUNT, number, "x", "ada")
    with pytest.raises(NotPostedError, match="Post 2026-10 again"):
        reverse(world, ACCOUNT, undone.number, "x", "ada")
    assert rows(world.db, "SELECT COUNT(*) FROM journal") == [(2,)]


def test_another_accounts_journal_of_the_same_number_is_another_one(world: World) -> None:
    install(world.db, CONFIG, 2, "globex")
    close(world.db, "2026-10", account_id=2)
    issued(world.db, [replace(each, account_id=2) for each in STATEMENTS[:1]], accepted=["api"])
    ours, theirs = post(world, ACCOUNT, OCTOBER, "ada"), post(world, 2, OCTOBER, "eve")
    assert (ours.number, theirs.number, len(theirs.statements)) == ("J-2026-10-1", "J-2026-10-1", 1)
    reverse(world, 2, theirs.number, "x", "eve")
    assert states(world.db, API, WEB) == [("posted", "J-2026-10-1")] * 2
    assert reverse(world, ACCOUNT, ours.number, "x", "ada").number == "J-2026-10-2"


@pytest.mark.parametrize(
    ("state", "told"),
    [(None, "2026-10 is open: `period close 2026-10` closes it"), (PeriodState.CLOSING, "is closing: .* finishes it")],
)
def test_a_month_that_has_not_closed_makes_no_journal(sqlite: Database, state: PeriodState | None, told: str) -> None:
    install(sqlite)
    if state:
        close(sqlite, "2026-10", state=state)
    issued(sqlite, STATEMENTS, accepted=["api"])
    with pytest.raises(NotPostedError, match=told):
        post(world_of(sqlite, lambda: NOW), ACCOUNT, OCTOBER, "ada")


@pytest.mark.parametrize(
    ("statements", "accepted", "told"),
    [
        ([], [], "no chargeback statement"),
        ([replace(each, chargeback=False) for each in STATEMENTS], ["api", "ops", "web"], "showback never makes"),
        (STATEMENTS, ["unassigned"], "Nothing of 2026-10 is accepted: 1 disputed, 2 issued"),
        (named(statement("api"), statement("web")), ["api", "web"], "comes to nothing"),
    ],
)
def test_a_month_without_anything_to_book_says_why(
    sqlite: Database, statements: list[Statement], accepted: list[str], told: str
) -> None:
    install(sqlite)
    close(sqlite, "2026-10")
    issued(sqlite, statements, accepted, disputed=["ops"] if "ops" not in accepted else [])
    with pytest.raises(NotPostedError, match=told):
        post(world_of(sqlite, lambda: NOW), ACCOUNT, OCTOBER, "ada")
    assert rows(sqlite, "SELECT COUNT(*) FROM journal") == [(0,)]


def test_a_statement_that_was_altered_is_not_booked(world: World) -> None:
    with world.db.transaction() as session:
        row = statement_numbered(session, ACCOUNT, API)
        assert row is not None
        row.document = compressed(decompressed(row.document).replace(b"412170000000", b"412170000001"))
        session.add(row)
    with pytest.raises(NotPostedError, match="statement 2026-10-001 v1 is not what was written"):
        post(world, ACCOUNT, OCTOBER, "ada")
    assert states(world.db, API, WEB) == [("accepted", "")] * 2


def test_a_showback_document_is_not_booked_whatever_its_row_says(world: World) -> None:
    with world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE statement SET chargeback = (1 = 1)")
    with pytest.raises(NotPostedError, match="showback"):
        post(world, ACCOUNT, OCTOBER, "ada")


@pytest.mark.parametrize("flipped", [b"no zlib", b""])
def test_a_journal_that_was_altered_is_not_shown_or_reversed(world: World, flipped: bytes) -> None:
    number = post(world, ACCOUNT, OCTOBER, "ada").number
    with world.db.transaction() as session:
        (row,) = journals_of(session, ACCOUNT)
        row.lines = flipped or compressed(decompressed(row.lines).replace(b"41217", b"41218"))
        session.add(row)
    with pytest.raises(NotPostedError, match="journal J-2026-10-1"):
        show(world, ACCOUNT, number)
    with pytest.raises(NotPostedError, match="journal J-2026-10-1"):
        reverse(world, ACCOUNT, number, "x", "ada")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_done_in_whatever_order_a_statement_stands_in_one_journal(sqlite: Database, seed: int) -> None:
    chance = Random(seed)
    install(sqlite)
    close(sqlite, "2026-10")
    many = named(*(statement(f"t{place}", [line(usd(f"{place}.25"))]) for place in range(6)))
    issued(sqlite, many)
    world = world_of(sqlite, lambda: NOW)
    for _ in range(25):
        match chance.choice(["accept", "post", "reverse"]):
            case "accept":
                accept(world, chance.choice(many).number)
            case "post":
                attempt_post(world)
            case _:
                attempt_reverse(world, f"J-2026-10-{chance.randint(1, 9)}")
        check_books(sqlite)


def attempt_post(world: World) -> None:
    try:
        post(world, ACCOUNT, OCTOBER, "ada")
    except NotPostedError:
        return


def attempt_reverse(world: World, number: str) -> None:
    try:
        reverse(world, ACCOUNT, number, "x", "ada")
    except NotPostedError:
        return


def check_books(database: Database) -> None:
    """All journals together book each posted statement once, and no other."""
    with database.reading() as session:
        kept, issued_rows = journals_of(session, ACCOUNT), statements_of(session, ACCOUNT)
    booked = Counter[str]()
    for row in kept:
        for each in journal_in(row).lines:
            booked[each.cost_center] += each.debit - each.credit
    posted = {row.cost_center: row.total_cents for row in issued_rows if row.state == "posted"}
    assert {name: cents for name, cents in booked.items() if cents and name} == posted
    in_force = {row.number for row in kept if row.kind == "accrual"} - {row.reverses for row in kept}
    assert {row.journal for row in issued_rows} - {""} <= in_force
    assert {row.journal != "" for row in issued_rows if row.state == "posted"} <= {True}


def accept(world: World, number: str) -> None:
    with world.db.transaction() as session:
        row = statement_numbered(session, ACCOUNT, number)
        if row is not None and row.state == StatementState.ISSUED.value:
            settle(session, row, StatementState.ACCEPTED, "test", NOW)
