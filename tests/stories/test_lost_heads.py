"""A head that was force-pushed away while no delivery arrived: a run on the pull tells it, and that ties others."""

from typing import Any

import pytest

from tests.stories.stage import PATH, REPOSITORY, Stage


def lost_head(stage: Stage) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """A pull, a run on its first head, and one on another branch with the same commit; then that head is gone."""
    stage.gh.push(REPOSITORY, "feature", {"a.py": "1"})
    number = stage.gh.open_pull(REPOSITORY, "feature")
    place = stage.gh.hub.repository(REPOSITORY)
    place.branches["elsewhere"] = place.branches["feature"]
    on_pull = stage.gh.start_workflow_run(REPOSITORY, path=PATH, pull=number)
    on_branch = stage.gh.start_workflow_run(REPOSITORY, "push", path=PATH, branch="elsewhere")
    stage.tick()
    stage.gh.push(REPOSITORY, "feature", {"a.py": "2"}, force=True)
    stage.waiting.clear()
    return number, on_pull, on_branch


def test_the_new_head_alone_does_not_tie_the_run_on_the_old_one(stage: Stage) -> None:
    stage.install()
    _, _, on_branch = lost_head(stage)
    stage.gh.edit_pull(REPOSITORY, 1, title="read now")
    stage.report(on_branch, 1, "elsewhere")
    stage.settle()
    assert stage.evidence() == [("", None)]


@pytest.mark.parametrize("first", ["on_pull", "on_branch"])
def test_a_run_on_the_pull_tells_its_former_head_and_who_else_ran_on_it_is_tied(stage: Stage, first: str) -> None:
    stage.install()
    number, on_pull, on_branch = lost_head(stage)
    reports = [(on_pull, "a run on the pull"), (on_branch, "elsewhere")]
    for run, session in reports if first == "on_pull" else reversed(reports):
        stage.report(run, 1, session)
        stage.settle()
    assert stage.evidence() == [("E1", number), ("E3", number)]
    assert (on_pull["head_sha"],) in stage.rows("SELECT sha FROM pull_head WHERE number = :number", number=number)


def test_a_ref_that_github_signed_for_another_event_tells_no_head(stage: Stage) -> None:
    stage.install()
    number, on_pull, on_branch = lost_head(stage)
    stage.report(on_branch, 1, "elsewhere")
    stage.gh.hub.runs[on_pull["run_id"]].event = "workflow_dispatch"  # GitHub's record does not agree with the token
    stage.report(on_pull, 1, "a run on the pull", event_name="pull_request")
    stage.settle()
    assert stage.evidence() == [("E1", number), ("", None)]


def test_a_pull_that_github_does_not_know_gets_its_heads_only_when_it_is_read(stage: Stage) -> None:
    stage.install()
    number, on_pull, on_branch = lost_head(stage)
    stage.gh.hub.runs[on_branch["run_id"]].head_sha = on_pull["head_sha"]
    place = stage.gh.hub.repository(REPOSITORY)
    gone = place.pulls.pop(number)
    stage.report(on_branch, 1, "elsewhere")
    stage.report(on_pull, 1, "a run on the pull")
    stage.settle()
    assert stage.evidence() == [("", None), ("", None)]
    place.pulls[number] = gone
    stage.gh.edit_pull(REPOSITORY, number, title="there")
    stage.settle()
    assert stage.evidence() == [("E1", number), ("E3", number)]
