"""What logs claim of pulls: GitHub's record makes it count, and calls that name pulls part what is tied to them."""

from typing import Any

import pytest

from tests.stories.stage import CALL_NANO_USD, MINUTE, PATH, REPOSITORY, Stage

NOTE = "the run itself names the pull, and GitHub confirms that the run's actor opened it during the run"


def opened_by(stage: Stage, author: str, **more: Any) -> tuple[dict[str, Any], int]:
    """A run by ada on the default branch, and a pull that somebody opened meanwhile."""
    run = stage.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
    stage.tick()
    return run, stage.gh.open_pull(REPOSITORY, "made", files={"a.py": "1"}, author=author, **more)


def test_a_pull_that_the_log_names_and_the_runs_actor_opened_during_the_run_has_the_cost(stage: Stage) -> None:
    stage.install()
    run, number = opened_by(stage, "ada")
    stage.report(run, 1, "made", pulls=[number])
    stage.settle()
    assert stage.evidence() == [("E3", number)]
    assert stage.rows("SELECT note FROM tie") == [(NOTE,)]


def test_it_does_not_matter_that_the_pull_becomes_known_last(stage: Stage) -> None:
    stage.install()
    run, number = opened_by(stage, "ada")
    stage.waiting.clear()  # no delivery arrives
    stage.report(run, 1, "made", pulls=[number])
    stage.settle()
    assert stage.evidence() == [("E3", number)]


def test_a_pull_that_the_workflows_bot_opened_is_not_the_actors(stage: Stage) -> None:
    stage.install()
    run, number = opened_by(stage, "github-actions[bot]")
    stage.report(run, 1, "made", pulls=[number])
    stage.settle()
    assert stage.evidence() == [("", None)]
    (note,) = stage.rows("SELECT evidence_note FROM agent_run")[0]
    assert note.startswith(f"the agent's log names #{number}, of which GitHub does not confirm")


def test_a_pull_that_nobody_claims_stays_without_the_cost(stage: Stage) -> None:
    stage.install()
    run, _ = opened_by(stage, "ada")
    stage.report(run, 1, "silent")
    stage.settle()
    assert stage.evidence() == [("", None)]


def test_when_the_end_is_read_later_a_pull_opened_after_it_loses_the_cost(stage: Stage) -> None:
    stage.install()
    run = stage.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
    stage.report(run, 1, "made", pulls=[1])
    stage.settle()
    stage.gh.finish_run(run["run_id"])
    stage.tick()
    number = stage.gh.open_pull(REPOSITORY, "late", files={"a.py": "1"})
    stage.settle()
    assert (number, stage.evidence()) == (1, [("E3", 1)])  # as far as anybody knows, the run goes on
    stage.tick(3600)
    stage.settle()
    assert stage.evidence() == [("", None)]
    assert stage.books()["unattributed", 0] == CALL_NANO_USD


def test_a_release_pull_does_not_swallow_the_run_that_names_it(stage: Stage) -> None:
    stage.install()
    stage.gh.push(REPOSITORY, "release", {"r.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
    stage.tick()
    stage.gh.push(REPOSITORY, "main", {"m.py": "1"})
    number = stage.gh.open_pull(REPOSITORY, "main", base="release")
    stage.report(run, 1, "swallowed", pulls=[number])
    stage.settle()
    assert stage.evidence() == [("", None)]


def test_another_repositorys_pull_of_that_number_is_never_meant(stage: Stage) -> None:
    stage.install(REPOSITORY, "acme/gadgets")
    run = stage.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
    stage.tick()
    number = stage.gh.open_pull("acme/gadgets", "made", files={"a.py": "1"})
    stage.report(run, 1, "made", pulls=[number])
    stage.settle()
    assert stage.evidence() == [("", None)]


# ---- splits ---------------------------------------------------------------------------------------------------------


def split_run(stage: Stage) -> tuple[dict[str, Any], int, int, list[str]]:
    """A run whose commits lie in two pulls."""
    first, second = (stage.gh.open_pull(REPOSITORY, name, files={f"{name}.py": "1"}) for name in ("one", "two"))
    run = stage.gh.start_workflow_run(REPOSITORY, "workflow_dispatch", path=PATH)
    stage.tick()
    return run, first, second, [stage.gh.push(REPOSITORY, name, {"b.py": name}) for name in ("one", "two")]


def test_a_cost_is_parted_by_the_calls_that_say_which_pull_they_served(stage: Stage) -> None:
    stage.install()
    run, first, second, made = split_run(stage)
    calls = [stage.call("1", pull=first), stage.call("2", pull=second), stage.call("3", pull=second)]
    calls += [stage.call("4", pull=99), stage.call("5"), stage.call("6")]  # no pull of the run's, and none at all
    stage.report(run, calls, "both", job={"commits_made": made})
    stage.settle()
    assert stage.evidence() == [("E3", first), ("E3", second)]
    assert stage.books() == {
        ("usage", 0): -6 * CALL_NANO_USD, ("pull", first): 2 * CALL_NANO_USD, ("pull", second): 4 * CALL_NANO_USD,
    }  # fmt: skip
    notes = set(stage.rows("SELECT note FROM tie"))
    assert notes == {("a commit of this run is in the pull; its cost is split by the model calls that name each pull",)}
    assert [weight for (weight,) in stage.rows("SELECT weight FROM tie ORDER BY number")] == [
        CALL_NANO_USD, 2 * CALL_NANO_USD,
    ]  # fmt: skip


def test_a_cost_whose_calls_name_one_pull_alone_is_all_that_pulls_and_the_other_says_so(stage: Stage) -> None:
    stage.install()
    run, first, second, made = split_run(stage)
    stage.report(run, [stage.call("1", pull=second), stage.call("2")], "both", job={"commits_made": made})
    stage.settle()
    assert stage.evidence() == [("E3", first), ("E3", second)]
    assert stage.books() == {("usage", 0): -2 * CALL_NANO_USD, ("pull", second): 2 * CALL_NANO_USD}


@pytest.mark.parametrize("named", [None, 99])
def test_calls_that_name_no_pull_of_the_run_leave_the_cost_split_evenly(stage: Stage, named: int | None) -> None:
    stage.install()
    run, first, second, made = split_run(stage)
    call = stage.call("1", **({"pull": named} if named else {}))
    stage.report(run, [call], "both", job={"commits_made": made})
    stage.settle()
    half = CALL_NANO_USD // 2
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("pull", first): half, ("pull", second): half}


def test_a_call_that_names_a_pull_does_not_tie_it(stage: Stage) -> None:
    stage.install()
    other = stage.gh.open_pull(REPOSITORY, "other", files={"o.py": "1"}, author="bob")
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, path=PATH, pull=number)
    stage.report(run, [stage.call("1", pull=other)], "named")
    stage.settle()
    assert stage.evidence() == [("E1", number)]


def test_a_call_that_was_counted_elsewhere_weighs_nothing(stage: Stage) -> None:
    stage.install()
    run, first, second, made = split_run(stage)
    stage.agent(event="schedule", session="earlier", calls=1)
    counted = stage.call("earlier/0", pull=first)
    own = [stage.call("1", pull=first), stage.call("2", pull=second)]
    stage.report(run, [counted, *own], "both", job={"commits_made": made})
    stage.settle()
    books = stage.books()
    assert books["pull", first] == books["pull", second] == CALL_NANO_USD


def test_two_opened_pulls_that_calls_name_are_parted_by_them(stage: Stage) -> None:
    stage.install()
    run = stage.gh.start_workflow_run(REPOSITORY, "schedule", path=PATH)
    stage.tick()
    first, second = (stage.gh.open_pull(REPOSITORY, name, files={f"{name}.py": "1"}) for name in ("one", "two"))
    calls = [stage.call(str(n), pull=first if n == 0 else second) for n in range(4)]
    stage.report(run, calls, "nightly")
    stage.gh.advance(MINUTE.total_seconds())
    stage.settle()
    assert stage.books() == {
        ("usage", 0): -4 * CALL_NANO_USD, ("pull", first): CALL_NANO_USD, ("pull", second): 3 * CALL_NANO_USD,
    }  # fmt: skip


def test_pulls_that_are_not_there_cost_a_job_so_many_requests_and_no_more(stage: Stage) -> None:
    stage.install()
    run = stage.gh.start_workflow_run(REPOSITORY, "schedule", path=PATH)
    before = len(stage.gh.requests)
    for record in range(5):
        pulls = [1_000 - 20 * record - n for n in range(20)]
        stage.report(run, 1, f"session {record}", pulls=pulls)
        stage.settle()
    asked = [path for _, path, _ in stage.gh.requests[before:] if "/pulls/" in path]
    assert len(asked) == 20
