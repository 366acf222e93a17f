"""What days do to a statement that waits: reminders, and the deadline after which silence is consent."""

from datetime import UTC, datetime

import pytest

from app.store.statement_issues import daily_jobs
from app.stories.decide_statement import dispute_here
from app.stories.resolve_dispute import resolve
from tests.core.rendered import Page
from tests.stories.issued import (
    CENTERS,
    FINANCE,
    NUMBER,
    a_day,
    document,
    events,
    issue_of,
    issued,
    ours,
    say,
    set_up,
    state,
)
from tests.stories.stage import Stage

HOUR = 1 / 24


def test_owners_are_reminded_once_for_each_number_of_days_and_mentioned(stage: Stage) -> None:
    issued(stage, document(set_up(stage)))
    told = []
    for _ in range(13):
        a_day(stage)
        a_day(stage, HOUR)
        told.append(len(ours(stage, "notice")))
    assert told == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]
    first, second = ours(stage, "notice")
    assert first.startswith("@ada @bob: version 1 of this statement has been waiting for an answer since 10 November")
    assert "24 November 2026 it counts as accepted" in second
    assert [(each[0], each[1], each[4], each[5]) for each in events(stage)] == [
        (1, "reminded", "schedule", "after 3 days"),
        (1, "reminded", "schedule", "after 7 days"),
    ]
    assert "$" not in Page(first).outside


def test_a_reminder_that_was_missed_is_not_made_up_for(stage: Stage) -> None:
    issued(stage, document(set_up(stage)))
    a_day(stage, 8)
    assert len(ours(stage, "notice")) == 1


def test_a_reminder_whose_answer_is_lost_is_not_doubled(stage: Stage) -> None:
    issued(stage, document(set_up(stage)))
    stage.gh.fail("drop", method="POST", path="/comments$", after=True)
    a_day(stage, 3)
    stage.gh.advance(600)
    stage.work()
    with stage.world.db.transaction() as session:
        session.connection().exec_driver_sql("UPDATE effect SET state = 'intent' WHERE location = 'acme/finance#1'")
    a_day(stage, HOUR)
    assert len(ours(stage, "notice")) == 1


def test_silence_is_consent_after_the_whole_of_the_last_day_in_the_configuration_s_time_zone(stage: Stage) -> None:
    issued(stage, document(set_up(stage)))
    stage.gh.set_time(datetime(2026, 11, 24, 22, 55, tzinfo=UTC))  # 23:55 of the 14th day in Berlin
    a_day(stage, 0)
    assert state(stage) == "v1 issued"
    a_day(stage, HOUR / 6)
    assert state(stage) == "v1 accepted"
    assert events(stage)[-1] == (1, "accepted", "", 0, "schedule", "nobody objected within 14 days")
    found = issue_of(stage)
    assert "nobody objected" in found["body"]
    assert found["state"] == "closed"


def test_without_a_deadline_silence_is_never_consent(stage: Stage) -> None:
    issued(stage, document(set_up(stage, CENTERS + "close: {repository: finance}\n")))
    for days in (20, 200):
        a_day(stage, days)
    assert state(stage) == "v1 issued"


def test_what_is_disputed_is_never_accepted_by_silence_and_its_owners_are_left_alone(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id))
    dispute_here(stage.world, account_id, NUMBER, "ada", "why")
    a_day(stage, 5)
    a_day(stage, 60)
    assert (state(stage), ours(stage, "notice")) == ("v1 disputed", [])


def test_the_days_begin_anew_with_the_next_version(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id))
    a_day(stage, 13)
    say(stage, "/mergemeter dispute why")
    resolve(stage.world, account_id, NUMBER, "so", [], "root")
    stage.work()
    a_day(stage, 13)
    assert state(stage) == "v2 issued"
    a_day(stage, 2)
    assert state(stage) == "v2 accepted"


@pytest.mark.parametrize("visibility", ["public", "private"])
def test_the_days_begin_when_its_owners_can_see_it(stage: Stage, visibility: str) -> None:
    issued(stage, document(set_up(stage, visibility=visibility)))
    a_day(stage, 30)
    assert state(stage) == ("v1 issued" if visibility == "public" else "v1 accepted")
    stage.gh.set_visibility(FINANCE, "private")
    a_day(stage, 10)
    a_day(stage, 10)
    assert state(stage) == ("v1 issued" if visibility == "public" else "v1 accepted")
    a_day(stage, 5)
    assert state(stage) == "v1 accepted"


def test_without_a_repository_the_days_begin_when_it_is_issued(stage: Stage) -> None:
    issued(stage, document(set_up(stage, CENTERS + "close: {accept_after_days: 14}\n")))
    a_day(stage, 14)
    assert state(stage) == "v1 accepted"  # it was issued on the 8th, the 24th is the 16th day after it


def test_nobody_s_silence_is_no_consent(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id, "lost"))
    a_day(stage, 3)
    a_day(stage, 60)
    assert (state(stage), ours(stage, "notice")) == ("v1 issued", [])


def test_a_locked_conversation_is_a_refusal_that_is_kept_and_stops_nothing_else(stage: Stage) -> None:
    issued(stage, document(set_up(stage)))
    stage.gh.lock(FINANCE, issue_of(stage)["number"])
    a_day(stage, 3)
    kept = stage.rows("SELECT state, note FROM effect WHERE effect.key = 'statement-reminded:2026-10-001:v1:3'")
    assert kept[0][0] == "refused"
    assert "locked" in kept[0][1]
    stage.gh.unlock(FINANCE, issue_of(stage)["number"])
    a_day(stage)
    assert len(ours(stage, "notice")) == 1
    assert [each[1] for each in events(stage)] == ["reminded"]


def test_only_what_waits_is_looked_at_daily(stage: Stage) -> None:
    account_id = set_up(stage)
    issued(stage, document(account_id), document(account_id, "platform", "2026-10-002"))
    dispute_here(stage.world, account_id, NUMBER, "ada", "why")
    stage.work()
    with stage.world.db.reading() as session:
        jobs = daily_jobs(session, [account_id], stage.now())
    assert [(job.kind, job.args["cost_center"]) for job in jobs] == [
        ("statement", "platform"),
        ("statement-days", "platform"),
    ]
