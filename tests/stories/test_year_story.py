"""A year of an organisation's months: late data, disputes, moves, new prices, reverts of journals, a pool and seats.

After every close each statement ties to the ledger to the nano-dollar, each journal balances, and nothing that was
issued before has changed.
"""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import text

from app.core.chargeback.journal import csv_of
from app.core.chargeback.statement import Kind, Statement
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.period import Period
from app.store.configs import config_of, save_config
from app.store.statements import document_of, newest_statements
from app.stories.close_period import close
from app.stories.decide_statement import accept_here, dispute_here
from app.stories.measure import metrics_of
from app.stories.post_journal import post, reverse
from app.stories.reprice import reprice
from app.stories.resolve_dispute import Won, resolve
from app.stories.show_statements import month_page
from app.stories.verify_books import verify
from app.world import World
from tests.stories.stage import PATH, Stage
from tests.stories.test_export_story import exported_by

REPOSITORIES = ("acme/pay", "acme/web", "acme/data", "acme/nobodys")
CENTERS = ("payments", "platform", "science")
MONTHS = 12
FLIPS = 12


@dataclass
class Year:
    """The organisation as it is played; `chance` tells what happens, always the same."""

    stage: Stage
    account_id: int
    chance: random.Random
    documents: dict[tuple[str, int], bytes] = field(default_factory=dict)
    journals: dict[str, bytes] = field(default_factory=dict)
    late: list[tuple[dict[str, Any], datetime]] = field(default_factory=list)
    kinds: set[Kind] = field(default_factory=set)

    def configure(self, number: int) -> None:
        """The rules of a month: data moves from science to platform in May, a discount comes in August."""
        data = "platform" if number >= 5 else "science"
        own = {"payments": ["pay"], "platform": ["web"], "science": []}
        own[data].append("data")
        centers = "\n".join(
            f"    {name}: {{owners: [ada], repositories: {names}, chargeback_from: 2026-03, account: {64 + at}00}}"
            for at, (name, names) in enumerate(own.items())
        )
        discount = "discounts: [{provider: anthropic, percent: 10, from: 2026-01-01}]" if number >= 8 else ""
        rules = f"""\
cost_centers:
  centers:
{centers}
shared_costs:
  unassigned: {{method: proportional}}
  pools:
    triage: {{method: fixed, percent: {{payments: 33.4, platform: 33.3, science: 33.3}}, agents: [codex]}}
subscriptions:
- {{name: Seats, vendor: anthropic, seats: 7, seat_fee_usd: 33.33, from: 2026-02-01, method: even}}
{discount}
"""
        with self.stage.world.db.transaction() as session:
            save_config(session, config_of(session, self.account_id), rules, [], self.stage.now())

    def month(self, number: int) -> Month:
        """Agents work for a month; what they did at its end is told late."""
        month = Month.of(self.stage.now())
        self.configure(number)
        for _ in range(5):
            repository = self.chance.choice(REPOSITORIES)
            run = self.pull(repository) if self.chance.random() < 0.6 else self.start(repository)
            agent = "codex" if self.chance.random() < 0.2 else "claude-code"
            self.stage.report(run, self.chance.randrange(1, 4), f"s-{run['run_id']}", agent=agent)
            self.stage.tick(3_600)
        self.to(month, 28)
        self.stage.report(self.start("acme/web"), 1, f"end-of-{month}")  # it is abandoned after the close
        self.late.append((self.start("acme/pay"), self.stage.now()))
        self.stage.settle()
        self.to(month.next, 10)
        self.stage.settle()
        return month

    def to(self, month: Month, day: int) -> None:
        at = datetime(month.year, month.number, day, 12, tzinfo=self.stage.now().tzinfo)
        self.stage.tick((at - self.stage.now()).total_seconds())

    def start(self, repository: str) -> dict[str, Any]:
        return dict(self.stage.gh.start_workflow_run(repository, path=PATH))

    def pull(self, repository: str) -> dict[str, Any]:
        """An agent works for a pull; most merge, some a month later."""
        branch = f"b{self.chance.randrange(10**9)}"
        number = self.stage.gh.open_pull(repository, branch, files={f"{branch}.txt": "a"})
        self.stage.tick()
        run = self.stage.gh.start_workflow_run(repository, path=PATH, pull=number)
        if self.chance.random() < 0.7:
            self.stage.tick()
            self.stage.gh.merge(repository, number)
        return dict(run)

    def tell_late(self) -> None:
        for run, at in self.late:
            calls = [self.stage.call(f"late-{run['run_id']}-{n}", at=f"{at:%Y-%m-%dT%H:%M:%SZ}") for n in range(2)]
            self.stage.report(run, calls, f"late-{run['run_id']}")
        self.late.clear()
        self.stage.settle()

    def close(self, month: Month) -> list[Statement]:
        close(self.stage.world, self.account_id, month, "test")
        with self.stage.world.db.reading() as session:
            found = [document_of(row) for row in newest_statements(session, self.account_id, month)]
        for each in found:
            self.kinds |= {adjustment.kind for adjustment in each.adjustments}
        return found

    def answer(self, statements: list[Statement]) -> None:
        """Owners accept; now and then one disputes first, and wins something."""
        own = [each for each in statements if each.cost_center in CENTERS]
        for each in own:
            if self.chance.random() < 0.2:
                dispute_here(self.stage.world, self.account_id, each.number, "ada", "not ours")
                other = next(name for name in CENTERS if name != each.cost_center)
                won = [Won(each.cost_center, other, NanoUsd(self.chance.randrange(1, 10**8)))]
                resolve(self.stage.world, self.account_id, each.number, "you are right", won, "finance")
            accept_here(self.stage.world, self.account_id, each.number, "ada", "fine")

    def book(self, month: Month) -> None:
        if month < Month(2026, 3):
            return  # all of it is showback
        journal = post(self.stage.world, self.account_id, month, "finance")
        self.journals[journal.number] = csv_of(journal)
        if self.chance.random() < 0.3:
            undone = reverse(self.stage.world, self.account_id, journal.number, "the wrong account", "finance")
            again = post(self.stage.world, self.account_id, month, "finance")
            self.journals |= {each.number: csv_of(each) for each in (undone, again)}
        for text_of in self.journals.values():
            assert_balances(text_of.decode())

    def check(self, month: Month) -> None:
        """Everything ties, and nothing that was issued has changed."""
        assert list(verify(self.stage.world, self.account_id).faults) == []
        page = month_page(self.stage.world, self.account_id, month)
        assert page is not None
        assert page.off == 0
        now = {(number, version): document for number, version, document in self.stage.rows(DOCUMENTS)}
        assert {key: now[key] for key in self.documents} == self.documents
        self.documents = now


DOCUMENTS = "SELECT number, version, document FROM statement"


def assert_balances(table: str) -> None:
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    debit, credit = (sum(Decimal(row[side] or 0) for row in rows) for side in ("Debit", "Credit"))
    assert debit == credit
    assert debit > 0


# Definitions §4 by anybody who has the files: what a month cost is in its own and, as corrections, in later ones.
PER_MERGED_PR = """
    WITH spent AS (SELECT COALESCE(SUM(x_ContractedValue), 0) AS cost FROM '{folder}/*/cost-and-usage.parquet'
                   WHERE ChargePeriodStart >= TIMESTAMPTZ '{first}' AND ChargePeriodStart < TIMESTAMPTZ '{end}'
                   AND (x_AgentRunId IS NOT NULL OR ChargeCategory = 'Adjustment')),
         pulls AS (SELECT COALESCE(SUM(OpenAtStartCost), 0) AS before, COALESCE(SUM(OpenAtEndCost), 0) AS after,
                          COUNT(DISTINCT (PullRequestRepository, PullRequestNumber))
                          FILTER (WHERE MergedInPeriod AND Survived) AS survived
                   FROM '{folder}/{month}/pulls.parquet')
    SELECT cost, cost + before - after, survived FROM spent, pulls
"""


def assert_told_by_the_export(world: World, account_id: int, folder: Path, months: Sequence[Month]) -> None:
    """Cost per merged PR of each month, from the exported files alone, is what we say."""
    places = [exported_by(world, account_id, month, folder) for month in [*months, months[-1].next]]
    for month in months:
        bounds = {"first": month.start.isoformat(), "end": month.end.isoformat()}
        query = PER_MERGED_PR.format(folder=places[0].parent, month=month, **bounds)
        found = [int(value * 10**9) for value in duckdb.connect().sql(query).fetchall()[0][:2]]
        ours = metrics_of(world, account_id, Period.of(month)).cost
        assert found == [ours.cost, ours.released], month
        assert duckdb.connect().sql(query).fetchall()[0][2] == ours.survived


def test_a_year_of_closes_ties_to_the_ledger(stage: Stage, tmp_path: Path) -> None:
    stage.gh.set_time(datetime(2026, 1, 3, 9, tzinfo=stage.now().tzinfo))
    year = Year(stage, stage.install(*REPOSITORIES), random.Random(7))
    for number in range(1, MONTHS + 1):
        month = year.month(number)
        statements = year.close(month)
        year.tell_late()
        if number == 8:
            reprice(stage.world, year.account_id, datetime(2026, 1, 1, tzinfo=stage.now().tzinfo))
            stage.settle()
        year.answer(statements)
        year.book(month)
        year.check(month)
    assert year.kinds == {Kind.LATE, Kind.REPRICED, Kind.REATTRIBUTED, Kind.DISPUTE}
    months = Month(2026, 1).until(Month(2026, MONTHS))
    assert_told_by_the_export(stage.world, year.account_id, tmp_path, months)
    flip_bytes(year)


def flip_bytes(year: Year) -> None:
    """Any byte of any document: verify finds it, and nothing else is wrong once it is back."""
    for number, version in year.chance.sample(sorted(year.documents), FLIPS):
        document = year.documents[number, version]
        altered = bytearray(document)
        altered[year.chance.randrange(len(altered))] ^= 1 << year.chance.randrange(8)
        write(year, number, version, bytes(altered))
        assert any(f"{number} v{version}" in fault for fault in verify(year.stage.world, year.account_id).faults)
        write(year, number, version, document)
    assert list(verify(year.stage.world, year.account_id).faults) == []


def write(year: Year, number: str, version: int, document: bytes) -> None:
    with year.stage.world.db.transaction() as session:
        statement = text("UPDATE statement SET document = :document WHERE number = :number AND version = :version")
        session.connection().execute(statement, {"document": document, "number": number, "version": version})
