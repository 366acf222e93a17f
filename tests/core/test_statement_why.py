"""The walk from a line to its charges: sums that say whether they add up, and nothing that a terminal obeys."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from app.core.ai_credits import PRICE_LIST
from app.core.arithmetic import Arithmetic
from app.core.arithmetic import Line as ChargeLine
from app.core.ledger import Book
from app.core.money import ZERO, NanoUsd
from app.core.rates import Charge, Rate
from app.core.report.statement.why import RUNS, Posting, Total, WalkedCall, WalkedRun, found, why_lines
from app.core.repricing import KeptCall, Price
from app.core.usage import ModelCall, Tokens
from tests.core import paper_samples as samples
from tests.core.report_samples import START, dollars
from tests.core.test_statement_issue import kept

TEN = dollars("10")


def call(position: int, cost: NanoUsd | None, price_list: str = "genai-prices 0.2.3", **how: object) -> WalkedCall:
    used = ModelCall("anthropic", f"msg_{position}", "claude-sonnet-4-5", START, Tokens(input=1_000_000))
    rate = Rate(cost or 1, 1_000_000)
    line = ChargeLine(Charge.INPUT, 1_000_000, rate, cost or ZERO)
    arithmetic = Arithmetic((line,), **how) if how.pop("told", True) and cost is not None else None  # type: ignore[arg-type]
    return WalkedCall(KeptCall(position, used, Price(cost, cost, price_list)), arithmetic)


def run(*calls: WalkedCall, **changes: object) -> WalkedRun:
    example = WalkedRun(
        agent_run_id="0192f0c1" * 4,
        agent="claude-code",
        agent_version="2.1.330",
        workflow="Agent",
        job="author",
        started_at=START,
        url="https://github.com/acme/widgets/actions/runs/7/attempts/1",
        evidence="E1",
        evidence_note="",
        basis="signed property",
        covered_by="",
        amount=TEN,
        postings=(Posting(5, START, TEN, "recorded"),),
        calls=calls or (call(0, TEN),),
    )
    return replace(example, **changes)  # type: ignore[arg-type]


def walk(shown: WalkedRun, line: object = None, totals: tuple[Total, ...] | None = None, page: int = 1) -> str:
    of = samples.statement(lines=(line or samples.line(17, "10"),))
    every = totals or (Total(shown.agent_run_id, shown.agent, shown.amount, bool(shown.covered_by)),)
    return "\n".join(why_lines(of, "1", every, [shown], page))


def test_a_line_is_explained_down_to_its_charges() -> None:
    text = walk(run())
    assert "line 1: acme/widgets#17" in text
    assert "1 agent run: adds up" in text
    assert "1,000,000 input × $10 per million" in text
    assert "Cost center by: signed property" in text
    assert "2 more agent runs of the line have no amount in it." in text
    assert "Page" not in text


def test_what_does_not_add_up_is_told() -> None:
    assert "DOES NOT ADD UP, off by −$1.00" in walk(run(), samples.line(17, "11"))


def test_a_share_of_an_agent_run_says_so() -> None:
    shown = run(call(0, dollars("30")))
    assert "Of $30.00 this line has $10.00" in walk(shown)
    assert "this line has" not in walk(run())


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (call(0, None), "No arithmetic is shown: no price is known."),
        (call(0, TEN, told=False), "No arithmetic is shown: the prices in force now come to another amount."),
        (call(0, TEN, PRICE_LIST), "as GitHub tells them; it tells no tokens."),
        (call(0, TEN, own=True), "at your own price"),
        (call(0, TEN, discount=Decimal("0.1")), "less your discount of 10.0 %"),
    ],
)
def test_how_a_price_came_about_or_why_it_is_not_told(one: WalkedCall, said: str) -> None:
    assert said in walk(run(one))


def test_what_a_subscription_covers_is_summed_apart() -> None:
    line = replace(samples.line(17, "0"), covered=TEN)
    text = walk(run(covered_by="Claude Team"), line)
    assert "and $10.00 covered by a subscription" in text
    assert "Agent runs that a subscription covers: $10.00" in text
    assert "paid by the subscription Claude Team" in text
    assert "DOES NOT" not in text


def test_pages_are_told_and_runs_are_numbered_through() -> None:
    totals = tuple(Total(f"{n:032x}", "a", NanoUsd(TEN // 10), False) for n in range(10))
    text = walk(run(amount=NanoUsd(TEN // 10)), totals=totals, page=2)
    assert f"{RUNS + 1} of 10 · agent run" in text
    assert "Page 2 of 2." in text


def test_an_entered_adjustment_has_no_agent_run_behind_it() -> None:
    text = "\n".join(why_lines(samples.statement(), "A2", (), ()))
    assert "Adjustment (dispute): the nightly run was the platform's" in text
    assert "Evidence: statement 2026-08-003 version 2" in text
    assert "no agent run stands behind it" in text


@pytest.mark.parametrize("name", ["0", "7", "A0", "A3", "-1", "1.0", "", "A", "AA1", "٣", "9" * 40])
def test_a_name_that_is_none_finds_nothing(name: str) -> None:
    assert found(samples.statement(), name) is None
    assert "has no line" in "\n".join(why_lines(samples.statement(), name, (), ()))


@pytest.mark.parametrize(("name", "number"), [("1", 17), ("3", 4), ("A1", 12), ("a1", 12)])
def test_a_name_finds_its_row(name: str, number: int) -> None:
    row = found(samples.statement(), name)
    assert row is not None
    assert row.number == number


@given(kept)
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    shown = run(
        agent=text, agent_version=text, workflow=text, job=text, url=text, evidence=text, evidence_note=text,
        covered_by=text, postings=(Posting(1, START, TEN, text),),
    )  # fmt: skip
    told = walk(shown, samples.line(17, "10", repository=text, book=Book.UNATTRIBUTED))
    assert all(letter.isprintable() or letter == "\n" for letter in told)
