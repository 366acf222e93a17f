"""`journal` and `adjust` as processes: what they write, where, and what they refuse."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest

from app.core.chargeback.periods import PeriodState
from app.store.database import Database
from tests.core.statement_samples import line, statement, usd
from tests.engine.play import rows
from tests.engine.test_command import run
from tests.stories.closed_months import close, install, issued, named

TRANSFER = ["adjust", "2026-10", "--from", "api", "--to", "web", "--amount", "12.34"]
TOLD = ["--reason", "their \x1b[31mpull", "--evidence", "ticket 7", "--by", "ada"]


@pytest.fixture
def known(sqlite_url: str) -> Iterator[Database]:
    """October has closed and November closes; the statements of api and web are accepted."""
    database = Database(sqlite_url)
    install(database)
    close(database, "2026-10")
    close(database, "2026-11", state=PeriodState.CLOSING)
    statements = named(statement("api", [line(usd("412.17"))]), statement("web", [line(usd("5.00"))]))
    issued(database, statements, accepted=["api", "web"])
    yield database
    database.close()


def test_a_month_is_previewed_posted_shown_reversed_and_listed(
    known: Database, sqlite_url: str, tmp_path: Path
) -> None:
    tried = run(sqlite_url, "journal", "post", "2026-10", "--dry-run")
    assert (tried.returncode, rows(known, "SELECT COUNT(*) FROM journal")) == (0, [(0,)])
    assert "Nothing is booked" in tried.stderr
    file = tmp_path / "journal.csv"
    done = run(sqlite_url, "journal", "post", "2026-10", "--out", str(file), "--by", "ada")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "J-2026-10-1: accrual of 2026-10, statements: 2, 417.17 USD debit and credit\n"
    lines = list(csv.DictReader(StringIO(file.read_bytes().decode(), newline="")))
    assert sum(Decimal(each["Debit"] or 0) for each in lines) == Decimal("417.17")
    assert sum(Decimal(each["Credit"] or 0) for each in lines) == Decimal("417.17")
    shown = run(sqlite_url, "journal", "show", "J-2026-10-1")
    assert shown.stdout == tried.stdout == file.read_text(encoding="utf-8")
    assert run(sqlite_url, "journal", "reverse", "J-2026-10-1", "--because", "wrong", "--by", "ada").returncode == 0
    listed = [one.split() for one in run(sqlite_url, "journal", "list").stdout.splitlines()]
    assert [(one[0], one[1], one[2], " ".join(one[6:])) for one in listed] == [
        ("J-2026-10-1", "accrual", "417.17", "reversed by J-2026-10-2"),
        ("J-2026-10-2", "reversal", "417.17", "reverses J-2026-10-1"),
    ]
    assert run(sqlite_url, "journal").returncode == 0
    assert "there are no journals" in run(sqlite_url, "journal", "--month", "2026-09").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["post", "2026-13"], 2, "is not a month"),
        (["post", "2026-11"], 1, "is closing"),
        (["post", "2026-12"], 1, "is open"),
        (["show", "J-1"], 1, "no journal 'J-1'"),
        (["reverse", "J-1", "--because", "x"], 1, "no journal 'J-1'"),
        (["reverse", "J-1", "--because", " "], 2, "Say --because"),
        (["reverse", "J-1"], 2, "--because"),
        (["list", "--month", "x"], 2, "is not a month"),
        (["post", "2026-10", "--account", "globex"], 1, "no such account"),
    ],
)
def test_what_cannot_be_journalled_is_refused(
    known: Database, sqlite_url: str, arguments: list[str], code: int, told: str
) -> None:
    done = run(sqlite_url, "journal", *arguments)
    assert (done.returncode, told in done.stderr, done.stdout) == (code, True, ""), done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_written_loses_no_journal(known: Database, sqlite_url: str, tmp_path: Path) -> None:
    done = run(sqlite_url, "journal", "post", "2026-10", "--out", str(tmp_path / "no" / "journal.csv"))
    assert (done.returncode, "`journal show` writes a kept journal again" in done.stderr) == (1, True)
    assert run(sqlite_url, "journal", "show", "J-2026-10-1").returncode == 0


def test_with_several_accounts_one_has_to_be_named(known: Database, sqlite_url: str) -> None:
    install(known, "", 2, "globex")
    refused = run(sqlite_url, "journal", "post", "2026-10")
    assert (refused.returncode, "several accounts" in refused.stderr) == (2, True)
    assert run(sqlite_url, "journal", "post", "2026-10", "--account", "acme", "--dry-run").returncode == 0
    assert run(sqlite_url, *TRANSFER, *TOLD).returncode == 2


def test_an_adjustment_is_entered_once_and_told(known: Database, sqlite_url: str) -> None:
    done = run(sqlite_url, *TRANSFER, *TOLD)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "api: −$12.34 of 2026-10, in its statement of 2026-12",
        "web: $12.34 of 2026-10, in its statement of 2026-12",
    ]
    again = run(sqlite_url, *TRANSFER, *TOLD)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "already: nothing changed" in again.stderr
    assert rows(known, "SELECT cost_center, amount_nano_usd, reason, actor FROM adjustment ORDER BY id") == [
        ("api", -12_340_000_000, "their  [31mpull", "ada"),
        ("web", 12_340_000_000, "their  [31mpull", "ada"),
    ]


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({1: "2026-1"}, 2, "is not a month"),
        ({1: "2026-12"}, 1, "is open"),
        ({7: "0"}, 2, "zero"),
        ({7: "-5"}, 2, "swap"),
        ({3: "nobody"}, 1, "no cost center 'nobody'"),
        ({3: "web"}, 2, "same cost center"),
        ({2: "--credit", 3: " "}, 2, "named credit"),
        ({2: "--by"}, 2, "--from --credit"),
    ],
)
def test_what_is_no_adjustment_is_refused(
    known: Database, sqlite_url: str, changed: dict[int, str], code: int, told: str
) -> None:
    arguments = [changed.get(place, word) for place, word in enumerate(TRANSFER)]
    done = run(sqlite_url, *arguments, *TOLD)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert rows(known, "SELECT COUNT(*) FROM adjustment") == [(0,)]
