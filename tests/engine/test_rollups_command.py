"""`rollups` as a process: what it finds, and what it mends."""

from collections.abc import Iterator

import pytest

from app.store.database import Database
from app.store.rollups import mark
from app.store.tables import Pull
from tests.engine.play import rows
from tests.engine.test_command import run


@pytest.fixture
def known(sqlite_url: str) -> Iterator[Database]:
    """acme with 12 repositories, each with a pull that merged without an agent."""
    database = Database(sqlite_url)
    with database.transaction() as session:
        execute = session.connection().exec_driver_sql
        execute("INSERT INTO installation VALUES (100, 1, 'acme', 'Organization', 'active', '{}', 0)")
        for number in range(1, 13):
            execute(
                f"INSERT INTO repository VALUES (100, {number}, 'acme', 'r{number}', 'main', 'private', 0, 1,"
                " 'installed', 0)"
            )
            session.add(
                Pull(
                    account_id=100, repository_id=number, number=7, title="t", state="merged", head_ref="f",
                    head_sha="a", base_ref="main", author_id=1, created_at_us=0, read_at_us=0,
                    closed_at_us=1_790_000_000_000_000, merged_at_us=1_790_000_000_000_000,
                )
            )  # fmt: skip
    yield database
    database.close()


def test_sums_are_made_anew_on_all_processors_and_are_what_the_books_give(known: Database, sqlite_url: str) -> None:
    made = run(sqlite_url, "rollups", "rebuild", "--account", "acme")
    assert made.returncode == 0, made.stderr
    assert "12 of 12 repositories computed anew" in made.stdout
    assert rows(known, "SELECT COUNT(*), MIN(has_pulls) FROM rollup_state") == [(12, 1)]
    checked = run(sqlite_url, "rollups", "check")
    assert (checked.returncode, checked.stdout) == (0, "account 100: the sums are what the books give\n")


def test_a_sum_that_is_not_the_books_is_named_and_mended(known: Database, sqlite_url: str) -> None:
    run(sqlite_url, "rollups", "rebuild")
    with known.transaction() as session:
        session.connection().exec_driver_sql(
            "UPDATE rollup SET sums = replace(sums, '\"merged\":1', '\"merged\":2') WHERE repository_id = 3"
        )
    checked = run(sqlite_url, "rollups", "check")
    assert checked.returncode == 1
    assert "account 100: repository 3, 2026-09, by organisation differs from the books" in checked.stdout
    assert "rollups rebuild" in checked.stdout
    assert run(sqlite_url, "rollups", "rebuild").returncode == 0
    assert run(sqlite_url, "rollups").returncode == 0


def test_a_marked_repository_does_not_count_so_it_is_not_held_against_the_books(
    known: Database, sqlite_url: str
) -> None:
    run(sqlite_url, "rollups", "rebuild")
    with known.transaction() as session:
        session.connection().exec_driver_sql("DELETE FROM pull WHERE repository_id = 4")
        mark(session, 100, 4)
    assert run(sqlite_url, "rollups", "check").returncode == 0
    run(sqlite_url, "rollups", "rebuild")
    assert rows(known, "SELECT COUNT(*) FROM rollup_mark") == [(0,)]


def test_an_account_that_is_not_there_is_said_to_be(known: Database, sqlite_url: str) -> None:
    refused = run(sqlite_url, "rollups", "check", "--account", "globex")
    assert refused.returncode == 1
    assert "no such account" in refused.stderr
