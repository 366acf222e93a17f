"""From an agent run to the check and the comment on its pull, through everything that comes in between."""

from sqlalchemy import text
from sqlmodel import select

from app.core.facts import PullNumber
from app.store.costs import ties_naming
from app.store.pulls import PullKey
from app.store.tables import AgentRun
from tests.core.rendered import Page, harms
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage


def merged_pull(stage: Stage, calls: int = 2) -> int:
    """A pull on which an agent worked, merged and settled."""
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.tick()
    stage.agent(calls=calls, pull=number)
    stage.tick()
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    return number


def test_a_merged_pull_shows_what_it_cost(stage: Stage) -> None:
    number = merged_pull(stage, calls=4)
    assert stage.books() == {("usage", 0): -4 * CALL_NANO_USD, ("pull", number): 4 * CALL_NANO_USD}
    comment = stage.comment(number)
    assert comment is not None
    assert comment.startswith("**$0.09** · 1 agent run")


def test_the_check_stands_on_the_head_and_is_never_red(stage: Stage) -> None:
    number = merged_pull(stage)
    [check] = stage.gh.checks(REPOSITORY, number)
    assert check["head_sha"] == stage.gh.pull(REPOSITORY, number)["head"]["sha"]
    assert check["conclusion"] == "success"


def test_the_annotation_is_on_the_workflow_line_that_spent_the_money(stage: Stage) -> None:
    number = merged_pull(stage)
    [annotation] = stage.gh.checks(REPOSITORY, number)[0]["annotations"]
    assert (annotation["path"], annotation["start_line"]) == (".github/workflows/agent.yml", 6)


def test_a_pull_without_an_agent_run_gets_neither_check_nor_comment(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert (stage.gh.checks(REPOSITORY, number), stage.comment(number)) == ([], None)


def test_an_open_pull_has_a_check_and_no_comment_yet(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.settle()
    assert (len(stage.gh.checks(REPOSITORY, number)), stage.comment(number)) == (1, None)


def test_the_check_follows_the_head(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.settle()
    stage.gh.push_to_pull(REPOSITORY, number, {"a.py": "2"})
    stage.settle()
    assert len(stage.gh.checks(REPOSITORY, number)) == 1


def test_an_intent_that_a_crash_left_on_a_former_head_is_overtaken_when_the_head_has_moved(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.settle()
    with stage.world.db.transaction() as session:  # as if the process had died before it could note what it wrote
        session.connection().execute(text("UPDATE effect SET state = 'intent' WHERE key LIKE 'check%'"))
    stage.gh.push_to_pull(REPOSITORY, number, {"a.py": "2"})
    stage.settle()
    states = stage.rows("SELECT state FROM effect WHERE effect.key LIKE 'check:%' ORDER BY updated_at_us, state")
    assert sorted(states) == [("overtaken",), ("written",)]


def test_an_agent_run_that_is_recorded_after_the_merge_edits_the_comment(stage: Stage) -> None:
    number = merged_pull(stage)
    before = stage.comment(number)
    stage.agent(pull=number, calls=40)
    stage.settle()
    assert stage.comment(number) not in {before, None}


def test_nothing_is_written_when_nothing_has_changed(stage: Stage) -> None:
    number = merged_pull(stage)
    written = len(stage.gh.writes())
    stage.gh.edit_pull(REPOSITORY, number, title="Another title")
    stage.settle()
    assert len(stage.gh.writes()) == written


def test_a_comment_that_a_person_deleted_stays_away(stage: Stage) -> None:
    number = merged_pull(stage)
    stage.gh.delete_comment(REPOSITORY, stage.gh.comments(REPOSITORY, number)[0]["id"])
    stage.agent(pull=number, calls=40)
    stage.settle()
    stage.agent(pull=number, calls=50)
    stage.settle()
    assert stage.comment(number) is None


def test_a_locked_pull_gets_its_check_and_no_comment_and_nothing_dies(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.lock(REPOSITORY, number)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert (len(stage.gh.checks(REPOSITORY, number)), stage.comment(number)) == (1, None)
    assert stage.rows("SELECT state, note FROM effect WHERE effect.key LIKE 'comment:%'")[0][0] == "refused"
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]


def test_a_rerequested_check_is_answered(stage: Stage) -> None:
    number = merged_pull(stage)
    written = len(stage.gh.writes())
    stage.gh.rerequest(stage.gh.checks(REPOSITORY, number)[0]["id"])
    stage.settle()
    assert len(stage.gh.writes()) == written + 1


def test_no_money_appears_on_a_public_repository(stage: Stage) -> None:
    stage.install(visibility="public")
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number)
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    said = [stage.comment(number) or "", *map(repr, stage.gh.checks(REPOSITORY, number))]
    assert not [text for text in said if "$" in text or "USD" in text]


def test_hostile_names_stay_text(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    run = stage.gh.start_workflow_run(REPOSITORY, pull=number)
    call = stage.call("x", model="</details><img src=x onerror=alert(1)> @everyone")
    stage.report(run, [call], "hostile", agent="@acme/admins ![x](https://example.com/x.png)")
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    comment = stage.comment(number) or ""
    assert "cost unknown" in comment
    assert harms(Page(comment)) == []


def test_the_agent_that_answers_a_comment_is_tied_by_the_event(stage: Stage) -> None:
    stage.install()
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.tick()
    run = stage.gh.start_workflow_run(REPOSITORY, "issue_comment", pull=number)
    stage.report(run, 1, "answer", job={"pull_number": number})
    stage.settle()
    assert stage.evidence() == [("E5", number)]


def test_a_push_run_before_the_pull_was_opened_is_tied_by_its_commit(stage: Stage) -> None:
    stage.install()
    stage.gh.push(REPOSITORY, "feature", {"a.py": "1"})
    stage.agent(event="push", branch="feature")
    stage.settle()
    assert stage.evidence() == [("", None)]
    stage.tick()
    number = stage.gh.open_pull(REPOSITORY, "feature")
    stage.settle()
    assert stage.evidence() == [("E3", number)]


def test_a_dispatched_run_on_the_branch_is_tied_while_the_pull_lives(stage: Stage) -> None:
    stage.install()
    stage.gh.push(REPOSITORY, "feature", {"a.py": "1"})
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "2"})
    stage.settle()
    stage.gh.push_to_pull(REPOSITORY, number, {"a.py": "3"}, force=True)
    stage.waiting.clear()  # the delivery is lost: only the branch tells
    stage.agent(event="workflow_dispatch", branch="feature")
    stage.settle()
    assert stage.evidence() == [("E4", number)]


def test_a_commit_that_an_issue_run_made_ties_it_to_the_pull_opened_from_it(stage: Stage) -> None:
    stage.install()
    issue = stage.gh.create_issue(REPOSITORY, "Do it")
    run = stage.gh.start_workflow_run(REPOSITORY, "issues", pull=issue)
    stage.tick()
    sha = stage.gh.push(REPOSITORY, "claude/issue", {"a.py": "1"})
    stage.report(run, 1, "made", job={"commits_made": [sha]})
    stage.settle()
    number = stage.gh.open_pull(REPOSITORY, "claude/issue")
    stage.settle()
    assert stage.evidence() == [("E3", number)]


def test_a_scheduled_run_stays_unattributed_and_is_shown(stage: Stage) -> None:
    stage.install()
    stage.agent(event="schedule", session="loop")
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(pull=number, session="pull")
    stage.settle()
    assert stage.evidence() == [("", None), ("E1", number)]
    assert "nattributed" in stage.gh.checks(REPOSITORY, number)[0]["output"]["summary"]


def test_after_fourteen_days_without_a_pull_cost_is_abandoned_and_can_still_be_claimed(stage: Stage) -> None:
    stage.install()
    stage.gh.push(REPOSITORY, "feature", {"a.py": "1"})
    stage.agent(event="push", branch="feature")
    stage.settle()
    stage.tick(15 * 24 * 3600)
    stage.settle()
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("abandoned", 0): CALL_NANO_USD}
    number = stage.gh.open_pull(REPOSITORY, "feature")
    stage.settle()
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("pull", PullNumber(number)): CALL_NANO_USD}


def test_a_token_of_an_account_without_the_app_is_refused(stage: Stage) -> None:
    stage.install()
    stage.gh.create_account("other")
    stage.gh.create_repository("other/thing")
    run = stage.gh.start_workflow_run("other/thing", "push")
    try:
        stage.report(run, 1, "s")
    except Exception as refused:  # noqa: BLE001 - its code is what counts
        assert getattr(refused, "code", "") == "not-installed"  # noqa: PT017
    else:
        raise AssertionError("recorded")


def test_two_organisations_never_meet(stage: Stage) -> None:
    stage.install()
    stage.install("other/widgets", account="other")
    for repository in (REPOSITORY, "other/widgets"):
        number = stage.gh.open_pull(repository, "feature", files={"a.py": "1"})
        run = stage.gh.start_workflow_run(repository, pull=number)
        stage.report(run, [stage.call("same")], "same session")  # the same response id: each organisation's own
        stage.gh.merge(repository, number)
    stage.settle()
    assert stage.rows("SELECT account_id, COUNT(*) FROM model_call GROUP BY account_id ORDER BY account_id") == [
        (stage.gh.account_id(login), 1) for login in sorted(("acme", "other"), key=stage.gh.account_id)
    ]
    crossing = (
        "SELECT COUNT(*) FROM ledger_entry AS entry JOIN agent_run ON agent_run.id = entry.agent_run_id"
        " WHERE agent_run.account_id <> entry.account_id OR agent_run.repository_id <> entry.repository_id"
    )
    assert stage.rows(crossing) == [(0,)]


def test_a_tie_stays_unattributed_and_each_of_its_pulls_says_so(stage: Stage) -> None:
    account_id = stage.install()
    stage.gh.push(REPOSITORY, "release", {"r.py": "r"})
    first = stage.gh.open_pull(REPOSITORY, "one", files={"a.py": "one"})
    second = stage.gh.open_pull(REPOSITORY, "one", base="release")
    stage.agent(branch="one")
    stage.settle()
    with stage.world.db.reading() as session:
        [run] = session.exec(select(AgentRun).where(AgentRun.account_id == account_id))
        assert [ties_naming(session, PullKey(account_id, run.repository_id, n)) for n in (first, second)] == [1, 1]
    assert (run.evidence, run.tied_pulls) == ("", f"[{first}, {second}]")
    assert run.evidence_note == f"tie at E3: #{first} and #{second}"
