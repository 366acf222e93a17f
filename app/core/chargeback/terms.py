"""What an organisation has said about paying: its cost centers, shared costs, subscriptions, journal and close.

Days are UTC, a start is included and an end is not. `Chargeback()` is what holds without a word in the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase

from app.core.money import NanoUsd
from app.core.month import Month

UNASSIGNED = "unassigned"  # the cost center of what nobody owns; no other may have its name
SHARED = "shared:"  # before a pool's name: what is spent there, before it is shared out
SUBSCRIPTION = "subscription:"  # before the name of one whose fee is shared


def is_nobodys(name: str) -> bool:
    """Whether a statement's name is no cost center's: what nobody owns, or what is shared. In any case."""
    low = name.lower()
    return low == UNASSIGNED or low.startswith((SHARED, SUBSCRIPTION))


class Method(StrEnum):
    """How a shared cost is divided among cost centers."""

    PROPORTIONAL = "proportional"  # to their direct cost; evenly where there is none
    USE = "use"  # of a subscription: to what it covered of them; evenly where it covered nothing
    EVEN = "even"
    FIXED = "fixed"  # by given percentages
    NONE = "none"  # it stays on its own line


@dataclass(frozen=True, slots=True)
class Sharing:
    """A method, and the weights of a fixed one (they stand for percentages that total 100) by cost center."""

    method: Method = Method.NONE
    weights: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What repositories, workflows ("repository/file") or agents it is about, and when. A * stands for anything."""

    match: str
    start: date | None = None
    end: date | None = None

    def fits(self, name: str, day: date) -> bool:
        """Whether it is about a name (in lower case) on a day."""
        if (self.start is not None and day < self.start) or (self.end is not None and day >= self.end):
            return False
        return fnmatchcase(name, self.match)


@dataclass(frozen=True, slots=True)
class CostCenter:
    """Who pays. `owners` are logins; `chargeback_from` the first month whose statement moves money, None: never."""

    name: str
    label: str
    values: tuple[str, ...] = ()  # of the custom property, beside the name
    owners: tuple[str, ...] = ()
    repositories: tuple[Pattern, ...] = ()
    workflows: tuple[Pattern, ...] = ()
    teams: tuple[str, ...] = ()
    chargeback_from: Month | None = None
    account: str = ""  # in the journal
    project: str = ""

    def charges(self, month: Month) -> bool:
        """Whether a month's statement is chargeback; else it is showback."""
        return self.chargeback_from is not None and month >= self.chargeback_from


@dataclass(frozen=True, slots=True)
class Pool:
    """Agent runs whose cost is shared: those of some workflows, repositories or agents, whoever owns the repository."""

    name: str
    sharing: Sharing
    repositories: tuple[Pattern, ...] = ()
    workflows: tuple[Pattern, ...] = ()
    agents: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Subscription:
    """A fixed fee for each month that begins from `start` on: seats, or credits that expire whether used or not.

    It is one cost center's, or shared. The agent runs that it covers cost nothing beside it: their value at the
    contracted prices is shown, never booked.
    """

    name: str
    vendor: str
    kind: str  # "seats", "credits"
    monthly: NanoUsd
    seats: int  # 0: not told
    start: date
    end: date | None
    cost_center: str  # "": shared
    sharing: Sharing
    agents: tuple[Pattern, ...] = ()
    repositories: tuple[Pattern, ...] = ()

    @property
    def covers_runs(self) -> bool:
        return bool(self.agents or self.repositories)

    def covers(self, agent: str, repository: str, day: date) -> bool:
        """Whether an agent's run in a repository (both in lower case) on a day is paid by it."""
        if not self.covers_runs or day < self.start or (self.end is not None and day >= self.end):
            return False
        by_agent = not self.agents or any(each.fits(agent, day) for each in self.agents)
        return by_agent and (not self.repositories or any(each.fits(repository, day) for each in self.repositories))

    def due(self, month: Month) -> bool:
        """Whether the month's fee is due."""
        first = month.start.date()
        return self.start <= first and (self.end is None or first < self.end)


@dataclass(frozen=True, slots=True)
class JournalTerms:
    """How a journal is written. `columns` are pairs of a heading and what stands in it, in order."""

    columns: tuple[tuple[str, str], ...] = (
        ("Journal", "journal"),
        ("Line", "line"),
        ("Date", "date"),
        ("Period", "period"),
        ("Account", "account"),
        ("Cost center", "cost_center"),
        ("Project", "project"),
        ("Debit", "debit"),
        ("Credit", "credit"),
        ("Currency", "currency"),
        ("Reference", "reference"),
        ("Text", "text"),
    )
    expense_account: str = "AI-EXPENSE"
    clearing_account: str = "AI-CLEARING"
    delimiter: str = ","
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class CloseTerms:
    """When months close, where statements are issued, and how long owners have. `day` 0: by command only."""

    day: int = 0
    time_zone: str = "UTC"
    repository: str = ""  # without the owner; "": none are issued on GitHub
    remind_after_days: tuple[int, ...] = (3, 7)
    accept_after_days: int = 0  # 0: a statement never counts as accepted by silence


@dataclass(frozen=True, slots=True)
class Chargeback:
    """All of it. `property_name` is the organisation's custom property that names a repository's cost center."""

    property_name: str = ""
    centers: Mapping[str, CostCenter] = field(default_factory=dict)
    unassigned: Sharing = Sharing()
    pools: tuple[Pool, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    journal: JournalTerms = JournalTerms()
    close: CloseTerms = CloseTerms()

    @property
    def payer_rules(self) -> tuple[object, ...]:
        """What decides which cost center an agent run has; who speaks for it, and what is booked, does not."""
        centers = [
            (each.name, each.values, each.repositories, each.workflows, each.teams) for each in self.centers.values()
        ]
        pools = [(each.name, each.repositories, each.workflows, each.agents) for each in self.pools]
        return self.property_name, centers, pools

    @property
    def names_payers(self) -> bool:
        """Whether any agent run can have another owner than nobody, or be covered by a subscription."""
        return bool(self.property_name or self.centers or self.pools or any(e.covers_runs for e in self.subscriptions))
