"""A month begins to close while others write: what it knows of the ledger is settled at that moment, for good."""

import threading
from datetime import UTC, datetime

from sqlalchemy import text

from app.core.facts import AgentRunKey
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.books import post_usage
from app.store.database import Database
from app.store.periods import begin_closing, marks_of

ACCOUNT, WRITERS, CLOSES = 7, 4, 8
NOW = datetime(2026, 11, 10, tzinfo=UTC)
FIRST = Month(2026, 1)


def known(database: Database, until: int) -> tuple[int, int]:
    query = text(
        "SELECT COUNT(*), COALESCE(SUM(amount_nano_usd), 0) FROM ledger_entry WHERE id <= :until AND book <> 'usage'"
    )
    with database.reading() as session:
        count, amount = session.connection().execute(query, {"until": until}).one()
        return int(count), int(amount)


def test_no_entry_comes_below_a_mark_once_it_is_set(database: Database) -> None:
    done = threading.Event()
    failed: list[Exception] = []

    def write(number: int) -> None:
        wrote = 0
        while not done.is_set() or wrote < CLOSES:
            wrote += 1
            key = AgentRunKey(ACCOUNT, number, f"{number:03}-{wrote:06}")
            try:
                with database.transaction() as session:
                    post_usage(session, key, {FIRST: NanoUsd(wrote), FIRST.next: NanoUsd(1)}, NOW)
            except Exception as error:  # noqa: BLE001 - told by the test's own thread
                failed.append(error)
                return

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, WRITERS + 1)]
    for thread in threads:
        thread.start()
    seen = []
    month = FIRST
    for _ in range(CLOSES):
        with database.transaction() as session:
            row = begin_closing(session, ACCOUNT, month, early=False, actor="test", now=NOW)
        seen.append((row.ledger_until, known(database, row.ledger_until)))
        month = month.next
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [(until, known(database, until)) for until, _ in seen] == seen
    with database.reading() as session:
        assert [mark.ledger_until for mark in marks_of(session, ACCOUNT)] == sorted(until for until, _ in seen)


def test_a_close_waits_for_entries_that_are_being_written(database: Database) -> None:
    written, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with database.transaction() as session:
            post_usage(session, AgentRunKey(ACCOUNT, 1, "slow"), {FIRST: NanoUsd(5)}, NOW)
            written.set()
            go_on.wait(10)

    marks: list[int] = []

    def close() -> None:
        with database.transaction() as session:
            marks.append(begin_closing(session, ACCOUNT, FIRST, early=False, actor="test", now=NOW).ledger_until)

    threads = [threading.Thread(target=write), threading.Thread(target=close)]
    threads[0].start()
    assert written.wait(10)
    threads[1].start()
    threads[1].join(0.3)
    waited = threads[1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join()
    assert waited
    assert known(database, marks[0]) == (1, 5)
