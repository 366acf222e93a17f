"""What is found before a month closes. A finding stops nothing: it is printed, all of them at once.

Here are those about owners; amounts are contracted cost, without what a subscription pays.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.chargeback.ownership import Basis, Owner
from app.core.chargeback.terms import UNASSIGNED, Chargeback
from app.core.money import ZERO, NanoUsd

ANYBODY = "org_and_repo_actors"  # GitHub's word for a property that a repository's own people may edit


class Code(StrEnum):
    """Of the findings about owners."""

    NO_OWNER = "no-owner"
    NO_BUDGET_OWNER = "no-budget-owner"
    PROPERTY_MISSING = "property-missing"
    PROPERTY_UNREAD = "property-unread"
    PROPERTY_EDITABLE = "property-editable"
    PROPERTY_UNKNOWN_VALUE = "property-unknown-value"
    PROPERTY_DIFFERS = "property-differs"


@dataclass(frozen=True, slots=True)
class Finding:
    """A code for machines, a sentence for people, and what it is about: "" and None where that is nothing."""

    code: str
    sentence: str
    cost_center: str = ""
    amount: NanoUsd | None = None
    count: int | None = None  # of agent runs


@dataclass(frozen=True, slots=True)
class PropertyTold:
    """What GitHub told of the property when it was read last. `editors`: who may edit its values, in GitHub's words."""

    state: str = ""  # "read", "missing", "refused"; "": never read
    editors: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the agent runs of one repository that have the same owner were charged in a month.

    `differing`: how many of them have a signed property that names another cost center than the property's history.
    """

    repository: str  # "owner/name", "" for agent runs that name none
    owner: Owner
    amount: NanoUsd
    agent_runs: int
    differing: int = 0


def owner_findings(terms: Chargeback, spent: Iterable[Spent], told: PropertyTold) -> list[Finding]:
    """What is doubtful about a month's owners."""
    all_spent = list(spent)
    return [
        *_without_owner(all_spent),
        *_without_budget_owner(terms, all_spent),
        *(_property(terms.property_name, told) if terms.property_name else ()),
        *_unknown_values(terms, all_spent),
        *_differing(terms, all_spent),
    ]


def _without_owner(spent: Sequence[Spent]) -> Iterator[Finding]:
    loose = [each for each in spent if each.owner.cost_center == UNASSIGNED]
    for repository, amount, count in _summed(loose, lambda each: each.repository):
        sentence = f"{repository} belongs to no cost center: what it cost is unassigned."
        if not repository:
            sentence = "Agent runs that name no repository belong to no cost center: what they cost is unassigned."
        yield Finding(Code.NO_OWNER, sentence, UNASSIGNED, amount, count)


def _without_budget_owner(terms: Chargeback, spent: Sequence[Spent]) -> Iterator[Finding]:
    own = {name: (amount, count) for name, amount, count in _summed(spent, lambda each: each.owner.cost_center)}
    for each in terms.centers.values():
        if not each.owners:
            amount, count = own.get(each.name, (ZERO, 0))
            sentence = f"The cost center {each.name} has no owner who could accept or dispute its statement."
            yield Finding(Code.NO_BUDGET_OWNER, sentence, each.name, amount, count)


def _property(name: str, told: PropertyTold) -> Iterator[Finding]:
    if told.state == "missing":
        sentence = f"The organisation has no property {name}, of which the configuration says that it tells who pays."
        yield Finding(Code.PROPERTY_MISSING, sentence)
    if told.state == "refused":
        sentence = (
            f"GitHub does not let the App read the values of the property {name}: only signed tokens tell them. The "
            "permission organization_custom_properties: read is not granted."
        )
        yield Finding(Code.PROPERTY_UNREAD, sentence)
    if told.editors == ANYBODY:
        sentence = (
            f"The property {name} can be edited by the people of each repository: who runs agents can choose who "
            "pays. Let only the organisation edit it."
        )
        yield Finding(Code.PROPERTY_EDITABLE, sentence)


def _unknown_values(terms: Chargeback, spent: Sequence[Spent]) -> Iterator[Finding]:
    known = {*terms.centers, UNASSIGNED}
    told = [
        each
        for each in spent
        if each.owner.basis in (Basis.SIGNED, Basis.PROPERTY) and each.owner.cost_center not in known
    ]
    for value, amount, count in _summed(told, lambda each: each.owner.cost_center):
        sentence = f'The property {terms.property_name} says "{value}", which no cost center of the configuration has.'
        yield Finding(Code.PROPERTY_UNKNOWN_VALUE, sentence, value, amount, count)


def _differing(terms: Chargeback, spent: Sequence[Spent]) -> Iterator[Finding]:
    doubtful = [each for each in spent if each.differing]
    if doubtful:
        names = sorted({each.repository for each in doubtful})
        where = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        sentence = (
            f"The property {terms.property_name} in signed tokens names other cost centers than its history, in "
            f"{where}: the signed one counts."
        )
        yield Finding(Code.PROPERTY_DIFFERS, sentence, count=sum(each.differing for each in doubtful))


def _summed(spent: Iterable[Spent], key_of: Callable[[Spent], str]) -> list[tuple[str, NanoUsd, int]]:
    """By key: what is not covered by a subscription, and all agent runs; the dearest first."""
    found: dict[str, tuple[int, int]] = {}
    for each in spent:
        amount, count = found.get(key_of(each), (0, 0))
        metered = 0 if each.owner.covered_by else each.amount
        found[key_of(each)] = amount + metered, count + each.agent_runs
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return [(key, NanoUsd(amount), count) for key, (amount, count) in ordered]
