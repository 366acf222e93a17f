"""What imported invoices say of a month, as far as it was reconciled: which of it our rows may bear as billed.

A cell (provider, model, day) counts where the reconciliation finds no difference and one invoice bills it. What differs
stays in the reconciliation: a difference is nobody's usage, and rows would be billed for calls that are not theirs.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.core.focus.billing import Bucket, BucketKey
from app.core.focus.description import InvoiceLine
from app.core.focus.fees import Credit
from app.core.focus.rows import Invoice
from app.core.focus.sellers import seller_of
from app.core.money import NanoUsd
from app.core.reconcile import Line, State
from app.core.vendors.values import VendorCost

CATEGORIES = {"usage": "Usage", "credit": "Credit", "fee": "Usage", "tax": "Tax"}
Canonical = Callable[[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Invoiced:
    """What is billed for rows by provider, model and day, as `canonical` names them; and the rest of the invoices."""

    buckets: Mapping[BucketKey, Bucket]
    canonical: Canonical
    credits: Sequence[Credit] = ()
    lines: Sequence[InvoiceLine] = field(default_factory=tuple)


def invoiced_of(
    lines: Sequence[Line],
    costs: Sequence[VendorCost],
    imported_at: Callable[[str, str], datetime],
    canonical: Canonical,
) -> Invoiced:
    """From a month's reconciliation and its invoices' lines. `imported_at`: of a vendor's invoice."""
    cells: dict[BucketKey, list[Line]] = defaultdict(list)
    usage: dict[BucketKey, list[VendorCost]] = defaultdict(list)
    for line in lines:
        cells[*canonical(line.bucket.vendor, line.bucket.model), line.bucket.day].append(line)
    for cost in costs:
        if cost.line is not None and cost.line.kind == "usage":
            usage[*canonical(cost.bucket.vendor, cost.bucket.model), cost.bucket.day].append(cost)
    buckets = {key: bucket for key, own in cells.items() if (bucket := _bucket(own, usage.get(key, ()))) is not None}
    told = [cost for cost in costs if cost.line is not None]
    return Invoiced(
        buckets,
        canonical,
        [credit for cost in told if (credit := _credit(cost)) is not None],
        [_line(cost, imported_at) for cost in told],
    )


def _bucket(lines: Sequence[Line], costs: Sequence[VendorCost]) -> Bucket | None:
    """What a cell bills; None where rows cannot bear it."""
    ours, billed = (sum(each) for each in ((line.ours for line in lines), (line.billed for line in lines)))
    invoices = {cost.line.invoice_id for cost in costs if cost.line is not None}
    sound = all(line.state is State.RECONCILED for line in lines) and ours > 0
    if not sound or len(invoices) != 1 or billed != sum(cost.billed for cost in costs):
        return None
    ids = {cost.line.line_id for cost in costs if cost.line is not None}
    (invoice_id,) = invoices
    return Bucket(NanoUsd(billed), NanoUsd(ours), Invoice(invoice_id, ids.pop() if len(ids) == 1 else ""))


def _credit(cost: VendorCost) -> Credit | None:
    line = cost.line
    if line is None or line.kind not in ("credit", "tax"):
        return None
    invoice = Invoice(line.invoice_id, line.line_id)
    key = f"{cost.bucket.vendor}/{line.invoice_id}/{line.line_id}"
    return Credit(key, cost.bucket.vendor, line.description, cost.billed, tax=line.kind == "tax", invoice=invoice)


def _line(cost: VendorCost, imported_at: Callable[[str, str], datetime]) -> InvoiceLine:
    vendor, line = cost.bucket.vendor, cost.line
    if line is None:
        raise ValueError("a report has no lines of an invoice")
    return InvoiceLine(
        vendor,
        seller_of(vendor).name,
        line.invoice_id,
        line.line_id,
        line.description,
        CATEGORIES[line.kind],
        cost.billed,
        imported_at(vendor, line.invoice_id),
    )
