"""Who pays for an agent run: exactly one cost center, by the most trusted of what tells it, at its time."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.ownership import (
    NOBODY,
    Basis,
    Owner,
    Owners,
    Ownership,
    PropertyValues,
    RunFacts,
    history_of,
)
from app.core.chargeback.terms import UNASSIGNED
from app.core.config import Config
from app.core.month import Month
from tests.core.test_config import good

AT = datetime(2026, 10, 14, 9, tzinfo=UTC)
RULES = """\
teams:
  pay: {repositories: [widgets, "pay-*"]}
cost_centers:
  property: cost-center
  centers:
    core: {repositories: [core, {match: ledger, until: 2026-10-15}]}
    ledgers: {repositories: [{match: ledger, from: 2026-10-15}]}
    payments: {values: [PAY, 4711], teams: [pay], workflows: [widgets/fix.yml], repositories: ["pay-*"]}
    platform: {repositories: [widgets, "pay-*"]}
shared_costs:
  pools:
    bots: {method: even, workflows: ["*/triage.yml"], agents: [renovate]}
"""


def run(**changes: Any) -> RunFacts:
    """An agent run in a repository that no rule has."""
    return RunFacts(1, "unknown", "agent.yml", "claude-code", "", "{}", AT)._replace(**changes)


def ownership(history: dict[int, PropertyValues] | None = None, text: str = RULES) -> Ownership:
    return Ownership(good(text), history)


def signed(value: str, name: str = "cost-center") -> str:
    return json.dumps({name: value})


def since(*held: tuple[datetime, str]) -> dict[int, PropertyValues]:
    return history_of([(1, at, value) for at, value in held])


HELD = since((AT, "PAY"))


@pytest.mark.parametrize(
    ("facts", "history", "cost_center", "basis"),
    [
        # Each level alone, then each one against those below.
        (run(), {}, UNASSIGNED, Basis.NOTHING),
        (run(repository="widgets"), {}, "platform", Basis.REPOSITORY),
        (run(repository="Widgets"), {}, "platform", Basis.REPOSITORY),
        (run(repository="widgets", team="pay"), {}, "payments", Basis.TEAM),
        (run(repository="widgets", workflow="fix.yml"), {}, "payments", Basis.WORKFLOW),
        (run(repository="Widgets", workflow="FIX.yml"), {}, "payments", Basis.WORKFLOW),
        (run(repository="core", workflow="fix.yml"), {}, "core", Basis.REPOSITORY),
        (run(repository="core"), HELD, "payments", Basis.PROPERTY),
        (run(repository="core", properties=signed("platform")), HELD, "platform", Basis.SIGNED),
        (run(workflow="triage.yml", properties=signed("platform")), HELD, "shared:bots", Basis.POOL),
        (run(agent="Renovate", properties=signed("platform")), HELD, "shared:bots", Basis.POOL),
        # A value in any case, by a name or a value, and one that nobody has.
        (run(properties=signed("pay")), {}, "payments", Basis.SIGNED),
        (run(properties=signed(" PAY ")), {}, "payments", Basis.SIGNED),
        (run(properties=signed("PAYMENTS")), {}, "payments", Basis.SIGNED),
        (run(properties=signed("4711")), {}, "payments", Basis.SIGNED),
        (run(properties=signed("pay", "Cost-Center")), {}, "payments", Basis.SIGNED),
        (run(properties=signed("Elsewhere")), {}, "elsewhere", Basis.SIGNED),
        (run(properties=signed("ELSEWHERE")), {}, "elsewhere", Basis.SIGNED),
        # What is said does not make one of ours.
        (run(repository="core", properties=signed("Unassigned")), {}, UNASSIGNED, Basis.SIGNED),
        (run(repository="core", properties=signed("shared:bots")), {}, UNASSIGNED, Basis.SIGNED),
        # Nothing said is not a word: the next level counts.
        (run(repository="core", properties=signed("")), {}, "core", Basis.REPOSITORY),
        (run(repository="core", properties=signed("PAY", "other")), {}, "core", Basis.REPOSITORY),
        (run(repository="core"), since((AT, "")), "core", Basis.REPOSITORY),
        (run(repository="core", repository_id=2), HELD, "core", Basis.REPOSITORY),
        # A tag counts only where the repository may use the team.
        (run(repository="core", team="pay"), {}, "core", Basis.REPOSITORY),
        (run(repository="widgets", team="Pay"), {}, "platform", Basis.REPOSITORY),
        (run(repository="widgets", team="payments"), {}, "platform", Basis.REPOSITORY),
        # Of two cost centers that name a repository, the first by name has it.
        (run(repository="pay-api"), {}, "payments", Basis.REPOSITORY),
        # Without a workflow's file no rule about workflows fits.
        (run(workflow="", repository="widgets"), {}, "platform", Basis.REPOSITORY),
    ],
)
def test_the_most_trusted_word_counts(
    facts: RunFacts, history: dict[int, PropertyValues], cost_center: str, basis: Basis
) -> None:
    assert ownership(history).owner_of(facts) == Owner(cost_center, basis)


def test_without_a_word_about_paying_nobody_owns_anything() -> None:
    assert Ownership(Config(), HELD).owner_of(run(properties=signed("PAY"))) == NOBODY


def test_a_property_that_is_not_configured_says_nothing() -> None:
    text = "cost_centers: {centers: {core: {repositories: [core]}}}"
    facts = run(repository="core", properties=signed("PAY"))
    assert ownership(HELD, text).owner_of(facts) == Owner("core", Basis.REPOSITORY)


def test_what_names_no_repository_is_in_none_not_even_in_any() -> None:
    text = "cost_centers: {centers: {rest: {repositories: ['*'], workflows: ['*/*']}}}"
    assert ownership(text=text).owner_of(run()).cost_center == "rest"
    assert ownership(text=text).owner_of(run(repository="", workflow="")) == NOBODY


@pytest.mark.parametrize(
    ("at", "cost_center"),
    [
        (datetime(2026, 10, 14, 23, 59, 59, 999_999, UTC), "core"),
        (datetime(2026, 10, 15, tzinfo=UTC), "ledgers"),
    ],
)
def test_a_rule_s_days_are_utc_and_split_at_the_instant(at: datetime, cost_center: str) -> None:
    known = ownership()
    for _ in range(2):  # found, and remembered
        assert known.owner_of(run(repository="ledger", at=at)).cost_center == cost_center
    moved = at.astimezone(datetime.strptime("+09:00", "%z").tzinfo)
    assert known.owner_of(run(repository="ledger", at=moved)).cost_center == cost_center


def test_a_repository_that_moves_in_mid_month_splits_at_the_instant_of_the_event() -> None:
    moved = datetime(2026, 10, 15, 12, 30, 5, tzinfo=UTC)
    known = ownership(since((datetime(2026, 9, 1, tzinfo=UTC), "core"), (moved, "PAY"), (moved + timedelta(9), "")))
    found = [
        known.owner_of(run(repository="widgets", at=at)).cost_center
        for at in (
            datetime(2026, 1, 1, tzinfo=UTC),  # before anything was known: the first value counts as having held
            moved - timedelta(microseconds=1),
            moved,
            moved + timedelta(9) - timedelta(microseconds=1),
            moved + timedelta(9),
        )
    ]
    assert found == ["core", "core", "payments", "payments", "platform"]


def test_a_subscription_pays_whoever_owns_the_run() -> None:
    text = RULES + (
        "subscriptions:\n"
        "  - {name: Team, vendor: a, from: 2026-10-01, until: 2026-11-01, monthly_usd: 1, method: none,"
        " agents: [claude-code]}"
    )
    known = ownership(text=text)
    assert known.owner_of(run(repository="widgets")) == Owner("platform", Basis.REPOSITORY, "Team")
    assert known.owner_of(run(repository="widgets", agent="codex")) == Owner("platform", Basis.REPOSITORY)
    later = run(repository="widgets", at=datetime(2026, 11, 1, tzinfo=UTC))
    assert known.owner_of(later) == Owner("platform", Basis.REPOSITORY)


@pytest.mark.parametrize(
    ("value", "held", "differs"),
    [
        ("PAY", "platform", True),
        ("PAY", "payments", False),
        ("pay", "4711", False),
        ("", "platform", False),
        ("PAY", "", False),
        ("new", "NEW", False),
    ],
)
def test_a_signed_property_and_the_history_differ_by_the_cost_center_they_name(
    value: str, held: str, differs: bool
) -> None:
    assert ownership(since((AT, held))).differs(run(properties=signed(value))) is differs
    assert not ownership().differs(run(properties=signed(value)))
    assert not Ownership(Config(), since((AT, held))).differs(run(properties=signed(value)))


def test_each_agent_run_has_the_owner_that_the_books_of_its_first_month_know() -> None:
    def fixed(name: str) -> Ownership:
        return ownership(text=f"cost_centers: {{centers: {{{name}: {{repositories: [widgets]}}}}}}")

    owners = Owners({Month(2026, 9): fixed("september"), Month(2026, 10): fixed("october")}, fixed("now"))
    found = [
        owners.owner_of(run(repository="widgets", at=at)).cost_center
        for at in (
            datetime(2025, 1, 1, tzinfo=UTC),
            datetime(2026, 9, 30, 23, 59, 59, 999_999, UTC),
            datetime(2026, 10, 1, tzinfo=UTC),
            datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2030, 1, 1, tzinfo=UTC),
        )
    ]
    assert found == ["september", "september", "october", "october", "now", "now"]
    assert Owners({}, fixed("now")).owner_of(run(repository="widgets")).cost_center == "now"


# ---- laws --------------------------------------------------------------------------------------------------------

values = st.sampled_from(["", "PAY", "pay", "core", "Elsewhere", "unassigned", "shared:bots"])
instants = st.integers(0, 60 * 24).map(lambda hours: datetime(2026, 9, 1, tzinfo=UTC) + timedelta(hours=hours))
histories = st.lists(st.tuples(instants, values), max_size=4, unique_by=lambda each: each[0]).map(
    lambda rows: history_of([(1, at, value) for at, value in sorted(rows)])
)
facts = st.builds(
    RunFacts,
    st.integers(1, 2),
    st.sampled_from(["widgets", "core", "ledger", "pay-api", "unknown", ""]),
    st.sampled_from(["agent.yml", "fix.yml", "triage.yml", ""]),
    st.sampled_from(["claude-code", "renovate"]),
    st.sampled_from(["", "pay", "nobody"]),
    values.map(lambda value: signed(value) if value else "{}"),
    instants,
)
TRUST = list(Basis)


@given(st.lists(facts, min_size=1, max_size=20), histories)
def test_every_agent_run_has_exactly_one_owner_whatever_was_asked_before(
    runs: list[RunFacts], history: dict[int, PropertyValues]
) -> None:
    known = ownership(history)
    for each in [*runs, *reversed(runs)]:
        owner = known.owner_of(each)
        assert owner == ownership(history).owner_of(each)
        assert owner.cost_center
        assert (owner.basis is Basis.POOL) == owner.cost_center.startswith("shared:")


@given(facts, histories)
def test_a_more_trusted_word_always_wins_and_a_less_trusted_one_changes_nothing(
    facts: RunFacts, history: dict[int, PropertyValues]
) -> None:
    owner = ownership(history).owner_of(facts)
    at = TRUST.index(owner.basis)
    if at > TRUST.index(Basis.POOL):
        pooled = ownership(history).owner_of(facts._replace(agent="renovate"))
        assert pooled == Owner("shared:bots", Basis.POOL)
    if at > TRUST.index(Basis.SIGNED):
        found = ownership(history).owner_of(facts._replace(properties=signed("PAY")))
        assert found == Owner("payments", Basis.SIGNED)
    if at > TRUST.index(Basis.PROPERTY):
        held = {facts.repository_id: PropertyValues((facts.at,), ("core",))}
        assert ownership(held).owner_of(facts) == Owner("core", Basis.PROPERTY)
    if at < TRUST.index(Basis.PROPERTY):
        assert ownership({}).owner_of(facts) == owner
    if at < TRUST.index(Basis.WORKFLOW):
        assert ownership(history).owner_of(facts._replace(team="")) == owner


@given(st.lists(st.tuples(instants, values), min_size=1, max_size=6, unique_by=lambda each: each[0]), instants)
def test_a_value_holds_from_its_instant_until_the_next_one(rows: list[tuple[datetime, str]], at: datetime) -> None:
    rows = sorted(rows)
    held = history_of([(1, since, value) for since, value in rows])[1]
    expected = [value for since, value in rows if since <= at]
    assert held.at(at) == (expected[-1] if expected else rows[0][1])


@given(st.text(min_size=1, max_size=20))
def test_any_value_names_one_cost_center_and_never_a_pool(value: str) -> None:
    owner = ownership().owner_of(run(repository="core", properties=signed(value)))
    if not value.strip():
        assert owner == Owner("core", Basis.REPOSITORY)
        return
    assert owner.basis is Basis.SIGNED
    assert not owner.cost_center.startswith("shared:")
    again = ownership().owner_of(run(properties=signed(value.swapcase())))
    if value.isascii():
        assert again == owner
