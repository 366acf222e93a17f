"""A file that a person brings: an invoice or a report as CSV. All of it is taken, or none and all mistakes are said."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session

from app.core.month import Month
from app.core.vendors import github
from app.core.vendors.accounts import GITHUB, VendorRules
from app.core.vendors.sheet import NEEDED, Sheet, is_own_form, own_rows_told, read_sheet
from app.core.vendors.values import WHOLE_MONTH, Mistake, Told, VendorCost
from app.store.configs import config_in_force
from app.store.invoices import InvoiceFile, save_invoice
from app.store.vendor_costs import Read, Saved, days_between, days_of, save_reading
from app.world import World

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file. With mistakes nothing did. `invoices`: vendor, id and version of each."""

    mistakes: tuple[Mistake, ...] = ()
    left_out: int = 0
    invoices: tuple[tuple[str, str, int], ...] = ()
    buckets: Saved = field(default_factory=Saved)


def import_file(world: World, account_id: int, raw: bytes) -> Imported:
    """Take a CSV file: our own form, or the report of AI usage that GitHub hands out."""
    with world.db.reading() as session:
        rules = config_in_force(session, account_id).vendors
    told = _told(raw, rules)
    if told.mistakes:
        return Imported(told.mistakes, told.left_out)
    file = InvoiceFile(account_id, hashlib.sha256(raw).hexdigest(), told.left_out)
    with world.db.transaction() as session:
        return _save(session, world, file, told)


def _told(raw: bytes, rules: VendorRules) -> Told:
    try:
        sheet = read_sheet(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return Told(mistakes=(Mistake("the file", "is not text in UTF-8"),))
    if is_own_form(sheet.columns):
        return own_rows_told(sheet, rules.of)
    if set(github.COLUMNS) <= set(sheet.columns):
        told = github.rows_told(sheet.rows, rules.of(GITHUB))
        return Told(told.costs, told.left_out, (*sheet.mistakes, *told.mistakes))
    return Told(mistakes=(*sheet.mistakes, _foreign(sheet)))


def _foreign(sheet: Sheet) -> Mistake:
    missing = [name for name in NEEDED if name not in sheet.columns]
    return Mistake("line 1", f"lacks {', '.join(missing)}, and it is not GitHub's report of AI usage either")


def _save(session: Session, world: World, file: InvoiceFile, told: Told) -> Imported:
    now = world.now()
    by_invoice: dict[tuple[str, str], list[VendorCost]] = defaultdict(list)
    for cost in told.costs:
        by_invoice[cost.bucket.vendor, cost.line.invoice_id if cost.line else ""].append(cost)
    invoices: list[tuple[str, str, int]] = []
    buckets = Saved()
    for (vendor, invoice_id), costs in sorted(by_invoice.items()):
        if invoice_id:
            invoices.append((vendor, invoice_id, save_invoice(session, file, costs, now)))
        else:
            buckets += _save_report(session, file.account_id, vendor, costs, world)
    return Imported(left_out=file.left_out, invoices=tuple(invoices), buckets=buckets)


def _save_report(session: Session, account_id: int, vendor: str, costs: Sequence[VendorCost], world: World) -> Saved:
    """A report stands for all days from its first to its last, account by account."""
    saved = Saved()
    for account in sorted({cost.bucket.account for cost in costs}):
        own = [cost for cost in costs if cost.bucket.account == account]
        read = Read(account_id, vendor, _days(own), frozenset({account}))
        saved += save_reading(session, read, own, world.now())
    return saved


def _days(costs: Iterable[VendorCost]) -> list[tuple[Month, int]]:
    told = {(cost.bucket.month, cost.bucket.day) for cost in costs}
    whole = sorted({month for month, day in told if day == WHOLE_MONTH})
    days = sorted(month.start.replace(day=day).date() for month, day in told if day != WHOLE_MONTH)
    span = days_between(days[0], days[-1] + ONE_DAY) if days else []
    return sorted({*span, *(each for month in whole for each in [(month, WHOLE_MONTH), *days_of(month)])})
