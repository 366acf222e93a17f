"""What our model calls cost against what their vendors bill: by bucket and by month, with nothing left unsaid.

Calls tell no workspace or key, so ours is known by provider, model and day: a cell. Where several accounts of a vendor
are billed in one cell, ours lies beside them in proportion to what each is billed, and the cell's state is theirs. What
a vendor bills for a month as a whole, or for no model, is held against all of ours that it can be for.

Conservation, for any order of what was read: Σ billed of the lines = Σ billed, Σ ours = Σ ours, to the nano-dollar.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from app.core.money import ZERO, NanoUsd, share
from app.core.month import Month
from app.core.vendors.accounts import SELLS, Residuals, VendorRules
from app.core.vendors.values import WHOLE_MONTH, Bucket


class State(StrEnum):
    """Of a bucket. The last two are residuals."""

    ESTIMATED = "estimated"  # the vendor's figure can still move, or there is none
    RECONCILED = "reconciled"  # within the tolerance
    DIFFERS = "differs"
    VENDOR_ONLY = "vendor only"
    OURS_ONLY = "ours only"


@dataclass(frozen=True, slots=True)
class Ours:
    """What model calls of a day cost, contracted. `provider` and `model` as `Names` has them."""

    provider: str
    model: str
    day: int
    cost: NanoUsd
    calls: int = 0
    unpriced_calls: int = 0
    cost_center: str = ""


@dataclass(frozen=True, slots=True)
class Billed:
    """What a vendor bills in a bucket. `final`: it does not move any more."""

    bucket: Bucket
    amount: NanoUsd
    final: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A bucket of the reconciliation. Ours without a bill has the provider as its vendor, and no account."""

    bucket: Bucket
    ours: NanoUsd
    billed: NanoUsd
    state: State
    unpriced_calls: int = 0  # of the cell; they are in no amount

    @property
    def difference(self) -> NanoUsd:
        """What is billed beyond ours."""
        return NanoUsd(self.billed - self.ours)


@dataclass(frozen=True, slots=True)
class Names:
    """One name for what ours and vendors call differently: of a provider and model, the price list's."""

    canonical: Callable[[str, str], tuple[str, str]]

    def of(self, vendor: str, model: str) -> tuple[str, str]:
        return self.canonical(SELLS.get(vendor, vendor), model)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a month. `final`: whether all vendors of a provider have told a day (0: the month) for good.

    A provider that no vendor of the configuration sells is never final.
    """

    month: Month
    ours: Sequence[Ours]
    billed: Sequence[Billed]
    final: Callable[[str, int], bool]


Cell = tuple[str, str, int]  # provider, model, day


@dataclass(slots=True)
class Pile:
    """What lies in one cell."""

    ours: list[Ours] = field(default_factory=list)
    billed: list[Billed] = field(default_factory=list)

    @property
    def our_cost(self) -> NanoUsd:
        return NanoUsd(sum(each.cost for each in self.ours))

    @property
    def our_calls(self) -> int:
        return sum(each.calls for each in self.ours)

    @property
    def amount(self) -> NanoUsd:
        return NanoUsd(sum(each.amount for each in self.billed))


def reconcile(known: Known, names: Names, rules: VendorRules) -> list[Line]:
    """The lines of a month, in the order of their buckets."""
    against = Against(known, names, rules)
    lines = [line for cell, pile in piles(known, names).items() for line in against.lines(cell, pile)]
    return sorted(lines, key=lambda line: line.bucket)


def piles(known: Known, names: Names) -> dict[Cell, Pile]:
    """Ours and billed, each in the one cell where they can meet."""
    told = {(each.bucket.vendor, each.bucket.model) for each in known.billed}
    where = {each: names.of(*each) for each in told}
    nameless = {provider for provider, _ in where.values()} - {where[each][0] for each in told if each[1]}
    monthly = [each.bucket for each in known.billed if each.bucket.day == WHOLE_MONTH]
    whole = {where[each.vendor, each.model] for each in monthly}
    found: dict[Cell, Pile] = defaultdict(Pile)

    def cell(provider: str, model: str, day: int) -> Cell:
        model = "" if provider in nameless else model
        return provider, model, WHOLE_MONTH if (provider, model) in whole else day

    for bill in known.billed:
        found[cell(*where[bill.bucket.vendor, bill.bucket.model], bill.bucket.day)].billed.append(bill)
    for own in known.ours:
        found[cell(own.provider, own.model, own.day)].ours.append(own)
    return dict(found)


@dataclass(frozen=True, slots=True)
class Against:
    """How piles are judged."""

    known: Known
    names: Names
    rules: VendorRules

    def lines(self, cell: Cell, pile: Pile) -> list[Line]:
        """A pile as the buckets that it consists of."""
        provider, model, day = cell
        state = self.state(cell, pile)
        unpriced = sum(each.unpriced_calls for each in pile.ours)
        if not pile.billed:
            bucket = Bucket(self.seller(provider), "", model, self.known.month, day)
            return [Line(bucket, pile.our_cost, ZERO, state, unpriced)]
        bills = sorted(pile.billed, key=lambda each: each.bucket)
        parts = share(pile.our_cost, [max(0, each.amount) for each in bills])
        return [
            Line(each.bucket, part, each.amount, state, unpriced if each is bills[0] else 0)
            for each, part in zip(bills, parts, strict=True)
        ]

    def state(self, cell: Cell, pile: Pile) -> State:
        """The state of a cell and so of all its lines."""
        provider, _, day = cell
        final = all(each.final for each in pile.billed) if pile.billed else self.known.final(provider, day)
        if not final:
            return State.ESTIMATED
        if not pile.billed:
            return State.OURS_ONLY
        if not pile.our_calls and not pile.our_cost and pile.amount:
            return State.VENDOR_ONLY
        return State.RECONCILED if within(pile.amount, pile.our_cost, self.rules) else State.DIFFERS

    def seller(self, provider: str) -> str:
        """The configured vendor that sells a provider's models."""
        sellers = (each.vendor for each in self.rules.agent_spend if self.names.of(each.vendor, "")[0] == provider)
        return next(sellers, provider)


def within(billed: NanoUsd, ours: NanoUsd, rules: VendorRules) -> bool:
    """Whether a difference is none, by the percentage of what is billed or by the absolute amount."""
    difference = abs(billed - ours)
    return difference <= rules.tolerance or difference * 100 <= rules.tolerance_percent * Decimal(abs(billed))


@dataclass(frozen=True, slots=True)
class Sum:
    """A vendor's month. `state`: estimated while any bucket is, then by the sums: a call at midnight has two days."""

    vendor: str
    ours: NanoUsd
    billed: NanoUsd
    vendor_only: NanoUsd
    ours_only: NanoUsd
    state: State
    buckets: int

    @property
    def difference(self) -> NanoUsd:
        return NanoUsd(self.billed - self.ours)


def sums(lines: Iterable[Line], rules: VendorRules) -> list[Sum]:
    """The months of the vendors, by name."""
    by_vendor: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_vendor[line.bucket.vendor].append(line)
    return [_sum(vendor, by_vendor[vendor], rules) for vendor in sorted(by_vendor)]


def _sum(vendor: str, lines: Sequence[Line], rules: VendorRules) -> Sum:
    ours, billed = (NanoUsd(sum(each)) for each in ((line.ours for line in lines), (line.billed for line in lines)))
    state = State.RECONCILED if within(billed, ours, rules) else State.DIFFERS
    return Sum(
        vendor,
        ours,
        billed,
        NanoUsd(sum(line.billed for line in lines if line.state is State.VENDOR_ONLY)),
        NanoUsd(sum(line.ours for line in lines if line.state is State.OURS_ONLY)),
        State.ESTIMATED if any(line.state is State.ESTIMATED for line in lines) else state,
        len(lines),
    )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a month's invoices add to what a cost center was charged, or take from it."""

    vendor: str
    month: Month
    cost_center: str
    amount: NanoUsd
    evidence: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """`left`: differences, by vendor, that stay in the reconciliation: no rule shares them, or nobody is there.

    `final`: the vendors nothing of which is estimated; of the others nothing is proposed.
    """

    proposals: tuple[Proposal, ...]
    final: tuple[str, ...]
    left: Mapping[str, NanoUsd]


def propose(known: Known, names: Names, rules: VendorRules) -> Proposals:
    """Share the differences of a month out to the cost centers whose calls they are.

    Nothing while anything of the vendor is estimated. Without a rule only what is within the tolerance is shared: all
    else stays. With `proportional` a residual of the vendor goes by what each cost center used of the provider, and
    where nobody did, it stays.
    """
    found = piles(known, names)
    against = Against(known, names, rules)
    by_vendor: dict[str, list[tuple[Cell, Line]]] = defaultdict(list)
    for cell, pile in found.items():
        for line in against.lines(cell, pile):
            by_vendor[line.bucket.vendor].append((cell, line))
    proposals: list[Proposal] = []
    left: dict[str, NanoUsd] = {}
    for vendor, entries in sorted(by_vendor.items()):
        entries.sort(key=lambda entry: entry[1].bucket)
        parts, stays = _parts(entries, found, rules)
        (told,) = sums((line for _, line in entries), rules)
        made = [(center, amount) for center, amount in sorted(parts.items()) if amount]
        proposals += [Proposal(vendor, known.month, *each, _evidence(told, rules)) for each in made]
        if stays:
            left[vendor] = stays
    final = [vendor for vendor, entries in by_vendor.items() if _is_final(entries)]
    return Proposals(tuple(proposals), tuple(sorted(final)), left)


def _is_final(entries: Sequence[tuple[Cell, Line]]) -> bool:
    return all(line.state is not State.ESTIMATED for _, line in entries)


def _parts(
    entries: Sequence[tuple[Cell, Line]], found: Mapping[Cell, Pile], rules: VendorRules
) -> tuple[dict[str, NanoUsd], NanoUsd]:
    """A vendor's differences by cost center, and what stays."""
    parts: dict[str, int] = defaultdict(int)
    stays = 0
    final = _is_final(entries)
    for cell, line in entries:
        weights = _weights(cell, found) if final and _shared(line, rules) else {}
        stays += 0 if weights else line.difference
        for center, part in zip(weights, _share(line.difference, weights), strict=True):
            parts[center] += part
    return {center: NanoUsd(amount) for center, amount in parts.items()}, NanoUsd(stays)


def _share(amount: NanoUsd, weights: Mapping[str, int]) -> list[NanoUsd]:
    return share(amount, list(weights.values())) if weights else []


def _shared(line: Line, rules: VendorRules) -> bool:
    return line.state is State.RECONCILED or rules.residuals is Residuals.PROPORTIONAL


def _weights(cell: Cell, found: Mapping[Cell, Pile]) -> dict[str, int]:
    """Cost centers by what they used: in the cell, or of the provider in the month where nobody did there."""
    everywhere = (own for (provider, *_), pile in found.items() if provider == cell[0] for own in pile.ours)
    return _by_center(found[cell].ours) or _by_center(everywhere)


def _by_center(ours: Iterable[Ours]) -> dict[str, int]:
    weights: dict[str, int] = defaultdict(int)
    for own in ours:
        weights[own.cost_center] += own.cost
    return {center: weights[center] for center in sorted(weights) if weights[center] > 0}


def _evidence(month: Sum, rules: VendorRules) -> str:
    from_both = f"billed {_usd(month.billed)} USD, ours {_usd(month.ours)} USD in {month.buckets} buckets"
    return f"{month.vendor}: {from_both} ({month.state}); residuals: {rules.residuals}"


def _usd(amount: NanoUsd) -> str:
    return f"{Decimal(amount).scaleb(-9):f}"
