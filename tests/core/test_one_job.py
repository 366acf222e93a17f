"""What the Action's own comment says, without an App: one job of one workflow run, and that it is no more."""

from dataclasses import replace

import pytest
from hypothesis import given

from app.core.report.marker import Kind, marker
from app.core.report.one_job import NO_AMOUNTS, Origin, one_job
from app.core.report.values import AgentRunLine
from app.core.usage import Completeness, Tokens
from tests.core.rendered import Page, harms
from tests.core.report_samples import HOSTILE, pull, review, run
from tests.core.test_escape import hostile

MARK = marker(Kind.JOB, 1296269, 17, 4711)
ORIGIN = Origin("Agent", "author", 7_000_000_001, 1, "https://github.com/acme/widgets/actions/runs/7000000001")


def text(*lines: AgentRunLine, money: bool = True, origin: Origin = ORIGIN) -> str:
    return one_job(pull(*lines, money=money, unattributed_month=None), origin, MARK)


def test_the_comment_tells_the_sum_first_and_that_it_is_this_run_alone() -> None:
    said = text(run(1, "3.2"), review(2, "1.11"))
    assert said.startswith("**$4.31** · 2 agent runs · in one job of one workflow run\n")
    assert "It is this run alone" in said
    assert "Totals need the Mergemeter App" in said
    assert "[workflow run `7000000001`](https://github.com/acme/widgets/actions/runs/7000000001)." in said
    assert said.endswith(f"\n\n{MARK}\n")


def test_the_attempt_is_told_from_the_second_on() -> None:
    assert "attempt" not in text(run(1, "1"))
    assert ", attempt 3." in text(run(1, "1"), origin=replace(ORIGIN, run_attempt=3))


def test_without_money_no_amount_appears_and_the_comment_says_why() -> None:
    said = text(run(1, "3.2", reported_cost=9_000_000_000), money=False)
    assert "$" not in said
    assert "108 K tokens" in said
    assert NO_AMOUNTS in said


@pytest.mark.parametrize(
    ("changes", "figure"),
    [
        ({"cost": 0, "unpriced_calls": 21, "unpriced_models": ("glm-9",)}, "**cost unknown**"),
        ({"unpriced_calls": 3, "unpriced_models": ("glm-9",)}, "**at least $2.00**"),
        ({"completeness": Completeness.LOWER_BOUND}, "**at least $2.00**"),
        ({"completeness": Completeness.ESTIMATED}, "**about $2.00**"),
        ({"completeness": Completeness.MISSING, "model_calls": 0, "tokens": Tokens(), "cost": 0}, "**cost unknown**"),
    ],
)
def test_what_is_not_known_is_said_and_never_zero(changes: dict[str, object], figure: str) -> None:
    said = text(replace(run(1, "2"), **changes))  # type: ignore[arg-type]
    assert said.startswith(figure)
    assert "$0.00" not in said


def test_hostile_names_become_code_and_the_marker_stays_the_only_comment() -> None:
    names = {"agent": HOSTILE, "models": ("@everyone", "![x](http://x)"), "completeness_reason": HOSTILE + " @all #1"}
    line = run(1, "1", completeness=Completeness.LOWER_BOUND, **names)
    page = Page(text(line, origin=Origin("<!-- mergemeter:job:1:2:3 -->", "`@ada` #12", 7, 1, "javascript:alert(1)")))
    assert harms(page) == []
    assert [comment.strip() for comment in page.comments] == [MARK[4:-3].strip()]


@given(hostile, hostile, hostile, hostile)
def test_no_text_from_outside_does_harm(agent: str, model: str, workflow: str, job: str) -> None:
    line = run(1, "1", agent=agent, models=(model,), unpriced_calls=1, unpriced_models=(model,), team=agent)
    page = Page(text(line, origin=replace(ORIGIN, workflow=workflow, job=job)))
    assert harms(page) == []
    assert len(page.comments) == 1


def test_the_longest_comment_is_far_below_what_github_takes() -> None:
    long = "x<" * 5000
    lines = [
        run(n, "1", agent=f"{n}{long}", models=(long, long), completeness=Completeness.ESTIMATED,
            completeness_reason=f"{n}{long}", unpriced_calls=1, unpriced_models=(long, f"{n}{long}"))
        for n in range(300)
    ]  # fmt: skip
    assert len(text(*lines, origin=replace(ORIGIN, workflow=long, job=long))) < 10_000
