"""Sessions of GitHub's cloud agent: with an operator's user token GitHub tells their cost, and nothing is guessed."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from app.commands.explain import Walk, explained
from app.core.month import Month
from app.store.jobs import pull_job
from app.store.pulls import PullKey
from app.store.queue import DONE, NewJob, behind, enqueue
from app.stories.attribute import decide_here
from app.stories.reprice import reprice
from app.stories.summarize import month_report
from app.timetable import entries, stories
from app.web.api.door import Asked
from app.web.api.runs import calls
from app.worker import Worker
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_summary_story import OCTOBER, set_up, summarize
from tests.stories.test_telemetry_story import WIDGETS, tell

COPILOT = "copilot-swe-agent[bot]"
CREDIT = 1_000_000_000  # nano-credits
CENT = 10_000_000  # nano-USD
TASKS = "/agents/repos/acme/widgets/tasks"


def with_tokens(stage: Stage, **tokens: str) -> None:
    settings = replace(stage.world.settings, agent_tasks_tokens=tuple(tokens.items()))
    stage.world = replace(stage.world, settings=settings)
    stage.worker = Worker(stage.world, stories())


def with_token(stage: Stage) -> str:
    token = stage.gh.create_user_token("ada", ["acme"])
    with_tokens(stage, acme=token)
    return token


def ask(stage: Stage, account_id: int) -> None:
    """The hourly look, and all that follows from it."""
    stage.tick()
    with stage.world.db.transaction() as session:
        enqueue(session, NewJob(account_id, behind(account_id), "agent-tasks", "t", {}, stage.now()), stage.now())
    stage.settle()


def a_pull(stage: Stage, branch: str = "copilot/fix-1", author: str = COPILOT) -> int:
    number = stage.gh.open_pull(REPOSITORY, branch, files={"a.py": branch}, author=author)
    stage.settle()
    return number


def asked(stage: Stage) -> list[tuple[str, str, int]]:
    return [each for each in stage.gh.requests if each[1].startswith("/agents")]


def runs(stage: Stage) -> list[tuple[object, ...]]:
    query = (
        "SELECT agent, provenance, completeness, completeness_reason, cost_nano_usd, models, evidence FROM agent_run"
    )
    return [tuple(row) for row in stage.rows(query)]


def test_the_cost_of_a_session_goes_to_the_pull_that_its_task_names(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    task = stage.gh.start_task(REPOSITORY, [number])
    stage.gh.run_session(task, 123 * CREDIT + 450_000_000)
    stage.gh.run_session(task, 51)  # 0.51 nano-USD
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -1_234_500_001, ("pull", number): 1_234_500_001}
    reason = "GitHub tells AI credits, not tokens"
    expected = (
        "copilot-agent",
        "vendor",
        "estimated",
        reason,
        1_234_500_000,
        '{"claude-sonnet-4.6": 1234500000}',
        "E3",
    )
    assert runs(stage)[0] == expected
    assert stage.rows("SELECT DISTINCT note FROM tie") == [("GitHub's task names this pull",)]
    calls = stage.rows("SELECT provider, cost_nano_usd, list_cost_nano_usd, price_list FROM model_call ORDER BY 2")
    assert calls[1] == ("github", 1_234_500_000, 1_234_500_000, "GitHub AI credits")


def test_nothing_is_asked_without_a_token(stage: Stage) -> None:
    account_id = stage.install()
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    ask(stage, account_id)
    with_tokens(stage, globex=stage.gh.create_user_token("ada", ["acme"]))
    ask(stage, account_id)
    assert asked(stage) == []
    assert runs(stage) == []


def test_nothing_is_asked_where_no_agents_account_opened_a_pull_lately(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    a_pull(stage, author="ada")
    ask(stage, account_id)
    a_pull(stage, "copilot/fix-2")
    stage.tick(timedelta(days=91).total_seconds())
    ask(stage, account_id)
    assert asked(stage) == []


@pytest.mark.parametrize(("reads", "revoked", "status"), [((), False, 404), (("acme",), True, 401)])
def test_a_token_that_does_not_serve_stops_nothing(
    stage: Stage, reads: tuple[str, ...], revoked: bool, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    account_id = stage.install()
    token = stage.gh.create_user_token("ada", reads)
    with_tokens(stage, acme=token)
    if revoked:
        stage.gh.revoke_user_token(token)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    with caplog.at_level(logging.WARNING):
        ask(stage, account_id)
    assert {each[2] for each in asked(stage)} == {status}
    assert runs(stage) == []
    assert stage.rows("SELECT state FROM job WHERE kind = 'agent-tasks'") == [(DONE,)]
    assert caplog.records
    assert token not in caplog.text


def test_an_installations_token_is_refused(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    account_id = stage.install()
    a_pull(stage)
    with_tokens(stage, acme=next(iter(stage.gh.hub.tokens)))
    with caplog.at_level(logging.WARNING):
        ask(stage, account_id)
    assert {each[2] for each in asked(stage)} == {403}


def test_a_limit_of_github_makes_it_due_later(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    stage.world.github.now = stage.now
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    stage.gh.fail("secondary", path=TASKS, retry_after_s=120)
    ask(stage, account_id)
    assert runs(stage) == []
    stage.tick(121)
    stage.settle()
    assert stage.books() == {("usage", 0): -CENT, ("pull", number): CENT}


def test_what_is_told_again_changes_nothing(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    ask(stage, account_id)
    before = stage.rows("SELECT * FROM ledger_entry ORDER BY id"), runs(stage), stage.comment(number)
    ask(stage, account_id)
    assert (stage.rows("SELECT * FROM ledger_entry ORDER BY id"), runs(stage), stage.comment(number)) == before


@pytest.mark.parametrize("later", [3 * CREDIT, CREDIT // 2])
def test_usage_that_changes_is_entered_as_a_difference(stage: Stage, later: int) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    session = stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT, state="idle")
    ask(stage, account_id)
    stage.gh.change_session(session, state="completed", usage={"type": "ai_credits", "amount": later})
    ask(stage, account_id)
    cost = later // 100
    assert stage.books() == {("usage", 0): -cost, ("pull", number): cost}
    assert stage.rows("SELECT cost_nano_usd FROM agent_run UNION ALL SELECT cost_nano_usd FROM model_call") == [
        (cost,),
        (cost,),
    ]
    told = stage.rows("SELECT before_cost_nano_usd, after_cost_nano_usd, reason FROM correction")
    assert told == [(CENT, cost, "GitHub tells another usage of the session")]


@pytest.mark.parametrize(
    ("credit", "state", "unit"),
    [
        (None, "completed", "ai_credits"),
        (1.5, "completed", "premium_requests"),
        (CREDIT, "in_progress", "ai_credits"),
        (-CREDIT, "completed", "ai_credits"),
        (10**17 + 100, "completed", "ai_credits"),
    ],
)
def test_what_has_no_cost_yet_or_none_at_all_is_left_unknown(
    stage: Stage, credit: float | None, state: str, unit: str
) -> None:
    account_id = set_up(stage)
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), credit, state=state, unit=unit)
    ask(stage, account_id)
    assert runs(stage) == []
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert month_report(stage.world, account_id, OCTOBER, public_issue=False).total.unrecorded_agent_pulls == 1


def test_a_session_that_ends_and_one_of_an_archived_task_are_found(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    task = stage.gh.start_task(REPOSITORY, [number])
    session = stage.gh.run_session(task, None, state="in_progress")
    stage.gh.start_task(REPOSITORY)
    ask(stage, account_id)
    stage.gh.change_session(session, state="failed", usage={"type": "ai_credits", "amount": 2 * CREDIT})
    stage.gh.archive_task(task)
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -2 * CENT, ("pull", number): 2 * CENT}


def test_without_a_named_pull_its_branch_tells_where_the_agents_account_opened_it(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number, others = a_pull(stage), a_pull(stage, "ours", author="ada")
    task = stage.gh.start_task(REPOSITORY)
    stage.gh.run_session(task, CREDIT, head="copilot/fix-1")
    stage.gh.run_session(task, CREDIT, head="ours")
    stage.gh.run_session(task, CREDIT)
    ask(stage, account_id)
    assert others != number
    assert stage.books() == {("usage", 0): -3 * CENT, ("pull", number): CENT, ("unattributed", 0): 2 * CENT}
    assert sorted(str(each[-1]) for each in runs(stage)) == ["", "", "E4"]


def test_several_pulls_are_a_tie_unless_the_branch_tells_which(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    one, two = a_pull(stage, "copilot/one"), a_pull(stage, "copilot/two")
    task = stage.gh.start_task(REPOSITORY, [one, two])
    stage.gh.run_session(task, CREDIT)
    stage.gh.run_session(task, 3 * CREDIT, head="copilot/two")
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -4 * CENT, ("pull", two): 3 * CENT, ("unattributed", 0): CENT}
    tied = stage.rows("SELECT tied_pulls FROM agent_run WHERE evidence = ''")
    assert tied == [(f"[{one}, {two}]",)]


def test_a_pull_that_becomes_known_after_its_task_gets_the_cost(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    a_pull(stage)
    task = stage.gh.start_task(REPOSITORY)
    number = stage.gh.open_pull(REPOSITORY, "copilot/fix-2", files={"b.py": "b"}, author=COPILOT)
    held, stage.waiting = stage.waiting, []
    stage.gh.name_pull(task, REPOSITORY, number)
    stage.gh.run_session(task, CREDIT)
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -CENT, ("unattributed", 0): CENT}
    stage.waiting = held
    stage.settle()
    assert stage.books() == {("usage", 0): -CENT, ("pull", number): CENT}


def test_a_pull_that_a_task_makes_later_gets_the_cost_too(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    task = stage.gh.start_task(REPOSITORY)
    stage.gh.run_session(task, CREDIT)
    ask(stage, account_id)
    stage.gh.name_pull(task, REPOSITORY, number)
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -CENT, ("pull", number): CENT}


@pytest.mark.parametrize("record_first", [True, False])
def test_a_session_that_a_jobs_record_has_counts_once(stage: Stage, record_first: bool) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    session = stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT, session_id="s-1")
    if not record_first:
        ask(stage, account_id)
        assert stage.books() == {("usage", 0): -CENT, ("pull", number): CENT}
    stage.agent(pull=number, session=session)
    stage.settle()
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("pull", number): CALL_NANO_USD}
    assert [each[1] for each in runs(stage)] == ["job"]
    assert stage.rows("SELECT * FROM pull_told") == []


@pytest.mark.parametrize("telemetry_first", [True, False])
def test_a_session_that_telemetry_told_counts_once(stage: Stage, telemetry_first: bool) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT, session_id="s-1")
    if not telemetry_first:
        ask(stage, account_id)
    tell(stage, account_id, "req_1", **WIDGETS)
    stage.tick(120)
    stage.settle()
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("unattributed", 0): CALL_NANO_USD}
    assert [each[1] for each in runs(stage)] == ["token"]


def test_a_forged_call_under_githubs_name_is_not_counted_twice(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT, session_id="s-1")
    run = stage.gh.start_workflow_run(REPOSITORY, pull=number)
    stage.report(run, [stage.call("", id="agent-session:s-1", provider="github")], "another")
    stage.settle()
    ask(stage, account_id)
    assert [each[1] for each in runs(stage)] == ["job"]


def test_a_person_may_say_otherwise(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number, other = a_pull(stage), a_pull(stage, "ours", author="ada")
    session = stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    ask(stage, account_id)
    [(agent_run_id,)] = stage.rows("SELECT id FROM agent_run")
    stage.tick()
    assert decide_here(stage.world, account_id, agent_run_id, ("acme", "widgets", other), "it was for this", "ops") == 1
    stage.settle()
    stage.gh.change_session(session, usage={"type": "ai_credits", "amount": 2 * CREDIT})
    ask(stage, account_id)
    assert stage.books() == {("usage", 0): -2 * CENT, ("pull", other): 2 * CENT}


def test_explain_and_the_api_show_the_arithmetic(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), 12 * CREDIT + 345_000_000)
    ask(stage, account_id)
    said = "\n".join(explained(Walk(stage.world, account_id, 10, 1), f"widgets#{number}"))
    assert "12.345 AI credits × $0.01, as GitHub tells them; it tells no tokens." in said
    assert "DOES NOT ADD UP" not in said
    [(agent_run_id,)] = stage.rows("SELECT id FROM agent_run")
    [call] = (calls(Asked(stage.world, account_id, {"agent_run_id": agent_run_id, "limit": 10})) or {})["calls"]
    assert call["arithmetic"] is None
    assert call["without_arithmetic"] == "12.345 AI credits × $0.01, as GitHub tells them."
    assert call["cost"]["nano_usd"] == 123_450_000


def test_accounts_do_not_meet(stage: Stage) -> None:
    acme = stage.install()
    globex = stage.install("globex/widgets", account="globex")
    with_tokens(stage, acme=stage.gh.create_user_token("ada", ["acme", "globex"]))
    number = a_pull(stage)
    theirs = stage.gh.open_pull("globex/widgets", "copilot/x", files={"a.py": "x"}, author=COPILOT)
    stage.settle()
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    stage.gh.run_session(stage.gh.start_task("globex/widgets", [theirs]), CREDIT)
    ask(stage, acme)
    ask(stage, globex)
    assert stage.rows("SELECT account_id, cost_nano_usd FROM agent_run") == [(acme, CENT)]
    assert not [each for each in asked(stage) if "globex" in each[1]]


def test_repricing_leaves_what_github_charged(stage: Stage) -> None:
    account_id = stage.install()
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), CREDIT)
    ask(stage, account_id)
    done = reprice(stage.world, account_id, stage.now() - timedelta(days=90))
    assert (done.agent_runs, done.corrected) == (1, 0)
    assert stage.books() == {("usage", 0): -CENT, ("pull", number): CENT}


def test_the_pull_and_the_month_say_whose_figure_it_is(stage: Stage) -> None:
    account_id = set_up(stage)
    with_token(stage)
    number = a_pull(stage)
    stage.gh.run_session(stage.gh.start_task(REPOSITORY, [number]), 150 * CREDIT)
    stage.gh.merge(REPOSITORY, number)
    ask(stage, account_id)
    with stage.world.db.transaction() as session:
        key = PullKey(account_id, stage.rows("SELECT repository_id FROM pull")[0][0], number)
        enqueue(session, pull_job(key, "publish", stage.now()), stage.now())
    stage.settle()
    said = stage.comment(number) or ""
    assert "$1.50" in said
    assert "| by GitHub | other | 5 Oct, 09:00 | – | – | – | – | `E3` | about $1.50 |" in said
    assert "By GitHub: its record of the cloud agent tells of 1 agent run, in AI credits at $0.01 each" in said
    report = month_report(stage.world, account_id, OCTOBER, public_issue=False)
    assert (report.total.spend, report.total.unrecorded_agent_pulls) == (150 * CENT, 0)
    [issue] = summarize(stage, account_id)
    assert "GitHub AI credits" in issue["body"]
    assert Month.of(stage.now()) == OCTOBER


def test_it_is_scheduled_hourly_only_where_there_is_a_token(stage: Stage) -> None:
    account_id = stage.install()
    for tokens, wanted in (((), []), ((("acme", "x" * 20),), [(behind(account_id), "agent-tasks")])):
        settings = replace(stage.world.settings, agent_tasks_tokens=tokens)
        [entry] = [each for each in entries(settings) if each.name == "agent-tasks"]
        with stage.world.db.reading() as session:
            assert [(each.lane, each.kind) for each in entry.fan_out(session, stage.now())] == wanted
        assert entry.after(stage.now()) - stage.now() <= timedelta(hours=1)
