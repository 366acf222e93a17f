"""Imported invoices, and what is billed of a month: by its invoices where there are some, else by reports.

All functions work within the caller's transaction or snapshot.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session, col, select

from app.core.money import NanoUsd
from app.core.month import Month
from app.core.usage import Tokens
from app.core.vendors.values import NO_TOKENS, WHOLE_MONTH, Bucket, InvoiceLine, VendorCost
from app.store.invoice_tables import VendorInvoice, VendorInvoiceLine
from app.store.keys import us
from app.store.vendor_costs import ALL_NAMED, cost_of, days_of, read_days, rows_of_month, settles_at


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """Where an invoice comes from. `left_out`: rows of the file that are not agent spend."""

    account_id: int
    sha256: str
    left_out: int


def save_invoice(session: Session, file: InvoiceFile, lines: Sequence[VendorCost], now: datetime) -> int:
    """Keep the lines of one invoice; its version. The same lines a second time change nothing."""
    (vendor,) = {cost.bucket.vendor for cost in lines}
    (invoice_id,) = {cost.line.invoice_id for cost in lines if cost.line is not None}
    query = select(VendorInvoice).where(
        VendorInvoice.account_id == file.account_id,
        VendorInvoice.vendor == vendor,
        VendorInvoice.invoice_id == invoice_id,
    )
    before = sorted(session.exec(query.with_for_update()), key=lambda row: row.version)
    if before and _lines_of(session, before[-1]) == sorted(lines, key=_by_line):
        return before[-1].version
    for row in before:
        row.current = False
        session.add(row)
    session.flush()
    version = before[-1].version + 1 if before else 1
    invoice = VendorInvoice(
        account_id=file.account_id,
        vendor=vendor,
        invoice_id=invoice_id,
        version=version,
        current=True,
        file_sha256=file.sha256,
        lines=len(lines),
        left_out=file.left_out,
        billed_nano_usd=sum(cost.billed for cost in lines),
        imported_at_us=us(now),
    )
    session.add(invoice)
    session.flush()
    session.add_all(_row(invoice, cost) for cost in lines)
    session.flush()
    return version


def invoices_of(session: Session, account_id: int) -> list[VendorInvoice]:
    """The invoices in force, by vendor and id."""
    query = select(VendorInvoice).where(VendorInvoice.account_id == account_id, col(VendorInvoice.current))
    return list(session.exec(query.order_by(col(VendorInvoice.vendor), col(VendorInvoice.invoice_id))))


def invoice_lines(session: Session, account_id: int, month: Month) -> list[VendorCost]:
    """The lines of invoices in force that are for a month, each with its `line`: FOCUS's Invoice Detail.

    A line is told under the month that it is for, not the one of its invoice; so a credit may be for an earlier month.
    """
    query = (
        select(VendorInvoiceLine)
        .join(
            VendorInvoice,
            (col(VendorInvoice.account_id) == col(VendorInvoiceLine.account_id))
            & (col(VendorInvoice.vendor) == col(VendorInvoiceLine.vendor))
            & (col(VendorInvoice.invoice_id) == col(VendorInvoiceLine.invoice_id))
            & (col(VendorInvoice.version) == col(VendorInvoiceLine.version)),
        )
        .where(
            VendorInvoiceLine.account_id == account_id,
            VendorInvoiceLine.month == int(month),
            col(VendorInvoice.current),
        )
    )
    return sorted(map(_cost, session.exec(query)), key=_by_line)


@dataclass(frozen=True, slots=True)
class BilledBucket:
    """What is billed in a bucket. `invoices`: the ids of those that say so; none for a report.

    `final`: an invoice says it, or the report was read when it could not move any more.
    """

    bucket: Bucket
    billed: NanoUsd
    listed: NanoUsd | None
    tokens: Tokens
    final: bool
    invoices: tuple[str, ...] = ()


def billed_by_bucket(session: Session, account_id: int, month: Month) -> list[BilledBucket]:
    """What vendors bill of a month, in the order of buckets: for FOCUS in invoiced mode, and for the journal's true-up.

    An account of a vendor that an invoice has lines of kind "usage" for in the month is billed by its invoices, and its
    report is left aside. Credits, fees and taxes are lines too: what all buckets sum to is what is billed.
    """
    lines = invoice_lines(session, account_id, month)
    invoiced = {_payer(each.bucket) for each in lines if each.line is not None and each.line.kind == "usage"}
    read_at = read_days(session, account_id, month)
    reported = [cost_of(row) for row in rows_of_month(session, account_id, month)]
    from_reports = [
        _bucket([cost], is_final(read_at, *_payer(cost.bucket), month, cost.bucket.day))
        for cost in reported
        if _payer(cost.bucket) not in invoiced
    ]
    by_bucket: dict[Bucket, list[VendorCost]] = defaultdict(list)
    for line in lines:
        by_bucket[line.bucket].append(line)
    found = {each.bucket: each for each in from_reports}
    for bucket, costs in by_bucket.items():
        told, known = _bucket(costs, True), found.get(bucket)
        found[bucket] = told if known is None else _together(known, told)
    return [found[bucket] for bucket in sorted(found)]


def is_final(read_at: dict[tuple[str, str, int], int], vendor: str, account: str, month: Month, day: int) -> bool:
    """Whether a day (or the whole month) of a vendor's account was read when its figures could not move any more."""
    if day == WHOLE_MONTH and not any((vendor, each, day) in read_at for each in (ALL_NAMED, account)):
        return all(is_final(read_at, vendor, account, month, each) for _, each in days_of(month))
    last_us = max(read_at.get((vendor, each, day), 0) for each in (ALL_NAMED, account))
    return last_us >= us(settles_at(vendor, month))


def invoiced_accounts(session: Session, account_id: int, month: Month) -> set[tuple[str, str]]:
    """Vendors with those of their accounts whose month is billed by invoices."""
    lines = invoice_lines(session, account_id, month)
    return {_payer(each.bucket) for each in lines if each.line is not None and each.line.kind == "usage"}


def _payer(bucket: Bucket) -> tuple[str, str]:
    return bucket.vendor, bucket.account


def _bucket(costs: Sequence[VendorCost], final: bool) -> BilledBucket:
    listed = [cost.listed for cost in costs]
    known = None if None in listed else NanoUsd(sum(each for each in listed if each is not None))
    invoices = sorted({cost.line.invoice_id for cost in costs if cost.line is not None})
    billed = NanoUsd(sum(cost.billed for cost in costs))
    tokens = costs[0].tokens if len(costs) == 1 else NO_TOKENS
    return BilledBucket(costs[0].bucket, billed, known, tokens, final, tuple(invoices))


def _together(one: BilledBucket, other: BilledBucket) -> BilledBucket:
    """A report's bucket with a credit on top."""
    billed = NanoUsd(one.billed + other.billed)
    return BilledBucket(one.bucket, billed, one.listed, one.tokens, one.final, other.invoices)


def _row(invoice: VendorInvoice, cost: VendorCost) -> VendorInvoiceLine:
    line = cost.line
    if line is None:
        raise ValueError("a report's cost is no line of an invoice")
    return VendorInvoiceLine(
        account_id=invoice.account_id,
        vendor=invoice.vendor,
        invoice_id=invoice.invoice_id,
        version=invoice.version,
        line_id=line.line_id,
        vendor_account=cost.bucket.account,
        model=cost.bucket.model,
        month=int(cost.bucket.month),
        day=cost.bucket.day,
        kind=line.kind,
        description=line.description,
        quantity="" if line.quantity is None else f"{line.quantity:f}",
        unit=line.unit,
        billed_nano_usd=int(cost.billed),
        list_nano_usd=cost.listed,
    )


def _lines_of(session: Session, invoice: VendorInvoice) -> list[VendorCost]:
    query = select(VendorInvoiceLine).where(
        VendorInvoiceLine.account_id == invoice.account_id,
        VendorInvoiceLine.vendor == invoice.vendor,
        VendorInvoiceLine.invoice_id == invoice.invoice_id,
        VendorInvoiceLine.version == invoice.version,
    )
    return sorted(map(_cost, session.exec(query)), key=_by_line)


def _cost(row: VendorInvoiceLine) -> VendorCost:
    quantity = Decimal(row.quantity) if row.quantity else None
    line = InvoiceLine(row.invoice_id, row.line_id, row.kind, row.description, quantity, row.unit)
    bucket = Bucket(row.vendor, row.vendor_account, row.model, Month.from_int(row.month), row.day)
    listed = None if row.list_nano_usd is None else NanoUsd(row.list_nano_usd)
    return VendorCost(bucket, NanoUsd(row.billed_nano_usd), listed, line=line)


def _by_line(cost: VendorCost) -> tuple[str, str, str]:
    return (cost.bucket.vendor, cost.line.invoice_id, cost.line.line_id) if cost.line else (cost.bucket.vendor, "", "")
