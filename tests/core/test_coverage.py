"""What a month's summary says of agents that nobody answers for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.report.coverage import MOST_ROWS, silent, silent_table, untagged
from app.core.report.marker import Kind, marker
from app.core.report.summary import summary
from app.core.report.values import MonthReport, RepositoryMonth, SilentWorkflow
from app.core.survey import SurveyedWorkflow
from tests.core.rendered import Page, harms
from tests.core.report_samples import figures, month
from tests.core.test_escape import hostile

NONE = "no team (the step's `team` input):"
NONE_OF_ITS = "no team, or none of their repository's (the step's `team` input):"


def lacking(*repositories: tuple[str, bool, int], public_issue: bool = False, teams: bool = False) -> MonthReport:
    """A month of repositories (name, public, agent runs without a team), each with 10 agent runs more."""
    parts = tuple(
        RepositoryMonth(name, public, figures(agent_runs=runs + 10, untagged_agent_runs=runs))
        for name, public, runs in repositories
    )
    total = sum(runs for _, _, runs in repositories)
    return month(
        repositories=parts,
        total=figures(agent_runs=total + 10 * len(parts), untagged_agent_runs=total),
        public_issue=public_issue,
        teams_configured=teams,
    )


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (lacking(), ""),
        (lacking(("widgets", False, 0)), ""),
        (
            lacking(("widgets", False, 1)),
            f"1 of 11 agent runs (9 %) names {NONE} 1 in `widgets`.",
        ),
        (
            lacking(("widgets", False, 2), ("gadgets", True, 30), ("quiet", False, 0), teams=True),
            f"32 of 62 agent runs (52 %) name {NONE_OF_ITS} 30 in `gadgets`, 2 in `widgets`.",
        ),
        (
            lacking(("a", False, 1), ("b", False, 2), ("c", False, 3), ("d", False, 4), ("e", False, 5)),
            f"15 of 65 agent runs (23 %) name {NONE} 5 in `e`, 4 in `d`, 3 in `c`, 3 in 2 other repositories.",
        ),
        (
            lacking(("secret", False, 5), ("open", True, 1), ("hidden", False, 2), public_issue=True),
            f"8 of 38 agent runs (21 %) name {NONE} 1 in `open`, 7 in 2 private repositories.",
        ),
    ],
)
def test_agent_runs_without_a_team_are_told_with_their_share_and_place(report: MonthReport, said: str) -> None:
    assert untagged(report) == said


@given(st.lists(st.tuples(hostile, st.booleans(), st.integers(1, 99)), min_size=1, max_size=9), st.booleans())
def test_hostile_names_harm_nothing_and_private_ones_stay_out(
    repositories: list[tuple[str, bool, int]], public_issue: bool
) -> None:
    said = untagged(lacking(*repositories, public_issue=public_issue))
    page = Page(said)
    assert harms(page) == []
    named = sum(1 for _, public, _ in repositories if public or not public_issue)
    assert len(page.inside) <= 1 + min(3, named)


@given(st.lists(st.tuples(st.sampled_from("abcdefg"), st.booleans(), st.integers(0, 9)), max_size=9), st.booleans())
def test_the_places_add_up_to_what_is_told(repositories: list[tuple[str, bool, int]], public_issue: bool) -> None:
    said = untagged(lacking(*repositories, public_issue=public_issue))
    total = sum(runs for _, _, runs in repositories)
    assert sum(map(int, re.findall(r"(\d+) in ", said))) == total
    assert said.startswith(f"{total} of ") or not total


# ---- workflows without a record ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agents", "runs", "recorded", "told"),
    [
        (("codex",), 5, 0, "leaves no record"),
        (("codex",), 5, 2, "is recorded"),
        (("codex",), None, 2, "is recorded"),
        (None, None, 2, "is recorded"),
        (("codex",), None, 0, "is unknown"),
        (None, None, 0, "is unknown"),
        (("codex",), 0, 0, ""),
        ((), None, 0, ""),
        ((), None, 3, ""),
        ((), 5, 0, ""),
    ],
)
def test_a_workflow_is_silent_only_when_it_is_known_to_have_run_agents(
    agents: tuple[str, ...] | None, runs: int | None, recorded: int, told: str
) -> None:
    found = SurveyedWorkflow("a.yml", agents, own_step=False, runs=runs, recorded_jobs=recorded)
    flags = {
        "leaves no record": found.leaves_no_record,
        "is recorded": found.is_recorded,
        "is unknown": found.is_unknown,
    }
    assert [name for name, holds in flags.items() if holds] == ([told] if told else [])


NO_RECORD = "left no record: that cost is in no figure here."
NOT_KNOWN = "without a record it is not known whether agents ran: GitHub did not show the file or its runs."


def workflow(number: int, repository: str = "widgets", public: bool = False, own_step: bool = False) -> SilentWorkflow:
    return SilentWorkflow(repository, public, f".github/workflows/{number}.yml", ("codex",), own_step, number)


@pytest.mark.parametrize(
    ("number", "recorded", "unknown", "said"),
    [
        (0, 0, 0, ""),
        (0, 7, 0, ""),
        (1, 0, 0, f"1 of 1 workflow that runs agents {NO_RECORD}"),
        (2, 3, 0, f"2 of 5 workflows that run agents {NO_RECORD}"),
        (0, 3, 1, f"For 1 workflow file {NOT_KNOWN}"),
        (1, 0, 2, f"1 of 1 workflow that runs agents {NO_RECORD} For 2 workflow files {NOT_KNOWN}"),
    ],
)
def test_workflows_without_a_record_are_counted(number: int, recorded: int, unknown: int, said: str) -> None:
    listed = tuple(workflow(each) for each in range(number))
    report = month(recorded_workflows=recorded, silent_workflows=listed, unknown_workflows=unknown)
    assert silent(report) == said


def test_the_table_holds_ten_workflows_and_sums_up_the_others() -> None:
    assert silent_table(month()) == ""
    full = month(silent_workflows=tuple(workflow(n, own_step=n == 3) for n in range(MOST_ROWS)))
    assert silent_table(full).count("\n") == MOST_ROWS + 1
    assert "| `widgets` | `.github/workflows/3.yml` | `codex` | 3 | is there, no record came |" in silent_table(full)
    more = silent_table(month(silent_workflows=tuple(workflow(n) for n in range(MOST_ROWS + 2))))
    assert more.splitlines()[-1] == "| … and 2 more |  |  | 21 |  |"


@given(hostile, hostile, hostile, st.booleans(), st.booleans())
def test_hostile_paths_harm_no_summary_and_private_ones_stay_out(
    repository: str, path: str, agent: str, public: bool, public_issue: bool
) -> None:
    one = SilentWorkflow(repository, public, f".github/workflows/{path}.yml", (agent,), own_step=False, runs=1)
    text = summary(month(silent_workflows=(one,), public_issue=public_issue), marker(Kind.SUMMARY, 1, 202610))
    page = Page(text)
    assert harms(page) == []
    assert page.tags.count("table") == 3
    shown = any(each.startswith(".github/workflows/") for each in page.inside)
    assert shown == (public or not public_issue)
