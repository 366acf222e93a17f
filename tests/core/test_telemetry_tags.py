"""Where a session says that it worked: what is taken for an owner, a repository, a branch, a pull, and what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.telemetry.parts import Tags
from app.core.telemetry.tags import KEYS, tags_of
from app.core.telemetry.told import Scalar, Told
from app.core.usage import Purpose


def tags(resource: dict[str, Any], attributes: dict[str, Any] | None = None) -> Tags:
    return tags_of(Told("", resource, attributes or {}, "", 0))


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"vcs.owner.name": "acme", "vcs.repository.name": "widgets"}, "acme/widgets"),
        ({"vcs.owner.name": "acme", "vcs.repository.name": "widgets", "repository": "other/one"}, "acme/widgets"),
        ({"vcs.owner.name": "acme"}, "/"),
        ({"vcs.repository.name": "widgets"}, "/"),
        ({"vcs.owner.name": "acme", "vcs.repository.name": "a b", "repository": "acme/widgets"}, "acme/widgets"),
        ({"vcs.owner.name": 1, "vcs.repository.name": True}, "/"),
        ({"vcs.repository.url.full": "https://github.com/acme/widgets"}, "acme/widgets"),
        ({"vcs.repository.url.full": "https://github.com/acme/widgets.git"}, "acme/widgets"),
        ({"vcs.repository.url.full": "https://github.com/acme/widgets/"}, "acme/widgets"),
        ({"vcs.repository.url.full": "https://user:word@ghe.example:8443/acme/wid.gets.git"}, "acme/wid.gets"),
        ({"vcs.repository.url.full": "git@github.com:acme/widgets.git"}, "acme/widgets"),
        ({"vcs.repository.url.full": "ssh://git@github.com:22/acme/widgets.git"}, "acme/widgets"),
        ({"vcs.repository.url.full": "https://gitlab.com/group/acme/widgets"}, "/"),
        ({"vcs.repository.url.full": "https://github.com/acme"}, "/"),
        ({"vcs.repository.url.full": "file:///home/me/acme/widgets"}, "/"),
        ({"vcs.repository.url.full": "https://github.com/acme/.."}, "/"),
        ({"vcs.repository.url.full": "https://github.com/acme/..git"}, "/"),
        ({"repository": "acme/widgets"}, "acme/widgets"),
        ({"repository": "acme/widgets/more"}, "/"),
        ({"repository": "acme/<b>"}, "/"),
        ({"repository": "acme/widgets\n"}, "/"),
        ({"repository": "-acme/widgets"}, "/"),
        ({"repository": "a/" + "x" * 101}, "/"),
        ({}, "/"),
    ],
)
def test_the_repository_is_taken_from_what_names_it(told: dict[str, Any], named: str) -> None:
    found = tags(told)
    assert f"{found.owner}/{found.repository}" == named


@pytest.mark.parametrize(
    ("told", "branch"),
    [
        ({"vcs.ref.head.name": "refs/heads/feat/meter"}, "feat/meter"),
        ({"vcs.ref.head.name": "main", "branch": "other"}, "main"),
        ({"branch": "grün"}, "grün"),
        ({"vcs.ref.head.name": "a b", "branch": "main"}, "main"),
        ({"branch": "a..b"}, ""),
        ({"branch": "a\u202eb"}, ""),
        ({"branch": "x" * 256}, ""),
        ({"branch": 5}, ""),
        ({"branch": "refs/heads/"}, ""),
    ],
)
def test_the_branch_is_a_name_that_git_takes(told: dict[str, Any], branch: str) -> None:
    assert tags(told).branch == branch


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ({"vcs.change.id": "12"}, 12),
        ({"vcs.change.id": 12}, 12),
        ({"vcs.change.id": "x", "pull": "7"}, 7),
        ({"pull": 2**31 - 1}, 2**31 - 1),
        ({"pull": 2**31}, None),
        ({"pull": "0"}, None),
        ({"pull": -1}, None),
        ({"pull": True}, None),
        ({"pull": 1.0}, None),
        ({"pull": "٣"}, None),
        ({"pull": "012"}, None),
        ({}, None),
    ],
)
def test_the_pull_is_a_positive_number(told: dict[str, Any], number: int | None) -> None:
    assert tags(told).pull_number == number


@pytest.mark.parametrize(
    ("told", "team", "purpose"),
    [
        ({"team": "payments", "purpose": "ci-fix"}, "payments", Purpose.CI_FIX),
        ({"team": "x" * 256, "purpose": "review"}, "x" * 256, Purpose.REVIEW),
        ({"team": "x" * 257, "purpose": "REVIEW"}, "", Purpose.OTHER),
        ({"team": 5, "purpose": 5}, "", Purpose.OTHER),
        ({}, "", Purpose.OTHER),
    ],
)
def test_team_and_purpose_are_those_of_a_record(told: dict[str, Any], team: str, purpose: Purpose) -> None:
    assert (tags(told).team, tags(told).purpose) == (team, purpose)


def test_what_the_resource_lacks_may_stand_on_the_event() -> None:
    """Claude Code puts a repository on its metrics and events, and a resource's attributes on both."""
    found = tags({"team": "payments"}, {"team": "other", "vcs.repository.url.full": "git@github.com:acme/widgets.git"})
    assert found == Tags(owner="acme", repository="widgets", team="payments")


def test_equal_values_of_other_types_are_not_mixed_up() -> None:
    assert [tags({"pull": value}).pull_number for value in (1, True, 1.0, "1")] == [1, None, None, 1]


VALUES: st.SearchStrategy[Scalar] = st.text() | st.integers() | st.floats() | st.booleans()


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_attributes_give_tags_that_a_database_can_hold(told: dict[str, Scalar]) -> None:
    found = tags(told)
    assert bool(found.owner) == bool(found.repository)
    assert all(len(text) <= 256 for text in (found.owner, found.repository, found.branch, found.team))
    assert found.pull_number is None or 1 <= found.pull_number < 2**31
