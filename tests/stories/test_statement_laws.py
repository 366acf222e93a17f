"""Laws of statements' lives: whatever people and days do in whatever order, each state follows from the one before,
one version of each number is in force, its amounts never change, and what disputes win sums to zero."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from app.core.chargeback.periods import FOLLOWS, StatementState
from app.core.chargeback.statement import digest
from app.settings import Settings
from app.store.chargeback_tables import AdjustmentRow, StatementEvent, StatementRow
from app.store.compressed import decompressed
from app.store.database import Database
from app.store.queue import Job
from app.store.statement_issues import daily_jobs
from app.store.statements import document_of, statements_of
from app.stories.decide_statement import NotDecidedError, accept_here, dispute_here
from app.stories.resolve_dispute import NotResolvedError, Won, resolve
from app.stories.watch_statement import watch
from app.world import World
from tests.core.statement_samples import line, statement, usd
from tests.stories.closed_months import ACCOUNT, NOW, close, install, issued, named

CONFIG = """\
cost_centers: {centers: {api: {owners: [ada]}, ops: {}, web: {owners: [bob]}}}
close: {accept_after_days: 5}
"""
NUMBERS = st.sampled_from(["2026-10-001", "2026-10-002", "2026-10-003"])
AMOUNTS = st.integers(1, 10**12)
STEPS = st.one_of(
    st.tuples(st.just("accept"), NUMBERS),
    st.tuples(st.just("dispute"), NUMBERS),
    st.tuples(st.just("dispute"), NUMBERS),
    st.tuples(st.just("resolve"), NUMBERS, AMOUNTS, st.sampled_from(["api", "ops", "web", "unassigned"])),
    st.tuples(st.just("days"), st.integers(1, 4)),
)
REACHED = {
    "accepted": StatementState.ACCEPTED,
    "disputed": StatementState.DISPUTED,
    "resolved": StatementState.REPLACED,
}


class Life:
    """Three statements and a clock."""

    def __init__(self, database: Database) -> None:
        self.now = NOW
        nothing: Any = None  # no story here asks GitHub, or for a price
        self.world = World(Settings(), database, nothing, nothing, lambda: self.now)
        install(database, CONFIG)
        close(database, "2026-10")
        of = [statement(each, [line(usd("10.01"))]) for each in ("api", "ops", "web")]
        issued(database, named(*of))

    def step(self, what: str, *more: Any) -> None:
        self.now += timedelta(minutes=1)
        with suppress(NotDecidedError, NotResolvedError):
            if what == "accept":
                accept_here(self.world, ACCOUNT, more[0], "ada", "fine")
            elif what == "dispute":
                dispute_here(self.world, ACCOUNT, more[0], "ada", "no")
            elif what == "resolve":
                own = {"001": "api", "002": "ops", "003": "web"}[more[0][-3:]]
                resolve(self.world, ACCOUNT, more[0], "so", [Won(own, more[2], usd("0") + more[1])], "root")
            else:
                self._days(more[0])

    def _days(self, days: int) -> None:
        for _ in range(days):
            self.now += timedelta(days=1)
            with self.world.db.reading() as session:
                due = [job for job in daily_jobs(session, [ACCOUNT], self.now) if job.kind == "statement-days"]
            for job in due:
                watch(Job("1", ACCOUNT, job.lane, job.kind, job.args), self.world)


def check(database: Database) -> None:
    with database.reading() as session:
        rows = statements_of(session, ACCOUNT)
        events = list(session.exec(select(StatementEvent).order_by(StatementEvent.id)))
        entered = list(session.exec(select(AdjustmentRow)))
    check_chain(rows)
    for row in rows:
        versions = [each for each in rows if each.number == row.number]
        newest = max(each.version for each in versions)
        assert (row.state == "replaced") == (row.version < newest)
        assert document_of(row).lines == document_of(versions[0]).lines
        assert row.total_nano_usd == versions[0].total_nano_usd
        check_path(row, [each for each in events if (each.cost_center, each.version) == (row.cost_center, row.version)])
    transfers: dict[str, int] = {}
    for each in entered:
        assert each.month == 202611
        transfers[each.transfer] = transfers.get(each.transfer, 0) + each.amount_nano_usd
    assert set(transfers.values()) <= {0}
    assert len(entered) == 2 * len(transfers) <= 2 * sum(row.state == "replaced" for row in rows)


def check_chain(rows: Sequence[StatementRow]) -> None:
    assert [row.link for row in rows] == list(range(1, len(rows) + 1))
    before = ""
    for row in rows:
        assert (row.previous_sha256, digest(decompressed(row.document))) == (before, row.sha256)
        before = row.sha256


def check_path(row: StatementRow, events: Sequence[StatementEvent]) -> None:
    state = StatementState.ISSUED
    assert events[0].event == "issued"
    for event in events[1:]:
        assert REACHED[event.event] in FOLLOWS[state]
        state = REACHED[event.event]
        if event.source == "schedule":
            assert event.at_us - row.issued_at_us > timedelta(days=5).total_seconds() * 10**6
            assert row.cost_center != "ops"  # which has no owners
    assert state.value == row.state


@settings(max_examples=25)
@given(steps=st.lists(STEPS, max_size=14))
def test_the_laws_of_statements_hold_in_any_order(sqlite_template: Path, steps: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "law.sqlite3"
        shutil.copyfile(sqlite_template, path)
        database = Database(f"sqlite:///{path}")
        life = Life(database)
        for step in steps:
            life.step(*step)
        check(database)
        database.close()


def test_the_laws_hold_for_a_life_with_every_step(database: Database) -> None:
    life = Life(database)
    steps: list[tuple[Any, ...]] = [
        ("dispute", "2026-10-001"),
        ("resolve", "2026-10-001", 12, "web"),
        ("dispute", "2026-10-001"),
        ("accept", "2026-10-002"),
        ("resolve", "2026-10-001", 13, "unassigned"),
        ("days", 20),
    ]
    for step in steps:
        life.step(*step)
        check(database)
    assert life.now - NOW > timedelta(days=20)
    with database.reading() as session:
        found = [(row.number[-1], row.version, row.state) for row in statements_of(session, ACCOUNT)]
    assert sorted(found) == [
        ("1", 1, "replaced"),
        ("1", 2, "replaced"),
        ("1", 3, "accepted"),
        ("2", 1, "accepted"),
        ("3", 1, "accepted"),
    ]
