"""Sums are kept, and metrics are what the books give: whatever changed since, whoever computes, and for every scope."""

from datetime import timedelta

import pytest

from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import measure_scopes
from app.core.shares import Dimension
from app.store.keys import us
from app.store.pulls import PullKey
from app.store.queue import Job
from app.store.rolled_up import compute_and_keep, differences, stale_repositories
from app.store.rollups import mark
from app.stories.allocate import read_pull, settle
from app.stories.attribute import decide_here
from app.stories.measure import metrics_by, shares_of
from app.stories.roll_up import RESTS_TIMES, roll_up
from app.stories.summarize import month_report
from app.stories.walk import month_step
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage

OTHER = "acme/gadgets"
OCTOBER = Month(2026, 10)
PERIOD = Period.of(OCTOBER)
DAY_S = 86_400


def stale(stage: Stage, account_id: int, month: Month = OCTOBER) -> list[int]:
    with stage.world.db.reading() as session:
        return list(stale_repositories(session, account_id, month, stage.now()))


def job(account_id: int) -> Job:
    return Job(id="j", account_id=account_id, lane="l", kind="rollup", args={}, attempts=1)


def work(stage: Stage, account_id: int) -> None:
    """The worker's turn, some minutes later: what was computed a moment ago rests."""
    stage.tick(600)
    roll_up(job(account_id), stage.world)


def agree(stage: Stage, account_id: int) -> None:
    """What is read is what the shares give, for every dimension."""
    for dimension in Dimension:
        books = shares_of(stage.world, account_id, [PERIOD], by_model=dimension is Dimension.MODEL)
        expected = measure_scopes(dimension, PERIOD, books.shares, books.pulls, stage.now())
        assert metrics_by(stage.world, account_id, PERIOD, dimension) == expected


def busy(stage: Stage) -> int:
    """A merged pull with two agent runs, an open one with one, and one agent run on none, in two repositories."""
    account_id = stage.install(REPOSITORY, OTHER)
    for repository in (REPOSITORY, OTHER):
        number = stage.gh.open_pull(repository, "feature", files={"a.py": "one\n"})
        stage.agent(repository, pull=number, session=f"{repository} one")
        stage.agent(repository, pull=number, calls=2, team="payments", session=f"{repository} two")
        stage.tick()
        stage.gh.merge(repository, number, "squash")
        stage.agent(repository, pull=stage.gh.open_pull(repository, "other", files={"b.py": "1"}), session=repository)
        stage.agent(repository, event="schedule", session=f"{repository} loop")
    stage.settle()
    return account_id


def test_the_worker_computes_what_changed_and_leaves_the_rest(stage: Stage) -> None:
    account_id = busy(stage)
    assert len(stale(stage, account_id)) == 2
    agree(stage, account_id)
    work(stage, account_id)
    assert stale(stage, account_id) == []
    assert stage.rows("SELECT COUNT(*) FROM rollup_mark") == [(0,)]
    agree(stage, account_id)
    stage.agent(pull=2, session="late")
    changed = stale(stage, account_id)
    assert len(changed) == 1
    agree(stage, account_id)
    before = dict(stage.rows("SELECT repository_id, stamp FROM rollup_state"))
    work(stage, account_id)
    after = dict(stage.rows("SELECT repository_id, stamp FROM rollup_state"))
    assert [each for each in after if after[each] != before[each]] == changed


def test_what_time_alone_changes_is_computed_anew(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    stage.tick(13 * DAY_S)
    assert stale(stage, account_id) == []
    stage.tick(2 * DAY_S)  # merged for two weeks, and given up after two
    assert len(stale(stage, account_id)) == 2
    agree(stage, account_id)
    work(stage, account_id)
    agree(stage, account_id)


def test_a_month_that_no_sums_are_kept_of_yet_comes_from_the_books(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    assert len(stale(stage, account_id, OCTOBER.next.next)) == 2
    stage.tick(62 * DAY_S)
    found = metrics_by(stage.world, account_id, Period.of(Month.of(stage.now())), Dimension.ORGANISATION)[""]
    assert found.cost.cost == 0
    assert found.cost.open_at_start == 2 * CALL_NANO_USD


def test_the_configuration_s_teams_count_at_once(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    assert set(metrics_by(stage.world, account_id, PERIOD, Dimension.TEAM)) == {"payments", "platform"}
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql(
            "UPDATE config_version SET good_text = 'teams: {payments: {repositories: [widgets]}}'"
        )
    assert len(stale(stage, account_id)) == 2
    assert set(metrics_by(stage.world, account_id, PERIOD, Dimension.TEAM)) == {"", "payments"}
    agree(stage, account_id)


def test_an_agent_run_for_a_pull_of_another_repository_is_counted_once(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    [(run, home)] = stage.rows("SELECT id, repository_id FROM agent_run WHERE session = 'acme/widgets loop'")
    decide_here(stage.world, account_id, run, ("acme", "gadgets", 1), "it wrote that", "root")
    stage.worker.drain()
    assert len(stale(stage, account_id)) == 2
    agree(stage, account_id)
    work(stage, account_id)
    agree(stage, account_id)
    # What becomes of the pull is told where the agent ran, too.
    stage.tick()
    with stage.world.db.transaction() as session:
        [(there,)] = session.connection().exec_driver_sql(
            f"SELECT repository_id FROM repository WHERE name = 'gadgets' AND repository_id <> {home}"
        )
        session.connection().exec_driver_sql(
            f"UPDATE pull SET lines_changed = 5000 WHERE repository_id = {there} AND number = 1"
        )
        mark(session, account_id, there)
    assert stale(stage, account_id) == sorted([home, there])
    agree(stage, account_id)


def test_a_pull_that_becomes_known_after_its_agent_run_was_tied_takes_it_over(stage: Stage) -> None:
    account_id = busy(stage)
    [(run, job_id)] = stage.rows("SELECT id, workflow_job_id FROM agent_run WHERE session = 'acme/widgets loop'")
    decide_here(stage.world, account_id, run, ("acme", "gadgets", 1), "it wrote that", "root")
    [(there,)] = stage.rows("SELECT repository_id FROM repository WHERE name = 'gadgets'")
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql(f"DELETE FROM pull WHERE repository_id = {there} AND number = 1")
    settle(stage.world, account_id, [job_id])
    work(stage, account_id)
    agree(stage, account_id)
    read_pull(stage.world, PullKey(account_id, there, 1))
    assert len(stale(stage, account_id)) == 2
    agree(stage, account_id)
    stage.worker.drain()


def test_of_two_that_compute_at_once_one_keeps_and_no_mark_is_lost(stage: Stage) -> None:
    account_id = busy(stage)
    here, there = stale(stage, account_id)
    compute_and_keep(stage.world.db, account_id, [here, there], stage.now())
    kept = stage.world.db.transaction
    seen: list[bool] = []

    def late() -> object:
        """Before our sums are written, something changes and somebody else computes."""
        if not seen:
            seen.append(True)
            with kept() as session:
                mark(session, account_id, here)
            compute_and_keep(stage.world.db, account_id, [here], stage.now())
            with kept() as session:
                mark(session, account_id, here)
        return kept()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stage.world.db, "transaction", late)
        assert compute_and_keep(stage.world.db, account_id, [here], stage.now()) == 0
    assert stale(stage, account_id) == [here]


def test_a_repository_that_takes_long_rests_and_is_right_all_the_same(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE rollup_state SET took_us = 60000000")
    stage.agent(pull=2, session="late")
    work(stage, account_id)
    assert len(stale(stage, account_id)) == 1
    agree(stage, account_id)
    stage.tick(60 * RESTS_TIMES)
    work(stage, account_id)
    assert stale(stage, account_id) == []


def test_the_month_is_told_from_sums_as_from_the_books(stage: Stage) -> None:
    account_id = busy(stage)

    def told() -> object:
        return (
            month_report(stage.world, account_id, OCTOBER, public_issue=False),
            month_step(stage.world, account_id, OCTOBER),
        )

    books = told()
    work(stage, account_id)
    assert stale(stage, account_id) == []
    assert told() == books


def test_sums_that_are_not_the_books_are_found(stage: Stage) -> None:
    account_id = busy(stage)
    work(stage, account_id)
    assert differences(stage.world.db, account_id, stage.now()) == []
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE agent_run SET output_tokens = output_tokens + 1")
    told = differences(stage.world.db, account_id, stage.now())
    assert any("by team" in line for line in told)
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE agent_run SET output_tokens = output_tokens - 1")


def test_nothing_of_another_account_is_in_a_sum(stage: Stage) -> None:
    account_id = busy(stage)
    other = stage.install("globex/widgets", account="globex")
    stage.agent("globex/widgets", event="schedule", session="theirs")
    stage.settle()
    for each in (account_id, other):
        work(stage, each)
        agree(stage, each)
    assert metrics_by(stage.world, other, PERIOD, Dimension.ORGANISATION)[""].cost.cost == CALL_NANO_USD


def test_time_is_kept_to_the_microsecond(stage: Stage) -> None:
    """The instant at which sums stop to hold is exact: a moment before they are right, at it they are stale."""
    account_id = busy(stage)
    work(stage, account_id)
    [(until_us,)] = stage.rows("SELECT MIN(holds_until_us) FROM rollup_state")
    with stage.world.db.reading() as session:
        for late, found in ((-1, 0), (0, 1)):
            at = stage.now() + timedelta(microseconds=until_us + late - us(stage.now()))
            assert bool(stale_repositories(session, account_id, OCTOBER, at)) == bool(found)
