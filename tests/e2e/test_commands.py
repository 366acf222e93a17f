"""A command in a pull's conversation, through the real door: signed, kept, followed and answered."""

from typing import Any

from tests.e2e.stage import Stage
from tests.record.reports import CALL_COST


def test_a_person_attributes_an_agent_run_in_a_comment_and_no_other_comment_is_kept(stage: Stage) -> None:
    org = stage.organisation("commanders")
    number = org.open()
    org.agent(None, 3, event="schedule")
    org.settle()
    assert org.books() == {("usage", 0): -3 * CALL_COST, ("unattributed", 0): 3 * CALL_COST}
    ((run,),) = org.rows("SELECT id FROM agent_run WHERE account_id = :account")
    stage.gh.permit(org.repository, "ada", "write")
    said: list[tuple[str, str]] = [
        ("ada", "A word to a colleague, which is nobody else's business."),
        ("bob", f"/mergemeter detach {run}"),
        ("helper[bot]", f"/mergemeter detach {run}"),
        ("ada", f"/mergemeter attribute {run} because it wrote this"),
        ("ada", "/mergemeter explain"),
    ]
    comments = [stage.gh.comment(org.repository, number, *each) for each in said]
    org.settle()
    reactions: list[Any] = [stage.gh.reactions(org.repository, each) for each in comments]
    assert reactions == [[], ["confused"], [], ["+1"], ["+1"]]
    assert org.books() == {("usage", 0): -3 * CALL_COST, ("pull", number): 3 * CALL_COST}
    kept = "SELECT COUNT(*) FROM inbox WHERE account_id = :account AND event = 'issue_comment'"
    assert org.rows(kept) == [(3,)]
    answers = [one["body"] for one in stage.gh.comments(org.repository, number) if "mergemeter:answer" in one["body"]]
    assert len(answers) == 1
    assert run in answers[0]
    check = org.check(number)
    assert check is not None
    assert "manual, by `@ada`: it wrote this" in check["output"]["text"]
    assert org.dead() == []
