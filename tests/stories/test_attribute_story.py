"""A person attributes agent runs by hand: who may, what it does, what is answered, and what is not followed."""

from typing import Any

from app.core.month import Month
from app.store.keys import us
from app.store.queue_tables import Bucket
from app.stories.attribute import decide_here
from app.stories.summarize import month_report
from tests.core.rendered import Page, harms
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_reprice_story import HALF, again, agree
from tests.stories.test_telemetry_story import tell

OTHER = "acme/gadgets"
DONE, NOT_DONE = ["+1"], ["confused"]


def prepared(stage: Stage, visibility: str = "private") -> tuple[int, str]:
    """A pull, and the id of an agent run that is tied to none; ada may write, bob may not."""
    stage.install(REPOSITORY, OTHER, visibility=visibility)
    stage.gh.permit(REPOSITORY, "ada", "write")
    number = stage.gh.open_pull(REPOSITORY, "feature", files={"a.py": "1"})
    stage.agent(event="schedule", session="loop")
    stage.settle()
    stage.tick()
    return number, ids(stage)[0]


def ids(stage: Stage) -> list[str]:
    return [row[0] for row in stage.rows("SELECT id FROM agent_run ORDER BY id")]


def say(stage: Stage, number: int, text: str, user: str = "ada", repository: str = REPOSITORY, **how: Any) -> int:
    """A comment, heard and answered; gives its id."""
    comment_id = stage.gh.comment(repository, number, user, text, **how)
    stage.settle()
    stage.settle()  # what the App wrote is heard, too
    stage.tick()
    return comment_id


def answers(stage: Stage, number: int, repository: str = REPOSITORY) -> list[str]:
    """What the App answered to commands, without its comment on the cost."""
    ours = [one["body"] for one in stage.gh.comments(repository, number) if one["user"]["id"] == stage.app["bot_id"]]
    return [body for body in ours if "<!-- mergemeter:answer:" in body]


def links(stage: Stage) -> int:
    ((count,),) = stage.rows("SELECT COUNT(*) FROM manual_link")
    return int(count)


# ---- what it does --------------------------------------------------------------------------------------------------


def test_a_person_ties_an_agent_run_to_the_pull_on_which_they_say_so(stage: Stage) -> None:
    number, run = prepared(stage)
    comment_id = say(stage, number, f"/mergemeter attribute {run} because it wrote this")
    assert stage.evidence() == [("E2", number)]
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("pull", number): CALL_NANO_USD}
    assert (stage.gh.reactions(REPOSITORY, comment_id), answers(stage, number)) == (DONE, [])


def test_the_check_and_the_comment_show_who_said_it_and_why(stage: Stage) -> None:
    number, run = prepared(stage)
    say(stage, number, f"/mergemeter attribute {run} because it wrote this")
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    (check,) = stage.gh.checks(REPOSITORY, number)
    (cost,) = [one["body"] for one in stage.gh.comments(REPOSITORY, number) if "mergemeter:comment" in one["body"]]
    for said in (check["output"]["text"], cost):
        assert "manual, by `@ada`: it wrote this" in said
    assert "by hand" in cost


def test_the_history_names_person_source_and_reason_and_the_newest_is_in_force(stage: Stage) -> None:
    number, run = prepared(stage)
    first = say(stage, number, f"/mergemeter attribute {run} because one")
    second = say(stage, number, f"/mergemeter detach {run}")
    rows = stage.rows("SELECT login, user_id, source, number, reason FROM manual_link ORDER BY at_us")
    ada = stage.gh.account_id("ada")
    assert rows == [
        ("ada", ada, f"comment:{first}", number, "one"),
        ("ada", ada, f"comment:{second}", None, ""),
    ]
    assert stage.evidence() == [("", None)]
    assert stage.rows("SELECT evidence_note FROM agent_run") == [("detached, by @ada: no reason given",)]
    assert stage.books() == {("usage", 0): -CALL_NANO_USD, ("unattributed", 0): CALL_NANO_USD}


def test_what_was_found_out_can_be_corrected_and_stays_so(stage: Stage) -> None:
    number, _ = prepared(stage)
    stage.agent(event="workflow_dispatch", branch="feature", session="on the branch")
    stage.settle()
    run = ids(stage)[1]
    other = stage.gh.open_pull(REPOSITORY, "other", files={"b.py": "1"})
    assert ("E3", number) in stage.evidence()
    say(stage, number, f"/mergemeter attribute {run} to #{other}")
    stage.gh.push_to_pull(REPOSITORY, number, {"a.py": "2"})
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert stage.evidence() == [("", None), ("E2", other)]
    say(stage, other, f"/mergemeter detach {run}")
    stage.gh.merge(REPOSITORY, other)
    stage.settle()
    assert stage.evidence() == [("", None), ("", None)]


def test_newer_words_of_a_person_replace_the_older_ones_on_the_pull(stage: Stage) -> None:
    number, run = prepared(stage)
    say(stage, number, f"/mergemeter attribute {run} because one")
    say(stage, number, f"/mergemeter attribute {run} because two")
    assert stage.rows("SELECT note FROM tie") == [("manual, by @ada: two",)]
    (check,) = stage.gh.checks(REPOSITORY, number)
    assert "two" in check["output"]["text"]


def test_a_workflow_run_s_address_names_all_its_agent_runs(stage: Stage) -> None:
    number, _ = prepared(stage)
    run = stage.agent(event="schedule", session="one")
    stage.report(stage.gh.rerun(run["run_id"]), 1, "two")
    address = f"https://github.com/{REPOSITORY}/actions/runs/{run['run_id']}"
    say(stage, number, f"/mergemeter attribute {address}/attempts/2")
    assert stage.evidence() == [("", None), ("", None), ("E2", number)]
    say(stage, number, f"/mergemeter attribute {address}/job/{run['job_id']}")
    assert stage.evidence() == [("", None), ("E2", number), ("E2", number)]
    say(stage, number, f"/mergemeter detach {address}")
    assert stage.evidence() == [("", None), ("", None), ("", None)]


def test_a_pull_that_no_event_told_of_is_read_and_shows_its_cost(stage: Stage) -> None:
    number, run = prepared(stage)
    unheard = stage.gh.open_pull(REPOSITORY, "unheard", files={"c.py": "1"})
    stage.waiting.clear()
    say(stage, number, f"/mergemeter attribute {run} to #{unheard}")
    assert stage.evidence() == [("E2", unheard)]
    assert len(stage.gh.checks(REPOSITORY, unheard)) == 1


def test_what_a_laptop_told_can_be_tied_to_a_pull_and_grows_there(stage: Stage) -> None:
    number, _ = prepared(stage)
    account_id = stage.gh.account_id("acme")
    tell(stage, account_id, "req_1", repository="acme/nowhere")
    stage.settle()
    say(stage, number, f"/mergemeter attribute {ids(stage)[1]} because it was mine")
    tell(stage, account_id, "req_2", repository="acme/nowhere")
    stage.tick(120)
    stage.settle()
    assert stage.books()["pull", number] == 2 * CALL_NANO_USD
    run = stage.gh.start_workflow_run(REPOSITORY, "schedule")
    stage.report(run, [stage.call("", id="req_1")], "s-1")  # a record knows better: its calls are taken from the other
    stage.settle()
    assert sum(stage.books().values()) == 0


def test_work_of_another_repository_counts_where_its_pull_is(stage: Stage) -> None:
    number, _ = prepared(stage)
    stage.agent(OTHER, event="schedule", session="other")
    stage.gh.permit(OTHER, "ada", "maintain")
    stage.settle()
    run = ids(stage)[1]
    say(stage, number, f"/mergemeter attribute {run}")
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    assert stage.books()["pull", number] == CALL_NANO_USD
    report = month_report(stage.world, stage.gh.account_id("acme"), Month.parse("2026-10"), public_issue=False)
    spend = {each.name: each.figures.spend for each in report.repositories}
    assert spend == {"widgets": 2 * CALL_NANO_USD, "gadgets": 0}
    assert report.total.spend == 2 * CALL_NANO_USD
    (check,) = stage.gh.checks(REPOSITORY, number)
    assert f"{OTHER}/actions/runs/" in check["output"]["text"]
    comment = stage.comment(number)
    assert comment is not None
    agree(stage, HALF)
    again(stage)
    stage.settle()
    assert stage.books()["pull", number] == CALL_NANO_USD // 2
    assert stage.comment(number) != comment
    say(stage, number, f"/mergemeter detach {run}")
    assert stage.rows("SELECT repository_id, SUM(amount_nano_usd) FROM balance WHERE book = 'pull' GROUP BY 1") == [
        (stage.gh.pull(REPOSITORY, number)["base"]["repo"]["id"], 0)
    ]


def test_a_private_repository_is_not_named_on_a_public_pull(stage: Stage) -> None:
    number, _ = prepared(stage, "public")
    stage.gh.create_repository("acme/secret-plans", files={})
    stage.settle()
    stage.worker.drain()
    stage.agent("acme/secret-plans", event="schedule", session="other")
    stage.gh.permit("acme/secret-plans", "ada", "write")
    stage.settle()
    say(stage, number, f"/mergemeter attribute {ids(stage)[1]}")
    say(stage, number, "/mergemeter explain")
    assert stage.evidence()[-1] == ("E2", number)
    said = [*map(repr, stage.gh.checks(REPOSITORY, number)), *answers(stage, number)]
    assert not [text for text in said if "secret-plans" in text]


# ---- answers --------------------------------------------------------------------------------------------------------


def test_explain_tells_what_ties_each_agent_run_and_which_are_loose(stage: Stage) -> None:
    number, run = prepared(stage)
    stage.agent(pull=number, session="signed")
    stage.settle()
    comment_id = say(stage, number, "/mergemeter explain")
    assert stage.gh.reactions(REPOSITORY, comment_id) == DONE
    (told,) = answers(stage, number)
    tied, _, loose = told.partition("Tied to no pull")
    assert (ids(stage)[1] in tied, run in loose, "**direct** (`E1`)" in tied) == (True, True, True)
    assert "$" not in told
    assert harms(Page(told)) == []


def test_an_answer_is_given_once_however_often_its_delivery_comes(stage: Stage) -> None:
    number, run = prepared(stage)
    for text in ("/mergemeter explain", f"/mergemeter attribute {run}", "/mergemeter what"):
        stage.gh.comment(REPOSITORY, number, "ada", text)
    again = list(stage.waiting)
    for _ in range(3):
        stage.deliver(again)
        stage.settle()
    assert (len(answers(stage, number)), links(stage)) == (2, 1)
    comments = stage.gh.comments(REPOSITORY, number)
    assert [stage.gh.reactions(REPOSITORY, one["id"]) for one in comments if one["user"]["login"] == "ada"] == [
        DONE, DONE, NOT_DONE,
    ]  # fmt: skip


def test_a_hostile_reason_stays_text(stage: Stage) -> None:
    number, run = prepared(stage)
    reason = "@acme/admins ![x](https://example.com/x.png) </details><img src=x> <!-- mergemeter:comment:1:1 --> #1 `"
    say(stage, number, f"/mergemeter attribute {run} because {reason}")
    say(stage, number, "/mergemeter explain")
    stage.gh.merge(REPOSITORY, number)
    stage.settle()
    bodies = [one["body"] for one in stage.gh.comments(REPOSITORY, number) if one["user"]["id"] == stage.app["bot_id"]]
    (check,) = stage.gh.checks(REPOSITORY, number)
    assert len(bodies) == 2
    for text in (*bodies, check["output"]["text"]):
        assert harms(Page(text)) == []


def test_in_a_locked_conversation_the_command_counts_and_nothing_dies(stage: Stage) -> None:
    number, run = prepared(stage)
    stage.gh.lock(REPOSITORY, number)
    say(stage, number, f"/mergemeter attribute {run}")
    say(stage, number, "/mergemeter explain")
    assert (stage.evidence(), answers(stage, number)) == ([("E2", number)], [])
    assert stage.rows("SELECT COUNT(*) FROM job WHERE state = 3") == [(0,)]
    assert stage.rows("SELECT state FROM effect WHERE effect.key LIKE 'answer:%'") == [("refused",)]


def test_answers_are_spaced_like_every_other_write(stage: Stage) -> None:
    number, _ = prepared(stage)
    with stage.world.db.transaction() as session:
        session.add(Bucket(account_id=stage.gh.account_id("acme"), next_write_at_us=us(stage.now()) + 10**9))
    stage.gh.comment(REPOSITORY, number, "ada", "/mergemeter explain")
    writes = len(stage.gh.writes())
    stage.settle()
    assert len(stage.gh.writes()) == writes
    assert stage.rows("SELECT state FROM job WHERE kind = 'answer'") == [(0,), (0,)]
    stage.tick(1001)
    stage.settle()
    assert len(stage.gh.writes()) == writes + 2


# ---- on the command line --------------------------------------------------------------------------------------------


def test_the_command_line_attributes_and_detaches_and_the_pull_says_so(stage: Stage) -> None:
    number, run = prepared(stage)
    account_id = stage.gh.account_id("acme")
    assert decide_here(stage.world, account_id, run, ("Acme", "Widgets", number), "it did", "root") == 1
    stage.settle()
    assert stage.evidence() == [("E2", number)]
    (check,) = stage.gh.checks(REPOSITORY, number)
    assert "manual, on the command line by root: it did" in check["output"]["text"]
    stage.tick()
    assert decide_here(stage.world, account_id, run, None, "it did not", "root") == 1
    stage.settle()
    assert stage.evidence() == [("", None)]
    assert stage.rows("SELECT source, user_id FROM manual_link") == [("command line", 0)] * 2
