"""From what a month states to its statements: fees and shared costs added, numbered, in cents. Pure.

The same input gives the same statements, byte by byte: nothing in them is of the moment at which they are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.core.chargeback.shared_costs import SharedPool, paper, share_out
from app.core.chargeback.statement import Adjustment, Fee, Figures, Line, SharedCost, Statement
from app.core.chargeback.terms import SHARED, SUBSCRIPTION, UNASSIGNED, Chargeback, Sharing, is_nobodys
from app.core.money import ZERO, NanoUsd
from app.core.month import Month

LABELS = ((UNASSIGNED, "Unassigned"), (SHARED, "Shared: "), (SUBSCRIPTION, "Subscription: "))


@dataclass(frozen=True, slots=True)
class MonthBooks:
    """What a month states by cost center, before anything is shared."""

    account_id: int
    account: str  # login
    month: Month
    issued_at: datetime
    ledger_until: int
    config_sha256: str
    lines: Mapping[str, tuple[Line, ...]]
    adjustments: Mapping[str, tuple[Adjustment, ...]] = field(default_factory=dict)
    figures: Mapping[str, tuple[Figures, ...]] = field(default_factory=dict)
    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    used: Mapping[str, Mapping[str, NanoUsd]] = field(default_factory=dict)  # of subscriptions, by cost center


def statements_of(books: MonthBooks, terms: Chargeback) -> list[Statement]:
    """A month's statements in the order of their numbers; their chain is not linked yet."""
    fees = fees_of(terms, books.month)
    present = {*books.lines, *books.adjustments, *fees}
    direct = {
        name: NanoUsd(sum(line.amount for line in books.lines.get(name, ())))
        for name in sorted(present)
        if not is_nobodys(name)
    }
    pools = [_pool(name, books, fees, terms) for name in sorted(present, key=_order) if is_nobodys(name)]
    shares = share_out(pools, direct)
    made = [
        _statement(
            name, books, terms, fees.get(name, ()), shares.taken.get(name, ()), shares.distributed.get(name, ZERO)
        )
        for name in {*present, *shares.taken}
    ]
    ordered = sorted(paper(made), key=lambda each: _order(each.cost_center))
    return [replace(each, number=f"{books.month}-{place:03}") for place, each in enumerate(ordered, 1)]


def label_of(name: str, terms: Chargeback) -> str:
    """What people call a cost center, or what is nobody's."""
    if name in terms.centers:
        return terms.centers[name].label
    for start, label in LABELS:
        if name.startswith(start) and is_nobodys(name):
            return label + name.removeprefix(start)
    return name


def sharing_of(name: str, terms: Chargeback) -> Sharing:
    """How what is nobody's is shared. What the configuration no longer knows stays where it is."""
    if name == UNASSIGNED:
        return terms.unassigned
    named = {SHARED + pool.name: pool.sharing for pool in terms.pools}
    named |= {SUBSCRIPTION + each.name: each.sharing for each in terms.subscriptions}
    return named.get(name, Sharing())


def fees_of(terms: Chargeback, month: Month) -> dict[str, tuple[Fee, ...]]:
    """The fees that are due for a month, by the statement that has them."""
    found: dict[str, tuple[Fee, ...]] = {}
    for each in terms.subscriptions:
        if each.due(month) and each.monthly:
            name = each.cost_center or SUBSCRIPTION + each.name
            fee = Fee(each.name, each.vendor, each.kind, each.seats, each.monthly)
            found[name] = (*found.get(name, ()), fee)
    return found


def _pool(name: str, books: MonthBooks, fees: Mapping[str, tuple[Fee, ...]], terms: Chargeback) -> SharedPool:
    lines, adjustments = books.lines.get(name, ()), books.adjustments.get(name, ())
    total = sum(line.amount for line in lines) + sum(fee.amount for fee in fees.get(name, ()))
    total += sum(each.amount for each in adjustments)
    return SharedPool(name, label_of(name, terms), sharing_of(name, terms), NanoUsd(total), books.used.get(name, {}))


def _statement(
    name: str,
    books: MonthBooks,
    terms: Chargeback,
    fees: tuple[Fee, ...],
    shared: tuple[SharedCost, ...],
    distributed: NanoUsd,
) -> Statement:
    center = terms.centers.get(name)
    return Statement(
        account_id=books.account_id,
        account=books.account,
        number="",
        version=1,
        month=books.month,
        cost_center=name,
        label=label_of(name, terms),
        owners=center.owners if center else (),
        chargeback=center.charges(books.month) if center else False,
        issued_at=books.issued_at,
        previous_sha256="",
        lines=books.lines.get(name, ()),
        fees=fees,
        shared=shared,
        adjustments=books.adjustments.get(name, ()),
        distributed=distributed,
        figures=books.figures.get(name, ()),
        findings=books.findings.get(name, ()),
        ledger_until=books.ledger_until,
        config_sha256=books.config_sha256,
    )


def _order(name: str) -> tuple[int, str, str]:
    """Cost centers by name, then what is nobody's."""
    return is_nobodys(name), name.lower(), name
