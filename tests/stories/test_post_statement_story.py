"""A statement's issue: made once, edited in place, closed when it is accepted, never where everybody can read it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.core.money import NanoUsd, dollars_text
from app.core.month import Month
from app.core.outcomes import Later
from app.github.failures import GitHubFailed
from app.store.configs import config_in_force
from app.store.place_findings import place_findings
from app.store.queue import Job, NewJob, enqueue
from app.store.statement_issues import refused_issues, statement_job
from app.stories import post_journal
from app.stories.close_period import close as close_month
from app.stories.decide_statement import accept_here
from app.stories.post_statement import post_statement
from app.stories.resolve_dispute import resolve
from tests.stories.closed_months import close as close_tables
from tests.stories.issued import (
    CENTERS,
    CLOSE,
    CONFIG,
    FINANCE,
    NUMBER,
    a_day,
    document,
    issue_of,
    issued,
    ours,
    post,
    say,
    set_up,
    state,
)
from tests.stories.stage import CALL_NANO_USD, Stage


def refusals(stage: Stage, account_id: int) -> list[str]:
    with stage.world.db.reading() as session:
        return [effect.note for effect in refused_issues(session, account_id)]


def findings(stage: Stage, account_id: int) -> dict[str, str]:
    """What the next close is told of the place, by code."""
    with stage.world.db.reading() as session:
        terms = config_in_force(session, account_id).chargeback.close
        return {each.code: each.sentence for each in place_findings(session, account_id, terms)}


def test_the_issue_is_made_once_with_title_label_total_and_owners(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    found = issue_of(stage)
    assert NUMBER in found["title"] or NUMBER in found["body"]
    assert [label["name"] for label in found["labels"]] == ["mergemeter"]
    assert found["body"].count("@ada") == 1
    assert sorted(person["login"].lower() for person in found["assignees"]) == ["ada", "bob"]
    written = len(stage.gh.writes())
    post(stage, row)
    assert len(stage.gh.writes()) == written
    assert ours(stage, "notice") == []


def test_a_month_that_closes_puts_what_the_ledger_says_before_its_owners(stage: Stage) -> None:
    account_id = set_up(stage, CENTERS.replace("bob]}", "bob], repositories: [widgets]}") + CLOSE)
    stage.gh.set_time(datetime(2026, 10, 20, 9, tzinfo=UTC))
    stage.agent(event="schedule", calls=3)
    stage.settle()
    stage.gh.set_time(datetime(2026, 11, 10, 9, tzinfo=UTC))
    closed = close_month(stage.world, account_id, Month(2026, 10), "root")
    stage.work()
    bodies = [each["body"] for each in stage.gh.issues(FINANCE)]
    assert len(bodies) == len(closed.statements) == 1
    assert dollars_text(NanoUsd(3 * CALL_NANO_USD)) in bodies[0]
    say(stage, "/mergemeter accept")
    assert state(stage, closed.statements[0].number) == "v1 accepted"


def test_each_number_has_an_issue_of_its_own(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id), document(account_id, "platform", "2026-10-002"))
    assert len(stage.gh.issues(FINANCE)) == 2


def test_without_a_repository_for_statements_none_is_posted(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage, CENTERS)))
    assert stage.gh.issues(FINANCE) == []
    assert stage.rows("SELECT * FROM effect WHERE effect.key LIKE 'statement%'") == []
    assert row.state == "issued"


def test_who_cannot_read_the_repository_is_not_assigned_and_that_stops_nothing(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.gh.permit(FINANCE, "bob", "none")
    issued(stage, document(account_id))
    assert [person["login"].lower() for person in issue_of(stage)["assignees"]] == ["ada"]


def test_an_assignment_that_github_does_not_take_stops_nothing(stage: Stage) -> None:
    text = CENTERS.replace("Ada", "acme") + CLOSE  # an organisation, which nobody can assign
    issued(stage, document(set_up(stage, text)))
    assert issue_of(stage)["assignees"] == []
    assert stage.rows("SELECT state FROM effect WHERE effect.key = 'statement-shown:2026-10-001:v1'") == [("written",)]


# ---- where it may not stand -----------------------------------------------------------------------------------------


def test_a_public_repository_gets_no_statement_whatever_else_is_allowed_there(stage: Stage) -> None:
    text = CENTERS + CLOSE + "public_repositories: {show_money: true}\n"
    account_id = set_up(stage, text, visibility="public")
    row = issued(stage, document(account_id))
    assert stage.gh.issues(FINANCE) == []
    (said,) = refusals(stage, account_id)
    assert "is public" in said
    assert set(findings(stage, account_id)) == {"statement-repository", "statement-not-posted"}
    stage.gh.set_visibility(FINANCE, "private")
    post(stage, row)
    assert refusals(stage, account_id) == []
    assert "412" in issue_of(stage)["body"].replace(",", "") or "41217" in issue_of(stage)["body"]


def test_a_repository_that_became_public_is_not_written_to_any_more(stage: Stage) -> None:
    account_id = set_up(stage)
    row = issued(stage, document(account_id))
    stage.gh.set_visibility(FINANCE, "public")
    stage.work()
    written = len(stage.gh.writes())
    post(stage, row, anew=True)
    assert len(stage.gh.writes()) == written
    assert "is public" in refusals(stage, account_id)[0]


@pytest.mark.parametrize(
    ("trouble", "sentence"), [("archived", "is archived"), ("issues", "has no issues"), ("gone", "not there")]
)
def test_a_place_that_cannot_have_issues_is_a_refusal_that_is_kept_and_mended(
    stage: Stage, trouble: str, sentence: str
) -> None:
    account_id = set_up(stage)
    _trouble(stage, trouble)
    row = issued(stage, document(account_id))
    (said,) = refusals(stage, account_id)
    assert sentence in said
    assert "close.repository" in said
    assert sentence in findings(stage, account_id)["statement-not-posted"]
    if trouble == "gone":
        stage.gh.create_repository(FINANCE)
    else:
        stage.gh.archive_repository(FINANCE, archived=False)
        stage.gh.enable_issues(FINANCE, enabled=True)
    a_day(stage)
    assert refusals(stage, account_id) == []
    assert "statement-not-posted" not in findings(stage, account_id)
    assert state(stage) == f"v{row.version} issued"
    assert issue_of(stage)["state"] == "open"


def _trouble(stage: Stage, trouble: str) -> None:
    if trouble == "archived":
        stage.gh.archive_repository(FINANCE)
    elif trouble == "issues":
        stage.gh.enable_issues(FINANCE, enabled=False)
    else:
        stage.gh.delete_repository(FINANCE)


# ---- what people do to it -------------------------------------------------------------------------------------------


def test_a_renamed_repository_is_followed(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    renamed = stage.gh.rename_repository(FINANCE, "money")
    stage.work()
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE effect SET body_sha256 = ''")
    post(stage, row)
    assert len(stage.gh.issues(renamed)) == 1


def test_an_issue_stays_where_it_stands_when_another_repository_is_named(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    stage.gh.create_repository("acme/ledger")
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": CENTERS + CLOSE.replace("finance", "ledger")})
    planted = stage.gh.create_issue("acme/ledger", "A person's issue", "of the same number")
    refresh(stage, row.account_id)
    post(stage, row, anew=True)
    assert [each["number"] for each in stage.gh.issues("acme/ledger")] == [planted]
    assert issue_of(stage)["title"] != ""
    say(stage, "/mergemeter accept")
    assert state(stage) == "v1 accepted"


def test_the_issue_of_a_repository_that_is_gone_is_made_in_the_next_one_and_no_stranger_s_issue_is_touched(
    stage: Stage,
) -> None:
    row = issued(stage, document(set_up(stage)))
    stage.gh.delete_repository(FINANCE)
    stage.gh.create_repository("acme/ledger")
    planted = stage.gh.create_issue("acme/ledger", "A person's issue", "of the same number")
    stage.gh.push(CONFIG, "main", {"mergemeter.yml": CENTERS + CLOSE.replace("finance", "ledger")})
    refresh(stage, row.account_id)
    post(stage, row)
    theirs, made = stage.gh.issues("acme/ledger")
    assert (theirs["number"], theirs["title"]) == (planted, "A person's issue")
    assert made["user"]["id"] == stage.app["bot_id"]


def test_an_issue_that_a_person_closed_stays_closed_until_the_next_version(stage: Stage) -> None:
    account_id = set_up(stage)
    row = issued(stage, document(account_id))
    close(stage)
    post(stage, row, anew=True)
    assert issue_of(stage)["state"] == "closed"
    say(stage, "/mergemeter dispute it is not ours")
    assert (state(stage), issue_of(stage)["state"]) == ("v1 disputed", "closed")
    resolve(stage.world, account_id, NUMBER, "it is yours", [], "root")
    stage.work()
    assert (state(stage), issue_of(stage)["state"]) == ("v2 issued", "open")


def test_an_issue_that_a_person_deleted_stays_away(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    with stage.gh.hub.lock:
        stage.gh.hub.repository(FINANCE).issues.clear()
    post(stage, row, anew=True)
    post(stage, row)
    assert stage.gh.issues(FINANCE) == []
    assert stage.rows("SELECT state FROM effect WHERE effect.key = 'statement:2026-10-001'") == [("removed",)]


def close(stage: Stage) -> None:
    number = issue_of(stage)["number"]
    with stage.gh.hub.lock:
        stage.gh.hub.repository(FINANCE).issues[number].state = "closed"


def refresh(stage: Stage, account_id: int) -> None:
    with stage.world.db.transaction() as session:
        new = NewJob(account_id, f"{account_id}/installation", "refresh", "refresh", {}, stage.now())
        enqueue(session, new, stage.now())
    stage.work()


# ---- versions and states --------------------------------------------------------------------------------------------


def test_a_journal_that_books_a_statement_is_told_in_its_issue_and_its_reversal_too(stage: Stage) -> None:
    account_id = set_up(stage, CENTERS.replace("bob]}", "bob], chargeback_from: 2026-01}") + CLOSE)
    stage.gh.set_time(datetime(2026, 11, 10, 9, tzinfo=UTC))
    close_tables(stage.world.db, "2026-10", account_id=account_id)
    issued(stage, document(account_id))
    say(stage, "/mergemeter accept")
    journal = post_journal.post(stage.world, account_id, Month(2026, 10), "carol")
    stage.work()
    assert state(stage) == "v1 posted"
    assert "**Booked by `carol (command line)`" in issue_of(stage)["body"]
    post_journal.reverse(stage.world, account_id, journal.number, "wrong account", "carol")
    stage.work()
    assert "**Accepted by `ada`" in issue_of(stage)["body"]
    assert issue_of(stage)["state"] == "closed"


def test_acceptance_is_told_in_the_issue_and_closes_it_once(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    say(stage, "/mergemeter accept")
    found = issue_of(stage)
    assert "by `@ada` on 10 November 2026" in found["body"] or "ada" in found["body"].partition("ccepted")[2]
    assert (found["state"], found["state_reason"]) == ("closed", "completed")
    with stage.gh.hub.lock:  # a person opens it again to talk
        stage.gh.hub.repository(FINANCE).issues[found["number"]].state = "open"
    post(stage, row, anew=True)
    assert issue_of(stage)["state"] == "open"


def test_an_acceptance_that_could_not_be_shown_is_shown_when_the_place_is_mended(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id))
    stage.gh.archive_repository(FINANCE)
    stage.work()
    accept_here(stage.world, account_id, NUMBER, "ada", "in the meeting")
    stage.work()
    assert "is archived" in refusals(stage, account_id)[0]
    stage.gh.archive_repository(FINANCE, archived=False)
    a_day(stage)
    assert (refusals(stage, account_id), issue_of(stage)["state"]) == ([], "closed")


def test_a_new_version_edits_the_body_and_says_once_what_changed(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id))
    say(stage, "/mergemeter dispute it is not ours")
    row = resolve(stage.world, account_id, NUMBER, "The token of *#12* says so", [], "root").row
    stage.work()
    post(stage, row, anew=True)
    (said,) = ours(stage, "notice")
    assert "**Version 2**" in said
    assert "`*#12*`" in said
    assert "@" not in said
    assert "ersion 2" in issue_of(stage)["body"]


# ---- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [r"/issues$", r"/issues/\d+$", r"/comments$"])
def test_an_answer_that_is_lost_makes_nothing_twice(stage: Stage, path: str) -> None:
    account_id = set_up(stage)
    method = "PATCH" if path == r"/issues/\d+$" else "POST"
    if path == r"/comments$":
        issued(stage, document(account_id))
        say(stage, "/mergemeter dispute why")
        resolve(stage.world, account_id, NUMBER, "because", [], "root")
        stage.gh.fail("drop", method=method, path=path, after=True)
        stage.work()
    else:
        stage.gh.fail("drop", method=method, path=path, after=True)
        issued(stage, document(account_id))
    stage.gh.advance(600)
    stage.work()
    assert len(stage.gh.issues(FINANCE)) == 1
    assert len(ours(stage, "notice")) == (1 if path == r"/comments$" else 0)
    assert stage.rows("SELECT state FROM job WHERE state = 3") == []


def test_a_crash_between_the_issue_and_its_note_is_followed_by_the_same_issue(stage: Stage) -> None:
    account_id = set_up(stage)
    row = issued(stage, document(account_id))
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE effect SET state = 'intent', github_id = NULL, body_sha256 = ''")
    post(stage, row)
    assert len(stage.gh.issues(FINANCE)) == 1
    say(stage, "/mergemeter accept")
    assert state(stage) == "v1 accepted"


def test_an_older_copy_stays_and_a_younger_one_is_closed(stage: Stage) -> None:
    row = issued(stage, document(set_up(stage)))
    first = issue_of(stage)
    with stage.gh.hub.lock:
        place = stage.gh.hub.repository(FINANCE)
        mine = place.issues[first["number"]]
    stage.gh.create_issue(FINANCE, first["title"], first["body"], mine.author.login)
    with stage.gh.hub.lock:
        copy = max(place.issues.values(), key=lambda issue: issue.number)
        copy.app_id, copy.labels = mine.app_id, list(mine.labels)
    post(stage, row, anew=True)
    assert [(each["number"], each["state"]) for each in stage.gh.issues(FINANCE)] == [
        (first["number"], "open"),
        (copy.number, "closed"),
    ]


def test_a_limit_lets_the_job_wait_and_nothing_is_lost(stage: Stage) -> None:
    account_id = set_up(stage)
    stage.gh.fail("secondary", method="POST", path=r"/issues$", status=403, retry_after_s=60)
    row = issued(stage, document(account_id), post=False)
    job = statement_job(row, stage.now())
    with pytest.raises((Later, GitHubFailed)):
        post_statement(Job("1", account_id, job.lane, job.kind, job.args), stage.world)
    stage.gh.advance(120)
    post(stage, row)
    assert len(stage.gh.issues(FINANCE)) == 1


def test_another_account_s_statement_of_the_same_number_is_another_issue(stage: Stage) -> None:
    account_id = set_up(stage)
    other = stage.install("globex/finance", account="globex")
    stage.gh.create_repository("globex/.github-private", files={"mergemeter.yml": CENTERS + CLOSE})
    stage.settle()
    issued(stage, document(account_id), document(other))
    (here,), (there,) = stage.gh.issues(FINANCE), stage.gh.issues("globex/finance")
    marks: list[Any] = [each["body"].rpartition("<!--")[2] for each in (here, there)]
    assert marks[0] != marks[1]
