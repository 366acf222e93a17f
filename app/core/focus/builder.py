"""From what a month states of agent runs to rows, whose sums are the books'.

A cost is the exact product of the price and quantity of its row. The books round each charge to nano-dollars, so the
two differ by less than a nano-dollar for each charge; that difference is a row of its own, an Adjustment. What is
booked at other prices than those now in force gets an Adjustment that says so: no price is bent to fit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any, NamedTuple

from app.core.focus.billing import Billing
from app.core.focus.catalogue import Catalogue, Circumstances, Lines
from app.core.focus.items import Category, Frequency, Item
from app.core.focus.origins import Allocation, Origin, Run
from app.core.focus.rows import ATTO, NO_INVOICE, Metered, Told
from app.core.focus.sellers import seller_of
from app.core.focus.spread import Spread, Stated
from app.core.ledger import Book
from app.core.month import Month

ROUNDING = "Charges are booked in whole nano-dollars"
OTHER_PRICES = "Booked at other prices than those now in force, or for calls that are counted elsewhere now"
LATE = "Stated after its month was closed"
AT_ONCE = 65_536

UsedByDeal = Iterable[tuple[tuple[Any, ...], Sequence[int]]]  # fields of Deal, and of Used


@dataclass(frozen=True, slots=True)
class Terms:
    """How a month is told. `allocations`: which cost centers' cost is shared out; `billing` None: all is estimated."""

    month: Month
    allocations: Mapping[str, Allocation] = field(default_factory=dict)
    billing: Billing | None = None


class Residue(NamedTuple):
    """What an Adjustment is for: sums by any of these are the books'."""

    month: Month
    reason: str
    provider: str
    cost_center: str
    repository: str
    team: str
    covered_by: str


@dataclass(slots=True)
class _Sums:
    """What a run's rows come to, and what is booked, in eighteenth decimals of a dollar."""

    contracted: int = 0
    listed: int = 0
    booked_list: int = 0
    derived: bool = True


class Builder:
    """Takes what is stated run by run; gives rows in batches, and what must be added at the end."""

    def __init__(self, catalogue: Catalogue, terms: Terms) -> None:
        self.catalogue, self.terms = catalogue, terms
        self.unpriced_calls = 0
        self.billing = terms.billing
        self._priced, self._unpriced = Metered(), Metered()
        self._residues: dict[Residue, list[int]] = {}
        self._receivers = {name: each.receivers() for name, each in terms.allocations.items()}

    @property
    def full(self) -> bool:
        return len(self._priced.count) >= AT_ONCE or len(self._unpriced.count) >= AT_ONCE

    def take(self) -> tuple[Metered, Metered]:
        """The rows so far, and those without a price; both begin anew."""
        taken = self._priced, self._unpriced
        self._priced, self._unpriced = Metered(), Metered()
        return taken

    def add(self, stated: Stated, used: UsedByDeal) -> None:
        """Add what is stated of a run in a charge month; `used` are its calls of it."""
        why = Circumstances(stated.covered_by, LATE if stated.month < self.terms.month else "")
        sums = _Sums()
        merged, booked = self._merged(used, why, sums)
        spread = Spread(stated, self._receivers.get(stated.run.cost_center, ()))
        for (lines, hour), amounts in merged.items():
            counts = lines.counts(amounts)
            if lines.priced:
                sums.derived = sums.derived and _derives(lines, counts, amounts)
                self._add_priced(lines, hour, counts, spread, sums)
            else:
                self.unpriced_calls += amounts[0]
                sums.derived = sums.derived and not amounts[9]
                _add(self._unpriced, lines, hour, counts, spread)
        if stated.before:
            whole, sums.booked_list = not stated.amount, sums.listed
        else:
            whole = stated.amount == booked
        provider = next((lines.provider for lines, _ in merged), "")
        self._leave(stated, provider, sums, sums.derived and whole)

    def _merged(
        self, used: UsedByDeal, why: Circumstances, sums: _Sums
    ) -> tuple[dict[tuple[Lines, int], Sequence[int]], int]:
        """What was used by lines and hour, and what is booked of it."""
        merged: dict[tuple[Lines, int], Sequence[int]] = {}
        booked = 0
        for deal, amounts in used:
            lines = self.catalogue.lines(deal, why)
            booked += amounts[9]
            if deal[8] or not lines.priced:
                sums.booked_list += amounts[10] * ATTO
            else:  # the list has no price: see Item.listed
                sums.booked_list += lines.at_list(lines.counts(amounts))
            key = lines, deal[0] // 2
            held = merged.get(key)
            merged[key] = amounts if held is None else tuple(map(add, held, amounts))
        return merged, booked

    def _add_priced(self, lines: Lines, hour: int, counts: Sequence[int], spread: Spread, sums: _Sums) -> None:
        rows, first = self._priced, len(self._priced.count)
        _add(rows, lines, hour, counts, spread)
        if spread.moves:  # what only moves comes to nothing but what parts of tokens leave
            added = Counter[int]()
            for place in range(first, len(rows.count)):
                added[rows.item[place]] += rows.count[place]
            counts = [added[item] for item in lines.items]
        sums.contracted += lines.at_contracted(counts)
        sums.listed += lines.at_list(counts)
        if self.billing is not None:
            self._bill(self.billing, lines, hour, first)

    def _bill(self, billing: Billing, lines: Lines, hour: int, first: int) -> None:
        """Give the rows from a place on their parts of what is invoiced. What a subscription covers has none."""
        rows, prices = self._priced, dict(zip(lines.items, lines.contracted, strict=True))
        for place in range(first, len(rows.count)):
            item = rows.item[place]
            part, invoice = 0, NO_INVOICE
            if not self.catalogue.items[item].covered_by:
                part, invoice = billing.part(lines.provider, lines.model, hour, prices[item] * rows.count[place])
            rows.billed.append(part)
            rows.invoice.append(invoice)

    def _leave(self, stated: Stated, provider: str, sums: _Sums, derived: bool) -> None:
        """Remember what the rows do not come to."""
        off = stated.amount * ATTO - sums.contracted, sums.booked_list - sums.listed
        if any(off):
            run = stated.run
            reason = ROUNDING if derived else OTHER_PRICES
            key = Residue(
                stated.month, reason, provider, run.cost_center, run.repository, run.team, stated.covered_by
            )  # fmt: skip
            held = self._residues.setdefault(key, [0, 0])
            held[0] += off[0]
            held[1] += off[1]

    def rest(self) -> list[Told]:
        """What is left when every run was added: the Adjustments."""
        rest = [
            self._adjustment(key, value, listed)
            for key, (value, listed) in sorted(self._residues.items())
            if value or listed
        ]
        return rest + (self.billing.rest() if self.billing else [])

    def _adjustment(self, key: Residue, value: int, listed: int) -> Told:
        late = key.month < self.terms.month
        item = Item(
            seller_of(key.provider),
            f"Adjustment: {key.reason[0].lower()}{key.reason[1:]}",
            Category.ADJUSTMENT,
            Frequency.ONE_TIME,
            correction=late,
            reason=key.reason,
            covered_by=key.covered_by,
        )
        run = Run("", "", 0, key.repository, team=key.team, cost_center=key.cost_center)
        return Told(
            "adjustment/" + "/".join(map(str, key)),
            item,
            Origin(run, Book.USAGE),
            key.month.start,
            key.month.end,
            list_cost=listed,
            contracted=0 if key.covered_by else value,
            value=value,
        )


def _derives(lines: Lines, counts: Sequence[int], amounts: Sequence[int]) -> bool:
    """Whether what is booked is what the prices give, but for rounding: half a nano-dollar a charge."""
    off = lines.at_contracted(counts) - amounts[9] * ATTO
    return not off or abs(off) <= amounts[0] * len(counts) * ATTO // 2 + sum(counts) * ATTO // 1_000_000


def _add(rows: Metered, lines: Lines, hour: int, counts: Sequence[int], spread: Spread) -> None:
    """Add a row for each line and place of which there is any."""
    first = spread.place_in(rows)
    if spread.whole:
        before = len(rows.count)
        for item, count in zip(lines.items, counts, strict=True):
            if count:
                rows.item.append(item)
                rows.count.append(count)
        added = len(rows.count) - before
        rows.origin.extend([first] * added)
        rows.hour.extend([hour] * added)
        return
    for item, count in zip(lines.items, counts, strict=True):
        for place, part in enumerate(spread.of(count) if count else (), first):
            if part:
                rows.add(place, item, hour, part)
