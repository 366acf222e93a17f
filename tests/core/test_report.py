"""What a pull's comment, check and annotations say."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import CommentMode
from app.core.facts import PullState
from app.core.money import ZERO, NanoUsd
from app.core.report.annotations import annotations, workflow_paths
from app.core.report.check import LONGEST_TEXT, check, conclusion
from app.core.report.comment import LONGEST, comment, wanted, within
from app.core.report.marker import Kind, marker
from app.core.report.values import AgentRunLine, CheckOutput, PullCost
from app.core.usage import Completeness, Purpose, Tokens
from tests.core.rendered import Page, harms
from tests.core.report_samples import HOSTILE, WORKFLOW, dollars, nothing_known, pull, review, run, six_runs, with_gaps
from tests.core.test_escape import hostile

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MARK = marker(Kind.COMMENT, 1296269, 17)
FILE = """\
name: Agent
on: pull_request
jobs:
  author:
    runs-on: ubuntu-latest
    steps:
      - uses: acme/mergemeter@v1
      - name: Fix it
        uses: anthropics/claude-code-action@v1
  review:
    runs-on: ubuntu-latest
    steps:
      - run: |
          npm install -g @openai/codex
          codex exec "review this"
"""

PULLS = {
    "pull": six_runs(),
    "pull-open": six_runs(state=PullState.OPEN, merged_at=None),
    "pull-closed": pull(run(1, "2.5"), state=PullState.CLOSED, merged_at=None, unattributed_agent_runs=0),
    "pull-gaps": with_gaps(),
    "pull-unknown": nothing_known(),
    "pull-public": six_runs(money=False),
    "pull-public-gaps": with_gaps(money=False),
    "pull-none": pull(),
    "pull-discounted": pull(run(1, "0.0042"), review(2, "0.00001"), discounted=True),
    "pull-hostile": pull(
        run(
            1, "1", agent=HOSTILE, models=("@everyone", "a|b`c", "x"), team="#12", workflow="\n\n# big", job_name="-->"
        ),
        run(
            2,
            "1",
            completeness=Completeness.ESTIMATED,
            completeness_reason="see https://evil.example @all",
            purpose=Purpose.OTHER,
        ),
        run(3, "1", evidence="E4", evidence_note="the branch @acme/x is this pull's", run_url="javascript:alert(1)"),
        price_lists=("</sub><b>",),
    ),
}


def golden(name: str, text: str, suffix: str = "md") -> str:
    """The text that people agreed to; written anew with GOLDEN=write."""
    file = GOLDEN / f"{name}.{suffix}"
    if os.environ.get("GOLDEN") == "write":
        file.write_text(text, encoding="utf-8")
    return file.read_text(encoding="utf-8")


def as_page(output: CheckOutput) -> str:
    notices = [f"{each.path}:{each.line} {each.level}\n  {each.title}\n  {each.message}" for each in output.annotations]
    parts = [f"{output.name}: {output.title} [{output.conclusion}]", output.summary, output.text, *notices]
    return "\n\n".join(parts) + "\n"


def checked(cost: PullCost) -> CheckOutput:
    return check(cost, annotations(cost, {WORKFLOW: FILE}, 3, NOON))


@pytest.mark.parametrize("name", PULLS)
def test_the_comment_reads_as_agreed(name: str) -> None:
    text = comment(PULLS[name], MARK)
    assert text == golden(f"{name}.comment", text)


@pytest.mark.parametrize("name", PULLS)
def test_the_check_reads_as_agreed(name: str) -> None:
    text = as_page(checked(PULLS[name]))
    assert text == golden(f"{name}.check", text)


@pytest.mark.parametrize("name", PULLS)
def test_nothing_in_a_report_links_or_mentions(name: str) -> None:
    output = checked(PULLS[name])
    for text in (comment(PULLS[name], MARK), output.summary, output.text):
        assert harms(Page(text)) == []


def test_the_first_line_is_the_one_thing() -> None:
    assert comment(six_runs(), MARK).splitlines()[0] == "**$4.31** · 6 agent runs · 5 by signed evidence"


@pytest.mark.parametrize(
    ("cost", "line"),
    [
        (pull(run(1, "2")), "**$2.00** · 1 agent run · by signed evidence"),
        (pull(run(1, "2"), run(2, "1")), "**$3.00** · 2 agent runs · all by signed evidence"),
        (pull(run(1, "2", evidence="E3")), "**$2.00** · 1 agent run · by GitHub's record"),
        (pull(run(1, "2"), state=PullState.OPEN), "**$2.00 so far** · 1 agent run · by signed evidence"),
        (
            pull(run(1, "2"), state=PullState.CLOSED),
            "**$2.00** · 1 agent run · by signed evidence · closed without a merge",
        ),
        (pull(run(1, "0")), "**$0.00** · 1 agent run · by signed evidence"),
        (pull(run(1, "0.004")), "**$0.0040** · 1 agent run · by signed evidence"),
        (pull(run(1, "2", unpriced_calls=1)), "**at least $2.00** · 1 agent run · by signed evidence"),
        (pull(run(1, "2"), open_jobs=1), "**at least $2.00** · 1 agent run · by signed evidence"),
        (pull(run(1, "2", completeness=Completeness.ESTIMATED)), "**about $2.00** · 1 agent run · by signed evidence"),
        (pull(run(1, "0", unpriced_calls=21)), "**cost unknown** · 1 agent run · by signed evidence"),
        (nothing_known(), "**cost unknown** · 2 agent runs · all by signed evidence"),
        (nothing_known(money=False), "**usage unknown** · 2 agent runs · all by signed evidence"),
        (pull(run(1, "2"), money=False), "**108 K tokens** · 1 agent run · by signed evidence"),
        (pull(), "**No agent run** is tied to this pull any more."),
    ],
)
def test_the_first_line_says_what_is_known(cost: PullCost, line: str) -> None:
    assert comment(cost, MARK).splitlines()[0] == line


@pytest.mark.parametrize("name", [name for name, cost in PULLS.items() if not cost.money])
def test_no_amount_appears_where_money_may_not(name: str) -> None:
    cost = PULLS[name]
    output = checked(cost)
    for text in (comment(cost, MARK), as_page(output)):
        assert not re.search(r"\$|USD|€|[Cc]ent\b", text)
        assert "this repository is public" in text


def test_an_unknown_cost_is_never_written_as_zero() -> None:
    for cost in (nothing_known(unattributed_agent_runs=0), pull(run(1, "0", unpriced_calls=21))):
        assert "$0.00" not in comment(cost, MARK) + as_page(checked(cost))


def test_every_gap_is_told() -> None:
    text = comment(with_gaps(), MARK)
    for sentence in (
        "2 model calls of model `house-model-1` have no price and are not in this figure.",
        "1 agent run left no record: its usage is unknown and not in this figure.",
        "1 agent run left an incomplete record: its usage is at least what is shown (killed before its last call).",
        "1 agent run left only an estimate of its usage.",
        "1 job started for this pull and has not reported yet: not in this figure.",
        "1 agent run fits this pull and another one equally well: left unattributed, not in this figure.",
        "Unattributed in this repository in October 2026, when this was written: 3 agent runs ($0.42).",
        "1 agent run also served other pulls: cost is this pull's share, calls and tokens are the whole agent run's.",
        "1 agent run was reported again with other numbers: the first report counts.",
        "4 model calls were reported by another agent run too and count there, once.",
    ):
        assert sentence in text


def test_which_agent_runs_were_relayed_is_told_once_and_in_their_row() -> None:
    text = comment(pull(run(1, "2"), run(2, "1", relayed=True), run(3, "1", relayed=True)), MARK)
    assert text.count("`author`, relayed |") == 2
    sentence = (
        "Relayed: another job of the workflow run sent the record of 2 agent runs; "
        "which job it was is claimed, not signed."
    )
    assert text.count(sentence) == 1
    assert "elayed" not in comment(pull(run(1, "2")), MARK)


def own(cost: str, listed: str | None, says: str, **changes: Any) -> AgentRunLine:
    at_list = None if listed is None else dollars(listed)
    return run(1, cost, list_cost=at_list, reported_cost=dollars(says), **changes)


def test_the_agents_own_figure_is_told_when_it_differs_from_list_by_more_than_one_percent() -> None:
    told = comment(pull(own("2", "2", "2.5")), MARK)
    assert "For 1 agent run the agent itself says $2.50; at list prices it is $2.00." in told
    for says in ("2.02", "1.98"):
        assert "itself says" not in comment(pull(own("2", "2", says)), MARK)
    for says in ("2.0201", "1.9799"):
        assert "itself says" in comment(pull(own("2", "2", says)), MARK)
    assert "itself says" not in comment(pull(own("2", "2", "2.5"), money=False), MARK)


def test_the_agents_own_figure_is_compared_with_list_and_not_with_what_was_agreed() -> None:
    assert "itself says" not in comment(pull(own("1", "2", "2"), discounted=True), MARK)
    told = comment(pull(own("1", "2", "1"), discounted=True), MARK)
    assert "For 1 agent run the agent itself says $1.00; at list prices it is $2.00." in told


@pytest.mark.parametrize(
    "line",
    [
        own("2", None, "9"),
        own("2", "2", "9", completeness=Completeness.LOWER_BOUND),
        own("2", "2", "9", unpriced_calls=1),
        own("2", "2", "9", calls_counted_elsewhere=1),
    ],
    ids=["unlisted", "lower bound", "unpriced", "counted elsewhere"],
)
def test_the_agents_own_figure_is_not_compared_where_either_is_not_whole(line: AgentRunLine) -> None:
    assert "itself says" not in comment(pull(line), MARK)


@pytest.mark.parametrize(
    ("discounted", "which"),
    [(False, "your own prices, else list prices"), (True, "your own prices, else list prices less your discounts")],
)
def test_own_prices_are_said_to_be_in_the_figure(discounted: bool, which: str) -> None:
    told = comment(pull(run(1, "2"), own_prices=True, discounted=discounted), MARK)
    assert f"contracted cost ({which}) · prices: " in told


def test_the_table_has_at_most_eight_rows() -> None:
    cost = pull(*(run(number, "1", agent=f"agent-{number}") for number in range(30)))
    table = comment(cost, MARK).split("<details>")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 8
    assert rows[6].startswith("| … and 24 more |")
    assert rows[7].endswith("| **30** | **3.2\u00a0M** | **71\u00a0%** | **$30.00** |")


costs = st.lists(st.integers(0, 3 * 10**9), min_size=1, max_size=60)


@given(costs)
def test_amounts_in_the_tables_add_up_to_the_total(amounts: list[int]) -> None:
    cost = pull(*(replace(run(number, "0"), cost=NanoUsd(amount)) for number, amount in enumerate(amounts)))
    if cost.cost < 10_000_000:
        return
    text = comment(cost, MARK)
    runs = text.split("<details>")[1]
    shown = [re.search(r"\| (?:(under) )?\$([\d,.]+) \|$", line) for line in runs.splitlines() if line.startswith("|")][
        2:
    ]
    cents = sum(0 if found[1] else int(re.sub(r"[,.]", "", found[2])) for found in shown if found)
    headline = re.search(r"\$([\d,.]+)\*\*", text)
    assert headline
    assert len(shown) == min(len(amounts), 41)
    assert cents == int(re.sub(r"[,.]", "", headline[1]))


@given(st.permutations(with_gaps().lines))
def test_the_text_does_not_depend_on_the_order_of_agent_runs(lines: list[AgentRunLine]) -> None:
    assert comment(replace(with_gaps(), lines=tuple(lines)), MARK) == comment(with_gaps(), MARK)


@given(hostile, hostile, hostile)
def test_hostile_names_harm_no_report(one: str, two: str, three: str) -> None:
    line = run(
        1,
        "1",
        agent=one,
        agent_version=two,
        models=(three, one),
        team=two,
        workflow=three,
        job_name=one,
        run_url=f"javascript:{two}",
    )
    cost = pull(
        replace(line, unpriced_calls=1, unpriced_models=(two,), evidence=three, evidence_note=one),
        run(2, "1", completeness=Completeness.LOWER_BOUND, completeness_reason=two),
        repository=three,
        title=one,
        price_lists=(one,),
    )
    output = check(cost)
    for text in (comment(cost, MARK), output.summary, output.text):
        page = Page(text)
        assert harms(page) == []
        assert page.tags.count("table") == len(re.findall(r"^\| ---", text, re.MULTILINE))
    assert comment(cost, MARK).count("<!--") == 1


def test_a_thousand_agent_runs_fit_and_are_counted() -> None:
    long = "m" * 500
    lines = [
        run(
            number,
            "1",
            agent=long + str(number),
            models=(long, long + "x"),
            workflow=long,
            job_name=long,
            evidence_note="@" * 900,
        )
        for number in range(1000)
    ]
    text = comment(pull(*lines), MARK)
    assert len(text) <= LONGEST
    assert "… and 960 more" in text
    assert "cut here" not in text
    output = check(pull(*lines))
    assert max(len(output.summary), len(output.text)) <= LONGEST_TEXT
    assert len(output.title) <= 255


def test_a_text_that_is_too_long_says_that_it_is_cut() -> None:
    text = within("line of words\n" * 100, MARK, 500)
    assert len(text) <= 500
    assert text.endswith(f"line of words\n\n… cut here: more than a comment can hold.\n\n{MARK}\n")


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (six_runs(), "success"),
        (six_runs(state=PullState.OPEN), "success"),
        (with_gaps(), "neutral"),
        (nothing_known(), "neutral"),
        (six_runs(tied_candidates=1), "neutral"),
        (six_runs(open_jobs=1), "neutral"),
        (pull(run(1, "1", unpriced_calls=1)), "neutral"),
        (pull(), "neutral"),
    ],
)
def test_the_conclusion_is_neutral_when_something_is_unknown_and_never_red(cost: PullCost, expected: str) -> None:
    assert conclusion(cost) == expected


@pytest.mark.parametrize(
    ("mode", "state", "threshold", "stands", "expected"),
    [
        (CommentMode.ON_MERGE, PullState.MERGED, "0", False, True),
        (CommentMode.ON_MERGE, PullState.OPEN, "0", False, False),
        (CommentMode.ON_MERGE, PullState.CLOSED, "0", False, False),
        (CommentMode.ON_MERGE, PullState.OPEN, "0", True, True),
        (CommentMode.LIVE, PullState.OPEN, "0", False, True),
        (CommentMode.LIVE, PullState.OPEN, "4.32", False, False),
        (CommentMode.LIVE, PullState.OPEN, "4.31", False, True),
        (CommentMode.LIVE, PullState.OPEN, "99", True, True),
        (CommentMode.OFF, PullState.MERGED, "0", False, False),
        (CommentMode.OFF, PullState.MERGED, "0", True, False),
    ],
)
def test_the_comment_is_written_at_its_moment(
    mode: CommentMode, state: PullState, threshold: str, stands: bool, expected: bool
) -> None:
    assert wanted(six_runs(state=state), mode, dollars(threshold), stands) is expected


def test_a_pull_without_agent_runs_gets_no_comment() -> None:
    assert not wanted(pull(), CommentMode.LIVE, ZERO, stands=False)


def test_an_unknown_cost_is_not_below_the_threshold() -> None:
    assert wanted(nothing_known(), CommentMode.ON_MERGE, dollars("100"), stands=False)


NOON = datetime(2026, 10, 12, 12, tzinfo=UTC)
AS_OF = " As of 2026-10-12 12:00 UTC; the check's summary has the present figure."


def test_an_annotation_stands_on_the_line_that_spent_the_money() -> None:
    first, second = annotations(six_runs(), {WORKFLOW: FILE}, 3, NOON)
    assert (first.path, first.line, first.level) == (WORKFLOW, 9, "notice")
    assert first.message == "This step's 4 agent runs cost $3.20 on this pull; 71 % of input came from cache." + AS_OF
    assert (second.line, second.title) == (15, "Agent cost: codex, 2 agent runs")


@pytest.mark.parametrize(("most", "expected"), [(-1, 0), (0, 0), (1, 1), (2, 2), (9, 2)])
def test_there_are_no_more_annotations_than_configured(most: int, expected: int) -> None:
    assert len(annotations(six_runs(), {WORKFLOW: FILE}, most, NOON)) == expected


def test_an_annotation_without_money_counts_tokens() -> None:
    (only,) = annotations(six_runs(money=False), {WORKFLOW: FILE}, 1, NOON)
    assert (
        only.message
        == "This step's 4 agent runs used 432 K tokens on this pull; 71 % of input came from cache." + AS_OF
    )
    assert only.title == "Agent usage: claude-code, 4 agent runs"


def test_an_annotation_of_unpriced_calls_names_no_amount() -> None:
    (only,) = annotations(pull(run(1, "0", unpriced_calls=21)), {WORKFLOW: FILE}, 1, NOON)
    assert only.message.startswith("This step's agent run used 108 K tokens on this pull, which have no price;")


def test_a_workflow_of_another_repository_is_never_annotated() -> None:
    elsewhere = pull(run(1, "1", workflow_path=""))
    assert annotations(elsewhere, {WORKFLOW: FILE, "": FILE}, 3, NOON) == ()
    assert workflow_paths(elsewhere) == []


def test_a_lost_agent_run_is_not_annotated() -> None:
    assert annotations(nothing_known(), {WORKFLOW: FILE}, 3, NOON) == ()


def test_the_files_to_read_come_dearest_first() -> None:
    cost = pull(run(1, "1"), run(2, "3", workflow_path=".github/workflows/b.yml"), run(3, "1"))
    assert workflow_paths(cost) == [".github/workflows/b.yml", WORKFLOW]


def test_a_line_with_no_call_and_a_whole_record_is_a_known_zero() -> None:
    assert run(1, "0", model_calls=0, tokens=Tokens()).cost_known
