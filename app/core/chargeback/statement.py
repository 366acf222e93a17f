"""A statement: what one cost center pays for one month, as values, and as the canonical JSON that is kept for ever.

A statement's total is the sum of its lines, fees, shares of shared costs and adjustments, less what it gave to others
to pay. Money is contracted cost in nano-USD; on paper it is in cents, which add up to the total's cents everywhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.core.money import ZERO, NanoUsd
from app.core.month import Month

FORMAT = 1


class Kind(StrEnum):
    """Why an amount of an earlier month is stated now."""

    LATE = "late"  # an agent run that was recorded after the month had closed
    REPRICED = "repriced"
    REATTRIBUTED = "re-attributed"  # to a pull, or to none; it sums to zero
    DISPUTE = "dispute"
    INVOICE = "invoice"  # the vendor billed another amount
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Proof:
    """Which ledger entries an amount is made of: how many, and the SHA-256 of them in order of agent run and id."""

    entries: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """What of a line one agent spent with one model. `covered`: at contracted prices, but paid by a subscription."""

    agent: str
    model: str  # "": the calls do not tell it, or there are none
    agent_runs: int
    amount: NanoUsd
    covered: NanoUsd = ZERO


@dataclass(frozen=True, slots=True)
class Line:
    """What agents spent for one pull, or in one repository without a pull."""

    repository_id: int  # the pull's, or where the agents ran
    repository: str  # "owner/name" at the close
    book: str  # core.ledger.Book: "pull", "unattributed", "abandoned", "overhead"
    number: int  # of the pull, else 0
    amount: NanoUsd
    covered: NanoUsd
    agent_runs: int
    parts: tuple[Part, ...]
    proof: Proof
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Fee:
    """A subscription's monthly fee that the cost center pays alone."""

    subscription: str
    vendor: str
    kind: str
    seats: int
    amount: NanoUsd
    cents: int = 0


@dataclass(frozen=True, slots=True)
class SharedCost:
    """The cost center's share of a shared cost. `weight` of `weights` is its part; `fell_back`: see the method."""

    pool: str  # "unassigned", "shared:bots", "subscription:Claude Team"
    label: str
    method: str
    fell_back: bool  # there was nothing to go by: shared evenly
    pool_total: NanoUsd
    weight: int
    weights: int
    amount: NanoUsd
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An amount of an earlier month that is stated in this one."""

    original: Month
    kind: Kind
    repository_id: int
    repository: str
    book: str  # "" where it is of no place in the ledger
    number: int
    agent_runs: int
    amount: NanoUsd
    covered: NanoUsd
    reason: str
    evidence: str
    proof: Proof | None = None
    cents: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """A month's metrics of the cost center as they stood at the close; None where there is no value."""

    month: Month
    cost: NanoUsd
    released: NanoUsd
    agent_runs: int
    merged: int
    agent_merged: int
    survived: int
    per_merged_pr: NanoUsd | None
    per_merged_pr_cohort: NanoUsd | None
    direct_per_merged_pr: NanoUsd | None
    dead: NanoUsd
    yield_generated: str  # a decimal with four places, "" where there is none
    coverage: str
    provisional: bool
    unpriced_calls: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """One version of a cost center's statement. `distributed` is what others pay of it, zero or negative."""

    account_id: int
    account: str  # login
    number: str
    version: int
    month: Month
    cost_center: str
    label: str
    owners: tuple[str, ...]
    chargeback: bool
    issued_at: datetime
    previous_sha256: str
    lines: tuple[Line, ...] = ()
    fees: tuple[Fee, ...] = ()
    shared: tuple[SharedCost, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    distributed: NanoUsd = ZERO
    distributed_cents: int = 0
    total_cents: int = 0
    figures: tuple[Figures, ...] = ()  # this month's, and those before it, the oldest first
    findings: tuple[str, ...] = ()  # what was found before closing and concerns it
    answers: tuple[str, ...] = ()  # to the disputes of former versions
    ledger_until: int = 0  # the last ledger entry that its month knows
    config_sha256: str = ""  # of the configuration by which its owners are told
    currency: str = "USD"

    @property
    def direct(self) -> NanoUsd:
        """What its own agent runs of the month cost."""
        return NanoUsd(sum(line.amount for line in self.lines))

    @property
    def covered(self) -> NanoUsd:
        """What agent runs of the month would have cost that a subscription pays: shown, never booked."""
        return NanoUsd(sum(line.covered for line in self.lines))

    @property
    def adjusted(self) -> NanoUsd:
        return NanoUsd(sum(each.amount for each in self.adjustments))

    @property
    def total(self) -> NanoUsd:
        fees, shared = (sum(each.amount for each in own) for own in (self.fees, self.shared))
        return NanoUsd(self.direct + fees + shared + self.adjusted + self.distributed)


def canonical(statement: Statement) -> bytes:
    """The JSON that is kept: keys in order, no white space, UTF-8; the same statement gives the same bytes."""
    tree = {"format": FORMAT, "total": statement.total, **_fields(statement)}
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode(
        errors="surrogatepass"
    )


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def parsed(document: bytes) -> Statement:
    """The statement of its canonical JSON. Raises ValueError for another format."""
    tree = json.loads(document)
    if tree.get("format") != FORMAT:
        raise ValueError(f"this statement is of format {tree.get('format')!r}; this version reads {FORMAT}")
    own = {name: tree[name] for name in tree if name not in ("format", "total")}
    return Statement(
        **{
            **own,
            "month": _month(own["month"]),
            "issued_at": datetime.fromisoformat(own["issued_at"]),
            "owners": tuple(own["owners"]),
            "lines": tuple(_line(each) for each in own["lines"]),
            "fees": tuple(Fee(**each) for each in own["fees"]),
            "shared": tuple(SharedCost(**each) for each in own["shared"]),
            "adjustments": tuple(_adjustment(each) for each in own["adjustments"]),
            "figures": tuple(Figures(**{**each, "month": _month(each["month"])}) for each in own["figures"]),
            "findings": tuple(own["findings"]),
            "answers": tuple(own["answers"]),
        }
    )


def _line(tree: Mapping[str, Any]) -> Line:
    parts = tuple(Part(**each) for each in tree["parts"])
    return Line(**{**tree, "parts": parts, "proof": Proof(**tree["proof"])})


def _adjustment(tree: Mapping[str, Any]) -> Adjustment:
    proof = None if tree["proof"] is None else Proof(**tree["proof"])
    return Adjustment(**{**tree, "original": _month(tree["original"]), "kind": Kind(tree["kind"]), "proof": proof})


def _month(tree: Mapping[str, int]) -> Month:
    return Month(tree["year"], tree["number"])


def linked(statements: Iterable[Statement], previous_sha256: str) -> Iterator[tuple[Statement, bytes]]:
    """Statements with their documents, each bearing the hash of the one before; the first that of `previous_sha256`.

    One after the other: the documents of a large month are more than should be held.
    """
    for each in statements:
        own = replace(each, previous_sha256=previous_sha256)
        document = canonical(own)
        previous_sha256 = digest(document)
        yield own, document


NAMES: dict[type, tuple[str, ...]] = {}


def _fields(value: Any) -> dict[str, Any]:
    """A value's fields as they are: `asdict` would copy a hundred thousand lines on their way into the text."""
    names = NAMES.get(type(value))
    if names is None:
        names = NAMES[type(value)] = tuple(each.name for each in fields(value))
    return {name: getattr(value, name) for name in names}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return _fields(value)
    raise TypeError(f"no place in a statement for {value!r}")
