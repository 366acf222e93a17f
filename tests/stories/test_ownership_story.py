"""Whose agent runs are: in metrics, in what is found before a month closes, and for ever once it has closed."""

from datetime import timedelta
from typing import Any

import pytest

from app.core.chargeback.findings import Finding, Spent
from app.core.chargeback.ownership import Basis, Owner
from app.core.month import Month
from app.core.period import Period
from app.core.shares import Dimension
from app.store.chargeback_tables import PropertyReading, PropertyValue
from app.store.configs import config_in_force, config_of, save_config
from app.store.keys import us
from app.store.owner_findings import findings_of_owners, spent_by_owner
from app.store.ownership import facts_of_runs, owners_of, ownership_of
from app.store.periods import begin_closing
from app.store.rollups import mark
from app.stories.attribute import decide_here
from app.stories.measure import metrics_by
from app.stories.owners import owned_in
from tests.stories.stage import CALL_NANO_USD, REPOSITORY, Stage
from tests.stories.test_roll_up_story import agree, stale, work

OTHER = "acme/gadgets"
OCTOBER = Month(2026, 10)
RULES = """\
cost_centers:
  property: cost-center
  centers:
    payments: {owners: [alice], repositories: [widgets]}
    platform: {repositories: [gadgets]}
"""


def configure(stage: Stage, account_id: int, text: str = RULES) -> None:
    with stage.world.db.transaction() as session:
        save_config(session, config_of(session, account_id), text, [], stage.now())


def tell(stage: Stage, account_id: int, repository: str, value: str, **at: int) -> None:
    """A value of the property, learnt now."""
    repository_id = id_of(stage, repository)
    with stage.world.db.transaction() as session:
        session.add(
            PropertyValue(
                account_id=account_id,
                repository_id=repository_id,
                name="cost-center",
                since_us=us(stage.now() - timedelta(**at)),
                value=value,
                read_at_us=us(stage.now()),
            )
        )
        mark(session, account_id, repository_id)


def id_of(stage: Stage, repository: str) -> int:
    owner, name = repository.split("/")
    [(found,)] = stage.rows("SELECT repository_id FROM repository WHERE owner = :o AND name = :n", o=owner, n=name)
    return int(found)


def close(stage: Stage, account_id: int, month: Month = OCTOBER) -> None:
    with stage.world.db.transaction() as session:
        begin_closing(session, account_id, month, early=False, actor="test", now=stage.now())


def costs(stage: Stage, account_id: int, month: Month = OCTOBER) -> dict[str, int]:
    """Model calls by cost center, as sums tell them and as the books do."""
    agree(stage, account_id)
    found = metrics_by(stage.world, account_id, Period.of(month), Dimension.COST_CENTER)
    return {name: each.cost.cost // CALL_NANO_USD for name, each in found.items()}


def test_an_agent_run_s_cost_is_its_own_cost_center_s_whichever_repository_its_pull_is_in(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, OTHER, "acme/nobodys")
    configure(stage, account_id)
    number = stage.gh.open_pull(OTHER, "feature", files={"a.py": "1"})
    stage.agent(OTHER, pull=number, calls=2, session="theirs")
    stage.agent(REPOSITORY, event="schedule", session="helps")
    stage.agent("acme/nobodys", event="schedule", calls=3)
    stage.settle()
    [(run,)] = stage.rows("SELECT id FROM agent_run WHERE session = 'helps'")
    decide_here(stage.world, account_id, run, ("acme", "gadgets", number), "it wrote that", "root")
    stage.settle()
    assert costs(stage, account_id) == {"payments": 1, "platform": 2, "unassigned": 3}


def test_a_change_of_the_rules_holds_for_open_months_and_leaves_closed_ones(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, OTHER)
    configure(stage, account_id)
    stage.agent(REPOSITORY, event="schedule")
    stage.settle()
    assert costs(stage, account_id) == {"payments": 1}
    changed = RULES.replace("[widgets]", "[nothing]").replace("[gadgets]", "[widgets]")
    configure(stage, account_id, changed)
    assert stale(stage, account_id)
    assert costs(stage, account_id) == {"platform": 1}
    work(stage, account_id)
    stage.tick(31 * 86_400)
    close(stage, account_id)
    work(stage, account_id)
    configure(stage, account_id)
    stage.agent(REPOSITORY, event="schedule", session="november")
    assert costs(stage, account_id) == {"platform": 1}
    assert costs(stage, account_id, OCTOBER.next) == {"payments": 1}
    work(stage, account_id)
    stage.settle()
    assert costs(stage, account_id) == {"platform": 1}
    with stage.world.db.reading() as session:
        assert list(ownership_of(session, account_id, OCTOBER).config.chargeback.centers["platform"].repositories)
        assert ownership_of(session, account_id, OCTOBER.previous) is not None
        owners = owners_of(session, account_id, config_in_force(session, account_id))
        assert owners.of(OCTOBER.previous.start) is owners.of(OCTOBER.start)
        assert owners.of(OCTOBER.next.start) is owners.now


def test_a_repository_that_moves_in_mid_month_gives_each_its_part(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    configure(stage, account_id)
    tell(stage, account_id, REPOSITORY, "platform")
    stage.agent(event="schedule", calls=2, session="before")
    stage.tick(3600)
    stage.settle()
    assert costs(stage, account_id) == {"platform": 2}
    tell(stage, account_id, REPOSITORY, "Payments")
    assert stale(stage, account_id)
    stage.agent(event="schedule", session="after")
    stage.settle()
    assert costs(stage, account_id) == {"platform": 2, "payments": 1}


def test_a_closed_month_does_not_learn_of_properties(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    configure(stage, account_id)
    stage.agent(event="schedule", calls=2)
    stage.settle()
    stage.tick(31 * 86_400)
    close(stage, account_id)
    stage.tick()
    tell(stage, account_id, REPOSITORY, "platform", days=60)
    stage.agent(event="schedule", session="november")
    stage.settle()
    assert costs(stage, account_id) == {"payments": 2}
    assert costs(stage, account_id, OCTOBER.next) == {"platform": 1}


def test_the_signed_property_comes_before_the_history(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY)
    configure(stage, account_id)
    tell(stage, account_id, REPOSITORY, "payments")
    stage.gh.set_properties(REPOSITORY, {"cost-center": "platform"})
    stage.agent(event="schedule", team="payments")
    stage.settle()
    assert costs(stage, account_id) == {"platform": 1}
    with stage.world.db.reading() as session:
        [(run,)] = stage.rows("SELECT id FROM agent_run")
        [facts] = facts_of_runs(session, account_id, [run]).values()
        assert facts_of_runs(session, account_id + 1, [run]) == {}
        assert facts_of_runs(session, account_id, []) == {}
    assert (facts.repository, facts.workflow, facts.agent, facts.team) == (
        "widgets", "agent.yml", "claude-code", "payments",
    )  # fmt: skip
    assert facts.properties == '{"cost-center": "platform"}'


def test_what_each_owner_spent_is_the_month_s_charges_wherever_they_sit(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, OTHER, "acme/nobodys")
    configure(stage, account_id)
    tell(stage, account_id, REPOSITORY, "platform")
    number = stage.gh.open_pull(OTHER, "feature", files={"a.py": "1"})
    stage.agent(OTHER, pull=number, calls=2)
    stage.gh.set_properties(REPOSITORY, {"cost-center": "new"})
    stage.agent(REPOSITORY, event="schedule", calls=3)
    stage.gh.set_properties(REPOSITORY, {})
    stage.agent("acme/nobodys", event="schedule", calls=4)
    stage.settle()
    assert found(stage, account_id) == [
        Spent(OTHER, Owner("platform", Basis.REPOSITORY), cost(2), 1),
        Spent("acme/nobodys", Owner("unassigned", Basis.NOTHING), cost(4), 1),
        Spent(REPOSITORY, Owner("new", Basis.SIGNED), cost(3), 1, differing=1),
    ]
    assert [(each.code, each.cost_center, each.amount, each.count) for each in findings(stage, account_id)] == [
        ("no-owner", "unassigned", cost(4), 1),
        ("no-budget-owner", "platform", cost(2), 1),
        ("property-unknown-value", "new", cost(3), 1),
        ("property-differs", "", None, 1),
    ]
    # A month that closes knows what it knew; the next one states what comes late.
    close(stage, account_id)
    stage.agent("acme/nobodys", event="schedule", calls=5, session="late")
    stage.settle()
    assert sum(each.amount for each in found(stage, account_id)) == cost(9)


@pytest.mark.parametrize(
    ("name", "editors", "codes"),
    [
        ("cost-center", "org_and_repo_actors", ["property-editable"]),
        ("cost-center", "org_actors", []),
        ("another", "org_and_repo_actors", []),
    ],
)
def test_a_property_that_others_may_edit_is_found(stage: Stage, name: str, editors: str, codes: list[str]) -> None:
    account_id = stage.install(REPOSITORY)
    configure(stage, account_id, "cost_centers: {property: Cost-Center}")
    with stage.world.db.transaction() as session:
        session.add(
            PropertyReading(account_id=account_id, name=name, state="read", editors=editors, read_at_us=us(stage.now()))
        )
    assert [each.code for each in findings(stage, account_id)] == codes


def cost(calls: int) -> Any:
    return calls * CALL_NANO_USD


def found(stage: Stage, account_id: int) -> list[Spent]:
    with stage.world.db.reading() as session:
        return sorted(spent_by_owner(session, account_id, OCTOBER), key=lambda each: each.repository)


def findings(stage: Stage, account_id: int) -> list[Finding]:
    with stage.world.db.reading() as session:
        return findings_of_owners(session, account_id, OCTOBER, spent_by_owner(session, account_id, OCTOBER))


def test_the_table_of_owners_has_every_repository_and_all_charges(stage: Stage) -> None:
    account_id = stage.install(REPOSITORY, OTHER, "acme/nobodys")
    configure(stage, account_id)
    tell(stage, account_id, OTHER, "payments")
    stage.agent(OTHER, event="schedule", calls=2)
    stage.tick(3600)
    moved = stage.now()
    tell(stage, account_id, OTHER, "platform")
    stage.tick()
    stage.agent(OTHER, event="schedule", calls=3, session="after")
    stage.agent("acme/nobodys", event="schedule")
    stage.settle()
    owned, findings = owned_in(stage.world, account_id, OCTOBER)
    assert [each.code for each in findings] == ["no-owner", "no-budget-owner"]
    assert [
        (each.repository, each.cost_center, each.basis, [(held.start, held.end) for held in each.held], each.amount)
        for each in owned
    ] == [
        (OTHER, "payments", Basis.PROPERTY, [(None, moved)], cost(2)),
        (OTHER, "platform", Basis.PROPERTY, [(moved, None)], cost(3)),
        ("acme/nobodys", "unassigned", Basis.NOTHING, [(None, None)], cost(1)),
        (REPOSITORY, "payments", Basis.REPOSITORY, [(None, None)], 0),
    ]
    assert [each.owners for each in owned] == [("alice",), (), (), ("alice",)]
