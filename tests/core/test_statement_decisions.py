"""The words of a decision, who may decide, and the days of a deadline: values in, values out."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.decisions import (
    Speaker,
    Standing,
    counts_as_accepted,
    days_since,
    last_day,
    refusal_of,
    reminders_due,
)
from app.core.chargeback.periods import StatementState
from app.core.chargeback.terms import CloseTerms
from app.core.commands import Accept, Decision, Dispute, UnreadableCommandError, command, decision_in
from app.core.report.statement_notices import reminder
from tests.core.rendered import Page, harms

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/Los_Angeles", "Asia/Kolkata"])
TIMES = st.integers(0, 365 * 24 * 3600).map(lambda seconds: NOON + timedelta(seconds=seconds))


# ---- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("/mergemeter accept", Accept()),
        ("/mergemeter   accept  v12 ", Accept(12)),
        ("/mergemeter accept V2", Accept(2)),
        ("Thanks!\n/mergemeter dispute pull #12 is not ours", Dispute("pull #12 is not ours")),
        ("/mergemeter dispute", Dispute()),
        ("accept", None),
        ("> /mergemeter accept", None),
        ("    /mergemeter accept", None),
        ("```\n/mergemeter accept\n```", None),
        ("<!--\n/mergemeter accept\n-->", None),
        ("/mergemeterx accept", None),
    ],
)
def test_what_a_comment_decides(text: str, decision: Decision | None) -> None:
    assert decision_in(text) == decision


@pytest.mark.parametrize(
    "text",
    [
        "/mergemeter", "/mergemeter accepted",
        "/mergemeter accept v0", "/mergemeter accept 1", "/mergemeter accept v1 v2",
        "/mergemeter explain", "/mergemeter disputed x", "/mergemeter Accept", "/mergemeter accept v1234567",
        "/mergemeter accept\n/mergemeter accept", f"/mergemeter dispute {'x' * 1000}",
    ],
)  # fmt: skip
def test_what_is_no_decision_is_said(text: str) -> None:
    with pytest.raises(UnreadableCommandError) as no:
        decision_in(text)
    assert harms(Page(str(no.value))) == []


def test_on_a_pull_a_decision_is_no_command() -> None:
    for line in ("/mergemeter accept", "/mergemeter dispute why"):
        with pytest.raises(UnreadableCommandError, match="statement's issue"):
            command(line)


# ---- who and when ---------------------------------------------------------------------------------------------------


def standing(
    state: StatementState = StatementState.ISSUED, version: int = 1, shown: datetime | None = NOON
) -> Standing:
    return Standing("2026-10-001", version, state, ("ada",), shown)


def refusal(asked: Decision, now: Standing, login: str = "ada", said: datetime = NOON) -> str:
    return refusal_of(asked, Speaker(login, 7, said), now, None)


@given(st.sampled_from(StatementState), st.booleans())
def test_people_decide_on_what_is_issued_and_on_nothing_else(state: StatementState, accepts: bool) -> None:
    said = refusal(Accept() if accepts else Dispute("why"), standing(state))
    assert (said == "") == (state is StatementState.ISSUED)
    assert harms(Page(said)) == []


@given(st.text(max_size=40), st.sampled_from([Accept(), Accept(1), Dispute("why")]))
def test_nobody_but_an_owner_decides_whatever_the_login(login: str, asked: Decision) -> None:
    said = refusal(asked, standing(), login)
    assert (said == "") == (login.lower() == "ada")
    assert harms(Page(said)) == []


def test_a_version_is_meant_that_was_shown_before_the_words_were_said() -> None:
    second = standing(version=2)
    assert refusal(Accept(), second) == refusal(Accept(2), second, said=NOON - timedelta(days=1)) == ""
    for asked in (Accept(), Dispute("why")):
        assert "came while" in refusal(asked, second, said=NOON - timedelta(seconds=1))
        assert "came while" in refusal(asked, standing(version=2, shown=None))
    assert refusal(Accept(), standing(shown=None)) == ""


# ---- days -----------------------------------------------------------------------------------------------------------


@given(TIMES, TIMES, ZONES, st.integers(1, 60))
def test_an_owner_has_the_whole_of_each_day_before_silence_is_consent(
    shown: datetime, now: datetime, zone: str, days: int
) -> None:
    terms = CloseTerms(time_zone=zone, accept_after_days=days)
    accepted = counts_as_accepted(terms, shown, now)
    assert accepted == (days_since(shown, now, zone) > days)
    if accepted:
        assert now - shown > timedelta(days=days) - timedelta(hours=2)  # a day of 23 hours is a day
        last = last_day(terms, shown)
        assert last is not None
        assert now >= datetime.combine(last + timedelta(days=1), datetime.min.time(), ZoneInfo(zone))


@given(TIMES, TIMES)
def test_without_a_deadline_there_is_none(shown: datetime, now: datetime) -> None:
    assert not counts_as_accepted(CloseTerms(), shown, now)
    assert last_day(CloseTerms(), shown) is None


@pytest.mark.parametrize(("day", "due"), [(9, None), (10, None), (12, None), (13, 3), (16, 3), (17, 7), (30, 7)])
def test_the_latest_reminder_is_due(day: int, due: int | None) -> None:
    assert reminders_due(CloseTerms(), NOON, NOON.replace(day=day)) == due


def test_a_reminder_mentions_its_owners_alone() -> None:
    page = Page(reminder(["ada", "<b>@x</b>"], 1, date(2026, 11, 10), None))
    assert [each for each in harms(page) if "mention" not in each] == []
    assert page.outside.startswith("@ada ")
    assert page.inside[0] == "<b>@x</b>"
