"""A year of simulated organisations: their months close by the App's own clock while agents work and news comes late.

Owners answer, now and then with a dispute that wins; journals are posted and some reversed; prices change; repositories
move. In the end every statement ties to the ledger, no document changed, and the exports tell the same.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import text

from app.core.chargeback.journal import csv_of
from app.core.chargeback.statement import Kind
from app.core.money import NanoUsd
from app.core.month import Month
from app.store.statements import document_of, newest_statements
from app.stories.decide_statement import accept_here, dispute_here
from app.stories.post_journal import post, reverse
from app.stories.reprice import reprice
from app.stories.resolve_dispute import Won, resolve
from app.stories.show_statements import month_page
from app.stories.verify_books import verify
from tests.simulate.replay import Manner, Replay
from tests.simulate.test_simulate import fresh
from tests.simulate.world import START, Size, World
from tests.stories.test_year_story import assert_balances, assert_told_by_the_export

YEAR = Size(repositories=8, cases=0, each=1, days=380)
MONTHS = Month(2026, 6).until(Month(2027, 5))
REPRICED_AFTER = Month(2026, 11)
RULES = """
cost_centers:
  centers:
    core: {{owners: [ada], repositories: [repository-0, repository-1, {moving}], chargeback_from: 2026-07}}
    edge: {{owners: [ada], repositories: [repository-2, repository-3{other}], chargeback_from: 2026-09}}
shared_costs:
  unassigned: {{method: proportional}}
subscriptions:
- {{name: Seats, vendor: anthropic, seats: 7, seat_fee_usd: 33.33, from: 2026-08-01, method: even}}
close: {{day: 10, time_zone: Europe/Berlin}}
"""
# In October two repositories move, and a discount comes that holds since August.
BEFORE = RULES.format(moving="repository-4, repository-5, repository-6", other="")
AFTER = RULES.format(moving="repository-4", other=", repository-5, repository-6") + (
    "discounts: [{provider: anthropic, percent: 10, from: 2026-08-01}]\n"
)
CLOSED = "SELECT account_id, month FROM period WHERE state = 'closed' ORDER BY month, account_id"
DOCUMENTS = "SELECT account_id, number, version, document FROM statement"


@dataclass
class Finance:
    """People who act on what has closed, on the day after it did; `seen` has each document as it was issued."""

    chance: Random
    day: date = date.min
    closed: set[tuple[int, Month]] = field(default_factory=set)
    seen: dict[tuple[int, str, int], bytes] = field(default_factory=dict)
    kinds: Counter[Kind] = field(default_factory=Counter)
    journals: list[str] = field(default_factory=list)

    def __call__(self, replay: Replay) -> None:
        if replay.app.now().date() == self.day:
            return
        self.day = replay.app.now().date()
        rows = _rows(replay, CLOSED)
        for account_id, month in rows:
            if (account_id, Month.from_int(month)) not in self.closed:
                self._act(replay, account_id, Month.from_int(month))
                self.closed.add((account_id, Month.from_int(month)))
        self.look(replay)

    def look(self, replay: Replay) -> None:
        """No document that was issued is another one now."""
        found = {row[:3]: row[3] for row in _rows(replay, DOCUMENTS)}
        assert {key: found.get(key) for key in self.seen} == self.seen
        self.seen = found

    def _act(self, replay: Replay, account_id: int, month: Month) -> None:
        with replay.database.reading() as session:
            statements = [document_of(row) for row in newest_statements(session, account_id, month)]
        for each in statements:
            self.kinds.update(adjustment.kind for adjustment in each.adjustments)
            if each.cost_center not in ("core", "edge"):
                continue
            if self.chance.random() < 0.2:
                dispute_here(replay.app, account_id, each.number, "ada", "not ours")
                other = "edge" if each.cost_center == "core" else "core"
                won = [Won(each.cost_center, other, NanoUsd(self.chance.randrange(1, 10**8)))]
                resolve(replay.app, account_id, each.number, "you are right", won, "finance")
            accept_here(replay.app, account_id, each.number, "ada", "fine")
        if any(each.chargeback for each in statements):
            self._book(replay, account_id, month)
        if month == REPRICED_AFTER:
            reprice(replay.app, account_id, START)

    def _book(self, replay: Replay, account_id: int, month: Month) -> None:
        journal = post(replay.app, account_id, month, "finance")
        self.journals.append(csv_of(journal).decode())
        if self.chance.random() < 0.2:
            undone = reverse(replay.app, account_id, journal.number, "the wrong account", "finance")
            again = post(replay.app, account_id, month, "finance")
            self.journals += [csv_of(each).decode() for each in (undone, again)]


def _rows(replay: Replay, query: str) -> list[tuple[Any, ...]]:
    with replay.database.reading() as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def test_a_year_of_the_simulated_organisation_ties_to_the_ledger(sqlite_template: Path, tmp_path: Path) -> None:
    with fresh(sqlite_template, tmp_path) as database:
        replay = Replay(World(11, YEAR, more=(BEFORE, AFTER)), database, Manner(seed=1, late=0.1, dropped=0.05))
        finance = Finance(Random(11))
        replay.play(finance)
        finance.day = date.min
        finance(replay)  # what closed while all came to rest
        accounts = sorted({account_id for account_id, _ in finance.closed})
        assert len(accounts) >= 3
        for account_id in accounts:
            assert list(verify(replay.app, account_id).faults) == []
            months = sorted(month for each, month in finance.closed if each == account_id)
            assert months[: len(MONTHS)] == MONTHS
            for month in months:
                page = month_page(replay.app, account_id, month)
                assert page is not None
                assert page.off == 0
            assert_told_by_the_export(replay.app, account_id, tmp_path / str(account_id), months)
        for each in finance.journals:
            assert_balances(each)
        assert finance.kinds.keys() == {Kind.LATE, Kind.REPRICED, Kind.REATTRIBUTED, Kind.DISPUTE}
        assert len(finance.journals) > len(MONTHS)
