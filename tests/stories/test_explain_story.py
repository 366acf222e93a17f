"""`explain` and `report` on the command line: from a number to its parts, with sums that say whether they add up."""

import csv
import io
import re
from argparse import Namespace
from typing import Any

import pytest

from app.commands.explain import explain
from app.commands.report import report
from app.core.money import NanoUsd
from app.core.report.sums import Part, Sum, exact_text, sum_lines
from tests.stories.stage import CALL_NANO_USD, PATH, REPOSITORY, Stage

Capture = pytest.CaptureFixture[str]


def a_month(stage: Stage) -> int:
    """A merged pull with three calls, an open one with one call and one unpriced, two calls without a pull."""
    account_id = stage.install()
    for branch, calls in (("one", 3), ("two", 1)):
        number = stage.gh.open_pull(REPOSITORY, branch, files={"a.py": branch}, title="A\x1b title")
        stage.agent(pull=number, calls=calls)
        stage.tick()
        if branch == "one":
            stage.gh.merge(REPOSITORY, number, "squash")
    unpriced = [stage.call("no-price", model="a-model-that-nobody-sells")]
    stage.report(stage.gh.start_workflow_run(REPOSITORY, path=PATH, pull=2), unpriced, "unpriced")
    stage.agent(event="schedule", calls=2)
    stage.settle()
    return account_id


def said(stage: Stage, account_id: int, capture: Capture, what: str, everything: bool = False) -> str:
    code = explain(stage.world, [account_id], Namespace(what=what, all=everything))
    out = capture.readouterr().out
    assert code == (0 if out else 1)
    return out


def test_a_month_is_walked_down_to_a_price(stage: Stage, capsys: Capture) -> None:
    told = said(stage, a_month(stage), capsys, "2026-10")
    for line in (
        "acme, charges of 2026-10: $0.135",
        "$0.0675  acme/widgets#1 A title",
        "$0.045  unattributed, 1 agent run",
        "acme/widgets without a pull, charges of 2026-10: $0.045",
        "E1 direct · whole",
        "$0.0675  3 model calls: adds up",
        "$0.0195  1,300 output × $15 per million",
        "$0.0225  2 charges: adds up",
    ):
        assert line in told
    assert "DOES NOT" not in told
    assert "\x1b" not in told


def test_with_all_every_part_is_walked_and_every_sum_adds_up(stage: Stage, capsys: Capture) -> None:
    told = said(stage, a_month(stage), capsys, "2026-10", everything=True)
    calls = int(stage.rows("SELECT COUNT(*) FROM model_call")[0][0])
    assert told.count("2 charges: adds up") == calls - 1
    assert told.count("No arithmetic is shown: no price is known.") == 1
    assert "1 of unknown cost beside it" in told
    assert "DOES NOT" not in told


def test_a_pull_and_an_agent_run_are_explained_too(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    for what in ("acme/widgets#1", "ACME/Widgets#1", "widgets#1"):
        assert "over its life: $0.0675" in said(stage, account_id, capsys, what)
    (run_id,) = stage.rows("SELECT id FROM agent_run WHERE evidence = '' AND cost_nano_usd > 0")[0]
    told = said(stage, account_id, capsys, run_id)
    assert f"agent run {run_id} claude-code: where it sits: $0.045" in told
    assert "unattributed" in told


def test_what_was_abandoned_is_explained(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    stage.tick(15 * 24 * 3600)
    stage.settle()
    assert "$0.045  abandoned, 1 agent run" in said(stage, account_id, capsys, "2026-10")


def test_a_price_less_a_discount_says_so(stage: Stage, capsys: Capture) -> None:
    account_id = stage.install()
    discount = "discounts: [{provider: anthropic, percent: 10, from: 2026-01-01}]\n"
    stage.gh.create_repository("acme/.github-private", files={"mergemeter.yml": discount})
    stage.settle()
    run = stage.agent(event="schedule")
    stage.settle()
    assert run
    told = said(stage, account_id, capsys, "2026-10")
    assert "1,300 output × $13.5 per million" in told
    assert "Prices are less your discount of 10" in told


@pytest.mark.parametrize("what", ["2026-13", "acme/gadgets#1", "acme/widgets#9", "0" * 32, "October", ""])
def test_what_is_not_there_is_said_plainly(stage: Stage, capsys: Capture, what: str) -> None:
    assert said(stage, a_month(stage), capsys, what) == ""


def test_a_report_has_a_row_for_each_repository_and_a_total(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "acme, 2026-10 (provisional until 2026-11-15)"
    assert [line.split()[0] for line in lines[2:5]] == ["repository", "widgets", "all"]
    assert lines[3].split()[1:6] == ["$0.14", "$0.11", "1", "1", "$0.11"]


def test_a_report_of_one_repository_lists_its_pulls(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked(repository="acme/widgets")) == 0
    out = capsys.readouterr().out
    (row,) = [line.split() for line in out.splitlines() if line.startswith("#1")]
    assert row == ["#1", "A", "title", "merged", "$0.07", "$0.07", "1"]
    assert "all" not in {line.split(" ")[0] for line in out.splitlines()}


def test_the_csv_sums_to_the_months_charges(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked(csv=True)) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sum(int(row["cost_nano_usd"] or 0) for row in rows) == 6 * CALL_NANO_USD
    assert sorted((row["book"], row["pull"], row["evidence_label"]) for row in rows) == [
        ("pull", "1", "direct"), ("pull", "2", "direct"), ("pull", "2", "direct"), ("unattributed", "", ""),
    ]  # fmt: skip
    assert [row["cost_nano_usd"] for row in rows if row["unpriced_calls"] == "1"] == [""]


DAYS = {"month": None, "first": "2026-10-05", "last": "2026-10-11"}


@pytest.mark.parametrize(
    ("changed", "code", "told"),
    [
        ({"month": "October"}, 2, "not a month"),
        ({"repository": "acme/gadgets"}, 1, "There is no repository"),
        ({"month": None}, 2, "Name a month"),
        ({"first": "2026-10-05"}, 2, "Name a month"),
        ({**DAYS, "last": None}, 2, "Name a month"),
        ({**DAYS, "last": "2026-10-04"}, 2, "before the first"),
        ({**DAYS, "first": "5 October"}, 2, "isoformat"),
        ({**DAYS, "csv": True}, 2, "leave --by"),
        ({"by": "team", "repository": "acme/widgets"}, 2, "leave --by"),
        ({"by": "team", "trend": True}, 2, "--trend is of the whole account"),
        ({**DAYS, "trend": True}, 2, "--trend is of the whole account"),
    ],
)
def test_a_report_of_nothing_is_refused(
    stage: Stage, capsys: Capture, changed: dict[str, Any], code: int, told: str
) -> None:
    assert report(stage.world, [stage.install()], asked(**changed)) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err


def asked(**changed: Any) -> Namespace:
    """A command line; what is not said is as it is without."""
    usual = {"month": "2026-10", "repository": None, "csv": False, "first": None, "last": None, "by": None}
    return Namespace(**(usual | {"trend": False} | changed))


def rows_of(capsys: Capture) -> list[list[str]]:
    lines = capsys.readouterr().out.splitlines()
    return [re.split(" {2,}", line) for line in lines[2 : lines.index("", 2)]]


def test_metrics_of_each_scope_are_a_row_the_dearest_first(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked(by="workflow")) == 0
    head, row = rows_of(capsys)
    told = dict(zip(head, row, strict=True))
    assert told["workflow"] == "acme/widgets .github/workflows/agent.yml"
    assert (told["charges"], told["merged"], told["survived"], told["runs"]) == ("$0.14", "1", "1", "4")
    assert told["yield"] == "–"  # nothing is decided yet
    assert report(stage.world, [account_id], asked(by="repository")) == 0
    assert rows_of(capsys)[1][0] == "acme/widgets"


def test_other_days_than_a_month_are_told_too(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked(**DAYS)) == 0
    out = capsys.readouterr().out
    assert out.startswith("acme, 2026-10-05 to 2026-10-11 (provisional)")
    assert "$0.14" in out


def test_a_trend_has_a_row_for_each_of_six_months(stage: Stage, capsys: Capture) -> None:
    account_id = a_month(stage)
    assert report(stage.world, [account_id], asked(trend=True)) == 0
    rows = rows_of(capsys)
    assert [row[0] for row in rows] == ["month", *(f"2026-{month:02}" for month in range(5, 11))]
    assert [row[1] for row in rows[1:]] == [*["$0.00"] * 5, "$0.14"]


def test_a_sum_that_does_not_add_up_says_so() -> None:
    told = Sum("It", NanoUsd(10), (Part("a", NanoUsd(4)), Part("b", NanoUsd(5))), "part")
    assert "DOES NOT ADD UP, off by −$0.000000001" in "\n".join(sum_lines(told))


def test_parts_beyond_the_dearest_are_summed_in_one_line() -> None:
    parts = tuple(Part(f"p{n}", NanoUsd(n * 10**9)) for n in range(5))
    lines = list(sum_lines(Sum("It", NanoUsd(10 * 10**9), parts, "part"), most=2))
    assert lines[1:4] == ["   $4.00  p4", "   $3.00  p3", "   $3.00  … 3 more"]


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (22_500_000, "$0.0225"), (1, "$0.000000001"), (-(10**9), "−$1.00"), (None, "unknown")],
)
def test_an_exact_amount_has_every_digit(amount: int | None, text: str) -> None:
    assert exact_text(None if amount is None else NanoUsd(amount)) == text
