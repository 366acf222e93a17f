"""What vendors invoiced, given to rows so that the parts sum to the invoice. The reconciliation itself is not ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from app.core.focus.items import Category, Frequency, Item
from app.core.focus.origins import Origin, Run
from app.core.focus.rows import ATTO, NO_INVOICE, Invoice, Told, hour_of
from app.core.focus.sellers import seller_of
from app.core.ledger import Book
from app.core.money import NanoUsd
from app.core.month import Month

DAY_HOURS = 24
INVOICE_REST = "Of what was invoiced, the part that is no row's"
BucketKey = tuple[str, str, int]  # provider, model ("": any), day of the month (0: all of it)
Canonical = Callable[[str, str], tuple[str, str]]


class Bucket(NamedTuple):
    """What a vendor invoiced, and what is ours of it at contracted prices; what subscriptions cover is not."""

    billed: NanoUsd
    contracted: NanoUsd
    invoice: Invoice


@dataclass(slots=True)
class _Given:
    """How much of a bucket has gone to rows."""

    seen: int = 0
    given: int = 0


class Billing:
    """The billed part of each row, in nano-USD, by what the row comes to at contracted prices."""

    def __init__(self, buckets: Mapping[BucketKey, Bucket], month: Month, canonical: Canonical) -> None:
        self.invoices = sorted({bucket.invoice for bucket in buckets.values()})
        self._places = {invoice: place for place, invoice in enumerate(self.invoices)}
        self._buckets, self._month, self._canonical = buckets, month, canonical
        self._first_hour = hour_of(month.start)
        self._keys: dict[tuple[str, str, int], BucketKey | None] = {}
        self._given: dict[BucketKey, _Given] = {}

    def part(self, provider: str, model: str, hour: int, contracted: int) -> tuple[int, int]:
        """A row's part and the place of its invoice, or 0 and NO_INVOICE where nothing reconciled bills it."""
        asked = provider, model, (hour - self._first_hour) // DAY_HOURS + 1
        if asked not in self._keys:
            self._keys[asked] = self._key(*asked)
        key = self._keys[asked]
        if key is None:
            return 0, NO_INVOICE
        bucket = self._buckets[key]
        so_far = self._given.setdefault(key, _Given())
        so_far.seen += contracted
        whole = bucket.contracted * ATTO
        due = (2 * bucket.billed * so_far.seen + whole) // (2 * whole) if whole > 0 else 0
        part, so_far.given = due - so_far.given, due
        return part, self._places[bucket.invoice]

    def _key(self, provider: str, model: str, day: int) -> BucketKey | None:
        if day < 1:  # of an earlier month
            return None
        seller, name = self._canonical(provider, model)
        keys: list[BucketKey] = [(seller, each, on) for each in (name, "") for on in (day, 0)]
        return next((key for key in keys if key in self._buckets), None)

    def rest(self) -> list[Told]:
        """A row for what of a bucket went to none, so that an invoice's rows sum to it."""
        rows = []
        for key, bucket in sorted(self._buckets.items()):
            left = bucket.billed - self._given.get(key, _Given()).given
            if left:
                rows.append(_rest(key, bucket, left, self._month))
        return rows


def _rest(key: BucketKey, bucket: Bucket, left: int, month: Month) -> Told:
    provider, model, day = key
    start, end = month.start, month.end
    if day:
        start = month.start + timedelta(days=day - 1)
        end = start + timedelta(days=1)
    item = Item(
        seller_of(provider),
        f"Adjustment: {model or 'usage'}, what was invoiced beyond the rows",
        Category.ADJUSTMENT,
        Frequency.ONE_TIME,
        reason=INVOICE_REST,
    )
    origin = Origin(Run("", "", 0, ""), Book.USAGE)
    record = f"invoice/{provider}/{model}/{day}"
    # Of the invoice, but of no line of it: a line of usage has no adjustments.
    invoice = Invoice(bucket.invoice.invoice_id)
    return Told(record, item, origin, start, end, billed=left * ATTO, invoice=invoice)
