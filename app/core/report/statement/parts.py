"""A statement's parts in reading order, and the sums that stand above them. Amounts are the cents of the document.

Every list here adds up to what it is a part of, because each cent of the document is in exactly one of its rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.core.chargeback.statement import Adjustment, Fee, Line, SharedCost, Statement
from app.core.ledger import Book
from app.core.money import NanoUsd


@dataclass(frozen=True, slots=True)
class Numbered:
    """A line with the number that people call it by: its place in the document, from 1."""

    number: int
    line: Line


@dataclass(frozen=True, slots=True)
class NumberedAdjustment:
    """An adjustment with its number, from "A1"."""

    number: str
    adjustment: Adjustment


@dataclass(frozen=True, slots=True)
class Item:
    """A row of what the total is made of. `count`: how many rows it sums, `noun`: what one of them is."""

    label: str
    noun: str
    count: int
    amount: NanoUsd
    cents: int


@dataclass(slots=True)
class RepositorySum:
    """What a repository's lines amount to, by book, in cents."""

    repository: str
    agent_runs: int = 0
    pulls: int = 0
    cents: dict[str, int] = field(default_factory=dict)
    covered: int = 0  # nano-USD

    @property
    def total(self) -> int:
        return sum(self.cents.values())


def numbered(statement: Statement) -> list[Numbered]:
    """All lines, the dearest first."""
    rows = [Numbered(number, line) for number, line in enumerate(statement.lines, 1)]
    return sorted(rows, key=lambda row: (-row.line.amount, -row.line.covered, row.number))


def adjustments(statement: Statement) -> list[NumberedAdjustment]:
    """All adjustments, in the order of the document."""
    return [NumberedAdjustment(f"A{number}", each) for number, each in enumerate(statement.adjustments, 1)]


def composition(statement: Statement) -> list[Item]:
    """What the total is made of, in the statement's order; parts that are not there are left out."""
    by_book = [(label, [each for each in statement.lines if each.book == book]) for label, book in BOOKS]
    lines = [_item(label, "line", own) for label, own in by_book if own]
    rest: tuple[tuple[str, str, Sequence[Fee | SharedCost | Adjustment]], ...] = (
        ("Subscription fees", "fee", statement.fees),
        ("Shares of shared costs", "share", statement.shared),
        ("Adjustments of earlier months", "adjustment", statement.adjustments),
    )
    found = [*lines, *(_item(label, noun, own) for label, noun, own in rest if own)]
    if statement.distributed or statement.distributed_cents:
        given = Item("Shared out to cost centers", "", 0, statement.distributed, statement.distributed_cents)
        found.append(given)
    return found


BOOKS = (
    ("Agent runs for pulls", Book.PULL),
    ("Unattributed: tied to no pull", Book.UNATTRIBUTED),
    ("Abandoned: no pull after 14 days", Book.ABANDONED),
    ("Overhead: by the configuration's rule", Book.OVERHEAD),
)


def _item(label: str, noun: str, own: Sequence[Line | Fee | SharedCost | Adjustment]) -> Item:
    amount, cents = sum(each.amount for each in own), sum(each.cents for each in own)
    return Item(label, noun, len(own), NanoUsd(amount), cents)


def by_repository(statement: Statement) -> list[RepositorySum]:
    """The lines' sums by repository, the dearest first."""
    found: dict[tuple[int, str], RepositorySum] = {}
    for line in statement.lines:
        own = found.setdefault((line.repository_id, line.repository), RepositorySum(line.repository))
        own.cents[line.book] = own.cents.get(line.book, 0) + line.cents
        own.agent_runs += line.agent_runs
        own.pulls += line.book == Book.PULL
        own.covered += line.covered
    return sorted(found.values(), key=lambda each: (-each.total, each.repository))


def paper_cents(statement: Statement) -> int:
    """The sum of everything that stands on the paper."""
    return sum(item.cents for item in composition(statement))
