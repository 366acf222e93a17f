"""A budget owner accepts or disputes a statement on its issue: who may, when, once, and what everybody else is told."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from app.core.events import CommentEvent, parse, route
from app.core.outcomes import Later
from app.store.statements import statement_numbered
from app.stories import decide_statement
from app.stories.decide_statement import NotDecidedError, accept_here, dispute_here
from app.stories.resolve_dispute import resolve
from tests.core.rendered import Page, harms
from tests.stories.issued import (
    CENTERS,
    CLOSE,
    CONFIG,
    FINANCE,
    NUMBER,
    document,
    events,
    issue_of,
    issued,
    ours,
    post,
    say,
    set_up,
    state,
)
from tests.stories.stage import Stage

DONE, NOT_DONE = ["+1"], ["confused"]


def prepared(stage: Stage, **more: Any) -> int:
    """A statement that waits for an answer; gives the account."""
    account_id = set_up(stage)
    issued(stage, document(account_id, **more))
    return account_id


def refused(stage: Stage, text: str, user: str = "ada") -> str:
    """The sentence with which a command was refused, and that it changed nothing."""
    before, said = (state(stage), events(stage)), len(ours(stage))
    assert stage.gh.reactions(FINANCE, say(stage, text, user)) == NOT_DONE
    assert (state(stage), events(stage)) == before
    told = ours(stage)
    assert len(told) == said + 1
    assert harms(Page(told[-1])) == []
    return told[-1]


def reaction(stage: Stage, comment_id: int) -> list[str]:
    return stage.gh.reactions(FINANCE, comment_id)


# ---- what it does ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["/mergemeter accept", "/mergemeter accept v1", "Fine.\n\n/mergemeter accept"])
def test_an_owner_accepts(stage: Stage, text: str) -> None:
    prepared(stage)
    comment_id = say(stage, text)
    assert state(stage) == "v1 accepted"
    assert events(stage) == [(1, "accepted", "ada", stage.gh.account_id("ada"), f"comment:{comment_id}", "")]
    assert (reaction(stage, comment_id), ours(stage), issue_of(stage)["state"]) == (DONE, [], "closed")


def test_an_owner_disputes_with_a_reason(stage: Stage) -> None:
    prepared(stage)
    comment_id = say(stage, "/mergemeter dispute pull #12 is not ours", "bob")
    bob = stage.gh.account_id("bob")
    assert events(stage) == [(1, "disputed", "bob", bob, f"comment:{comment_id}", "pull #12 is not ours")]
    assert (state(stage), reaction(stage, comment_id)) == ("v1 disputed", DONE)
    assert (ours(stage), issue_of(stage)["state"]) == ([], "open")
    assert "Disputed by `bob`" in issue_of(stage)["body"]


def test_a_dispute_holds_up_nobody_else(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id), document(account_id, "platform", "2026-10-002"))
    first, second = (one["number"] for one in stage.gh.issues(FINANCE))
    stage.gh.comment(FINANCE, first, "ada", "/mergemeter dispute no")
    stage.gh.comment(FINANCE, second, "carol", "/mergemeter accept")
    stage.work()
    assert (state(stage), state(stage, "2026-10-002")) == ("v1 disputed", "v1 accepted")


@pytest.mark.parametrize(
    "reason",
    [
        "<script>alert(1)</script> @everyone #1 ![x](https://evil.example/x.png)",
        "`code` | table | ]: <!-- mergemeter:answer:1:2:3 -->",
        "--> <b>bold</b> \u202e reversed :tada: $`maths`$ deadbeefdeadbeef",
    ],
)
def test_a_hostile_reason_is_kept_and_shown_as_plain_text(stage: Stage, reason: str) -> None:
    prepared(stage)
    say(stage, f"/mergemeter dispute {reason}")
    if state(stage) == "v1 disputed":
        assert events(stage)[0][5] == reason
    shown = next(part for part in issue_of(stage)["body"].split("\n\n") if "isputed" in part or "waiting" in part)
    assert harms(Page(shown)) == []
    assert issue_of(stage)["body"].count("<!-- mergemeter:") == 1


# ---- who may --------------------------------------------------------------------------------------------------------


def test_nobody_but_an_owner_and_one_quiet_answer_says_who_is(stage: Stage) -> None:
    prepared(stage)
    stage.gh.permit(FINANCE, "carol", "admin")  # another cost center's owner, and an administrator
    for text in ("/mergemeter accept", "/mergemeter dispute it is too much"):
        said = refused(stage, text, "carol")
        assert "`@ada`" in said
        assert "`@bob`" in said


def test_a_cost_center_without_owners_is_left_to_the_command_line(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id, "lost"))
    assert "python -m app statement" in refused(stage, "/mergemeter accept")
    accept_here(stage.world, account_id, NUMBER, "ada", "she said so in the meeting")
    assert state(stage) == "v1 accepted"


def test_an_owner_who_was_removed_from_the_file_before_the_comment_is_none_any_more(stage: Stage) -> None:
    prepared(stage)
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": CENTERS.replace("Ada, bob", "bob") + CLOSE})
    stage.tick()
    number = issue_of(stage)["number"]
    comment_id = stage.gh.comment(FINANCE, number, "ada", "/mergemeter accept")
    (delivery,) = [each for each in stage.waiting if each.event == "issue_comment"]
    with pytest.raises(Later, match="read first"):  # the App has not read the file since
        stage.deliver([delivery])
    stage.work()
    stage.deliver([delivery])
    stage.work()
    assert (state(stage), reaction(stage, comment_id)) == ("v1 issued", NOT_DONE)
    assert "`@ada`" not in ours(stage)[0].partition(":")[2]


def test_an_owner_who_was_named_a_moment_ago_is_one(stage: Stage) -> None:
    prepared(stage)
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": CENTERS.replace("Ada, bob", "mallory") + CLOSE})
    stage.gh.comment(FINANCE, issue_of(stage)["number"], "mallory", "/mergemeter accept")
    (delivery,) = [each for each in stage.waiting if each.event == "issue_comment"]
    with suppress(Later):
        stage.deliver([delivery])
    stage.work()
    stage.deliver([delivery])
    assert state(stage) == "v1 accepted"


@pytest.mark.parametrize("user", ["helper[bot]", "github-actions[bot]"])
def test_a_bot_s_comment_decides_nothing_and_is_not_even_kept(stage: Stage, user: str) -> None:
    account_id = set_up(stage, CENTERS.replace("Ada", "helper") + CLOSE)
    issued(stage, document(account_id))
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], user, "/mergemeter accept")
    assert [route(each.event, each.body) for each in stage.waiting] == [None]
    stage.work()
    assert (state(stage), reaction(stage, comment_id), ours(stage)) == ("v1 issued", [], [])


def test_what_an_app_writes_in_an_owner_s_name_decides_nothing(stage: Stage) -> None:
    prepared(stage)
    app = stage.gh.register_app(slug="agent")["app_id"]
    assert reaction(stage, say(stage, "/mergemeter accept", via_app=app)) == []
    assert state(stage) == "v1 issued"


def test_the_app_s_own_words_decide_nothing(stage: Stage) -> None:
    prepared(stage)
    say(stage, "/mergemeter dispute", "ada")  # the answer quotes the command
    (answer,) = ours(stage)
    assert "/mergemeter dispute" in answer
    bot = stage.gh.hub.account(stage.app["bot_login"])
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], bot.login, "/mergemeter accept")
    stage.work()
    assert (state(stage), reaction(stage, comment_id)) == ("v1 issued", [])


def test_a_payload_that_lies_about_its_author_is_not_believed(stage: Stage) -> None:
    prepared(stage)
    stage.gh.comment(FINANCE, issue_of(stage)["number"], "mallory", "/mergemeter accept")
    (delivery,) = stage.waiting
    ada, mallory = (str(stage.gh.account_id(each)).encode() for each in ("ada", "mallory"))
    delivery.body = delivery.body.replace(mallory, ada).replace(b'"login":"mallory"', b'"login":"ada"')
    stage.work()
    assert (state(stage), ours(stage)) == ("v1 issued", [])


def test_a_comment_whose_author_is_gone_decides_nothing(stage: Stage) -> None:
    prepared(stage)
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], "ada", "/mergemeter accept")
    with stage.gh.hub.lock:
        stage.gh.hub.repository(FINANCE).comments[comment_id].author = stage.gh.hub.account("ghost")
    stage.work()
    assert (state(stage), ours(stage)) == ("v1 issued", [])


def test_a_login_is_the_same_in_any_case_and_its_id_is_kept(stage: Stage) -> None:
    account_id = set_up(stage, CENTERS.replace("Ada", '"@ADA"') + CLOSE)
    issued(stage, document(account_id))
    say(stage, "/mergemeter accept")
    assert events(stage)[0][2:4] == ("ada", stage.gh.account_id("ada"))


def test_a_renamed_owner_is_not_the_owner_any_more_and_whoever_took_the_name_is_asked_about(stage: Stage) -> None:
    account_id = prepared(stage)
    say(stage, "/mergemeter dispute why")  # her id is known now
    resolve(stage.world, account_id, NUMBER, "so", [], "root")
    stage.work()
    before = stage.gh.account_id("ada")
    with stage.gh.hub.lock:
        renamed = stage.gh.hub.accounts.pop("ada")
        renamed.login = "ada-lovelace"
        stage.gh.hub.accounts["ada-lovelace"] = renamed
    stage.gh.permit(FINANCE, "ada", "write")  # another account
    assert "Only a budget owner" in refused(stage, "/mergemeter accept v2", "ada-lovelace")
    assert f"id `{before}`" in refused(stage, "/mergemeter accept v2", "ada")
    dispute_here(stage.world, account_id, NUMBER, "ada", "she is the new controller")
    resolve(stage.world, account_id, NUMBER, "so", [], "root")
    stage.work()
    say(stage, "/mergemeter accept v3", "ada")
    assert state(stage) == "v3 accepted"


# ---- where, and in which words --------------------------------------------------------------------------------------


def test_a_person_s_issue_is_no_statement_s_and_its_comments_are_not_kept(stage: Stage) -> None:
    prepared(stage)
    number = stage.gh.create_issue(FINANCE, "Statement 2026-10-001", issue_of_body(stage))
    stage.gh.comment(FINANCE, number, "ada", "/mergemeter accept")
    assert [route(each.event, each.body) for each in stage.waiting] == [None]
    stage.work()
    assert state(stage) == "v1 issued"


def issue_of_body(stage: Stage) -> str:
    return str(stage.gh.issues(FINANCE)[0]["body"])


def test_an_answer_that_comes_before_the_issue_s_number_is_noted_waits_for_it(stage: Stage) -> None:
    prepared(stage)
    with stage.world.db.transaction() as session:  # whoever made the issue died before it was noted
        session.connection().exec_driver_sql("UPDATE effect SET state = 'intent', github_id = NULL, body_sha256 = ''")
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], "ada", "/mergemeter accept")
    (delivery,) = stage.waiting
    with pytest.raises(Later, match="is being put there"):
        stage.deliver([delivery])
    with stage.world.db.reading() as session:
        row = statement_numbered(session, stage.gh.account_id("acme"), NUMBER)
    assert row is not None
    post(stage, row)
    stage.deliver([delivery])
    stage.work()
    assert (state(stage), reaction(stage, comment_id)) == ("v1 accepted", DONE)


def test_another_app_s_issue_is_no_statement_s(stage: Stage) -> None:
    prepared(stage)
    number = stage.gh.create_issue(FINANCE, "Bump", issue_of_body(stage), "dependabot[bot]")
    comment_id = stage.gh.comment(FINANCE, number, "ada", "/mergemeter accept")
    stage.work()
    assert (state(stage), reaction(stage, comment_id)) == ("v1 issued", [])
    assert stage.gh.comments(FINANCE, number)[1:] == []


def test_the_same_number_in_another_repository_is_another_issue(stage: Stage) -> None:
    prepared(stage)
    stage.gh.create_repository("acme/other")
    stage.gh.create_issue("acme/other", "x", "y", stage.app["bot_login"])
    stage.gh.comment("acme/other", issue_of(stage)["number"], "ada", "/mergemeter accept")
    stage.work()
    assert state(stage) == "v1 issued"


def test_on_a_pull_a_decision_is_told_where_it_belongs(stage: Stage) -> None:
    prepared(stage)
    number = stage.gh.open_pull("acme/widgets", "feature", files={"a.py": "1"})
    stage.gh.permit("acme/widgets", "ada", "write")
    comment_id = stage.gh.comment("acme/widgets", number, "ada", "/mergemeter accept")
    stage.work()
    assert stage.gh.reactions("acme/widgets", comment_id) == NOT_DONE
    assert "statement's issue" in stage.gh.comments("acme/widgets", number)[-1]["body"]


def test_what_is_no_command_here_is_answered_with_those_that_are(stage: Stage) -> None:
    prepared(stage)
    for text in ("explain", "acept", "accept 1", "accept because it is fine", "accept v0", "disputed"):
        assert "/mergemeter dispute <reason>" in refused(stage, f"/mergemeter {text}")
    assert "several" in refused(stage, "/mergemeter accept\n/mergemeter dispute no")
    assert "at most 1000" in refused(stage, f"/mergemeter dispute {'x' * 1100}")


def test_a_dispute_without_a_reason_is_asked_for_one(stage: Stage) -> None:
    prepared(stage)
    assert "needs its reason" in refused(stage, "/mergemeter dispute")


@pytest.mark.parametrize("before", ["> ", "```\n", "    ", "please: "])
def test_a_quoted_or_coded_command_does_nothing(stage: Stage, before: str) -> None:
    prepared(stage)
    comment_id = say(stage, f"{before}/mergemeter accept")
    assert (state(stage), reaction(stage, comment_id), ours(stage)) == ("v1 issued", [], [])


def test_an_edited_comment_decides_nothing(stage: Stage) -> None:
    prepared(stage)
    comment_id = say(stage, "looks good")
    stage.gh.edit_comment(FINANCE, comment_id, "/mergemeter accept")
    stage.work()
    assert (state(stage), reaction(stage, comment_id), ours(stage)) == ("v1 issued", [], [])


def test_a_comment_that_was_edited_before_it_was_read_is_refused_once(stage: Stage) -> None:
    prepared(stage)
    comment_id = stage.gh.comment(FINANCE, issue_of(stage)["number"], "ada", "/mergemeter accept")
    stage.gh.edit_comment(FINANCE, comment_id, "/mergemeter dispute no")
    stage.work()
    stage.work()
    assert (state(stage), len(ours(stage))) == ("v1 issued", 1)
    assert "edited" in ours(stage)[0]


def test_in_a_repository_that_became_public_nobody_is_told_who_the_owners_are(stage: Stage) -> None:
    prepared(stage)
    stage.gh.set_visibility(FINANCE, "public")
    stage.work()
    assert (reaction(stage, say(stage, "/mergemeter accept", "stranger")), ours(stage)) == (NOT_DONE, [])


# ---- when -----------------------------------------------------------------------------------------------------------


def replaced(stage: Stage) -> int:
    account_id = prepared(stage)
    say(stage, "/mergemeter dispute why")
    resolve(stage.world, account_id, NUMBER, "so", [], "root")
    return account_id


def test_a_version_that_was_replaced_cannot_be_accepted(stage: Stage) -> None:
    replaced(stage)
    stage.work()
    assert "version 2 is in force" in refused(stage, "/mergemeter accept v1")
    assert "no version 3" in refused(stage, "/mergemeter accept v3")
    say(stage, "/mergemeter accept v2")
    assert state(stage) == "v2 accepted"


def test_a_word_without_a_version_means_the_one_that_was_before_its_writer_s_eyes(stage: Stage) -> None:
    replaced(stage)
    assert "came while this was written" in refused(stage, "/mergemeter accept")  # v2 is not on GitHub yet
    number = issue_of(stage)["number"]
    early = stage.gh.comment(FINANCE, number, "ada", "/mergemeter accept")  # it is now: but this was said before
    with stage.gh.hub.lock:
        stage.gh.hub.repository(FINANCE).comments[early].created_at = stage.now().replace(day=1)
    stage.work()
    assert (state(stage), reaction(stage, early)) == ("v2 issued", NOT_DONE)
    say(stage, "/mergemeter accept")
    assert state(stage) == "v2 accepted"


def test_a_state_that_does_not_allow_it_is_told_with_who_and_when(stage: Stage) -> None:
    account_id = prepared(stage)
    say(stage, "/mergemeter accept")
    assert "accepted already by `@ada` on 10 November 2026" in refused(stage, "/mergemeter accept", "bob")
    assert "adjustment" in refused(stage, "/mergemeter dispute too late", "bob")
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE statement SET state = 'posted'")
    assert "booked" in refused(stage, "/mergemeter accept")
    with pytest.raises(NotDecidedError, match="booked"):
        dispute_here(stage.world, account_id, NUMBER, "root", "why")


def test_a_disputed_version_waits_for_its_answer(stage: Stage) -> None:
    account_id = prepared(stage)
    say(stage, "/mergemeter dispute why")
    for text in ("accept", "dispute again", "accept v1"):
        assert "disputed already by `@ada`" in refused(stage, f"/mergemeter {text}", "bob")
    with pytest.raises(NotDecidedError, match="disputed already"):
        accept_here(stage.world, account_id, NUMBER, "bob", "why")


def test_a_delivery_that_comes_twice_decides_and_answers_once(stage: Stage) -> None:
    account_id = prepared(stage)
    number = issue_of(stage)["number"]
    said = [("ada", "/mergemeter dispute why"), ("mallory", "/mergemeter accept")]
    comments = [stage.gh.comment(FINANCE, number, *each) for each in said]
    heard = list(stage.waiting)
    stage.work()
    resolve(stage.world, account_id, NUMBER, "so", [], "root")  # her dispute is not repeated on the next version
    stage.deliver(heard)
    stage.work()
    assert [reaction(stage, each) for each in comments] == [DONE, NOT_DONE]
    assert (state(stage), len(ours(stage)), len(events(stage))) == ("v2 issued", 1, 2)


# ---- at once --------------------------------------------------------------------------------------------------------


def at_once(stage: Stage, *said: tuple[str, str]) -> list[list[str]]:
    """Comments whose deliveries are worked on by a thread each; the reactions below them."""
    number = issue_of(stage)["number"]
    comments = [stage.gh.comment(FINANCE, number, user, text) for user, text in said]
    heard = [parse(each.event, each.body) for each in stage.waiting]
    stage.waiting.clear()

    def tell(event: Any) -> None:
        assert isinstance(event, CommentEvent)
        decide_statement.on_comment(event, stage.world)

    with ThreadPoolExecutor(len(heard)) as pool:
        list(pool.map(tell, heard))
    stage.work()
    return [reaction(stage, each) for each in comments]


def test_of_two_owners_at_once_one_decides_and_the_other_is_told(stage: Stage) -> None:
    prepared(stage)
    found = at_once(stage, ("ada", "/mergemeter accept"), ("bob", "/mergemeter accept"))
    assert sorted(found) == [DONE, NOT_DONE]
    assert (state(stage), len(events(stage)), len(ours(stage))) == ("v1 accepted", 1, 1)
    assert "accepted already" in ours(stage)[0]


def test_of_acceptance_and_dispute_at_once_one_wins(stage: Stage) -> None:
    prepared(stage)
    found = at_once(stage, ("ada", "/mergemeter accept"), ("bob", "/mergemeter dispute no"))
    assert sorted(found) == [DONE, NOT_DONE]
    won = "v1 accepted" if found[0] == DONE else "v1 disputed"
    assert (state(stage), len(events(stage)), len(ours(stage))) == (won, 1, 1)


def test_of_an_owner_and_an_operator_at_once_one_wins(stage: Stage) -> None:
    account_id = prepared(stage)

    def operate() -> bool:
        with suppress(NotDecidedError):
            dispute_here(stage.world, account_id, NUMBER, "root", "why")
            return True
        return False

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(operate)
        (found,) = at_once(stage, ("ada", "/mergemeter accept"))
    assert (found == DONE) != done.result()
    assert len(events(stage)) == 1


# ---- two tenants ----------------------------------------------------------------------------------------------------


def test_nobody_reaches_another_account_s_statement(stage: Stage) -> None:
    account_id = prepared(stage)
    other = stage.install("globex/finance", account="globex")
    with pytest.raises(NotDecidedError, match="no statement"):
        accept_here(stage.world, other, NUMBER, "ada", "why")
    stage.gh.create_issue("globex/finance", "x", "y", stage.app["bot_login"])
    stage.gh.comment("globex/finance", issue_of(stage)["number"], "ada", "/mergemeter accept")
    stage.work()
    assert (state(stage), account_id) == ("v1 issued", account_id)
