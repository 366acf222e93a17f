"""What real repositories do, each as a story from the agent run to the books and the metric."""

import pytest
from sqlmodel import update

from app.core.month import Month
from app.core.report.summary import summary
from app.store.tables import ConfigVersion
from app.stories.summarize import month_report
from tests.stories.stage import CALL_NANO_USD, ORGANISATION, REPOSITORY, Stage
from tests.stories.test_telemetry_story import WIDGETS, tell

OCTOBER = Month(2026, 10)


def figures(stage: Stage, account_id: int) -> tuple[int, int, int | None]:
    """Agent pulls merged, survivors, and the direct cost of a merged pull."""
    total = month_report(stage.world, account_id, OCTOBER, public_issue=False).total
    return total.agent_pulls_merged, total.survived, total.direct


def agent_pull(stage: Stage, branch: str, calls: int = 1, base: str | None = None) -> int:
    number = stage.gh.open_pull(REPOSITORY, branch, base=base, files={f"{branch}.py": branch})
    stage.tick()
    stage.agent(pull=number, calls=calls, session=f"on-{branch}")
    stage.tick()
    return number


# ---- which pull -----------------------------------------------------------------------------------------------------


def test_an_agent_started_on_an_issue_is_tied_to_the_pull_that_closes_it(stage: Stage) -> None:
    stage.install()
    issue = stage.gh.create_issue(REPOSITORY, "Do it")
    run = stage.gh.start_workflow_run(REPOSITORY, "issues", pull=issue)
    stage.report(run, 1, "asked", job={"issue_number": issue})
    stage.settle()
    assert stage.evidence() == [("", None)]
    stage.tick()
    number = stage.gh.open_pull(REPOSITORY, "fix", files={"a.py": "1"}, body=f"Fixes #{issue}")
    stage.settle()
    assert stage.evidence() == [("E6", number)]


def test_an_issue_that_a_later_description_no_longer_closes_ties_nothing(stage: Stage) -> None:
    stage.install()
    issue = stage.gh.create_issue(REPOSITORY, "Do it")
    run = stage.gh.start_workflow_run(REPOSITORY, "issues", pull=issue)
    stage.report(run, 1, "asked", job={"issue_number": issue + 100})
    stage.tick()
    stage.gh.open_pull(REPOSITORY, "fix", files={"a.py": "1"}, body=f"Fixes #{issue}")
    stage.settle()
    assert stage.evidence() == [("", None)]


@pytest.mark.parametrize(("named", "level"), [("ada", "E5"), ("bob", "E5"), ("eve", "")])
def test_a_commented_run_that_somebody_starts_again_stays_the_pull_s(stage: Stage, named: str, level: str) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.tick()
    run = stage.gh.start_workflow_run(REPOSITORY, "issue_comment", pull=number, actor="ada")
    again = stage.gh.rerun(run["run_id"], actor="bob")
    signed = {"actor": named, "actor_id": str(stage.gh.account_id(named))}
    stage.report(again, 1, "again", job={"pull_number": number}, **signed)
    stage.settle()
    assert stage.evidence() == [(level, number if level else None)]


def test_a_run_that_made_two_pulls_is_split_between_them(stage: Stage) -> None:
    stage.install()
    run = stage.gh.start_workflow_run(REPOSITORY, "schedule")
    stage.tick()
    shas = [stage.gh.push(REPOSITORY, branch, {f"{branch}.py": "1"}) for branch in ("one", "two")]
    numbers = [stage.gh.open_pull(REPOSITORY, branch) for branch in ("one", "two")]
    stage.report(run, 3, "both", job={"commits_made": shas})
    stage.settle()
    assert stage.evidence() == [("E3", number) for number in numbers]
    half = 3 * CALL_NANO_USD // 2
    assert stage.books() == {("usage", 0): -3 * CALL_NANO_USD, **{("pull", number): half for number in numbers}}
    stage.gh.merge(REPOSITORY, numbers[0], "squash")
    stage.settle()
    comment = stage.comment(numbers[0])
    assert comment is not None
    assert "also served other pulls" in comment


def test_a_run_in_the_merge_queue_is_of_the_pull_at_its_turn(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    branch = stage.gh.queue_pull(REPOSITORY, number)
    stage.agent(event="merge_group", branch=branch)
    stage.settle()
    assert stage.evidence() == [("E4", number)]


def test_what_a_token_claims_counts_once_the_configuration_lets_it_and_no_longer_when_not(stage: Stage) -> None:
    account_id = stage.install()
    number = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "one"})
    tell(stage, account_id, "req_1", **WIDGETS)
    stage.tick(120)
    stage.settle()
    assert stage.evidence() == [("", None)]
    stage.gh.create_repository(f"{ORGANISATION}/.github-private", files={"mergemeter.yml": "claims_count: true\n"})
    stage.settle()
    assert stage.evidence() == [("E7", number)]
    assert stage.books()["pull", number] == CALL_NANO_USD
    stage.gh.push(f"{ORGANISATION}/.github-private", "main", {"mergemeter.yml": "claims_count: false\n"})
    refresh(stage, account_id)
    assert stage.evidence() == [("", None)]
    assert stage.books()["unattributed", 0] == CALL_NANO_USD


def test_what_an_overhead_workflow_spends_without_a_pull_is_overhead(stage: Stage) -> None:
    account_id = stage.install()
    stage.agent(event="schedule")
    stage.settle()
    text = "overhead_workflows: [widgets/agent.yml]\n"
    stage.gh.create_repository(f"{ORGANISATION}/.github-private", files={"mergemeter.yml": text})
    stage.settle()
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("overhead", 0): CALL_NANO_USD}
    assert stage.evidence() == [("E8", None)]
    number = agent_pull(stage, "one")
    stage.settle()
    assert stage.books()["pull", number] == CALL_NANO_USD
    total = month_report(stage.world, account_id, OCTOBER, public_issue=False).total
    assert total.spend == 2 * CALL_NANO_USD


def refresh(stage: Stage, account_id: int) -> None:
    from app.store.queue import NewJob, enqueue  # noqa: PLC0415

    with stage.world.db.transaction() as session:
        session.exec(update(ConfigVersion).values(read_at_us=0))
        new = NewJob(account_id, f"{account_id}/installation", "refresh", "refresh", {}, stage.now())
        enqueue(session, new, stage.now())
    stage.settle()


# ---- what counts as merged ------------------------------------------------------------------------------------------


def test_a_stacked_pull_is_rolled_up_into_the_one_that_carries_it_on(stage: Stage) -> None:
    account_id = stage.install()
    parent = agent_pull(stage, "parent", calls=2)
    child = agent_pull(stage, "child", calls=3, base="parent")
    stage.gh.merge(REPOSITORY, child, "squash")
    stage.settle()
    assert figures(stage, account_id) == (0, 0, None)
    stage.gh.merge(REPOSITORY, parent, "squash")
    stage.settle()
    assert figures(stage, account_id) == (1, 1, 5 * CALL_NANO_USD)
    report = month_report(stage.world, account_id, OCTOBER, public_issue=False)
    assert [(pull.number, pull.cost) for pull in report.dearest] == [(parent, 5 * CALL_NANO_USD)]
    assert stage.books()["pull", child] == 3 * CALL_NANO_USD


def test_a_pull_of_an_agents_own_account_without_a_record_is_of_unknown_cost(stage: Stage) -> None:
    account_id = stage.install()
    for branch, author in (("one", "copilot-swe-agent[bot]"), ("two", "renovate[bot]"), ("three", "ada")):
        number = stage.gh.open_pull(REPOSITORY, branch, files={f"{branch}.py": "1"}, author=author)
        stage.gh.merge(REPOSITORY, number, "squash")
    agent_pull(stage, "four")
    stage.settle()
    report = month_report(stage.world, account_id, OCTOBER, public_issue=False)
    assert (report.total.unrecorded_agent_pulls, report.total.unrecorded_agents) == (1, ("Copilot",))
    told = "1 merged pull was opened by an agent's own account (Copilot) and left no record: agent-made, cost unknown."
    assert told in summary(report, "")
    assert report.total.agent_pulls_merged == 0


def test_a_revert_by_git_revert_counts_as_one(stage: Stage) -> None:
    account_id = stage.install()
    number = agent_pull(stage, "one")
    sha = stage.gh.merge(REPOSITORY, number, "squash")
    stage.settle()
    assert figures(stage, account_id) == (1, 1, CALL_NANO_USD)
    stage.tick()
    message = f'Revert "A change"\n\nThis reverts commit {sha}.'
    stage.gh.push(REPOSITORY, "undo", {"one.py": "0"}, message=message)
    stage.gh.merge(REPOSITORY, stage.gh.open_pull(REPOSITORY, "undo"), "squash")
    stage.settle()
    assert figures(stage, account_id) == (1, 0, None)


def test_the_revert_of_a_revert_brings_the_pull_back(stage: Stage) -> None:
    account_id = stage.install()
    number = agent_pull(stage, "one")
    stage.gh.merge(REPOSITORY, number, "squash")
    stage.tick()
    revert = stage.gh.revert(REPOSITORY, number)
    stage.gh.merge(REPOSITORY, revert, "squash")
    stage.settle()
    assert figures(stage, account_id) == (1, 0, None)
    stage.tick()
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, revert), "squash")
    stage.settle()
    assert figures(stage, account_id) == (1, 1, CALL_NANO_USD)


def test_a_release_pull_that_carries_a_revert_on_reverts_nothing(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "release", {"r.py": "r"})
    number = agent_pull(stage, "one")
    sha = stage.gh.merge(REPOSITORY, number, "squash")
    stage.tick()
    reverting = stage.gh.push(REPOSITORY, "undo", {"one.py": "0"}, message=f"Undo\n\nThis reverts commit {sha}.")
    stage.gh.merge(REPOSITORY, stage.gh.open_pull(REPOSITORY, "undo"), "rebase")
    stage.tick()
    message = f"Redo\n\nThis reverts commit {reverting}."
    stage.gh.push(REPOSITORY, "redo", {"one.py": "1"}, message=message)
    stage.gh.merge(REPOSITORY, stage.gh.open_pull(REPOSITORY, "redo"), "squash")
    stage.tick()
    stage.gh.merge(REPOSITORY, stage.gh.open_pull(REPOSITORY, "main", base="release"), "merge")
    stage.settle()
    merged, _, _ = figures(stage, account_id)
    assert merged == 1


def test_a_tie_of_many_days_waits_for_facts_and_not_for_time(stage: Stage) -> None:
    stage.install()
    stage.gh.push(REPOSITORY, "release", {"r.py": "r"})
    stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "one"})
    stage.gh.open_pull(REPOSITORY, "one", base="release")
    stage.agent(event="push", branch="one")
    stage.settle()
    stage.tick(20 * 24 * 3600)
    stage.settle()  # ends
    assert stage.evidence() == [("", None)]
    assert stage.books()["unattributed", 0] == CALL_NANO_USD
