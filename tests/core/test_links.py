"""What pulls say of each other and of issues: closed issues, reverts, stacks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.closing import closes
from app.core.reverts import first_effective, reverted_number, reverted_shas
from app.core.stacks import Stacked, carriers

NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("body", "issues"),
    [
        ("Closes #5", {5}),
        ("fixes #5, resolves #6 and FIXED: #7", {5, 6, 7}),
        ("Closes acme/widgets#5, closes other/place#6", {5}),
        ("Closes https://github.com/Acme/Widgets/issues/9.", {9}),
        ("See #5. This closes the gap with #6", set()),
        ("`closes #5` and <!-- closes #6 -->", set()),
        ("```\ncloses #5\n```\ncloses #6", {6}),
        ("encloses #5, closes #0, closes #12345678901", set()),
        ("", set()),
    ],
)
def test_githubs_keywords_close_issues_of_the_same_repository(body: str, issues: set[int]) -> None:
    assert closes(body, "acme/widgets") == issues


@given(st.text(max_size=300))
def test_any_description_names_at_most_twenty_issues(body: str) -> None:
    assert len(closes(body * 5, "a/b")) <= 20


@pytest.mark.parametrize(
    ("head_ref", "body", "number"),
    [
        ("revert-12-fix", "Reverts acme/widgets#12", 12),
        ("undo", "It broke.\n\nReverts #12.\n", 12),
        ("revert-12-fix", "Reverts #12\nReverts #13", 12),
        ("undo", "Reverts #12\nReverts #13", None),
        ("undo", "Reverts other/place#12", None),
        ("revert-12-fix", "", None),
        ("undo", "This Reverts #12 partly", None),
    ],
)
def test_the_pull_that_a_description_reverts(head_ref: str, body: str, number: int | None) -> None:
    assert reverted_number(head_ref, body, "acme/widgets") == number


def test_the_commits_that_git_revert_names() -> None:
    message = f'Revert "Fix"\n\nThis reverts commit {SHA}.\n\nThis reverts commit {SHA[:12]}, reversing changes'
    assert reverted_shas(message) == (SHA, SHA[:12])
    assert reverted_shas("Discuss: This reverts commit abc") == ()


def test_a_revert_that_was_reverted_does_not_hold() -> None:
    merged = {2: NOON, 3: NOON + DAY}
    assert first_effective({1: [2]}, {2: NOON}) == {1: NOON}
    assert first_effective({1: [2], 2: [3]}, merged) == {2: NOON + DAY}
    assert first_effective({1: [2], 2: [3], 3: [4]}, {**merged, 4: NOON + 2 * DAY}) == {1: NOON, 3: NOON + 2 * DAY}


def test_a_revert_that_was_never_merged_changes_nothing() -> None:
    assert first_effective({1: [2]}, {}) == {}


def test_pulls_that_revert_each_other_end() -> None:
    assert set(first_effective({1: [2], 2: [1]}, {1: NOON, 2: NOON + DAY})) <= {1, 2}


def pull(number: int, head: str, base: str, merged: int | None = None, tracked: bool = False) -> Stacked:
    at = None if merged is None else NOON + merged * DAY
    return Stacked(number, head, base, True, NOON - number * timedelta(hours=1), at, at, tracked)


def test_a_pull_that_merged_into_anothers_branch_is_carried_by_the_end_of_the_chain() -> None:
    pulls = [pull(3, "c", "b", 1), pull(2, "b", "a", 2), pull(1, "a", "main", 3, tracked=True)]
    assert carriers(pulls) == {3: 1, 2: 1}


def test_an_open_pull_and_one_of_a_tracked_branch_are_carried_by_none() -> None:
    assert carriers([pull(2, "b", "a"), pull(1, "a", "main", 3, tracked=True)]) == {}


def test_a_branchs_former_pull_carries_nothing_that_came_later() -> None:
    former, present = pull(9, "a", "main", 1, tracked=True), pull(1, "a", "main", 5, tracked=True)
    assert carriers([pull(2, "b", "a", 3), former, present]) == {2: 1}


def test_branches_that_were_merged_into_each_other_end() -> None:
    assert set(carriers([pull(1, "a", "b", 2), pull(2, "b", "a", 2)])) <= {1, 2}
