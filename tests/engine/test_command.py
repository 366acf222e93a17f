"""The command line as processes: it starts, ends in order, refuses clearly, and handles dead letters."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from app.store.database import Database
from tests.engine.hooks import SECRET, Hooks, pull_payload
from tests.engine.play import rows
from tests.engine.test_kill import free_port

ROOT = Path(__file__).parents[2]
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\\nx\\n-----END RSA " + "PRIVATE KEY-----"


def environ(database_url: str, port: int = 0) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "MERGEMETER_DATABASE_URL": database_url,
        "MERGEMETER_APP_ID": "4711",
        "MERGEMETER_PRIVATE_KEY": KEY,
        "MERGEMETER_WEBHOOK_SECRETS": SECRET,
        "MERGEMETER_PUBLIC_URL": "https://mergemeter.example",
        "MERGEMETER_GITHUB_API_URL": "http://127.0.0.1:9",
        "MERGEMETER_PORT": str(port),
    }


def run(database_url: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT, env=environ(database_url) | more, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def wait_until_it_answers(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server does not answer")


@pytest.mark.parametrize(
    ("options", "signal_number"),
    [([], signal.SIGTERM), ([], signal.SIGINT), (["--web-only"], signal.SIGTERM)],
    ids=["all-term", "all-int", "web-term"],
)
def test_a_server_migrates_takes_deliveries_and_ends_in_order(
    tmp_path: Path, options: list[str], signal_number: int
) -> None:
    url, port = f"sqlite:///{tmp_path / 'new.sqlite3'}", free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", *options],
        cwd=ROOT, env=environ(url, port), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        wait_until_it_answers(process, port)
        answer = Hooks(port).send(pull_payload(), event="pull_request")
        process.send_signal(signal_number)
        log = process.communicate(timeout=30)[1]
    assert answer.status == 202
    assert process.returncode == 0, log
    database = Database(url)
    assert rows(database, "SELECT count(*) FROM inbox") == [(1,)]
    database.close()
    assert SECRET not in log


def test_a_web_only_server_does_not_load_the_github_client(tmp_path: Path) -> None:
    code = (
        "import sys, app.__main__ as m\n"
        "m._until_signal = lambda *a: print(sorted(n for n in sys.modules if n.split('.')[0] == 'githubkit')) or 0\n"
        "sys.exit(m.main(['serve', '--web-only']))"
    )
    env = environ(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_worker_process_ends_in_order(sqlite_url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "work"], cwd=ROOT, env=environ(sqlite_url), stderr=subprocess.PIPE, text=True
    )
    with process:
        database = Database(sqlite_url)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not rows(database, "SELECT 1 FROM schedule"):
            time.sleep(0.1)
        database.close()
        process.terminate()
        log = process.communicate(timeout=30)[1]
    assert process.returncode == 0, log


@pytest.mark.parametrize("command", ["serve", "work", "summary"])
def test_without_settings_nothing_starts(sqlite_url: str, command: str) -> None:
    arguments = [command, "2026-10"] if command == "summary" else [command]
    done = run(sqlite_url, *arguments, MERGEMETER_APP_ID="", MERGEMETER_WEBHOOK_SECRETS="short")
    assert done.returncode == 2
    assert "MERGEMETER_APP_ID is missing" in done.stderr
    assert "MERGEMETER_WEBHOOK_SECRETS" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_month_is_asked_for_in_words(sqlite_url: str) -> None:
    done = run(sqlite_url, "summary", "October")
    assert (done.returncode, done.stderr) == (2, "'October' is not a month: write it as 2026-10\n")


def test_pricing_anew_asks_for_a_day_and_an_account_that_there_is(sqlite_url: str) -> None:
    done = run(sqlite_url, "reprice", "--since", "October")
    assert (done.returncode, done.stderr) == (2, "'October' is not a day: write it as 2026-10-01\n")
    done = run(sqlite_url, "reprice", "--since", "2026-10-01", "--account", "nobody")
    assert done.returncode == 1
    assert done.stderr == "There is no such account on which the App is installed and active.\n"


@pytest.mark.parametrize("named", [[], ["--account", "ACME"], ["--account", "100"]])
def test_pricing_anew_tells_what_it_did_for_each_account(sqlite_url: str, named: list[str]) -> None:
    database = Database(sqlite_url)
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO installation VALUES (100, 300, 'acme', 'Organization', 'active', '{}', 0)"
        )
    database.close()
    done = run(sqlite_url, "reprice", "--since", "2026-10-01", "--dry-run", *named, MERGEMETER_APP_ID="")
    assert (done.returncode, done.stdout) == (0, "account 100: 0 of 0 agent runs would be corrected\n")


def test_a_survey_is_queued_for_every_repository_of_the_account(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.transaction() as session:
        for account_id, name in ((100, "acme"), (101, "other")):
            session.connection().exec_driver_sql(
                f"INSERT INTO installation VALUES ({account_id}, 1, '{name}', 'Organization', 'active', '{{}}', 0)"
            )
            session.connection().exec_driver_sql(
                "INSERT INTO repository VALUES"
                f" ({account_id}, 2, '{name}', 'r', 'main', 'private', 0, 1, 'installed', 0)"
            )
    assert run(sqlite_url, "survey", "--account", "Acme", "--month", "2026-10").returncode == 0
    queued = "SELECT account_id, lane, kind, args FROM job ORDER BY account_id"
    args = '{"repository_id": 2, "month": "2026-10"}'
    assert rows(database, queued) == [(100, "100/2/survey", "survey", args)]
    done = run(sqlite_url, "survey")
    assert done.returncode == 0
    assert done.stderr.startswith("2 to survey for ")
    assert {row[0] for row in rows(database, queued)} == {100, 101}
    assert run(sqlite_url, "survey", "--account", "nobody").returncode == 1
    assert run(sqlite_url, "survey", "--month", "October").returncode == 2
    database.close()


def test_a_database_without_tables_is_told_plainly(tmp_path: Path) -> None:
    done = run(f"sqlite:///{tmp_path / 'empty.sqlite3'}", "inbox", "list")
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be used: no such table")
    assert "Traceback" not in done.stderr


def test_dead_deliveries_are_listed_shown_and_revived(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.transaction() as session:
        connection = session.connection()
        connection.exec_driver_sql(
            "INSERT INTO inbox VALUES"
            " ('d-1', 'pull_request', 'opened', 300, 100, 200, x'78014bcacc4901000403019c', 'dead', 0)"
        )
        connection.exec_driver_sql(
            "INSERT INTO job VALUES ('j-1', 100, '100/200/1', 'delivery', '100/delivery/d-1',"
            " '{\"delivery_id\": \"d-1\"}', 0, 10, 3, 'KeyError: \x1b[31m\nhostile', 0)"
        )
        connection.exec_driver_sql("INSERT INTO lane VALUES ('100/200/1', 100, NULL, 0, 1)")
    listed = run(sqlite_url, "inbox", "list")
    assert "j-1" in listed.stdout
    assert "\x1b" not in listed.stdout
    assert len(listed.stdout.splitlines()) == 1
    assert run(sqlite_url, "inbox", "show", "d-1").stdout.endswith("bild\n")
    assert run(sqlite_url, "inbox", "show", "d-2").returncode == 1
    assert run(sqlite_url, "inbox", "revive").returncode == 2
    assert run(sqlite_url, "inbox", "revive", "d-1").returncode == 0
    assert rows(database, "SELECT state, attempts FROM job") == [(0, 0)]
    assert rows(database, "SELECT state FROM inbox") == [("waiting",)]
    assert rows(database, "SELECT next_at_us IS NOT NULL FROM lane") == [(1,)]
    assert run(sqlite_url, "inbox", "list").stdout == ""
    database.close()


@pytest.mark.parametrize(
    ("options", "scope"), [([], "ingest"), (["--scope", "read"], "read"), (["--scope", "metrics"], "metrics")]
)
def test_a_token_is_made_for_one_scope_and_listed_without_its_secret(
    sqlite_url: str, options: list[str], scope: str
) -> None:
    database = Database(sqlite_url)
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO installation VALUES (100, 300, 'acme', 'Organization', 'active', '{}', 0)"
        )
    made = run(sqlite_url, "token", "add", "--account", "acme", "--name", "grafana", *options)
    assert made.stdout.startswith("mgm_")
    assert rows(database, "SELECT account_id, scope FROM access_token") == [(100, scope)]
    listed = run(sqlite_url, "token", "list")
    assert scope in listed.stdout
    assert made.stdout.strip() not in listed.stdout
    database.close()
    assert run(sqlite_url, "token", "add", "--account", "acme", "--name", "x", "--scope", "all").returncode == 2


def test_waste_is_told_for_each_account_or_said_to_be_none(sqlite_url: str) -> None:
    assert run(sqlite_url, "waste", "--month", "October").returncode == 2
    assert run(sqlite_url, "waste").returncode == 1
    database = Database(sqlite_url)
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO installation VALUES (100, 300, 'acme', 'Organization', 'active', '{}', 0)"
        )
    database.close()
    done = run(sqlite_url, "waste", "--month", "2026-10")
    told = ["account 100, 2026-10", "No waste was found in the agent runs of this period."]
    assert (done.returncode, done.stdout.splitlines()) == (0, told)
