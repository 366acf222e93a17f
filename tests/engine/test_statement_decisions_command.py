"""`statement accept`, `dispute` and `resolve` as processes: what they write down, and what they refuse."""

from collections.abc import Iterator

import pytest

from app.core.chargeback.periods import PeriodState
from app.store.database import Database
from tests.core.statement_samples import line, statement, usd
from tests.engine.play import rows
from tests.engine.test_command import run
from tests.stories.closed_months import close, install, issued, named

NUMBER = "2026-10-001"
WHY = ("--reason", "in the \x1b[31mmeeting")


@pytest.fixture
def known(sqlite_url: str) -> Iterator[Database]:
    """October has closed, with statements of api and web; November is open."""
    database = Database(sqlite_url)
    install(database)
    close(database, "2026-10", state=PeriodState.CLOSED)
    issued(database, named(statement("api", [line(usd("412.17"))]), statement("web", [line(usd("5.00"))])))
    yield database
    database.close()


def test_a_statement_is_accepted_in_an_owner_s_name(known: Database, sqlite_url: str) -> None:
    done = run(sqlite_url, "statement", "accept", NUMBER, "--as", "@ada", *WHY)
    assert (done.returncode, done.stderr.partition(";")[0]) == (0, f"statement {NUMBER} v1: accepted")
    said = "SELECT event, login, user_id, source, reason FROM statement_event WHERE event <> 'issued'"
    assert rows(known, said) == [("accepted", "ada", 0, "command line", "in the  [31mmeeting")]
    assert rows(known, "SELECT kind, lane FROM job") == [("statement", f"1/statement/{NUMBER}")]
    again = run(sqlite_url, "statement", "accept", NUMBER, "--as", "bob", *WHY)
    assert again.returncode == 1
    assert "accepted already by `ada` on the command line" in again.stderr


def test_a_dispute_is_answered_by_the_next_version_and_what_it_wins(known: Database, sqlite_url: str) -> None:
    assert run(sqlite_url, "statement", "dispute", NUMBER, *WHY).returncode == 0
    won = ("--adjust", "api:web:12.34", "--adjust", "api:unassigned:0.000000001")
    done = run(sqlite_url, "statement", "resolve", NUMBER, "--answer", "agreed", "--by", "root", *won)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith(f"statement {NUMBER} v2: issued")
    assert "adjustment in 2026-11: web $12.34" in done.stderr
    assert rows(known, "SELECT version, state FROM statement WHERE cost_center = 'api' ORDER BY version") == [
        (1, "replaced"),
        (2, "issued"),
    ]
    entered = rows(
        known, "SELECT month, original_month, cost_center, amount_nano_usd, actor FROM adjustment ORDER BY id"
    )
    assert entered == [
        (202611, 202610, "api", -12_340_000_000, "root"),
        (202611, 202610, "web", 12_340_000_000, "root"),
        (202611, 202610, "api", -1, "root"),
        (202611, 202610, "unassigned", 1, "root"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("accept", "2026-10-009", "--as", "ada", *WHY), 1, "no statement 2026-10-009"),
        (("accept", NUMBER, "--as", " ", *WHY), 2, "who decides"),
        (("accept", NUMBER, "--as", "ada", "--reason", " "), 2, "Say --reason"),
        (("dispute", NUMBER, "--reason", "x" * 1001), 2, "Say --reason"),
        (("resolve", NUMBER, "--answer", "so"), 1, "is not disputed"),
        (("resolve", NUMBER, "--answer", "so", "--adjust", "api:web"), 2, "not FROM:TO:AMOUNT"),
        (("resolve", NUMBER, "--answer", "so", "--adjust", "api:web:-3"), 2, "above zero"),
        (("accept", NUMBER, "--as", "ada", "--account", "globex", *WHY), 1, "no such account"),
        (("accept", NUMBER, *WHY), 2, "--as"),
        ((), 2, "required"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    known: Database, sqlite_url: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = run(sqlite_url, "statement", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert rows(known, "SELECT DISTINCT state FROM statement") == [("issued",)]
