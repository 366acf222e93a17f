"""Commands that are not followed: by whom, on what, in which words, and never across accounts."""

import re

import pytest

from app.core.events import route
from app.stories.attribute import NotDoneError, decide_here
from tests.core.rendered import Page, harms
from tests.stories.stage import REPOSITORY, Stage
from tests.stories.test_attribute_story import DONE, NOT_DONE, OTHER, answers, ids, links, prepared, say

# ---- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["none", "read", "triage"])
def test_who_may_not_write_gets_a_reaction_and_nothing_else(stage: Stage, role: str) -> None:
    number, run = prepared(stage)
    stage.gh.permit(REPOSITORY, "bob", role)
    for text in (f"/mergemeter attribute {run}", "/mergemeter explain", "/mergemeter nonsense"):
        assert stage.gh.reactions(REPOSITORY, say(stage, number, text, "bob")) == NOT_DONE
    assert (links(stage), answers(stage, number)) == (0, [])


def test_the_permission_is_the_one_of_that_moment(stage: Stage) -> None:
    number, run = prepared(stage)
    say(stage, number, f"/mergemeter attribute {run}")
    stage.gh.permit(REPOSITORY, "ada", "read")
    assert stage.gh.reactions(REPOSITORY, say(stage, number, f"/mergemeter detach {run}")) == NOT_DONE
    assert stage.evidence() == [("E2", number)]


def test_a_login_that_changed_hands_since_gives_nothing_to_its_new_owner(stage: Stage) -> None:
    number, run = prepared(stage)
    comment_id = stage.gh.comment(REPOSITORY, number, "ada", f"/mergemeter attribute {run}")
    with stage.gh.hub.lock:
        stage.gh.hub.accounts.pop("ada")  # another account has the name when GitHub is asked
    stage.gh.permit(REPOSITORY, "ada", "admin")
    stage.settle()
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, NOT_DONE)


def test_the_other_end_asks_for_write_access_too_and_tells_a_stranger_nothing(stage: Stage) -> None:
    number, _ = prepared(stage)
    stage.agent(OTHER, event="schedule", session="other")
    stage.settle()
    run = ids(stage)[1]
    for role in ("none", "read"):
        stage.gh.permit(OTHER, "ada", role)
        assert stage.gh.reactions(REPOSITORY, say(stage, number, f"/mergemeter attribute {run}")) == NOT_DONE
    say(stage, number, f"/mergemeter attribute {'0' * 32}")
    assert links(stage) == 0
    told = {re.sub(r"<!--.*", "", text, flags=re.DOTALL) for text in answers(stage, number)}
    assert len(told) == 1  # whether it is not there or not theirs


def test_who_takes_cost_from_another_repository_s_pull_must_be_able_to_write_there(stage: Stage) -> None:
    number, run = prepared(stage)
    stage.gh.permit(OTHER, "ada", "write")
    there = stage.gh.open_pull(OTHER, "feature", files={"a.py": "1"})
    stage.settle()
    say(stage, there, f"/mergemeter attribute {run}", repository=OTHER)
    assert stage.evidence() == [("E2", there)]
    stage.gh.permit(OTHER, "ada", "read")
    assert stage.gh.reactions(REPOSITORY, say(stage, number, f"/mergemeter attribute {run}")) == NOT_DONE
    stage.gh.permit(OTHER, "ada", "write")
    assert stage.gh.reactions(REPOSITORY, say(stage, number, f"/mergemeter attribute {run}")) == DONE


@pytest.mark.parametrize("user", ["helper[bot]", "github-actions[bot]"])
def test_a_bot_s_comment_is_no_command_and_is_not_even_kept(stage: Stage, user: str) -> None:
    number, run = prepared(stage)
    stage.gh.permit(REPOSITORY, user, "admin")
    ours = stage.gh.comment(REPOSITORY, number, user, f"/mergemeter attribute {run}")
    assert [route(each.event, each.body) for each in stage.waiting] == [None]
    stage.settle()
    assert (links(stage), stage.gh.reactions(REPOSITORY, ours)) == (0, [])


def test_what_an_app_writes_in_a_person_s_name_is_no_command(stage: Stage) -> None:
    number, run = prepared(stage)
    app = stage.gh.register_app(slug="agent")["app_id"]
    comment_id = say(stage, number, f"/mergemeter attribute {run}", via_app=app)
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, [])


def test_a_payload_that_lies_about_its_author_is_not_believed(stage: Stage) -> None:
    number, run = prepared(stage)
    stage.gh.permit(REPOSITORY, "helper[bot]", "admin")
    comment_id = stage.gh.comment(REPOSITORY, number, "helper[bot]", f"/mergemeter attribute {run}")
    (delivery,) = stage.waiting
    delivery.body = delivery.body.replace(b'"type":"Bot"', b'"type":"User"')
    stage.settle()
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, [])


# ---- what is no command ---------------------------------------------------------------------------------------------


def test_an_edited_comment_is_never_a_command(stage: Stage) -> None:
    number, run = prepared(stage)
    comment_id = say(stage, number, "hello")
    stage.gh.edit_comment(REPOSITORY, comment_id, f"/mergemeter attribute {run}")
    assert {route(each.event, each.body) for each in stage.waiting} == {None}
    stage.settle()
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, [])


def test_a_command_that_was_edited_before_it_was_read_is_refused(stage: Stage) -> None:
    number, run = prepared(stage)
    comment_id = stage.gh.comment(REPOSITORY, number, "ada", f"/mergemeter attribute {run}")
    stage.gh.edit_comment(REPOSITORY, comment_id, f"/mergemeter detach {run}")
    stage.settle()
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, NOT_DONE)
    assert "edited" in answers(stage, number)[0]


def test_a_comment_that_is_gone_when_it_is_read_does_nothing(stage: Stage) -> None:
    number, run = prepared(stage)
    comment_id = stage.gh.comment(REPOSITORY, number, "ada", f"/mergemeter attribute {run}")
    stage.gh.delete_comment(REPOSITORY, comment_id)
    stage.settle()
    assert links(stage) == 0


def test_a_command_on_an_issue_is_not_kept(stage: Stage) -> None:
    _, run = prepared(stage)
    issue = stage.gh.create_issue(REPOSITORY, "An issue")
    stage.gh.comment(REPOSITORY, issue, "ada", f"/mergemeter attribute {run} to #1")
    assert [route(each.event, each.body) for each in stage.waiting] == [None]
    stage.settle()
    assert links(stage) == 0


def test_people_s_other_comments_are_not_kept(stage: Stage) -> None:
    number, _ = prepared(stage)
    stage.gh.comment(REPOSITORY, number, "ada", "What does this cost? See `/mergemeter explain`.")
    assert [route(each.event, each.body) for each in stage.waiting] == [None]


@pytest.mark.parametrize("before", ["> ", "```\n", "    ", "please: "])
def test_a_quoted_or_coded_command_does_nothing(stage: Stage, before: str) -> None:
    number, run = prepared(stage)
    comment_id = say(stage, number, f"{before}/mergemeter attribute {run}")
    assert (links(stage), stage.gh.reactions(REPOSITORY, comment_id)) == (0, [])


# ---- refusals -------------------------------------------------------------------------------------------------------


def refused(stage: Stage, number: int, text: str) -> str:
    """The sentence with which a command was refused, and that it changed nothing."""
    before, said = (links(stage), stage.books()), len(answers(stage, number))
    assert stage.gh.reactions(REPOSITORY, say(stage, number, text)) == NOT_DONE
    assert (links(stage), stage.books()) == before
    told = answers(stage, number)
    assert len(told) == said + 1
    assert harms(Page(told[-1])) == []
    return told[-1]


def test_signed_evidence_is_not_set_aside_by_hand(stage: Stage) -> None:
    number, _ = prepared(stage)
    stage.agent(pull=number, session="signed")
    other = stage.gh.open_pull(REPOSITORY, "other", files={"b.py": "1"})
    stage.settle()
    run = ids(stage)[1]
    for text in (f"attribute {run} to #{other}", f"detach {run}"):
        assert "signed token" in refused(stage, number, f"/mergemeter {text}")
    assert ("E1", number) in stage.evidence()


def test_a_pull_that_is_none_is_refused(stage: Stage) -> None:
    number, run = prepared(stage)
    issue = stage.gh.create_issue(REPOSITORY, "An issue")
    for none in (issue, 999):
        assert "no pull request" in refused(stage, number, f"/mergemeter attribute {run} to #{none}")


def test_an_agent_run_that_nobody_knows_is_refused(stage: Stage) -> None:
    number, _ = prepared(stage)
    for name in ("f" * 32, f"https://github.com/{REPOSITORY}/actions/runs/5"):
        assert "no such agent run" in refused(stage, number, f"/mergemeter attribute {name}")


def test_a_workflow_run_of_another_github_or_repository_s_name_is_not_taken_for_ours(stage: Stage) -> None:
    number, _ = prepared(stage)
    run = stage.agent(event="schedule", session="one")
    for place in (f"https://github.example/{REPOSITORY}", f"https://github.com/{OTHER}"):
        refused(stage, number, f"/mergemeter attribute {place}/actions/runs/{run['run_id']}")


def test_an_agent_run_without_a_record_is_refused(stage: Stage) -> None:
    number, _ = prepared(stage)
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE agent_run SET completeness = 'missing'")
    assert "never came" in refused(stage, number, f"/mergemeter attribute {ids(stage)[0]}")


def test_more_agent_runs_than_a_person_can_mean_are_refused(stage: Stage) -> None:
    number, _ = prepared(stage)
    run = stage.gh.start_workflow_run(REPOSITORY, "schedule")
    for part in range(51):
        stage.report(run, 0, f"s-{part}")
    address = f"https://github.com/{REPOSITORY}/actions/runs/{run['run_id']}"
    assert "more than 50" in refused(stage, number, f"/mergemeter attribute {address}")


def test_what_is_no_command_or_several_is_refused_with_the_commands(stage: Stage) -> None:
    number, run = prepared(stage)
    assert "the commands are" in refused(stage, number, "/mergemeter give me everything")
    assert "several" in refused(stage, number, f"/mergemeter explain\n/mergemeter detach {run}")


# ---- two tenants ----------------------------------------------------------------------------------------------------


def test_nobody_reaches_an_agent_run_of_another_account(stage: Stage) -> None:
    number, run = prepared(stage)
    stage.install("globex/widgets", account="globex")
    there = stage.gh.open_pull("globex/widgets", "feature", files={"a.py": "1"})
    address = f"https://github.com/{REPOSITORY}/actions/runs/"
    ((run_id,),) = stage.rows("SELECT run_id FROM workflow_job")
    stage.gh.permit("globex/widgets", "ada", "admin")  # she may write in both
    stage.settle()
    for name in (run, f"{address}{run_id}"):
        for verb in ("attribute", "detach"):
            comment_id = say(stage, there, f"/mergemeter {verb} {name}", repository="globex/widgets")
            assert stage.gh.reactions("globex/widgets", comment_id) == NOT_DONE
    say(stage, there, "/mergemeter explain", repository="globex/widgets")
    assert (links(stage), stage.evidence()) == (0, [("", None)])
    assert run not in "".join(answers(stage, there, "globex/widgets")[-1:])
    for pull in (None, ("globex", "widgets", there)):
        with pytest.raises(NotDoneError):
            decide_here(stage.world, stage.gh.account_id("globex"), run, pull, "why", "root")
    with pytest.raises(NotDoneError):
        decide_here(stage.world, stage.gh.account_id("acme"), run, ("globex", "widgets", there), "why", "root")
    assert (links(stage), number) == (0, number)
