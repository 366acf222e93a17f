"""`python -m app backfill` as a process: it tells how far it is, and goes on where one that was killed stopped."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.sandbox import Sandbox
from app.store.database import Database
from tests.engine.play import rows
from tests.openapi.contract import watched

ROOT = Path(__file__).parents[2]
REPOSITORY = "acme/widgets"
PULLS = 120


@pytest.fixture
def gh() -> Iterator[Sandbox]:
    with watched() as made:
        yield made


def history(gh: Sandbox, database: Database) -> dict[str, str]:
    """An installation that is known, with pulls that are not; the environment of the command."""
    app = gh.register_app()
    account_id = gh.create_account("acme")
    gh.create_repository(REPOSITORY, files={"a": "1"})
    for number in range(PULLS):
        gh.open_pull(REPOSITORY, f"b{number}", files={f"{number}": "1"})
    for number in range(1, PULLS, 2):
        gh.close(REPOSITORY, number)
    installation_id = gh.install("acme")
    repository_id = gh.hub.repository(REPOSITORY).repository_id
    with database.transaction() as session:
        execute = session.connection().exec_driver_sql
        who = f"{account_id}, {installation_id}, 'acme', 'Organization', 'active', '', 0"
        execute(f"INSERT INTO installation VALUES ({who})")
        execute(
            "INSERT INTO repository VALUES"
            f" ({account_id}, {repository_id}, 'acme', 'widgets', 'main', 'private', false, true, 'installed', 0)"
        )
    return {
        "PATH": os.environ["PATH"],
        "MERGEMETER_DATABASE_URL": database.url,
        "MERGEMETER_APP_ID": str(app["app_id"]),
        "MERGEMETER_PRIVATE_KEY": app["private_key"],
        "MERGEMETER_WEBHOOK_SECRETS": app["webhook_secret"],
        "MERGEMETER_PUBLIC_URL": "https://mergemeter.example",
        "MERGEMETER_GITHUB_API_URL": gh.url,
    }


def command(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "app", "backfill", "--account", "acme", *arguments]
    return subprocess.Popen(line, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)


def count(database: Database) -> int:
    return int(rows(database, "SELECT COUNT(*) FROM pull")[0][0])


def lists(gh: Sandbox) -> list[Any]:
    return [path for _, path, _ in gh.requests if path.endswith("/pulls")]


def test_what_a_kill_left_is_gone_on_with(gh: Sandbox, database: Database) -> None:
    env = history(gh, database)
    gh.fail("latency", times=10_000, path="/commits", seconds=0.02)
    with command(env) as process:
        deadline = time.monotonic() + 60
        while not count(database) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
        process.communicate()
    left, asked = count(database), len(lists(gh))
    assert 0 < left < PULLS
    gh.clear_faults()
    with database.transaction() as session:  # as if its lease had run out
        session.connection().exec_driver_sql("UPDATE lane SET lease_until_us = 0")
    with command(env) as process:
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 0, told
    assert count(database) == PULLS
    # 60 open pulls are two pages and 60 closed ones too; at most the page that was under way is asked for twice.
    assert len(lists(gh)) <= 5
    assert len(lists(gh)) - asked <= 4 - left // 50
    assert f"1 of 1 repositories read, {PULLS} pulls listed" in told.splitlines()[-1]
    assert f"{PULLS} new, 0 to be read again" in told.splitlines()[-1]


def test_it_tells_of_each_page_and_what_github_refuses(gh: Sandbox, sqlite: Database) -> None:
    env = history(gh, sqlite)
    with command(env, "--since", "2020-01-01") as process:
        told = [line for line in process.communicate(timeout=60)[1].splitlines() if line.startswith("account")]
    assert process.returncode == 0, told
    assert [line.partition(" pulls listed")[0].rpartition(" ")[2] for line in told] == ["50", "60", "110", "120"]
    gh.grant(next(iter(gh.hub.installations)), {"metadata": "read"})
    with command(env) as process:
        refused = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "0 of 1 repositories read" in refused
    assert "lacks a permission" in refused


def test_it_asks_for_a_day_and_an_account_that_there_is(gh: Sandbox, sqlite: Database) -> None:
    env = history(gh, sqlite)
    with command(env, "--since", "October") as process:
        assert process.communicate(timeout=60)[1] == "'October' is not a day: write it as 2026-10-01\n"
    assert process.returncode == 2
    with command(env, "--account", "nobody") as process:
        assert (
            process.communicate(timeout=60)[1] == "There is no such account on which the App is installed and active.\n"
        )
    assert process.returncode == 1
