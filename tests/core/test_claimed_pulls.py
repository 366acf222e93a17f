"""Pulls that a run names: a claim counts by GitHub's record or not at all; calls that name them part a cost."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.facts import PullNumber
from app.core.ledger import Book, Place, moves
from app.core.matching import Evidence, PullFacts, RunFacts, match
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.named_pulls import MOST_NAMED, Named, read_named, weights_by_calls
from app.core.reported_calls import ReportRefusedError
from tests.core.test_matching import HOUR, NOON, RUN, pull

MADE_IN_RUN = pull(5, head_ref="made", author_id=7, created_at=NOON + HOUR)
CLAIMING = replace(
    RUN,
    ref="refs/heads/main",
    event_name="workflow_dispatch",
    event="workflow_dispatch",
    ended_at=NOON + 2 * HOUR,
    linked_pulls=frozenset({PullNumber(5)}),
)


def test_a_claimed_pull_that_the_runs_actor_opened_during_the_run_is_direct_evidence() -> None:
    found = match(CLAIMING, [MADE_IN_RUN])
    assert (found.number, found.evidence) == (5, Evidence.COMMIT)
    assert found.note == (
        "the run itself names the pull, and GitHub confirms that the run's actor opened it during the run"
    )


def test_a_run_that_goes_on_may_have_opened_it_just_now() -> None:
    assert match(replace(CLAIMING, ended_at=None), [MADE_IN_RUN]).number == 5


def test_the_pull_that_the_event_names_is_a_claim_too() -> None:
    run = replace(CLAIMING, linked_pulls=frozenset(), named_pull=PullNumber(5))
    assert match(run, [MADE_IN_RUN]).evidence is Evidence.COMMIT


@pytest.mark.parametrize(
    ("of_run", "of_pull"),
    [
        ({"linked_pulls": frozenset({PullNumber(6)})}, {}),
        ({"recorded_by_github": False}, {}),
        ({"event": "push"}, {}),  # GitHub's record and the token disagree
        ({"actor_id": 8}, {}),
        ({"run_actor_id": None}, {"author_id": 0}),
        ({"run_actor_id": 0, "actor_id": 0}, {"author_id": 0}),  # nobody is not the same as nobody
        ({}, {"author_id": 8}),  # a bot that the workflow acts as
        ({}, {"created_at": NOON - timedelta(seconds=1)}),
        ({}, {"created_at": NOON + 3 * HOUR}),
        ({}, {"head_ref": "main", "base_ref": "release"}),
    ],
)
def test_a_claim_that_github_does_not_confirm_ties_nothing(of_run: dict[str, Any], of_pull: dict[str, Any]) -> None:
    assert match(replace(CLAIMING, **of_run), [replace(MADE_IN_RUN, **of_pull)]).pulls == ()


def test_each_of_several_pulls_must_be_claimed_to_count() -> None:
    pulls = [MADE_IN_RUN, replace(MADE_IN_RUN, number=PullNumber(6)), replace(MADE_IN_RUN, number=PullNumber(7))]
    assert match(CLAIMING, pulls).pulls == (5,)
    both = replace(CLAIMING, linked_pulls=frozenset({PullNumber(5), PullNumber(7)}))
    assert match(both, pulls).pulls == (5, 7)


def test_a_claim_neither_adds_to_commits_nor_settles_their_tie() -> None:
    run = replace(CLAIMING, commits_made=frozenset({"b" * 40}))
    one, other = (pull(number, head_ref=f"b{number}", commits={"b" * 40: NOON}) for number in (1, 2))
    assert match(run, [one, MADE_IN_RUN]).pulls == (1,)
    tied = match(run, [one, other, MADE_IN_RUN])
    assert (tied.pulls, tied.tied) == ((), (1, 2))


def test_a_log_that_names_several_pulls_which_nobody_confirms_is_a_tie_where_claims_count() -> None:
    run = replace(CLAIMING, claims_count=True, linked_pulls=frozenset({PullNumber(5), PullNumber(6)}))
    pulls = [replace(MADE_IN_RUN, author_id=8), replace(MADE_IN_RUN, number=PullNumber(6), author_id=8)]
    assert match(run, pulls).tied == (5, 6)
    assert match(run, pulls[:1]).evidence is Evidence.CLAIM


hours = st.integers(-3, 3).map(lambda hour: NOON + hour * HOUR)
pull_facts = st.builds(
    PullFacts,
    number=st.integers(1, 6).map(PullNumber),
    head_ref=st.sampled_from(["feature", "main", "x"]),
    base_ref=st.sampled_from(["main", "x"]),
    same_repository=st.booleans(),
    created_at=hours,
    closed_at=st.none(),
    heads=st.sampled_from([frozenset(), frozenset({"a" * 40})]),
    commits=st.sampled_from([{}, {"b" * 40: NOON}]),
    author_id=st.sampled_from([0, 7, 8]),
)
runs = st.builds(
    lambda ref, event, signed, made, ended, github: replace(
        RUN, ref=ref, event_name=event, event=event, actor_id=signed, commits_made=made, ended_at=ended,
        recorded_by_github=github,
    ),
    st.sampled_from(["refs/heads/main", "refs/heads/feature", "refs/pull/2/merge"]),
    st.sampled_from(["push", "issue_comment", "workflow_dispatch"]),
    st.sampled_from([7, 8]),
    st.sampled_from([frozenset(), frozenset({"b" * 40})]),
    st.none() | hours,
    st.booleans(),
)  # fmt: skip


@given(runs, st.lists(pull_facts, unique_by=lambda each: each.number), st.sets(st.integers(1, 6).map(PullNumber)))
def test_whatever_is_claimed_only_confirmed_pulls_come_in_and_no_better_evidence_gives_way(
    run: RunFacts, pulls: list[PullFacts], claimed: set[PullNumber]
) -> None:
    without, found = match(run, pulls), match(replace(run, linked_pulls=frozenset(claimed)), pulls)
    if without.evidence in (Evidence.SIGNED_REF, Evidence.COMMIT) or (without.tied and "E3" in without.note):
        assert found == without
    elif found.pulls != without.pulls:
        assert found.evidence is Evidence.COMMIT
        by_number = {each.number: each for each in pulls}
        for number in found.pulls:
            assert number in claimed
            assert by_number[number].author_id == run.run_actor_id == run.actor_id
            assert run.at <= by_number[number].created_at <= (run.ended_at or by_number[number].created_at)
            assert run.recorded_by_github


# ---- how calls that name pulls part a cost -----------------------------------------------------------------------


def reported(*calls: int | None, pulls: tuple[int, ...] = ()) -> dict[str, Any]:
    return {"pulls": list(pulls), "calls": [{} if each is None else {"pull": each} for each in calls]}


def test_names_are_kept_as_rows_of_calls() -> None:
    assert read_named(reported(5, 5, None, 6, 5, pulls=(9,)), "") == {9: [], 5: [(0, 1), (4, 4)], 6: [(3, 3)]}
    assert read_named({"calls": [{}, {}]}, "") == {}


def test_a_run_that_names_more_pulls_than_any_serves_is_refused() -> None:
    assert len(read_named(reported(*range(1, MOST_NAMED + 1)), "")) == MOST_NAMED
    with pytest.raises(ReportRefusedError, match="names at most 20 pulls") as refused:
        read_named(reported(*range(1, MOST_NAMED + 2)), "/agent_runs/0")
    assert refused.value.path == "/agent_runs/0/calls"


def test_a_cost_is_parted_by_what_the_calls_that_name_each_pull_cost() -> None:
    named: Named = {PullNumber(5): [(0, 1)], PullNumber(6): [(3, 3)], PullNumber(9): [(4, 4)]}
    costs = [(0, 10), (1, 20), (2, 500), (3, 60), (4, 900)]  # 2 names none, 9 is none of the run's pulls
    assert weights_by_calls([PullNumber(5), PullNumber(6)], named, costs) == [30, 60]


@pytest.mark.parametrize(
    "costs",
    [[], [(0, None), (1, None)], [(0, 0), (1, 0)], [(7, 10)]],
    ids=["counted elsewhere", "unpriced", "free", "others"],
)
def test_where_the_calls_say_nothing_of_money_every_pull_weighs_the_same(costs: list[tuple[int, int | None]]) -> None:
    named: Named = {PullNumber(5): [(0, 0)], PullNumber(6): [(1, 1)]}
    assert weights_by_calls([PullNumber(5), PullNumber(6)], named, costs) == [1, 1]


@given(
    st.lists(st.none() | st.integers(1, 4), max_size=30),
    st.lists(st.none() | st.integers(0, 10**12), max_size=30),
    st.lists(st.integers(1, 4).map(PullNumber), min_size=1, unique=True),
)
def test_the_parts_of_a_split_cost_sum_to_it_and_follow_the_named_calls(
    names: list[int | None], costs: list[int | None], pulls: list[PullNumber]
) -> None:
    calls = list(enumerate(costs))
    weights = weights_by_calls(sorted(pulls), read_named(reported(*names), ""), calls)
    total = sum(cost or 0 for cost in costs)
    month = Month(2026, 10)
    held = {(Place(Book.UNATTRIBUTED), month): NanoUsd(total)}
    entries = moves(
        held, [(Place(Book.PULL, each), weight) for each, weight in zip(sorted(pulls), weights, strict=True)]
    )
    assert sum(entry.amount for entry in entries) == 0
    parts = {entry.place.number: entry.amount for entry in entries if entry.place.book is Book.PULL}
    assert sum(parts.values()) == total
    by_name = {each: sum(c or 0 for n, c in zip(names, costs, strict=False) if n == each) for each in pulls}
    if any(by_name.values()):
        assert [by_name[each] for each in sorted(pulls)] == weights
        in_order = sorted(pulls, key=lambda each: (by_name[each], each))
        assert all(parts.get(low, 0) <= parts.get(high, 0) for low, high in pairwise(in_order))


@given(st.lists(st.none() | st.integers(1, 4), max_size=40))
def test_names_as_rows_tell_the_same_as_call_by_call(names: list[int | None]) -> None:
    found = read_named(reported(*names), "")
    told = {position: pull for pull, rows in found.items() for a, b in rows for position in range(a, b + 1)}
    assert told == {position: name for position, name in enumerate(names) if name is not None}
