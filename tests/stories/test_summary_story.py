"""The month's summary: one issue for each organisation, created once and edited in place."""

from typing import Any

import pytest

from app.core.month import Month
from app.store.queue import NewJob, enqueue
from app.stories.summarize import month_report, preview
from tests.stories.stage import CALL_NANO_USD, ORGANISATION, REPOSITORY, Stage

CONFIG = f"{ORGANISATION}/.github-private"
FINANCE = f"{ORGANISATION}/finance"
OCTOBER = Month(2026, 10)


def set_up(stage: Stage, visibility: str = "private", issues: bool = True, text: str = "") -> int:
    account_id = stage.install()
    stage.gh.create_repository(FINANCE, visibility=visibility, has_issues=issues)
    stage.gh.create_repository(CONFIG, files={"mergemeter.yml": "summary: {repository: finance}\n" + text})
    stage.settle()
    return account_id


def a_month(stage: Stage) -> None:
    """One merged pull with two calls, one that was reverted with one, one that is open with one, one loose call."""
    for branch, calls in (("one", 2), ("two", 1), ("three", 1)):
        number = stage.gh.open_pull(REPOSITORY, branch, files={"a.py": branch})
        stage.agent(pull=number, calls=calls)
        stage.tick()
        if branch != "three":
            stage.gh.merge(REPOSITORY, number, "squash")
    stage.gh.merge(REPOSITORY, stage.gh.revert(REPOSITORY, 2), "squash")
    stage.agent(event="schedule")
    stage.settle()


def summarize(stage: Stage, account_id: int, month: Month = OCTOBER) -> list[dict[str, Any]]:
    new = NewJob(account_id, f"{account_id}/summary", "summary", "s", {"month": str(month)}, stage.now())
    with stage.world.db.transaction() as session:
        enqueue(session, new, stage.now())
    stage.settle()
    return stage.gh.issues(FINANCE)


def test_the_figures_are_those_of_the_definitions(stage: Stage) -> None:
    account_id = set_up(stage)
    a_month(stage)
    total = month_report(stage.world, account_id, OCTOBER, public_issue=False).total
    assert total.spend == 5 * CALL_NANO_USD
    assert total.released == 4 * CALL_NANO_USD
    assert (total.period, total.cohort, total.direct) == tuple(n * CALL_NANO_USD for n in (4, 3, 2))
    assert (total.merged_pulls, total.agent_pulls_merged, total.survived) == (3, 2, 1)
    assert (total.unattributed, total.unattributed_agent_runs) == (CALL_NANO_USD, 1)


def test_the_issue_is_created_once_and_edited_in_place(stage: Stage) -> None:
    account_id = set_up(stage)
    a_month(stage)
    [first] = summarize(stage, account_id)
    stage.agent(pull=1, calls=30)
    stage.settle()
    [second] = summarize(stage, account_id)
    assert first["number"] == second["number"]
    assert first["body"] != second["body"]


def test_a_summary_that_says_the_same_is_not_written_again(stage: Stage) -> None:
    account_id = set_up(stage)
    a_month(stage)
    summarize(stage, account_id)
    written = len(stage.gh.writes())
    summarize(stage, account_id)
    assert len(stage.gh.writes()) == written


def test_a_month_without_a_merge_says_so(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.agent(event="schedule")
    stage.settle()
    [issue] = summarize(stage, account_id)
    assert "no merged PR" in issue["body"]


def test_money_of_october_on_a_pull_that_merges_in_november_counts_in_november(stage: Stage) -> None:
    account_id = set_up(stage)
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.tick(35 * 24 * 3600)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    october, november = (
        month_report(stage.world, account_id, month, public_issue=False).total for month in (OCTOBER, OCTOBER.next)
    )
    assert (october.spend, october.period) == (CALL_NANO_USD, None)
    assert (november.spend, november.period) == (0, CALL_NANO_USD)


def test_a_public_summary_repository_gets_no_money(stage: Stage) -> None:
    account_id = set_up(stage, visibility="public")
    a_month(stage)
    [issue] = summarize(stage, account_id)
    assert "$" not in issue["title"] + issue["body"]


def test_a_repository_without_issues_is_a_refusal_that_people_can_see(stage: Stage) -> None:
    account_id = set_up(stage, issues=False)
    a_month(stage)
    assert summarize(stage, account_id) == []
    assert stage.rows("SELECT state FROM effect WHERE effect.key = 'summary:202610'") == [("refused",)]


def test_a_mistake_in_the_configuration_is_told_in_the_issue(stage: Stage) -> None:
    account_id = set_up(stage)
    a_month(stage)
    summarize(stage, account_id)
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": "summary: {repository: finance}\ncomments: off\n"})
    refresh = NewJob(account_id, f"{account_id}/installation", "refresh", "refresh", {}, stage.now())
    with stage.world.db.transaction() as session:
        enqueue(session, refresh, stage.now())
    stage.settle()
    [issue] = summarize(stage, account_id)
    assert "line 2" in issue["body"]


def test_without_a_configured_repository_the_summary_is_only_shown(stage: Stage) -> None:
    account_id = stage.install()
    a_month(stage)
    assert "per merged PR" in preview(stage.world, account_id, OCTOBER)


@pytest.mark.parametrize(
    ("text", "untagged"),
    [
        ("", 1),
        ("teams: {platform: {repositories: [widgets]}}\n", 2),
        ("teams: {platform: {repositories: [gadgets]}, payments: {repositories: [widgets]}}\n", 3),
    ],
)
def test_agent_runs_without_a_team_of_their_repository_are_counted(stage: Stage, text: str, untagged: int) -> None:
    account_id = set_up(stage, text=text)
    for team in ("platform", "platform", "payments", ""):
        stage.agent(event="schedule", team=team)
    stage.settle()
    report = month_report(stage.world, account_id, OCTOBER, public_issue=False)
    assert [(each.name, each.figures.untagged_agent_runs) for each in report.repositories] == [("widgets", untagged)]
    assert report.total.untagged_agent_runs == untagged
    assert f"{untagged} of 4 agent runs" in summarize(stage, account_id)[0]["body"]


def test_agent_runs_without_a_team_count_in_their_own_month_and_organisation(stage: Stage) -> None:
    account_id = set_up(stage)
    other = stage.install("other/secret", account="other")
    stage.agent("other/secret", event="schedule", team="")
    stage.agent(event="schedule", team="")
    stage.tick(30 * 24 * 3600)
    stage.agent(event="schedule", team="")
    stage.settle()
    for account in (account_id, other):
        assert month_report(stage.world, account, OCTOBER, public_issue=False).total.untagged_agent_runs == 1


def test_one_organisation_sees_nothing_of_another(stage: Stage) -> None:
    account_id = set_up(stage)
    other = stage.install("other/secret", account="other")
    stage.agent("other/secret", event="schedule", calls=9)
    stage.settle()
    assert month_report(stage.world, account_id, OCTOBER, public_issue=False).total.spend == 0
    assert month_report(stage.world, other, OCTOBER, public_issue=False).total.spend == 9 * CALL_NANO_USD
    assert "secret" not in summarize(stage, account_id)[0]["body"]
