"""Which cost center pays for an agent run: exactly one, by the order of trust of what tells it.

1. the organisation's custom property in the job's signed token, the truth of that moment;
2. the property's values as GitHub told them, with the days on which they held;
3. the configuration: workflows, then the Action's team tag where that team is the repository's, then repositories;
4. nobody: "unassigned", which is always printed.

A pool of shared costs takes its agent runs before all of these.
"""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from app.core.chargeback.terms import SHARED, UNASSIGNED, Chargeback, CostCenter, Pattern, Subscription, is_nobodys
from app.core.config import Config
from app.core.month import Month


class Basis(StrEnum):
    """What told the owner, the most trusted first."""

    POOL = "pool"
    SIGNED = "signed property"
    PROPERTY = "property value"
    WORKFLOW = "workflow"
    TEAM = "team tag"
    REPOSITORY = "repository"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Owner:
    """A cost center's name, what told it, and the subscription that pays the run ("": it is metered)."""

    cost_center: str
    basis: Basis
    covered_by: str = ""


NOBODY = Owner(UNASSIGNED, Basis.NOTHING)


class RunFacts(NamedTuple):
    """What is known of an agent run. `repository` without its owner; `properties`: JSON of the token's properties.

    A tuple, because there may be a million of them.
    """

    repository_id: int
    repository: str
    workflow: str  # file name, as `overhead_workflows` has it
    agent: str
    team: str
    properties: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PropertyValues:
    """A repository's values of the property, in order of the instants from which they held; "" for none.

    What was before the first one is not known: it counts as having held.
    """

    since: tuple[datetime, ...]
    values: tuple[str, ...]

    def at(self, instant: datetime) -> str:
        """The value at an instant; "" for none."""
        return self.values[max(0, bisect_right(self.since, instant) - 1)] if self.values else ""


class Ownership:
    """Who pays, as one month's books know it: by its configuration, and the property's history as known at its close.

    What was found is remembered: an organisation has many agent runs and few answers.
    """

    def __init__(self, config: Config, history: Mapping[int, PropertyValues] | None = None) -> None:
        self.config, self.history = config, history or {}
        self._bounds = _bounds(config.chargeback)
        terms = config.chargeback
        self._plain = not any((terms.property_name, terms.centers, terms.pools, terms.subscriptions))
        self._known: dict[tuple[object, ...], Owner] = {}

    def owner_of(self, run: RunFacts) -> Owner:
        """The one who pays for an agent run."""
        if self._plain:
            return NOBODY
        key = (*run[:-1], *self.moment(run.repository_id, run.at))
        owner = self._known.get(key)
        if owner is None:
            owner = self._known[key] = self._found(run)
        return owner

    def moment(self, repository_id: int, at: datetime) -> tuple[int, int]:
        """Between which changes of the property's value and of the rules an instant is."""
        values = self.history.get(repository_id)
        return bisect_right(values.since, at) if values is not None else 0, bisect_right(self._bounds, at)

    def changes(self, repository_id: int) -> list[datetime]:
        """The instants at which a rule, or what is known of a repository's property, begins or ends to hold."""
        values = self.history.get(repository_id)
        return sorted({*self._bounds, *(values.since if values is not None else ())})

    def differs(self, run: RunFacts) -> bool:
        """Whether the signed property names another cost center than the history; both must name one."""
        terms, values = self.config.chargeback, self.history.get(run.repository_id)
        if not terms.property_name or values is None:
            return False
        signed, told = signed_value(run.properties, terms.property_name), values.at(run.at)
        return bool(signed and told) and center_of_value(terms, signed) != center_of_value(terms, told)

    def _found(self, run: RunFacts) -> Owner:
        day = run.at.astimezone(UTC).date()
        repository, agent = run.repository.lower(), run.agent.lower()
        workflow = f"{repository}/{run.workflow.lower()}" if run.workflow else ""
        subscriptions = self.config.chargeback.subscriptions
        covered = next((each.name for each in subscriptions if each.covers(agent, repository, day)), "")
        return Owner(*self._payer(run, day, repository, workflow, agent), covered)

    def _payer(self, run: RunFacts, day: date, repository: str, workflow: str, agent: str) -> tuple[str, Basis]:
        terms = self.config.chargeback
        for pool in terms.pools:
            named = ((pool.repositories, repository), (pool.workflows, workflow), (pool.agents, agent))
            if any(name and pattern.fits(name, day) for patterns, name in named for pattern in patterns):
                return SHARED + pool.name, Basis.POOL
        if terms.property_name:
            if signed := signed_value(run.properties, terms.property_name):
                return center_of_value(terms, signed), Basis.SIGNED
            values = self.history.get(run.repository_id)
            if values is not None and (value := values.at(run.at)):
                return center_of_value(terms, value), Basis.PROPERTY
        return self._configured(run, day, repository, workflow)

    def _configured(self, run: RunFacts, day: date, repository: str, workflow: str) -> tuple[str, Basis]:
        centers = self.config.chargeback.centers.values()
        for each in centers if workflow else ():
            if any(pattern.fits(workflow, day) for pattern in each.workflows):
                return each.name, Basis.WORKFLOW
        team = self.config.team(run.team, run.repository) if run.team else None
        for each in centers if team is not None else ():
            if team is not None and team.name in each.teams:
                return each.name, Basis.TEAM
        for each in centers if repository else ():
            if any(pattern.fits(repository, day) for pattern in each.repositories):
                return each.name, Basis.REPOSITORY
        return UNASSIGNED, Basis.NOTHING


def _bounds(terms: Chargeback) -> list[datetime]:
    """The instants at which any rule begins or ends to hold."""
    dated: list[Pattern | Subscription] = [
        *(pattern for center in terms.centers.values() for pattern in (*center.repositories, *center.workflows)),
        *(pattern for pool in terms.pools for pattern in (*pool.repositories, *pool.workflows, *pool.agents)),
        *terms.subscriptions,
    ]
    days = {day for each in dated for day in (each.start, each.end) if day is not None and day > date.min}
    return sorted(datetime.combine(day, time.min, UTC) for day in days)


class Owners:
    """Who pays, over all months: each agent run by the books of the month in which it began.

    So it has one owner, also where its charges are of two months. What began before the first month that closed is
    known as that month knows it.
    """

    def __init__(self, closed: Mapping[Month, Ownership], now: Ownership) -> None:
        """`closed`: of the months that close or have closed, which follow each other; `now`: of all that come after."""
        months = sorted(closed)
        self._ends = [month.end for month in months]
        self._by_month = [*(closed[month] for month in months), now]
        self.now = now

    def of(self, at: datetime) -> Ownership:
        """As the books of an instant's month know it."""
        return self._by_month[bisect_right(self._ends, at)] if self._ends else self.now

    def moment(self, repository_id: int, at: datetime) -> tuple[int, int, int]:
        """What of an instant matters: two with the same have the same owner, all else being equal."""
        number = bisect_right(self._ends, at)
        return number, *self._by_month[number].moment(repository_id, at)

    def owner_of(self, run: RunFacts) -> Owner:
        """The one who pays for an agent run."""
        return self.of(run.at).owner_of(run)


def center_of_value(terms: Chargeback, value: str) -> str:
    """The cost center that a property's value names, in any case of its letters.

    A value that none has makes one of its own, in small letters and without an owner.
    """
    return _by_value(tuple(terms.centers.values())).get(value.lower()) or _own_center(value.lower())


def _own_center(value: str) -> str:
    return UNASSIGNED if is_nobodys(value) else value


@lru_cache(maxsize=64)
def _by_value(centers: tuple[CostCenter, ...]) -> Mapping[str, str]:
    return {name.lower(): each.name for each in centers for name in (*each.values, each.name)}


@lru_cache(maxsize=4096)
def signed_value(properties: str, name: str) -> str:
    """A property of the signed token, by its JSON; "" where the token has none."""
    if not name or properties == "{}":
        return ""
    told = {key.lower(): value for key, value in json.loads(properties).items()}
    return str(told.get(name.lower()) or "").strip()


def history_of(rows: Sequence[tuple[int, datetime, str]]) -> dict[int, PropertyValues]:
    """Histories by repository, of rows of repository id, instant and value, in order of instants."""
    found: dict[int, tuple[list[datetime], list[str]]] = {}
    for repository_id, since, value in rows:
        instants, values = found.setdefault(repository_id, ([], []))
        instants.append(since)
        values.append(value)
    return {each: PropertyValues(tuple(since), tuple(values)) for each, (since, values) in found.items()}
