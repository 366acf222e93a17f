"""Whatever is recorded, moved and priced anew, in any order: the books hold what calls cost, and what was is kept."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.config import Config, in_force
from app.core.costing import costs_of
from app.core.facts import AgentRunKey
from app.core.ledger import Book, Place, moves
from app.store.books import holding, post
from app.store.compressed import decompressed
from app.store.configs import config_of, save_config
from app.store.corrections import agent_runs_since, calls_since
from app.store.database import Database
from app.store.tables import AgentRun, Correction, LedgerEntry, ModelCallRow
from app.stories.reprice import Repriced, reprice
from app.world import World
from tests.record.issuer import ACCOUNT, Issuer, issuing
from tests.record.ledger import check_books, everything
from tests.record.reports import START
from tests.record.serving import PRICES, install, world_of
from tests.record.test_money_laws import SESSIONS, send

OWN = """\
prices:
- {provider: anthropic, model: unheard-of, from: 2020-01-01, input: 0.1, output: 0.7, web_search: 3}
- {provider: anthropic, model: claude-opus*, from: 2020-01-01, input: 3.000000001, output: 9}
"""
CONFIGS = (
    "",
    "discounts:\n- {provider: anthropic, percent: 12.5, from: 2020-01-01}\n",
    "discounts:\n- {provider: anthropic, percent: 100, from: 2020-01-01}\n",
    OWN,
)
PLACES = (Place(Book.PULL, 1), Place(Book.PULL, 2), Place(Book.ABANDONED))
TARGETS = st.lists(
    st.tuples(st.sampled_from(PLACES), st.integers(1, 5)), min_size=1, max_size=3, unique_by=lambda t: t[0]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 3), SESSIONS),
        st.tuples(st.just("agree"), st.sampled_from(CONFIGS)),
        st.tuples(st.just("move"), TARGETS),
        st.tuples(st.just("reprice"), st.integers(0, 70)),
    ),
    min_size=2,
    max_size=10,
)


@pytest.fixture(scope="module")
def issuer_once() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


class Account:
    """One account in a database of its own; remembers what each call was first said to cost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.first: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.tokens = 0

    def send(self, job: int, sessions: dict[str, list[int]]) -> None:
        self.tokens += 1
        send(self.world, job, self.tokens, sessions)
        for row in everything(self.world.db, ModelCallRow):
            self.first.setdefault((row.agent_run_id, row.position), price(row))

    def agree(self, text: str) -> None:
        with self.world.db.transaction() as session:
            save_config(session, config_of(session, ACCOUNT), text, [], START)

    def move(self, target: list[tuple[Place, int]]) -> None:
        for run in everything(self.world.db, AgentRun):
            with self.world.db.transaction() as session:
                key = AgentRunKey(run.account_id, run.repository_id, run.id)
                post(session, key, moves(holding(session, key), target), "moved", START)

    def reprice(self, days: int) -> None:
        since = START - timedelta(days=days)
        told = self.check_a_dry_run_writes_nothing(since)
        assert reprice(self.world, ACCOUNT, since) == told
        again = reprice(self.world, ACCOUNT, since)
        assert again == Repriced(agent_runs=again.agent_runs)
        self.check_prices_in_force(since)

    def check_a_dry_run_writes_nothing(self, since: datetime) -> Repriced:
        before = [everything(self.world.db, table) for table in (Correction, LedgerEntry, ModelCallRow)]
        told = reprice(self.world, ACCOUNT, since, dry_run=True)
        assert before == [everything(self.world.db, table) for table in (Correction, LedgerEntry, ModelCallRow)]
        return told

    def check_prices_in_force(self, since: datetime) -> None:
        with self.world.db.reading() as session:
            version = config_of(session, ACCOUNT)
            config: Config = in_force(version.good_text, version.public)
            for agent_run_id in agent_runs_since(session, ACCOUNT, since, "", 1_000):
                kept = calls_since(session, ACCOUNT, agent_run_id, since)
                costs = costs_of(PRICES, config, [each.call for each in kept])
                assert [each.price.cost for each in kept] == list(costs.contracted)
                assert [each.price.list_cost for each in kept] == list(costs.listed)

    def check(self) -> None:
        """The conservation law, each agent run's sums, and the way back through every correction."""
        check_books(self.world.db)
        calls = everything(self.world.db, ModelCallRow)
        for run in everything(self.world.db, AgentRun):
            own = [row for row in calls if row.agent_run_id == run.id]
            assert run.cost_nano_usd == sum(row.cost_nano_usd or 0 for row in own)
            assert run.list_cost_nano_usd == sum(row.list_cost_nano_usd or 0 for row in own)
            assert run.unpriced_calls == sum(row.cost_nano_usd is None for row in own)
            assert run.unlisted_calls == sum(row.list_cost_nano_usd is None for row in own)
        assert way_back(calls, everything(self.world.db, Correction)) == self.first


def price(row: ModelCallRow) -> tuple[Any, ...]:
    return row.cost_nano_usd, row.list_cost_nano_usd, row.price_list


def way_back(calls: list[ModelCallRow], corrections: list[Correction]) -> dict[tuple[str, int], tuple[Any, ...]]:
    """What each call was first said to cost, from what it costs now and what corrections have kept."""
    known = {(row.agent_run_id, row.position): price(row) for row in calls}
    for each in sorted(corrections, key=lambda one: one.id, reverse=True):
        for position, *was in json.loads(decompressed(each.before_calls)):
            known[each.agent_run_id, position] = tuple(was)
    return known


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, last=st.sampled_from(CONFIGS))
def test_books_hold_what_calls_cost_and_corrections_keep_what_was(
    sqlite_template: Path, issuer_once: Issuer, steps: list[tuple[Any, ...]], last: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "law.sqlite3"
        shutil.copyfile(sqlite_template, path)
        database = Database(f"sqlite:///{path}")
        account = Account(world_of(database, issuer_once.url))
        with database.transaction() as session:
            install(session)
        for name, *arguments in [*steps, ("agree", last), ("reprice", 70)]:
            getattr(account, name)(*arguments)
            account.check()
        database.close()


def test_the_laws_hold_for_a_story_with_every_step(sqlite: Database, issuer_once: Issuer) -> None:
    account = Account(world_of(sqlite, issuer_once.url))
    with sqlite.transaction() as session:
        install(session)
    account.send(1, {"a": list(range(20)), "b": list(range(15, 30))})
    for text in (*CONFIGS, *CONFIGS):
        account.move([(PLACES[0], 2), (PLACES[1], 1)])
        account.agree(text)
        account.reprice(70)
        account.check()
    assert len(everything(sqlite, Correction)) >= 2 * len(CONFIGS) - 1
