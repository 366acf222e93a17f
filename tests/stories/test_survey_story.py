"""Workflows that run agents and leave no record: found in the files, counted by GitHub, told in the summary."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.month import Month
from app.core.report.summary import summary
from app.store.accounts import repository_of
from app.store.keys import instant, us
from app.store.queue import NewJob, enqueue
from app.store.surveys import ask_for_surveys, recorded_jobs, surveys_of_month, unsurveyed
from app.stories.summarize import month_report, preview
from app.stories.survey import FOLDER, LARGEST_BYTES, MOST_FILES
from app.timetable import entries
from tests.stories.stage import PATH, REPOSITORY, Stage

OCTOBER = Month(2026, 10)
SILENT = f"{FOLDER}/silent.yml"
CODEX = "on: push\njobs:\n  a:\n    steps:\n      - run: npx @openai/codex exec x\n"
BUILD = "on: push\njobs:\n  a:\n    steps:\n      - run: make\n"
BOMB = "x0: &x0 [a, a]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 60)) + CODEX


def survey(stage: Stage, account_id: int, month: Month = OCTOBER) -> dict[str, tuple[Any, ...]]:
    """Survey an account's repositories now: agents, own step, runs and recorded jobs by path (in all of them)."""
    with stage.world.db.transaction() as session:
        ask_for_surveys(session, account_id, month, stage.now())
    stage.settle()
    with stage.world.db.reading() as session:
        found = surveys_of_month(session, account_id, month).values()
    return {each.path: (each.agents, each.own_step, each.runs, each.recorded_jobs) for of in found for each in of}


def start(stage: Stage, path: str = SILENT, repository: str = REPOSITORY, conclusion: str = "success") -> None:
    run = stage.gh.start_workflow_run(repository, event="push", path=path)
    stage.gh.finish_run(run["run_id"], conclusion)


def silent(stage: Stage, account_id: int, month: Month = OCTOBER) -> list[tuple[str, str, int]]:
    report = month_report(stage.world, account_id, month, public_issue=False)
    return [(each.repository, each.path, each.runs) for each in report.silent_workflows]


def unknown(stage: Stage, account_id: int) -> int:
    return month_report(stage.world, account_id, OCTOBER, public_issue=False).unknown_workflows


def test_a_workflow_that_ran_agents_without_a_record_is_found_and_told(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "main", {SILENT: CODEX, f"{FOLDER}/build.yml": BUILD, f"{FOLDER}/notes.md": "codex"})
    stage.agent(event="schedule")
    start(stage)
    start(stage)
    start(stage, f"{FOLDER}/build.yml")
    assert survey(stage, account_id) == {
        PATH: (("claude-code",), True, 1, 1),
        SILENT: (("codex",), False, 2, 0),
        f"{FOLDER}/build.yml": ((), False, None, 0),
    }
    assert silent(stage, account_id) == [("widgets", SILENT, 2)]
    text = preview(stage.world, account_id, OCTOBER)
    assert "1 of 2 workflows that run agents left no record" in text
    assert f"| `widgets` | `{SILENT}` | `codex` | 2 | missing |" in text


def test_a_workflow_that_did_not_run_counts_as_nothing(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "main", {SILENT: CODEX})
    start(stage, conclusion="skipped")
    assert survey(stage, account_id)[SILENT] == (("codex",), False, 0, 0)
    assert (silent(stage, account_id), unknown(stage, account_id)) == ([], 0)
    assert "left no record" not in preview(stage.world, account_id, OCTOBER)


def test_our_step_without_a_record_is_told_apart_from_no_step(stage: Stage) -> None:
    account_id = stage.install()
    start(stage, PATH)
    survey(stage, account_id)
    assert "| `claude-code` | 1 | is there, no record came |" in preview(stage.world, account_id, OCTOBER)


def test_runs_and_records_count_in_their_own_month(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.set_time(datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    start(stage, PATH)
    stage.tick(1)
    stage.agent(event="schedule")
    stage.settle()
    assert survey(stage, account_id)[PATH][2:] == (1, 0)
    assert survey(stage, account_id, OCTOBER.next)[PATH][2:] == (1, 1)
    assert silent(stage, account_id, OCTOBER.next) == []


def test_a_record_counts_before_github_was_asked_about_its_run(stage: Stage) -> None:
    account_id = stage.install()
    stage.agent(event="schedule")
    with stage.world.db.reading() as session:
        repository = repository_of(session, account_id, stage.gh.hub.repository(REPOSITORY).repository_id)
        assert repository is not None
        assert stage.rows("SELECT run_state FROM workflow_job") == [("unread",)]
        assert recorded_jobs(session, repository, OCTOBER) == {PATH: 1}
        assert recorded_jobs(session, repository, OCTOBER.next) == {}


def test_a_second_survey_takes_the_place_of_the_first(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "main", {SILENT: CODEX})
    start(stage)
    assert SILENT in survey(stage, account_id)
    stage.gh.push(REPOSITORY, "main", {SILENT: None})
    assert survey(stage, account_id).keys() == {PATH}


def test_the_workflow_that_calls_another_answers_for_its_agents(stage: Stage) -> None:
    account_id = stage.install()
    caller, called = f"{FOLDER}/caller.yml", f"{FOLDER}/called.yml"
    stage.gh.push(REPOSITORY, "main", {caller: f"jobs: {{a: {{uses: ./{called}}}}}\n", called: CODEX})
    start(stage, caller)
    found = survey(stage, account_id)
    assert (found[caller], found[called]) == ((("codex",), False, 1, 0), (("codex",), False, 0, 0))


# ---- what cannot be known ----------------------------------------------------------------------------------------


def test_without_the_permission_to_read_runs_they_are_unknown_and_not_zero(stage: Stage) -> None:
    account_id = stage.install()
    start(stage, PATH)
    stage.gh.grant(next(iter(stage.gh.hub.installations)), {"metadata": "read", "contents": "read"})
    assert survey(stage, account_id) == {PATH: (("claude-code",), True, None, 0)}
    assert (silent(stage, account_id), unknown(stage, account_id)) == ([], 1)
    assert "For 1 workflow file without a record it is not known" in preview(stage.world, account_id, OCTOBER)


def test_without_the_permission_to_read_files_the_folder_is_unknown(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.grant(next(iter(stage.gh.hub.installations)), {"metadata": "read", "actions": "read"})
    assert survey(stage, account_id) == {FOLDER: (None, False, None, 0)}
    assert unknown(stage, account_id) == 1
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]


def test_files_too_large_too_many_or_broken_are_unknown(stage: Stage) -> None:
    account_id = stage.install()
    files = {f"{FOLDER}/b{number:03}.yml": CODEX for number in range(MOST_FILES)}
    odd = {f"{FOLDER}/0large.yml": "#" * (LARGEST_BYTES + 1), f"{FOLDER}/1broken.yml": "jobs: {a"}
    stage.gh.push(REPOSITORY, "main", {PATH: None, **files, **odd})
    found = survey(stage, account_id)
    assert len(found) == MOST_FILES + 2
    assert [path for path, (agents, *_) in found.items() if agents is None] == [
        *odd, f"{FOLDER}/b048.yml", f"{FOLDER}/b049.yml"
    ]  # fmt: skip
    assert unknown(stage, account_id) == 4


@pytest.mark.parametrize(
    "name",
    ["a b#?%20&.yml", "`|<img src=x>@all.yaml", "é\u202e.yml", "..yml", "-->.yml", "x" * 200 + ".yml"],
)
def test_hostile_names_and_files_are_read_and_harm_no_summary(stage: Stage, name: str) -> None:
    account_id = stage.install()
    path = f"{FOLDER}/{name}"
    stage.gh.push(REPOSITORY, "main", {path: BOMB, f"{FOLDER}/folder.yml/a.yml": CODEX})
    start(stage, path)
    assert survey(stage, account_id)[path] == (("codex",), False, 1, 0)
    text = preview(stage.world, account_id, OCTOBER)
    row = text.partition("### Workflows that left no record")[2].split("\n")[4]
    assert row.startswith("| `widgets` | `.github/workflows/")
    assert row.endswith(" | `codex` | 1 | missing |")
    assert row.count("|") == 6


def test_a_repository_without_workflows_or_without_a_commit_has_nothing_to_tell(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "main", {PATH: None})
    assert survey(stage, account_id) == {}
    stage.gh.hub.repository(REPOSITORY).branches.clear()
    assert survey(stage, account_id) == {}
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]


# ---- when, where, whose ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["primary", "secondary"])
def test_a_rate_limit_is_a_later_due_time_and_no_try(stage: Stage, kind: str) -> None:
    account_id = stage.install()
    stage.gh.fail(kind, path="/contents/", retry_after_s=90)
    assert survey(stage, account_id) == {}
    [(state, attempts, run_at_us)] = stage.rows(
        "SELECT state, attempts, run_at_us FROM job WHERE kind = 'survey' AND error <> ''"
    )
    assert (state, attempts) == (0, 0)
    assert run_at_us >= us(stage.now() + timedelta(seconds=60))
    stage.gh.set_time(instant(run_at_us) + timedelta(hours=1))
    stage.settle()
    assert stage.rows("SELECT path FROM surveyed_workflow WHERE month = 202610") == [(PATH,)]


def test_a_failure_of_github_leaves_what_was_known_and_is_tried_again(stage: Stage) -> None:
    account_id = stage.install()
    before = survey(stage, account_id)
    stage.gh.fail("status", path="/actions/workflows/")
    assert survey(stage, account_id) == before
    assert stage.rows("SELECT state, attempts FROM job WHERE kind = 'survey' AND error <> ''") == [(0, 1)]


def test_each_repository_is_surveyed_once_in_the_first_days_at_its_own_hour(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, "acme/gadgets", "acme/old")
    stage.gh.archive_repository("acme/old")
    stage.settle()
    [entry] = [each for each in entries(stage.world.settings) if each.name == "survey"]

    def due(day: int) -> list[NewJob]:
        with stage.world.db.reading() as session:
            return list(entry.fan_out(session, datetime(2026, 11, day, 1, tzinfo=UTC)))

    first = due(1)
    assert [job.args["month"] for job in first] == ["2026-10"] * 2
    assert len({job.lane for job in first} | {job.run_at for job in first}) == 4
    assert all(job.run_at < datetime(2026, 11, 2, 3, tzinfo=UTC) for job in first)
    assert survey(stage, account_id).keys() == {PATH}
    assert len(due(2)) == 2  # that was before the month's end
    stage.gh.set_time(datetime(2026, 11, 1, 5, tzinfo=UTC))
    with stage.world.db.transaction() as session:
        enqueue(session, first[0], stage.now())
    stage.tick(24 * 3600)
    stage.settle()
    assert [job.args["repository_id"] for job in due(2)] == [first[1].args["repository_id"]]
    assert due(4) == []


def test_a_new_installation_is_surveyed_for_the_present_month_when_jobs_had_time_to_report(stage: Stage) -> None:
    stage.install(REPOSITORY, "acme/gadgets")
    assert stage.rows("SELECT COUNT(*) FROM surveyed_workflow") == [(0,)]
    stage.tick(2 * 3600)
    stage.settle()
    assert stage.rows("SELECT month, path FROM surveyed_workflow") == [(202610, PATH)] * 2


@pytest.mark.parametrize("gone", ["uninstalled", "removed", "archived", "renamed"])
def test_a_repository_that_is_not_ours_any_more_is_left_alone(stage: Stage, gone: str) -> None:
    account_id = stage.install()
    with stage.world.db.transaction() as session:
        ask_for_surveys(session, account_id, OCTOBER, stage.now())
    if gone == "uninstalled":
        stage.gh.uninstall(next(iter(stage.gh.hub.installations)))
    elif gone == "removed":
        stage.gh.delete_repository(REPOSITORY)
    elif gone == "archived":
        stage.gh.archive_repository(REPOSITORY)
    else:
        stage.gh.rename_repository(REPOSITORY, "gears")
        stage.gh.create_repository(REPOSITORY, files={SILENT: CODEX})
        stage.waiting.clear()  # another repository has the name, and nobody heard
    stage.settle()
    assert stage.rows("SELECT path FROM surveyed_workflow") == []
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]


def test_one_organisation_sees_no_workflow_of_another(stage: Stage) -> None:
    account_id = stage.install()
    other = stage.install("other/secret", account="other")
    stage.gh.push("other/secret", "main", {SILENT: CODEX})
    start(stage, SILENT, "other/secret")
    start(stage, PATH)
    stage.agent("other/secret", event="schedule")
    stage.settle()
    survey(stage, account_id)
    assert silent(stage, account_id) == [("widgets", PATH, 1)]
    assert silent(stage, other) == []
    survey(stage, other)
    assert silent(stage, account_id) == [("widgets", PATH, 1)]
    assert silent(stage, other) == [("secret", SILENT, 1)]
    assert "secret" not in preview(stage.world, account_id, OCTOBER)
    stage.gh.set_time(datetime(2026, 11, 1, tzinfo=UTC))
    survey(stage, account_id)
    with stage.world.db.reading() as session:
        assert [len(unsurveyed(session, account, OCTOBER)) for account in (account_id, other)] == [0, 1]


def test_a_job_for_another_accounts_repository_surveys_nothing(stage: Stage) -> None:
    account_id = stage.install()
    stage.install("other/secret", account="other")
    theirs = stage.gh.hub.repository("other/secret").repository_id
    crossing = NewJob(
        account_id, f"{account_id}/{theirs}/survey", "survey", "s", {"repository_id": theirs, "month": "2026-10"},
        stage.now(),
    )  # fmt: skip
    with stage.world.db.transaction() as session:
        enqueue(session, crossing, stage.now())
    stage.settle()
    assert stage.rows("SELECT path FROM surveyed_workflow") == []


def test_a_public_summary_names_no_private_workflow(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.create_repository("acme/open", visibility="public", files={SILENT: CODEX})
    stage.settle()
    start(stage, PATH)
    start(stage, SILENT, "acme/open")
    survey(stage, account_id)
    report = month_report(stage.world, account_id, OCTOBER, public_issue=True)
    text = summary(report, "")
    assert f"| `open` | `{SILENT}` | `codex` | 1 | missing |" in text
    assert "| a private repository | – | `claude-code` | 1 | is there, no record came |" in text
    assert "widgets" not in text
    assert PATH not in text
