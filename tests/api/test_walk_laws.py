"""Whatever is in the books, each step's parts sum to the step above, and no account's parts are in another's."""

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from app.core.facts import AgentRunKey
from app.core.ledger import Book, Place, moves
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.shares import csv_lines
from app.store.books import holding, post, post_usage
from app.store.database import Database
from app.store.keys import instant, new_key, us
from app.store.rollups import mark
from app.store.tables import AgentRun, Installation, ModelCallRow, Pull, Repository, Tie, WorkflowJob
from app.stories import walk
from app.stories.shares import shares
from app.stories.summarize import month_report
from app.world import World
from tests.record.serving import world_of

MONTHS = (Month(2026, 9), Month(2026, 10), Month(2026, 11))
ACCOUNTS, REPOSITORIES = (100, 101), (0, 1, 2, 3)  # 0: named by none; 3: no event told of it
NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Call(NamedTuple):
    month: Month
    cost: int | None


class Run(NamedTuple):
    account_id: int
    repository_id: int
    calls: tuple[Call, ...]
    places: tuple[tuple[Place, int], ...]


calls = st.builds(Call, st.sampled_from(MONTHS), st.none() | st.integers(0, 10**12))
places = st.lists(
    st.tuples(st.builds(Place, st.just(Book.PULL), st.integers(1, 3)), st.integers(1, 5)),
    min_size=1, max_size=3, unique_by=lambda each: each[0],
) | st.sampled_from([[(Place(book), 1)] for book in (Book.UNATTRIBUTED, Book.ABANDONED, Book.OVERHEAD)])  # fmt: skip
runs = st.builds(
    Run, st.sampled_from(ACCOUNTS), st.sampled_from(REPOSITORIES), st.lists(calls, max_size=5).map(tuple),
    places.map(tuple),
)  # fmt: skip


def enter(session: Session, run: Run) -> None:
    """An agent run with its calls, ties and entries, as recording and attribution leave them."""
    key = AgentRunKey(run.account_id, run.repository_id, new_key())
    at = sorted(us(call.month.start + timedelta(days=3)) for call in run.calls) or [us(MONTHS[0].start)]
    cost = sum(call.cost or 0 for call in run.calls)
    pulls = [(place.number, weight) for place, weight in run.places if place.book is Book.PULL]
    counts: dict[str, Any] = dict.fromkeys(
        ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
         "cache_write_other_tokens", "output_tokens", "reasoning_tokens"), 0,
    )  # fmt: skip
    session.add(
        WorkflowJob(
            id=key.agent_run_id, account_id=run.account_id, issuer="", repository_id=run.repository_id, run_id=1,
            run_attempt=1, job_key=key.agent_run_id, event_name="push", ref="", head_ref="", base_ref="", actor_id=1,
            workflow="agent", workflow_ref="", job_workflow_ref="", started_at_us=at[0], state="closed",
            opened_at_us=at[0],
        )
    )  # fmt: skip
    session.add(
        AgentRun(
            id=key.agent_run_id, account_id=run.account_id, repository_id=run.repository_id,
            workflow_job_id=key.agent_run_id, record_id="", agent="claude-code", provenance="job",
            session=key.agent_run_id, completeness="complete", started_at_us=at[0], ended_at_us=at[-1],
            model_calls=len(run.calls), unpriced_calls=sum(call.cost is None for call in run.calls),
            cost_nano_usd=cost, list_cost_nano_usd=cost, unlisted_calls=0, price_list="", body_sha256="",
            evidence="E1" if pulls else "", **counts,
        )
    )  # fmt: skip
    for position, call in enumerate(run.calls):
        session.add(
            ModelCallRow(
                agent_run_id=key.agent_run_id, position=position, account_id=run.account_id,
                identity=f"{key.agent_run_id}{position}".encode(), provider="anthropic", response_id="", model="m",
                at_us=us(call.month.start + timedelta(days=3)), web_searches=0, service_tier="", speed="",
                subagent=False, cost_nano_usd=call.cost, list_cost_nano_usd=call.cost, price_list="", **counts,
            )
        )  # fmt: skip
    for number, weight in pulls:
        session.merge(pull(run.account_id, run.repository_id, number))
        session.add(
            Tie(account_id=run.account_id, agent_run_id=key.agent_run_id, repository_id=run.repository_id,
                number=number, evidence="E1", weight=weight)
        )  # fmt: skip
    session.flush()
    by_month: dict[Month, NanoUsd] = {}
    for call in run.calls:
        by_month[call.month] = NanoUsd(by_month.get(call.month, 0) + (call.cost or 0))
    mark(session, run.account_id, run.repository_id)
    post_usage(session, key, by_month, NOW)
    post(session, key, moves(holding(session, key), run.places), "", NOW)


def pull(account_id: int, repository_id: int, number: int) -> Pull:
    return Pull(
        account_id=account_id, repository_id=repository_id, number=number, title="=t", state="open", head_ref="b",
        head_sha="", base_ref="main", author_id=1, created_at_us=0, read_at_us=0,
    )  # fmt: skip


@contextmanager
def books(template: Path, entered: list[Run]) -> Iterator[World]:
    with TemporaryDirectory() as home:
        shutil.copyfile(template, Path(home) / "books.sqlite3")
        database = Database(f"sqlite:///{home}/books.sqlite3")
        with database.transaction() as session:
            for account_id in ACCOUNTS:
                session.add(
                    Installation(account_id=account_id, installation_id=account_id, account_login=f"org-{account_id}",
                                 account_type="Organization", state="active", updated_at_us=0)
                )  # fmt: skip
                for repository_id in REPOSITORIES[1:3]:
                    session.add(
                        Repository(account_id=account_id, repository_id=repository_id, owner=f"org-{account_id}",
                                   name=f"r{repository_id}", default_branch="main", visibility="private",
                                   updated_at_us=0)
                    )  # fmt: skip
            for run in entered:
                enter(session, run)
        yield world_of(database, "http://127.0.0.1:9")
        database.close()


def spent(entered: list[Run], account_id: int, month: Month | None = None) -> int:
    of = (call for run in entered if run.account_id == account_id for call in run.calls)
    return sum(call.cost or 0 for call in of if month in (None, call.month))


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(entered=st.lists(runs, max_size=8))
def test_the_parts_of_each_step_sum_to_the_step_above(sqlite_template: Path, entered: list[Run]) -> None:
    with books(sqlite_template, entered) as world:
        for account_id in ACCOUNTS:
            for month in MONTHS:
                check_month(world, account_id, month, spent(entered, account_id, month))
            check_runs(world, account_id, spent(entered, account_id))


def check_month(world: World, account_id: int, month: Month, spend: int) -> None:
    steps = walk.month_step(world, account_id, month)
    report = month_report(world, account_id, month, public_issue=False)
    assert walk.spend_of(steps) == report.total.spend == spend
    assert {s.repository_id: s.spend for s in steps if s.spend} == {
        each.repository_id: each.figures.spend for each in report.repositories if each.figures.spend
    }
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines(shares(world, account_id, month))))))
    assert sum(int(row["cost_nano_usd"] or 0) for row in rows) == spend
    for step in steps:
        pulls = walk.pulls(world, account_id, step.repository_id, month, 0, 100)
        assert sum(each.in_month for each in pulls) == step.books.get(Book.PULL, 0)
        loose = walk.without_pull(world, account_id, step.repository_id, month, "", 100)
        for book in (Book.UNATTRIBUTED, Book.ABANDONED, Book.OVERHEAD):
            assert sum(each.amounts[book] for each in loose) == step.books.get(book, 0)
        for each in pulls:
            told = walk.pull_step(world, account_id, step.repository_id, each.pull.number)
            assert told is not None
            assert told.amount == each.lifetime == sum(share.amount for share in told.shares)
            assert told.by_month.get(month, 0) == each.in_month
            assert told.known == each.known


def check_runs(world: World, account_id: int, spend: int) -> None:
    """Every agent run that is anywhere is whole: its places and its calls sum to it, and all of them to the account."""
    ids = {row[0] for row in _ids(world, account_id)}
    total = 0
    for agent_run_id in ids:
        step = walk.run_step(world, account_id, agent_run_id)
        assert step is not None
        calls_of = walk.call_steps(world, account_id, agent_run_id, -1, 100)
        cost = sum(each.kept.price.cost or 0 for each in calls_of)
        assert cost == step.run.cost_nano_usd == sum(place.amount for place in step.places)
        others = next(each for each in ACCOUNTS if each != account_id)
        assert walk.run_step(world, others, agent_run_id) is None
        assert walk.call_steps(world, others, agent_run_id, -1, 100) == []
        total += cost
    assert total == spend


def _ids(world: World, account_id: int) -> list[tuple[str]]:
    with world.db.reading() as session:
        found = session.connection().exec_driver_sql(f"SELECT id FROM agent_run WHERE account_id = {account_id}")
        return [(str(row[0]),) for row in found]


def test_a_share_that_would_be_a_formula_is_text(sqlite_template: Path) -> None:
    with books(sqlite_template, [Run(100, 1, (Call(MONTHS[0], 5),), ((Place(Book.PULL, 1), 1),))]) as world:
        with world.db.transaction() as session:
            session.connection().exec_driver_sql("UPDATE agent_run SET team = '=cmd()', agent = '@x,\"y'")
        (row,) = csv.DictReader(io.StringIO("".join(csv_lines(shares(world, 100, MONTHS[0])))))
    assert (row["team"], row["agent"], row["cost_usd"]) == ("'=cmd()", "'@x,\"y", "0.000000005")
    assert row["started_at"] == f"{instant(us(MONTHS[0].start + timedelta(days=3))):%Y-%m-%dT%H:%M:%SZ}"
