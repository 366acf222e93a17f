"""What a month's summary says of agents that nobody answers for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.report.coverage import untagged
from app.core.report.values import MonthReport, RepositoryMonth
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
