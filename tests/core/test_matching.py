"""The ladder of evidence, case by case: the strongest wins, a tie never guesses."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.facts import PullNumber
from app.core.matching import Evidence, ManualLink, PullFacts, RunFacts, match, pull_of_head

NOON = datetime(2026, 10, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

RUN = RunFacts(
    ref="refs/heads/feature",
    event_name="push",
    actor_id=7,
    default_branch="main",
    event_at=NOON,
    at=NOON,
    recorded_by_github=True,
    head_sha="a" * 40,
    event="push",
    run_actor_id=7,
)
PULL = PullFacts(
    number=PullNumber(1),
    head_ref="feature",
    base_ref="main",
    same_repository=True,
    created_at=NOON - HOUR,
    closed_at=None,
)


def pull(number: int, **changes: object) -> PullFacts:
    return replace(PULL, number=PullNumber(number), **changes)  # type: ignore[arg-type]


def test_the_signed_ref_of_a_pull_is_direct_evidence() -> None:
    run = replace(RUN, ref="refs/pull/1/merge", event_name="pull_request")
    assert match(run, [PULL]).evidence is Evidence.SIGNED_REF


def test_the_signed_ref_beats_a_branch_of_another_pull() -> None:
    run = replace(RUN, ref="refs/pull/2/merge", event_name="pull_request")
    assert match(run, [PULL, pull(2, head_ref="other")]).number == 2


@pytest.mark.parametrize("ref", ["refs/pull/0/merge", "refs/pull/1/merge/x", "refs/heads/refs/pull/1/merge", "1"])
def test_a_ref_that_only_resembles_a_pull_is_none(ref: str) -> None:
    assert match(replace(RUN, ref=ref, head_sha=None), [PULL]).number is None


def test_a_head_that_was_force_pushed_away_still_ties_the_run() -> None:
    found = match(RUN, [pull(1, head_ref="renamed", heads=frozenset({"a" * 40}))])
    assert (found.number, found.evidence) == (1, Evidence.COMMIT)


def test_a_commit_in_the_pull_ties_the_run() -> None:
    assert match(RUN, [pull(1, head_ref="x", commits={"a" * 40: NOON})]).evidence is Evidence.COMMIT


def test_a_head_sha_that_github_did_not_confirm_is_no_evidence() -> None:
    run = replace(RUN, recorded_by_github=False)
    assert match(run, [pull(1, head_ref="x", heads=frozenset({"a" * 40}))]).number is None


@pytest.mark.parametrize("event", ["schedule", "workflow_run", "issues", "issue_comment", "pull_request_target"])
def test_events_that_carry_the_default_branch_never_count_for_commit_or_branch(event: str) -> None:
    run = replace(RUN, event_name=event, event=event, ref="refs/heads/main")
    release = pull(1, head_ref="main", base_ref="release", heads=frozenset({"a" * 40}))
    assert match(run, [release]).number is None


def test_a_release_pull_whose_head_is_the_default_branch_swallows_nothing() -> None:
    run = replace(RUN, event_name="workflow_dispatch", ref="refs/heads/main")
    release = pull(1, head_ref="main", base_ref="release", heads=frozenset({"a" * 40}))
    assert match(run, [release]).number is None


def test_a_commit_that_the_run_made_ties_it_whatever_its_event() -> None:
    run = replace(RUN, event_name="issues", event="issues", ref="refs/heads/main", commits_made=frozenset({"b" * 40}))
    assert match(run, [pull(1, commits={"b" * 40: NOON + HOUR})]).evidence is Evidence.COMMIT


def test_a_commit_that_was_only_checked_out_ties_nothing() -> None:
    run = replace(RUN, event_name="issues", event="issues", ref="refs/heads/main", commits_made=frozenset({"b" * 40}))
    assert match(run, [pull(1, commits={"b" * 40: NOON - HOUR})]).number is None


def test_the_branch_ties_a_run_while_the_pull_lives() -> None:
    assert match(RUN, [PULL]).evidence is Evidence.BRANCH


def test_a_run_before_the_pull_was_opened_belongs_to_it() -> None:
    assert match(RUN, [pull(1, created_at=NOON + HOUR)]).number == 1


def test_a_recycled_branch_gives_old_work_to_the_old_pull_and_new_work_to_the_new_one() -> None:
    old = pull(1, created_at=NOON - 3 * HOUR, closed_at=NOON - HOUR)
    new = pull(2, created_at=NOON + HOUR)
    assert match(replace(RUN, at=NOON - 2 * HOUR), [old, new]).number == 1
    assert match(replace(RUN, at=NOON), [old, new]).number == 2


def test_the_same_branch_name_in_a_fork_is_no_evidence() -> None:
    assert match(RUN, [pull(1, same_repository=False)]).number is None


def test_the_event_ties_a_comment_run_to_the_open_pull_that_it_names() -> None:
    run = comment_run(1)
    assert match(run, [PULL]).evidence is Evidence.EVENT


def comment_run(number: int) -> RunFacts:
    return replace(
        RUN, event_name="issue_comment", event="issue_comment", ref="refs/heads/main", named_pull=PullNumber(number)
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"recorded_by_github": False},
        {"event": "push"},
        {"run_actor_id": 8},
        {"named_pull": PullNumber(2)},
        {"event_at": NOON - 2 * HOUR},
    ],
)
def test_a_named_pull_that_github_does_not_confirm_is_no_evidence(facts: dict[str, object]) -> None:
    assert match(replace(comment_run(1), **facts), [PULL]).number is None  # type: ignore[arg-type]


def test_a_named_pull_that_was_closed_by_then_is_no_evidence() -> None:
    assert match(comment_run(1), [pull(1, closed_at=NOON)]).number is None


def test_a_stacked_pull_leaves_the_run_to_the_pull_of_its_branch() -> None:
    parent = pull(1, heads=frozenset({"a" * 40}))
    child = pull(2, head_ref="child", base_ref="feature", commits={"a" * 40: NOON})
    assert match(RUN, [parent, child]).number == 1


def test_a_release_pull_leaves_the_run_to_the_child_most_pull() -> None:
    run = replace(RUN, ref="refs/heads/gone")
    release = pull(1, head_ref="develop", base_ref="main", commits={"a" * 40: NOON})
    feature = pull(2, head_ref="feature", base_ref="develop", commits={"a" * 40: NOON})
    assert match(run, [release, feature]).number == 2


def test_a_tie_stays_unattributed_and_names_its_candidates() -> None:
    found = match(RUN, [pull(1), pull(2, base_ref="release")])
    assert (found.number, found.tied) == (None, (1, 2))


pull_facts = st.builds(
    pull,
    st.integers(1, 6),
    head_ref=st.sampled_from(["feature", "main", "other"]),
    base_ref=st.sampled_from(["main", "feature", "release"]),
    same_repository=st.booleans(),
    created_at=st.integers(-5, 5).map(lambda hours: NOON + hours * HOUR),
    closed_at=st.none() | st.integers(-5, 9).map(lambda hours: NOON + hours * HOUR),
    heads=st.sampled_from([frozenset(), frozenset({"a" * 40})]),
)


@given(st.lists(pull_facts, unique_by=lambda p: p.number), st.randoms(), st.sampled_from([RUN, comment_run(1)]))
def test_the_answer_does_not_depend_on_the_order_of_pulls(
    facts: list[PullFacts], random: object, run: RunFacts
) -> None:
    before = match(run, facts)
    random.shuffle(facts)  # type: ignore[attr-defined]
    assert match(run, facts) == before


# ---- splits, queues, issues, claims ---------------------------------------------------------------------------------


def test_a_run_whose_commits_lie_in_several_pulls_served_each_of_them() -> None:
    run = replace(RUN, ref="refs/heads/main", event_name="schedule", commits_made=frozenset({"b" * 40, "c" * 40}))
    found = match(
        run, [pull(1, head_ref="x", commits={"b" * 40: NOON}), pull(2, head_ref="y", commits={"c" * 40: NOON})]
    )
    assert (found.pulls, found.evidence, found.number) == ((1, 2), Evidence.COMMIT, None)


def test_a_commit_that_fits_two_pulls_is_settled_by_one_that_fits_one() -> None:
    run = replace(RUN, ref="refs/heads/main", event_name="schedule", commits_made=frozenset({"b" * 40, "c" * 40}))
    first = pull(1, head_ref="x", commits={"b" * 40: NOON, "c" * 40: NOON})
    assert match(run, [first, pull(2, head_ref="y", commits={"c" * 40: NOON})]).pulls == (1,)


def test_a_commit_that_fits_two_pulls_and_nothing_settles_is_a_tie() -> None:
    run = replace(RUN, ref="refs/heads/main", event_name="schedule", commits_made=frozenset({"b" * 40, "c" * 40}))
    pulls = [
        pull(1, head_ref="x", commits={"b" * 40: NOON}),
        pull(2, head_ref="y", commits={"c" * 40: NOON}),
        pull(3, head_ref="z", commits={"c" * 40: NOON}),
    ]
    found = match(run, pulls)
    assert (found.pulls, found.tied) == ((), (1, 2, 3))


def test_a_merge_queues_branch_names_the_pull_at_its_turn() -> None:
    run = replace(
        RUN, ref=f"refs/heads/gh-readonly-queue/main/pr-7-{'d' * 40}", event_name="merge_group", head_sha="e" * 40
    )
    found = match(run, [pull(7, head_ref="other"), pull(8, head_ref="more")])
    assert (found.pulls, found.evidence) == ((7,), Evidence.BRANCH)


ISSUE = replace(RUN, ref="refs/heads/main", event_name="issues", event="issues", head_sha=None, named_issue=5)


def test_a_pull_that_closes_the_issue_and_came_after_the_run_is_derived_evidence() -> None:
    pulls = [pull(1, created_at=NOON + HOUR, closes=frozenset({5})), pull(2, closes=frozenset({5}))]
    found = match(ISSUE, pulls)
    assert (found.pulls, found.evidence, Evidence.ISSUE.label) == ((1,), Evidence.ISSUE, "derived")


@pytest.mark.parametrize(
    "changes",
    [{"recorded_by_github": False}, {"event": "push"}, {"run_actor_id": 8}, {"event_name": "push"}, {"named_issue": 6}],
)
def test_an_issue_that_github_does_not_confirm_is_no_evidence(changes: dict[str, object]) -> None:
    later = pull(1, head_ref="x", created_at=NOON + HOUR, closes=frozenset({5}))
    assert match(replace(ISSUE, **changes), [later]).pulls == ()  # type: ignore[arg-type]


def test_two_pulls_that_close_the_issue_are_a_tie() -> None:
    pulls = [pull(n, head_ref=f"h{n}", created_at=NOON + HOUR, closes=frozenset({5})) for n in (1, 2)]
    assert match(ISSUE, pulls).tied == (1, 2)


CLAIMED = replace(
    RUN, ref="claimed:feature", event_name="telemetry", event=None, head_sha=None, recorded_by_github=False
)


@pytest.mark.parametrize("run", [CLAIMED, replace(CLAIMED, ref="", named_pull=PullNumber(1))])
def test_a_claim_counts_only_where_the_configuration_lets_it(run: RunFacts) -> None:
    assert match(run, [PULL]).pulls == ()
    found = match(replace(run, claims_count=True), [PULL])
    assert (found.pulls, found.evidence, Evidence.CLAIM.label) == ((1,), Evidence.CLAIM, "claimed")


def test_a_claimed_branch_counts_within_its_pulls_life() -> None:
    gone = pull(1, closed_at=NOON - HOUR / 2)
    assert match(replace(CLAIMED, claims_count=True), [gone]).pulls == ()


BY_HAND = ManualLink(PullNumber(9), "manual, by @ada: it did")


@pytest.mark.parametrize(
    "run",
    [
        RUN,
        replace(RUN, commits_made=frozenset({"a" * 40})),
        replace(RUN, event_name="schedule", ref="refs/heads/main", head_sha=None),
    ],
    ids=["branch", "commit", "nothing"],
)
def test_what_a_person_says_beats_all_that_is_found_out(run: RunFacts) -> None:
    pulls = [pull(1, heads=frozenset({"a" * 40})), pull(2)]
    found = match(replace(run, manual=BY_HAND), pulls)
    assert (found.number, found.evidence, found.note, found.tied) == (9, Evidence.MANUAL, BY_HAND.note, ())


def test_what_github_signed_beats_what_a_person_says() -> None:
    run = replace(RUN, ref="refs/pull/1/merge", event_name="pull_request")
    for link in (BY_HAND, ManualLink(None, "detached")):
        assert match(replace(run, manual=link), [PULL]) == match(run, [PULL])


def test_a_detached_agent_run_is_tied_to_nothing_and_says_who_did_it() -> None:
    found = match(replace(RUN, manual=ManualLink(None, "detached, by @ada: docs")), [PULL])
    assert (found.number, found.evidence, found.note, found.tied) == (None, None, "detached, by @ada: docs", ())


def test_a_branch_that_is_used_again_gives_old_work_to_the_pull_of_that_time() -> None:
    first = pull(1, closed_at=NOON + HOUR, heads=frozenset({"a" * 40}))
    second = pull(2, created_at=NOON + 2 * HOUR, commits={"a" * 40: NOON})
    assert match(RUN, [first, second]).pulls == (1,)
    assert match(replace(RUN, at=NOON + 3 * HOUR), [first, second]).pulls == (2,)


@pytest.mark.parametrize(
    ("ref", "event_name", "event", "number"),
    [
        ("refs/pull/7/merge", "pull_request", "pull_request", 7),
        ("refs/pull/7/head", "pull_request_review", "pull_request_review", 7),
        ("refs/pull/7/merge", "pull_request", "push", None),
        ("refs/pull/7/merge", "pull_request", None, None),
        ("refs/pull/7/merge", "workflow_dispatch", "workflow_dispatch", None),
        ("refs/heads/main", "pull_request_target", "pull_request_target", None),
        ("claimed:refs/pull/7/merge", "pull_request", "pull_request", None),
    ],
)
def test_a_run_tells_a_pulls_head_by_its_signed_ref_and_githubs_record_together(
    ref: str, event_name: str, event: str | None, number: int | None
) -> None:
    assert pull_of_head(ref, event_name, event) == number
