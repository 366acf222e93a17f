"""Metrics as they come out of the books: scopes, periods, reverts, retries, and agreement with the month's figures."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from app.core.month import Month
from app.core.period import Period
from app.core.scope_metrics import Metrics, measure
from app.core.shares import Dimension
from app.core.yields import Dead, ShareClass
from app.stories.measure import metrics_by, metrics_of, shares_of, trend_of
from app.stories.summarize import month_report
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage

OCTOBER = Month(2026, 10)
PERIOD = Period.of(OCTOBER)
DAY_S = 24 * 3600


def a_pull(stage: Stage, branch: str, calls: int = 1, merge: bool = True, **run: Any) -> int:
    number = stage.gh.open_pull(REPOSITORY, branch, files={f"{branch}.py": "one\ntwo\n"})
    stage.agent(pull=number, calls=calls, **run)
    stage.tick()
    if merge:
        stage.gh.merge(REPOSITORY, number, "squash")
    return number


def a_month(stage: Stage) -> int:
    """Two calls on a merged pull, one on a reverted, one on a rejected, one on an open, one on none."""
    account_id = stage.install()
    a_pull(stage, "one", calls=2)
    reverted = a_pull(stage, "two")
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, reverted), "squash")
    stage.gh.close(REPOSITORY, a_pull(stage, "three", merge=False))
    a_pull(stage, "four", merge=False)
    stage.agent(event="schedule")
    stage.settle()
    return account_id


def by_class(found: Metrics) -> dict[ShareClass, int]:
    return {kind: part.cost // CALL_NANO_USD for kind, part in found.yields.classes.items() if part.cost}


def test_every_share_has_its_class_and_the_figures_are_those_of_the_summary(stage: Stage) -> None:
    account_id = a_month(stage)
    found = metrics_of(stage.world, account_id, PERIOD)
    assert by_class(found) == {
        ShareClass.PENDING: 4, ShareClass.REVERTED: 1, ShareClass.REJECTED: 1,
    }  # fmt: skip
    assert {why: amount // CALL_NANO_USD for why, amount in found.dead.items() if amount} == {
        Dead.REVERTED: 1, Dead.REJECTED: 1, Dead.UNATTRIBUTED: 1,
    }  # fmt: skip
    told = month_report(stage.world, account_id, OCTOBER, public_issue=False).total
    cost = found.cost
    assert (cost.cost, cost.released, cost.survived) == (told.spend, told.released, told.survived)
    assert (cost.period, cost.cohort, cost.direct) == (told.period, told.cohort, told.direct)
    assert (found.agent_runs, found.tokens) == (told.agent_runs, told.tokens)


def test_after_two_weeks_what_stayed_is_productive_and_what_found_no_pull_is_abandoned(stage: Stage) -> None:
    account_id = a_month(stage)
    stage.tick(15 * DAY_S)
    found = metrics_of(stage.world, account_id, PERIOD)
    assert by_class(found) == {
        ShareClass.PRODUCTIVE: 2, ShareClass.REVERTED: 1, ShareClass.REJECTED: 1, ShareClass.ABANDONED: 1,
        ShareClass.PENDING: 1,
    }  # fmt: skip
    assert found.yields.cost == found.yields.generated == Fraction(2, 5)
    assert found.yields.coverage == 1


def test_a_revert_restates_the_month_in_which_the_work_was_done(stage: Stage) -> None:
    account_id = stage.install()
    number = a_pull(stage, "one")
    stage.tick(10 * DAY_S)
    stage.settle()
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.PENDING: 1}
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, number), "squash")
    stage.settle()
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.REVERTED: 1}


def test_an_attempt_that_a_later_one_replaced_is_a_superseded_retry(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    first = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    stage.report(first, 1, "first")
    stage.gh.finish_run(first["run_id"], "failure")
    second = stage.gh.rerun(first["run_id"])
    stage.report(second, 2, "second")
    stage.gh.merge(REPOSITORY, number, "squash")
    stage.settle()
    stage.tick(15 * DAY_S)
    found = metrics_of(stage.world, account_id, PERIOD)
    assert by_class(found) == {ShareClass.SUPERSEDED_RETRY: 1, ShareClass.PRODUCTIVE: 2}
    assert found.retry_tax == Fraction(1, 3)


def test_an_attempt_that_failed_after_its_record_came_is_asked_for_and_found(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.agent(pull=number)
    stage.settle()
    assert stage.rows("SELECT run_state, run_conclusion FROM workflow_job") == [("read", None)]
    stage.tick(3600)
    stage.settle()
    stage.gh.finish_run(run["run_id"], "failure")
    stage.tick(7 * 3600)
    stage.settle()
    assert stage.rows("SELECT run_state, run_conclusion FROM workflow_job") == [("read", "failure")]
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.FAILED: 1}


def test_another_jobs_failure_is_not_the_agents(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.agent(pull=number)
    tests = stage.gh.add_job(run["run_id"], "tests")
    stage.settle()
    stage.gh.finish_job(run["run_id"], run["job_id"], "success")
    stage.gh.finish_job(run["run_id"], tests["job_id"], "failure")
    stage.gh.finish_run(run["run_id"], "failure")
    stage.tick(3600)
    stage.settle()
    assert stage.rows("SELECT run_conclusion FROM workflow_job") == [("success",)]
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.PENDING: 1}


def test_the_agents_failure_counts_in_a_run_that_lets_it_fail(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    stage.gh.finish_job(run["run_id"], run["job_id"], "failure")
    stage.gh.finish_run(run["run_id"], "success")  # continue-on-error
    stage.report(run, 1, "after its end")
    stage.settle()
    assert stage.rows("SELECT run_conclusion FROM workflow_job") == [("failure",)]
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.FAILED: 1}


def test_a_job_without_a_signed_check_run_has_the_attempts_end(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    stage.gh.finish_run(run["run_id"], "timed_out")
    stage.report(run, 1, "unsigned", check_run_id=None)
    stage.settle()
    stage.settle()
    assert stage.rows("SELECT check_run_id, run_conclusion FROM workflow_job") == [(None, "timed_out")]


def test_how_each_of_many_jobs_ended_is_read_over_pages(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.agent(pull=number)
    others = [stage.gh.add_job(run["run_id"], f"leg {leg}") for leg in range(120)]
    stage.report(others[-1], 1, "the last leg", job={"name": "leg 119"})
    stage.settle()
    stage.gh.finish_job(run["run_id"], others[-1]["job_id"], "cancelled")
    stage.gh.finish_run(run["run_id"], "failure")
    stage.tick(3600)
    stage.settle()
    found = stage.rows("SELECT job_name, run_conclusion FROM workflow_job ORDER BY job_name")
    assert found == [("agent", "failure"), ("leg 119", "cancelled")]


def test_asking_again_how_an_attempt_ended_changes_nothing(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.agent(pull=number)
    stage.gh.finish_run(run["run_id"], "failure")
    stage.settle()
    query = "SELECT * FROM workflow_job"
    before, books = stage.rows(query), stage.rows("SELECT * FROM ledger_entry")
    late = stage.gh.add_job(run["run_id"], "late")
    stage.report(late, 1, "late", job={"name": "late"})  # asks once more for all
    stage.settle()
    assert stage.rows(query)[0] == before[0]
    assert stage.rows("SELECT * FROM ledger_entry")[: len(books)] == books


def test_a_failed_attempt_whose_commit_is_in_its_pull_is_not_failed(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    stage.tick()
    sha = stage.gh.push(REPOSITORY, "one", {"b.py": "2"})
    stage.report(run, 1, "first", job={"commits_made": [sha]})
    stage.gh.finish_run(run["run_id"], "failure")
    stage.settle()
    assert stage.rows("SELECT run_conclusion FROM workflow_job") == [("failure",)]
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.PENDING: 1}


def test_scopes_of_every_dimension_add_up(stage: Stage) -> None:
    account_id = a_month(stage)
    whole = metrics_of(stage.world, account_id, PERIOD)
    for dimension in Dimension:
        found = metrics_by(stage.world, account_id, PERIOD, dimension)
        assert sum(each.cost.cost for each in found.values()) == whole.cost.cost
        assert sum(each.tokens.output for each in found.values()) == whole.tokens.output
    assert list(metrics_by(stage.world, account_id, PERIOD, Dimension.TEAM)) == ["platform"]
    [workflow] = metrics_by(stage.world, account_id, PERIOD, Dimension.WORKFLOW)
    assert workflow.endswith("/.github/workflows/agent.yml")


def test_an_agent_run_of_two_models_is_parted_by_what_each_cost(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    calls = [stage.call("a"), stage.call("b", model="claude-haiku-4-5-20251001", output_tokens=7)]
    stage.report(run, calls, "first")
    stage.settle()
    found = metrics_by(stage.world, account_id, PERIOD, Dimension.MODEL)
    assert {model: (each.cost.cost, each.tokens.output) for model, each in found.items()} == {
        "claude-haiku-4-5-20251001": (1_000 * 1_000 + 7 * 5_000, 7),
        "claude-sonnet-4-5-20250929": (CALL_NANO_USD, 1_300),
    }


def test_an_agent_run_across_a_bound_is_cut_by_its_calls(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", pull=number)
    early = stage.call("a")
    stage.tick(2 * DAY_S)
    late = [stage.call("b", output_tokens=13), stage.call("c", output_tokens=13)]
    stage.report(run, [early, *late], "first")
    stage.settle()
    middle = stage.now().date() - timedelta(days=1)
    halves = (Period.between(date(2026, 10, 1), middle), Period.between(stage.now().date(), date(2026, 10, 31)))
    found = shares_of(stage.world, account_id, halves)
    first, second = (measure(half, found.shares, found.pulls, stage.now()) for half in halves)
    assert (first.cost.cost, first.tokens.output, first.agent_runs) == (CALL_NANO_USD, 1_300, 1)
    assert (second.tokens.output, second.agent_runs) == (26, 0)
    assert first.cost.cost + second.cost.cost == metrics_of(stage.world, account_id, PERIOD).cost.cost


def test_pulls_have_the_size_that_github_tells(stage: Stage) -> None:
    account_id = stage.install()
    a_pull(stage, "one")
    stage.settle()
    [band] = metrics_of(stage.world, account_id, PERIOD).by_size
    assert (band.band, band.pulls, band.median) == ("XS", 1, CALL_NANO_USD)
    assert stage.rows("SELECT lines_changed FROM pull") == [(2,)]


def test_a_trend_ends_with_the_asked_month(stage: Stage) -> None:
    account_id = a_month(stage)
    found = trend_of(stage.world, account_id, OCTOBER.next)
    assert [each.cost.cost // CALL_NANO_USD for each in found] == [0, 0, 0, 0, 6, 0]


def test_no_number_crosses_accounts(stage: Stage) -> None:
    a_month(stage)
    other = stage.install("globex/site", account="globex")
    found = shares_of(stage.world, other, [PERIOD])
    assert (found.shares, found.pulls) == ([], [])


def test_work_on_a_stacked_pull_has_the_fate_of_the_pull_that_carries_it_on(stage: Stage) -> None:
    account_id = stage.install()
    parent = stage.gh.open_pull(REPOSITORY, "parent", files={"a.py": "1"})
    stage.agent(pull=parent)
    child = stage.gh.open_pull(REPOSITORY, "child", base="parent", files={"b.py": "1"})
    stage.agent(pull=child, calls=2)
    stage.tick()
    stage.gh.merge(REPOSITORY, child)
    stage.tick()
    stage.gh.merge(REPOSITORY, parent)
    stage.settle()
    stage.tick(15 * DAY_S)
    found = metrics_of(stage.world, account_id, PERIOD)
    told = month_report(stage.world, account_id, OCTOBER, public_issue=False).total
    assert by_class(found) == {ShareClass.PRODUCTIVE: 3}
    assert (found.cost.direct, found.cost.survived) == (told.direct, told.survived) == (3 * CALL_NANO_USD, 1)


def test_a_revert_that_is_reverted_leaves_the_work_productive(stage: Stage) -> None:
    account_id = stage.install()
    number = a_pull(stage, "one")
    first = stage.gh.revert(REPOSITORY, number)
    stage.gh.merge(REPOSITORY, first, "squash")
    stage.tick()
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, first), "squash")
    stage.settle()
    stage.tick(20 * DAY_S)
    assert by_class(metrics_of(stage.world, account_id, PERIOD)) == {ShareClass.PRODUCTIVE: 1}
