"""Deliveries as the network makes them: in any order, twice, again, late or never. The final state is the same."""

import re
from typing import Any

import pytest

from tests.e2e.stage import Organisation, Stage
from tests.record.reports import CALL_COST

OWN_TO_EACH = re.compile(
    r"runs/\d+|\d\d? \w{3}, \d\d:\d\d|comment:\d+|https?://\S+?/actions|Unattributed in this repository[^<\n]+"
)
CALM: dict[Stage, dict[str, Any]] = {}
AGENT_CALLS = {"author": 3, "review": 2, "abandoned": 4}


def live_a_month(org: Organisation) -> None:
    """One pull that merges after pushes and an edit, one that merges and is reverted, one that is closed and reopened
    and closed; agents work on each. A second of GitHub's time lies between two events, as its times are in seconds."""
    gh, repository = org.stage.gh, org.repository
    kept, reverted, closed = (org.open(branch) for branch in ("kept", "reverted", "closed"))
    org.agent(kept, AGENT_CALLS["author"])
    gh.advance(1)
    gh.push_to_pull(repository, kept, {"kept.py": "2\n"})
    gh.advance(1)
    gh.edit_pull(repository, kept, title="A better title")
    org.agent(kept, AGENT_CALLS["review"])
    org.agent(reverted, 1)
    org.agent(closed, AGENT_CALLS["abandoned"])
    gh.advance(1)
    gh.close(repository, closed)
    gh.advance(1)
    gh.reopen(repository, closed)
    gh.advance(1)
    gh.merge(repository, kept, "squash")
    gh.merge(repository, reverted, "rebase")
    gh.close(repository, closed)
    gh.advance(1)
    gh.merge(repository, gh.revert(repository, reverted), "merge")


def state(org: Organisation) -> dict[str, Any]:
    """Everything that people see and the books say, without what is another in each organisation."""
    org.settle()
    numbers = sorted(row[0] for row in org.rows("SELECT number FROM pull WHERE account_id = :account"))
    checks = {number: org.check(number) for number in numbers}
    return {
        "books": org.books(),
        "pulls": org.rows(
            "SELECT number, title, state, reverts_number FROM pull WHERE account_id = :account ORDER BY number"
        ),
        "evidence": sorted(org.rows("SELECT evidence, number FROM tie WHERE account_id = :account")),
        "comments": {number: plain(org.comment(number)) for number in numbers},
        "checks": {
            n: check and (check["conclusion"], plain(check["output"]["summary"])) for n, check in checks.items()
        },
        "inbox": {row[0] for row in org.rows("SELECT state FROM inbox WHERE account_id = :account")},
        "dead": org.dead(),
    }


def plain(text: str | None) -> str | None:
    """A comment without ids, times, and what it says of the rest of its repository when it was written."""
    return None if text is None else OWN_TO_EACH.sub("…", text)


@pytest.fixture
def calm(anywhere: Organisation) -> dict[str, Any]:
    """The state after the same month when every delivery came once and in order."""
    stage = anywhere.stage
    if stage not in CALM:
        other = stage.organisation("calm")
        live_a_month(other)
        CALM[stage] = state(other)
    return CALM[stage]


def expected(calm: dict[str, Any]) -> None:
    pulls = {number: calm["books"]["pull", number] for number in (1, 2, 3)}
    assert pulls == {1: 5 * CALL_COST, 2: CALL_COST, 3: 4 * CALL_COST}
    assert calm["dead"] == []
    assert calm["inbox"] == {"done"}
    assert calm["comments"][1] is not None


def test_shuffled_and_doubled_deliveries_end_in_the_same_state(anywhere: Organisation, calm: dict[str, Any]) -> None:
    expected(calm)
    gh = anywhere.stage.gh
    gh.duplicate_next(60)
    gh.hold()
    live_a_month(anywhere)
    sent = gh.release(shuffle_seed=7)
    assert sent > 10
    gh.drain()
    gh.duplicate_next(0)
    assert state(anywhere) == calm


def test_redeliveries_of_everything_change_nothing(anywhere: Organisation, calm: dict[str, Any]) -> None:
    gh = anywhere.stage.gh
    first = len(gh.deliveries())
    live_a_month(anywhere)
    before = state(anywhere)
    writes = len(gh.writes())
    for delivery in gh.deliveries()[first:]:
        gh.redeliver(delivery["id"])
    assert state(anywhere) == before == calm
    assert len(gh.writes()) == writes


def test_what_was_lost_on_its_way_is_made_good_by_a_redelivery(anywhere: Organisation, calm: dict[str, Any]) -> None:
    gh = anywhere.stage.gh
    first = len(gh.deliveries())
    gh.drop_next(1_000)
    live_a_month(anywhere)
    gh.drop_next(0)
    lost = [delivery for delivery in gh.deliveries()[first:] if delivery["status_code"] == 0]
    assert len(lost) > 10
    for delivery in reversed(lost):
        gh.redeliver(delivery["id"])
    assert state(anywhere) == calm


def test_a_delivery_that_is_lost_for_good_is_made_good_by_the_next_one_of_its_pull(acme: Organisation) -> None:
    gh, pull = acme.stage.gh, acme.open()
    gh.drop_next(2)
    gh.push_to_pull(acme.repository, pull, {"change.py": "2\n"})
    gh.edit_pull(acme.repository, pull, title="Lost")
    acme.agent(pull)
    acme.settle()
    gh.merge(acme.repository, pull, "squash")
    acme.settle()
    assert acme.rows("SELECT title, state FROM pull WHERE account_id = :account") == [("Lost", "merged")]
    assert acme.comment(pull) is not None


def test_an_agent_run_that_comes_before_during_and_after_the_merge_counts_the_same(stage: Stage) -> None:
    before, during, after = (stage.organisation(f"record-{when}") for when in ("before", "during", "after"))
    for org in (before, during, after):
        pull = org.open()
        org.agent(pull, 1)
        if org is before:
            org.agent(pull, 2)
        if org is during:
            stage.gh.hold()
        stage.gh.merge(org.repository, pull, "squash")
        if org is during:
            org.agent(pull, 2)
            stage.gh.release()
        if org is after:
            org.settle()
            org.agent(pull, 2)
    states = [state(org) for org in (before, during, after)]
    assert states[0] == states[1] == states[2]
    assert states[0]["books"]["pull", 1] == 3 * CALL_COST


def test_every_delivery_is_acknowledged_while_github_does_not_answer_us(acme: Organisation) -> None:
    gh = acme.stage.gh
    first = len(gh.deliveries())
    gh.fail("latency", times=3, path=f"/repos/{acme.name}/", seconds=3)
    pull = acme.open()
    acme.agent(pull)
    gh.merge(acme.repository, pull)
    assert gh.drain(2)
    assert {one["status_code"] for one in gh.deliveries()[first:]} == {202}
    acme.settle()
    assert acme.comment(pull) is not None
