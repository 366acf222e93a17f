"""`vendors` and `reconcile` as processes: what they print, what they refuse, and that a key is in none of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.month import Month
from app.store.database import Database
from app.store.periods import begin_closing
from tests.engine.play import rows
from tests.engine.test_command import run
from tests.vendors.loopback import COSTS, KEY, LoopbackVendor, Trouble, loopback_vendor

CONFIG = "vendors: {agent_spend: [{vendor: anthropic, workspaces: [wrkspc_ci]}]}"
DATA = Path(__file__).parents[1] / "data" / "vendors"


@pytest.fixture
def vendor() -> Iterator[LoopbackVendor]:
    with loopback_vendor() as made:
        yield made


@pytest.fixture
def known(sqlite_url: str) -> Iterator[Database]:
    """acme, which names one workspace of Anthropic."""
    database = Database(sqlite_url)
    with database.transaction() as session:
        execute = session.connection().exec_driver_sql
        execute("INSERT INTO installation VALUES (100, 1, 'acme', 'Organization', 'active', '{}', 0)")
        execute("INSERT INTO config_version VALUES (100, 'acme/.github-private', 0, ?, ?, '[]', 0)", (CONFIG, CONFIG))
    yield database
    database.close()


def keys(vendor: LoopbackVendor, key: str = KEY) -> dict[str, str]:
    return {"MERGEMETER_VENDOR_KEYS": f"acme/anthropic={key}", "MERGEMETER_ANTHROPIC_API_URL": vendor.url}


@pytest.mark.usefixtures("known")
def test_reports_are_read_and_held_against_what_is_recorded(sqlite_url: str, vendor: LoopbackVendor) -> None:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    vendor.spend(day, "150")
    vendor.spend(day, "99999", workspace="wrkspc_production")
    done = run(sqlite_url, "vendors", "read", "--account", "acme", **keys(vendor))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("account 100: anthropic: read whole ")
    assert "1 row of others left out" in done.stdout
    told = run(sqlite_url, "reconcile", f"{Month(day.year, day.month)}", "--all")
    assert told.returncode == 0, told.stderr
    assert f"anthropic  wrkspc_ci  claude-sonnet-4-5  {day}  $0.00   $1.50       $1.50  estimated" in told.stdout
    told = run(sqlite_url, "reconcile", f"{Month(day.year, day.month)}", "--json")
    found = json.loads(told.stdout)
    assert [(each["day"], each["billed_nano_usd"], each["state"]) for each in found["buckets"]] == [
        (str(day), 1_500_000_000, "estimated")
    ]
    assert KEY not in done.stdout + done.stderr + told.stdout + told.stderr


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Trouble(401), "the vendor does not accept the key"),
        (Trouble(429, headers={"retry-after": "3600"}), "anthropic limits our requests (429)"),
        (Trouble(500), "500"),
    ],
)
def test_a_reading_that_does_not_get_on_says_why(
    sqlite_url: str, vendor: LoopbackVendor, trouble: Trouble, told: str
) -> None:
    vendor.trouble[COSTS].append(trouble)
    done = run(sqlite_url, "vendors", "read", **keys(vendor))
    assert done.returncode == 1
    assert told in done.stdout
    status = run(sqlite_url, "vendors", "status")
    assert (status.returncode, told in status.stdout) == (0, True)
    assert KEY not in done.stdout + done.stderr + status.stdout + status.stderr


@pytest.mark.usefixtures("known")
def test_without_a_key_there_is_nothing_to_read(sqlite_url: str) -> None:
    done = run(sqlite_url, "vendors", "read")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no vendor that has both a key and a line in agent_spend" in done.stderr


@pytest.mark.usefixtures("known")
def test_the_status_says_why_a_vendor_is_not_read(sqlite_url: str) -> None:
    keys = "acme/openai=sk-admin-0123456789ab,globex/github=ghp_0123456789abcdef"
    told = run(sqlite_url, "vendors", "status", MERGEMETER_VENDOR_KEYS=keys)
    assert told.stdout.splitlines()[1:3] == [
        "anthropic: there is no key: its figures come from files alone",
        "openai: there is a key, but agent_spend in mergemeter.yml does not name it",
    ]


def test_an_invoice_is_imported_and_its_differences_are_entered(known: Database, sqlite_url: str) -> None:
    done = run(sqlite_url, "vendors", "import", str(DATA / "invoice.csv"), "--account", "acme")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "anthropic: invoice ANT-2026-10-000117, version 1",
        "buckets of reports: 0 new, 0 changed, 0 as they were",
        "2 rows of others left out: not named as agent spend",
    ]
    assert "ANT-2026-10-000117" in run(sqlite_url, "vendors", "status").stdout
    early = run(sqlite_url, "reconcile", "2026-10", "--enter")
    assert (early.returncode, early.stdout) == (1, "")
    assert "2026-10 is open" in early.stderr
    with known.transaction() as session:
        begin_closing(session, 100, Month(2026, 10), early=False, actor="test", now=datetime.now(UTC))
    told = run(sqlite_url, "reconcile", "2026-10", "--enter")
    assert told.returncode == 0, told.stderr
    assert "vendor only" in told.stdout
    assert "anthropic: $1,200.00 stays in the reconciliation" in told.stdout
    assert told.stderr == "nothing to enter beyond what stands there already\n"
    assert rows(known, "SELECT * FROM adjustment") == []


def test_a_file_with_mistakes_is_refused_with_all_of_them(known: Database, sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("vendor,account,day,amount,currency\nanthropic,wrkspc_ci,2026-10-01,x,USD\nanthropic,,2026,1,EUR\n")
    done = run(sqlite_url, "vendors", "import", str(file), "--account", "acme")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "line 2: amount is not an amount of at most ten million dollars",
        "line 3: account is not a text of 1 to 200 characters on one line",
        "line 3: day is not a day, like 2026-10-05",
        "line 3: currency is not USD: only that is read",
        "Nothing was imported.",
    ]
    assert rows(known, "SELECT * FROM vendor_cost") == []


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("reconcile", "2026-13"), "is not a month"),
        (("vendors", "read", "--since", "yesterday"), "is not a day"),
        (("vendors", "import", "nowhere.csv", "--account", "acme"), "cannot be read"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(sqlite_url: str, command: tuple[str, ...], told: str) -> None:
    done = run(sqlite_url, *command)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.usefixtures("known")
def test_an_account_that_is_not_there_is_refused(sqlite_url: str) -> None:
    for command in (("vendors", "status"), ("reconcile", "2026-10")):
        assert run(sqlite_url, *command, "--account", "globex").returncode == 1
