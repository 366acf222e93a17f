"""What GitHub's task says of an agent session decides its pull, and where it leaves a doubt nothing is guessed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from app.core.facts import PullNumber
from app.core.matching import VENDOR, Evidence, ManualLink, PullFacts, match
from tests.core.test_matching import HOUR, NOON, RUN, pull, pull_facts

COPILOT = 198982749
SESSION = replace(RUN, event_name=VENDOR, recorded_by_github=False, event=None, run_actor_id=None)


def told(*numbers: int) -> frozenset[PullNumber]:
    return frozenset(map(PullNumber, numbers))


def test_the_pull_that_the_task_names_is_direct_evidence_even_when_it_was_opened_later() -> None:
    found = match(replace(SESSION, told_pulls=told(1)), [pull(1, head_ref="x", created_at=NOON + HOUR)])
    assert (found.pulls, found.evidence) == ((1,), Evidence.COMMIT)


def test_of_a_branch_that_was_used_again_the_pull_that_lived_then_is_meant() -> None:
    first = pull(1, closed_at=NOON - HOUR / 2)
    second = pull(2, created_at=NOON - HOUR / 4)
    assert match(replace(SESSION, told_pulls=told(1, 2)), [first, second]).pulls == (2,)


def test_stacked_pulls_of_one_task_are_a_tie_without_a_branch() -> None:
    stack = [pull(1, head_ref="one"), pull(2, head_ref="two", base_ref="one")]
    found = match(replace(SESSION, ref="", told_pulls=told(1, 2)), stack)
    assert (found.pulls, found.evidence, found.tied) == ((), None, (1, 2))


def test_a_named_pull_that_is_not_known_leaves_the_branch_out_of_it() -> None:
    found = match(replace(SESSION, told_pulls=told()), [pull(1, author_id=COPILOT)])
    assert (found.pulls, found.note) == ((), "GitHub's task names a pull that is not known here")


def test_a_branch_counts_only_for_a_living_pull_of_the_agents_own_account() -> None:
    own = pull(1, author_id=COPILOT)
    found = match(SESSION, [own])
    assert (found.pulls, found.evidence) == ((1,), Evidence.BRANCH)
    others = [{"author_id": 7}, {"same_repository": False}, {"head_ref": "x"}, {"closed_at": NOON - HOUR / 2}]
    assert [match(SESSION, [replace(own, **each)]).pulls for each in others] == [()] * 4  # type: ignore[arg-type]
    assert match(SESSION, [own, pull(2, author_id=COPILOT)]).tied == (1, 2)


def test_a_person_may_say_otherwise() -> None:
    by_hand = replace(SESSION, told_pulls=told(1), manual=ManualLink(PullNumber(9), "because"))
    assert match(by_hand, [pull(1)]).pulls == (9,)


@given(
    st.lists(pull_facts, unique_by=lambda p: p.number),
    st.none() | st.frozensets(st.integers(1, 6).map(PullNumber)),
    st.randoms(),
)
def test_only_what_is_named_is_tied_one_pull_at_most_and_in_any_order(
    facts: list[PullFacts], named: frozenset[PullNumber] | None, random: object
) -> None:
    run = replace(SESSION, told_pulls=named)
    found = match(run, facts)
    random.shuffle(facts)  # type: ignore[attr-defined]
    assert match(run, facts) == found
    assert len(found.pulls) <= 1
    if named is None:
        assert not found.pulls  # none of these is of an agent's account
    else:
        assert {*found.pulls, *found.tied} <= named
