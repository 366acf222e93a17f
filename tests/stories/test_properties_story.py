"""The values of the organisation's property are kept with the times they held: read nightly, and after each change."""

from typing import Any

import pytest

from app.core.period import Period
from app.core.shares import Dimension
from app.store.owner_findings import property_told
from app.store.properties import properties_job
from app.store.queue import enqueue
from app.stories.measure import metrics_by
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_ownership_story import OCTOBER, configure, costs
from tests.stories.test_roll_up_story import stale, work

OTHER = "acme/gadgets"
PROPERTY = "cost_centers: {property: Cost-Center, centers: {payments: {owners: [alice]}}}"
WITHOUT = {
    "metadata": "read", "pull_requests": "write", "checks": "write", "issues": "write", "actions": "read",
    "contents": "read",
}  # fmt: skip


def keep_file(stage: Stage, text: str = PROPERTY) -> None:
    """Put the configuration where the App reads it, and let it."""
    stage.gh.create_repository("acme/.github-private", files={"mergemeter.yml": text})
    stage.settle()


def history(stage: Stage) -> list[tuple[str, str]]:
    """The values of each repository but that of the configuration, in their order."""
    return [
        tuple(row)
        for row in stage.rows(
            "SELECT repository.name, value FROM property_value JOIN repository"
            " ON repository.repository_id = property_value.repository_id"
            " WHERE property_value.name = 'cost-center' AND repository.name <> '.github-private'"
            " ORDER BY repository.name DESC, since_us"
        )
    ]


def reading(stage: Stage) -> list[Any]:
    return [tuple(row) for row in stage.rows("SELECT name, state, editors FROM property_reading")]


def read_now(stage: Stage, account_id: int) -> None:
    with stage.world.db.transaction() as session:
        enqueue(session, properties_job(account_id, stage.now()), stage.now())
    stage.settle()


def asked(stage: Stage) -> int:
    return sum("/properties/" in path for _, path, _ in stage.gh.requests)


def test_a_configured_property_is_read_at_once_and_none_is_kept_too(stage: Stage) -> None:
    stage.gh.create_repository(REPOSITORY, properties={"Cost-Center": " Payments "})
    stage.install(OTHER)
    assert history(stage) == []
    keep_file(stage)
    assert history(stage) == [("widgets", "Payments"), ("gadgets", "")]
    assert reading(stage) == [("cost-center", "read", "org_actors")]


def test_a_value_that_changes_splits_the_month_and_one_that_stays_adds_no_row(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    keep_file(stage)
    report(stage, "before", 2)
    stage.tick(3600)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "platform"})
    stage.settle()
    stage.tick()
    report(stage, "after", 1)
    for _ in range(2):
        read_now(stage, account_id)
        stage.tick(86_400)
    assert history(stage) == [("widgets", "payments"), ("widgets", "platform")]
    assert costs(stage, account_id) == {"payments": 2, "platform": 1}


def report(stage: Stage, session: str, calls: int) -> None:
    """An agent run whose token tells no property: the organisation does not put it there."""
    run = stage.gh.start_workflow_run(REPOSITORY, path=".github/workflows/agent.yml", event="schedule")
    held = dict(stage.gh.hub.repository(REPOSITORY).properties)
    stage.gh.hub.repository(REPOSITORY).properties = {}
    stage.report(run, calls, session)
    stage.gh.hub.repository(REPOSITORY).properties = held


def test_a_value_that_comes_later_did_not_hold_before(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    stage.gh.define_property("acme", "cost-center")
    keep_file(stage)
    report(stage, "before", 2)
    stage.tick()
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    stage.settle()
    stage.tick()
    report(stage, "after", 1)
    stage.settle()
    assert history(stage) == [("widgets", ""), ("widgets", "payments")]
    assert costs(stage, account_id) == {"unassigned": 2, "payments": 1}


def test_an_event_that_comes_twice_or_late_changes_nothing(stage: Stage) -> None:
    stage.install(REPOSITORY)
    keep_file(stage)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    late = list(stage.waiting)
    stage.settle()
    stage.gh.set_properties(REPOSITORY, {"cost-center": "platform"})
    stage.settle()
    stage.tick()
    stage.deliver(late)
    stage.deliver(late)
    stage.settle()
    assert history(stage) == [("widgets", ""), ("widgets", "payments"), ("widgets", "platform")]


def test_the_nightly_reading_finds_what_no_event_told(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    keep_file(stage)
    read_now(stage, account_id)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    stage.waiting.clear()
    read_now(stage, account_id)
    assert [value for _, value in history(stage)][-1] == "payments"


def test_sums_of_a_repository_that_changes_its_value_are_stale_and_no_others(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, OTHER)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    stage.gh.set_properties(OTHER, {"cost-center": "payments"})
    keep_file(stage)
    report(stage, "one", 1)
    stage.settle()
    work(stage, account_id)
    assert stale(stage, account_id) == []
    read_now(stage, account_id)
    assert stale(stage, account_id) == []
    stage.gh.set_properties(REPOSITORY, {"cost-center": "platform"})
    stage.work()
    assert len(stale(stage, account_id)) == 1


def test_two_hundred_and_fifty_repositories_are_read_over_pages(stage: Stage) -> None:
    stage.install(*(f"acme/r{number}" for number in range(250)))
    stage.gh.set_properties("acme/r249", {"cost-center": "payments"})
    keep_file(stage)
    told = history(stage)
    assert len(told) == 250
    assert [name for name, value in told if value] == ["r249"]


def test_a_property_that_the_organisation_takes_away_is_no_value_any_more(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    keep_file(stage)
    stage.gh.define_property("acme", "cost-center", None)
    stage.tick()
    read_now(stage, account_id)
    assert history(stage) == [("widgets", "payments"), ("widgets", "")]
    assert reading(stage) == [("cost-center", "missing", "")]


def test_who_may_edit_the_property_is_kept_as_it_is_now(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    stage.gh.define_property("acme", "cost-center", "org_and_repo_actors")
    keep_file(stage)
    with stage.world.db.reading() as session:
        assert property_told(session, account_id, "COST-center").editors == "org_and_repo_actors"
        assert property_told(session, account_id, "other").editors == ""
    stage.gh.define_property("acme", "cost-center", "org_actors")
    read_now(stage, account_id)
    assert reading(stage) == [("cost-center", "read", "org_actors")]


def test_without_the_permission_nothing_is_asked_and_all_else_works(stage: Stage) -> None:
    account_id = stage.gh.create_account("acme")
    stage.gh.create_repository(REPOSITORY, properties={"cost-center": "payments"})
    installation = stage.gh.install("acme", permissions=WITHOUT)
    stage.settle()
    keep_file(stage)
    stage.agent(event="schedule")
    stage.settle()
    assert (asked(stage), history(stage)) == (0, [])
    assert reading(stage) == [("cost-center", "refused", "")]
    assert costs(stage, account_id) == {"payments": 1}  # by the signed token
    stage.gh.grant(installation, WITHOUT | {"organization_custom_properties": "read"})
    stage.settle()
    assert history(stage) == [("widgets", "payments")]


@pytest.mark.parametrize(("status", "state"), [(403, "refused"), (404, "missing")])
def test_what_github_refuses_is_told_and_changes_no_value_that_it_does_not_deny(
    stage: Stage, status: int, state: str
) -> None:
    account_id = stage.install(REPOSITORY)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    keep_file(stage)
    stage.gh.fail("status", path="/orgs/acme/properties/schema/.*", status=status)
    stage.tick()
    read_now(stage, account_id)
    assert reading(stage) == [("cost-center", state, "")]
    assert [value for _, value in history(stage)] == (["payments"] if state == "refused" else ["payments", ""])


def test_a_person_s_account_has_no_properties_and_is_not_asked(stage: Stage) -> None:
    account_id = stage.gh.create_account("ada", kind="User")
    stage.gh.create_repository("ada/widgets")
    stage.gh.install("ada")
    stage.settle()
    configure(stage, account_id, PROPERTY)
    read_now(stage, account_id)
    assert (asked(stage), reading(stage)) == (0, [])


def test_no_request_is_made_where_no_property_is_configured(stage: Stage) -> None:
    stage.install(REPOSITORY)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "payments"})
    stage.settle()
    assert (asked(stage), reading(stage)) == (0, [])


def test_another_account_s_history_says_nothing_here(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    other = stage.install("globex/widgets", account="globex")
    keep_file(stage)
    stage.gh.set_properties("globex/widgets", {"cost-center": "theirs"})
    stage.gh.create_repository("globex/.github-private", files={"mergemeter.yml": PROPERTY})
    stage.settle()
    stage.agent("globex/widgets", event="schedule", session="theirs")
    report(stage, "ours", 2)
    stage.settle()
    for each, expected in ((account_id, {"unassigned": 2}), (other, {"theirs": 1})):
        found = metrics_by(stage.world, each, Period.of(OCTOBER), Dimension.COST_CENTER)
        assert {name: told.cost.cost // CALL_NANO_USD for name, told in found.items()} == expected
