"""What is told about owners before a month closes: each finding with its sentence, amount and count, dearest first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chargeback.findings import Finding, PropertyTold, Spent, owner_findings
from app.core.chargeback.ownership import NOBODY, Basis, Owner
from app.core.chargeback.terms import UNASSIGNED, Chargeback
from app.core.money import NanoUsd
from tests.core.test_config import good

TERMS = good(
    "cost_centers: {property: cost-center, centers: {payments: {owners: [alice]}, platform: {values: [PLAT]}}}"
).chargeback


def spent(repository: str, owner: Owner, amount: int, runs: int = 1, differing: int = 0) -> Spent:
    return Spent(repository, owner, NanoUsd(amount), runs, differing)


READ = PropertyTold("read", "org_actors")


def found(*of: Spent, terms: Chargeback = TERMS, told: PropertyTold = READ) -> list[Finding]:
    return owner_findings(terms, of, told)


NO_OWNER_OF_PLATFORM = Finding(
    "no-budget-owner",
    "The cost center platform has no owner who could accept or dispute its statement.",
    "platform",
    NanoUsd(0),
    0,
)


def test_what_has_an_owner_is_no_finding() -> None:
    assert found(spent("acme/widgets", Owner("payments", Basis.SIGNED), 5)) == [NO_OWNER_OF_PLATFORM]
    assert owner_findings(Chargeback(), [], PropertyTold("read", "org_and_repo_actors")) == []


def test_each_repository_without_an_owner_is_told_the_dearest_first() -> None:
    told = found(
        spent("acme/a", NOBODY, 1, runs=2),
        spent("acme/b", NOBODY, 7),
        spent("acme/a", Owner(UNASSIGNED, Basis.SIGNED), 2),
        spent("", NOBODY, 5),
        terms=Chargeback(),
    )
    assert told == [
        Finding("no-owner", "acme/b belongs to no cost center: what it cost is unassigned.", UNASSIGNED, NanoUsd(7), 1),
        Finding(
            "no-owner",
            "Agent runs that name no repository belong to no cost center: what they cost is unassigned.",
            UNASSIGNED,
            NanoUsd(5),
            1,
        ),
        Finding("no-owner", "acme/a belongs to no cost center: what it cost is unassigned.", UNASSIGNED, NanoUsd(3), 3),
    ]


def test_what_a_subscription_pays_is_counted_and_in_no_amount() -> None:
    [told] = found(spent("acme/a", Owner(UNASSIGNED, Basis.NOTHING, "Team"), 9), terms=Chargeback())
    assert (told.amount, told.count) == (0, 1)


def test_a_cost_center_without_a_budget_owner_is_told_with_what_it_pays() -> None:
    platform = Owner("platform", Basis.REPOSITORY)
    [told] = found(spent("acme/a", platform, 3), spent("acme/b", platform, 4, runs=2))
    assert (told.code, told.cost_center, told.amount, told.count) == ("no-budget-owner", "platform", 7, 3)


@pytest.mark.parametrize(
    ("told", "property_name", "code"),
    [
        (PropertyTold("read", "org_and_repo_actors"), "cost-center", "property-editable"),
        (PropertyTold("missing"), "cost-center", "property-missing"),
        (PropertyTold("refused"), "cost-center", "property-unread"),
        (PropertyTold("read", "org_actors"), "cost-center", ""),
        (PropertyTold(), "cost-center", ""),
        (PropertyTold("read", "org_and_repo_actors"), "", ""),
        (PropertyTold("missing"), "", ""),
        (PropertyTold("refused"), "", ""),
    ],
)
def test_a_property_that_cannot_be_trusted_is_told(told: PropertyTold, property_name: str, code: str) -> None:
    found_of = found(terms=Chargeback(property_name=property_name), told=told)
    assert [each.code for each in found_of] == ([code] if code else [])
    assert all("property cost-center" in each.sentence for each in found_of)


def test_a_value_that_no_cost_center_has_is_told_once_with_what_it_pays() -> None:
    told = found(
        spent("acme/a", Owner("plattform", Basis.SIGNED), 3),
        spent("acme/b", Owner("plattform", Basis.PROPERTY), 4),
        spent("acme/c", Owner("platform", Basis.PROPERTY), 4),
        spent("acme/d", Owner(UNASSIGNED, Basis.PROPERTY), 0),
    )
    assert [each for each in told if each.code == "property-unknown-value"] == [
        Finding(
            "property-unknown-value",
            'The property cost-center says "plattform", which no cost center of the configuration has.',
            "plattform",
            NanoUsd(7),
            2,
        )
    ]


def test_a_signed_property_that_the_history_contradicts_is_counted() -> None:
    payments = Owner("payments", Basis.SIGNED)
    told = found(
        spent("acme/b", payments, 3, runs=4, differing=2), spent("acme/a", payments, 3, runs=9, differing=9),
        spent("acme/c", payments, 3),
    )  # fmt: skip
    [differs] = [each for each in told if each.code == "property-differs"]
    assert (differs.count, differs.amount) == (11, None)
    assert "in acme/a and 1 more: the signed one counts" in differs.sentence


owners = st.builds(
    Owner, st.sampled_from([UNASSIGNED, "payments", "platform", "new"]), st.sampled_from(Basis), st.just("")
)
any_spent = st.builds(
    Spent, st.sampled_from(["acme/a", "acme/b", ""]), owners, st.integers(0, 10**12).map(NanoUsd), st.integers(1, 9)
)


@given(st.lists(any_spent, max_size=12))
def test_the_amounts_without_an_owner_are_all_that_is_unassigned(of: list[Spent]) -> None:
    told = [each for each in found(*of) if each.code == "no-owner"]
    unassigned = [each for each in of if each.owner.cost_center == UNASSIGNED]
    assert sum(each.amount or 0 for each in told) == sum(each.amount for each in unassigned)
    assert sum(each.count or 0 for each in told) == sum(each.agent_runs for each in unassigned)
    assert found(*of) == found(*reversed(of))
