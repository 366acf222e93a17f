"""What vendors invoiced, given to rows so that the parts sum to the invoice. The reconciliation itself is not ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.core.focus.items import Category, Frequency, Item
from app.core.focus.origins import Origin, Run
from app.core.focus.rows import ATTO, NO_INVOICE, Invoice, Told
from app.core.focus.sellers import seller_of
from app.core.ledger import Book
from app.core.money import NanoUsd

INVOICE_REST = "Of what was invoiced, the part that is no row's"
BucketKey = tuple[str, str, int]  # provider, model, day since the epoch


class Bucket(NamedTuple):
    """What a vendor invoiced for a model on a day, and what our rows of it come to at contracted prices."""

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

    def __init__(self, buckets: Mapping[BucketKey, Bucket]) -> None:
        self.invoices = sorted({bucket.invoice for bucket in buckets.values()})
        self._places = {invoice: place for place, invoice in enumerate(self.invoices)}
        self._buckets = buckets
        self._given: dict[BucketKey, _Given] = {}

    def part(self, key: BucketKey, contracted: int) -> tuple[int, int]:
        """A row's part and the place of its invoice, or 0 and NO_INVOICE where its bucket is not reconciled."""
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0, NO_INVOICE
        so_far = self._given.setdefault(key, _Given())
        so_far.seen += contracted
        whole = bucket.contracted * ATTO
        due = (2 * bucket.billed * so_far.seen + whole) // (2 * whole) if whole > 0 else 0
        part, so_far.given = due - so_far.given, due
        return part, self._places[bucket.invoice]

    def rest(self) -> list[Told]:
        """A row for what of a bucket went to none, so that an invoice's rows sum to it."""
        rows = []
        for key, bucket in sorted(self._buckets.items()):
            left = bucket.billed - self._given.get(key, _Given()).given
            if left:
                rows.append(_rest(key, bucket, left))
        return rows


def _rest(key: BucketKey, bucket: Bucket, left: int) -> Told:
    provider, model, day = key
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)
    item = Item(
        seller_of(provider),
        f"Adjustment: {model}, what was invoiced beyond the rows",
        Category.ADJUSTMENT,
        Frequency.ONE_TIME,
        reason=INVOICE_REST,
    )
    origin = Origin(Run("", "", 0, ""), Book.USAGE)
    record = f"invoice/{provider}/{model}/{day}"
    end = start + timedelta(days=1)
    # Of the invoice, but of no line of it: a line of usage has no adjustments.
    invoice = Invoice(bucket.invoice.invoice_id)
    return Told(record, item, origin, start, end, billed=left * ATTO, invoice=invoice)
