"""What vendors' reports say, bucket by bucket, as last read; what it was before is kept. In the caller's transaction.

A reading is of whole days: a bucket of such a day that is not told any more is worth nothing from then on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from app.core.chargeback.periods import FINAL_AFTER
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.usage import Tokens
from app.core.vendors.accounts import CLAUDE_ENTERPRISE
from app.core.vendors.values import WHOLE_MONTH, Bucket, VendorCost, summed
from app.store.invoice_tables import VendorCostPast, VendorCostRow, VendorDay
from app.store.keys import us

ALL_NAMED = ""  # in place of an account: all that the configuration names
# "Not final until about 30 days after the usage date": https://platform.claude.com/docs/en/api/admin/analytics/cost
SETTLED_AFTER = {CLAUDE_ENTERPRISE: timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Read:
    """What a reading was of: days of a vendor, and of some of its accounts (ALL_NAMED: of every one that counts)."""

    account_id: int
    vendor: str
    days: Sequence[tuple[Month, int]]
    accounts: frozenset[str] = frozenset({ALL_NAMED})


@dataclass(frozen=True, slots=True)
class Saved:
    """How many buckets a reading made, changed and left as they were."""

    added: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: "Saved") -> "Saved":
        return Saved(self.added + other.added, self.changed + other.changed, self.same + other.same)


def settles_at(vendor: str, month: Month) -> datetime:
    """From when on a reading of a month's days is final."""
    return month.end + SETTLED_AFTER.get(vendor, FINAL_AFTER)


def days_of(month: Month) -> list[tuple[Month, int]]:
    return [(month, day) for day in range(1, (month.end - month.start).days + 1)]


def days_between(first: date, end: date) -> list[tuple[Month, int]]:
    """The days from the first to one that is not included."""
    days = [first + timedelta(days=number) for number in range((end - first).days)]
    return [(Month(day.year, day.month), day.day) for day in days]


def save_reading(session: Session, read: Read, costs: Iterable[VendorCost], now: datetime) -> Saved:
    """Bring what is held of the days that were read to what is told now."""
    told = {cost.bucket: cost for cost in summed(costs)}
    saved = Saved()
    for row in _held(session, read):
        bucket = bucket_of(row)
        cost = told.pop(bucket, None) or VendorCost(bucket, NanoUsd(0))
        saved += _renew(session, row, cost, now)
    for cost in told.values():
        session.add(VendorCostRow(account_id=read.account_id, version=1, **_key(cost.bucket), **_values(cost, now)))
    _note_days(session, read, now)
    session.flush()
    return saved + Saved(added=len(told))


def bucket_of(row: VendorCostRow) -> Bucket:
    return Bucket(row.vendor, row.vendor_account, row.model, Month.from_int(row.month), row.day)


def cost_of(row: VendorCostRow) -> VendorCost:
    listed = None if row.list_nano_usd is None else NanoUsd(row.list_nano_usd)
    return VendorCost(bucket_of(row), NanoUsd(row.billed_nano_usd), listed, _tokens(row))


def rows_of_month(session: Session, account_id: int, month: Month) -> list[VendorCostRow]:
    query = select(VendorCostRow).where(VendorCostRow.account_id == account_id, VendorCostRow.month == int(month))
    return list(session.exec(query))


def read_days(session: Session, account_id: int, month: Month) -> dict[tuple[str, str, int], int]:
    """When each day of a month was last read, in µs, by vendor, account (or ALL_NAMED) and day."""
    query = select(VendorDay).where(VendorDay.account_id == account_id, VendorDay.month == int(month))
    return {(row.vendor, row.vendor_account, row.day): row.read_at_us for row in session.exec(query)}


def unsettled_days(
    session: Session, account_id: int, vendor: str, between: tuple[date, date], before: datetime
) -> list[date]:
    """The days (of a span whose end is not included) that are not final, and were last read before an instant."""
    query = select(VendorDay).where(
        VendorDay.account_id == account_id, VendorDay.vendor == vendor, VendorDay.vendor_account == ALL_NAMED
    )
    read_at = {(row.month, row.day): row.read_at_us for row in session.exec(query)}
    wanted = []
    for month, day in days_between(*between):
        at_us = read_at.get((int(month), day), 0)
        if at_us < min(us(before), us(settles_at(vendor, month))):
            wanted.append(date(month.year, month.number, day))
    return wanted


def forget_days(session: Session, account_id: int, vendor: str) -> None:
    """Have every day read anew: other accounts count now. What is held stays until then, and what files told stays."""
    query = select(VendorDay).where(
        VendorDay.account_id == account_id, VendorDay.vendor == vendor, VendorDay.vendor_account == ALL_NAMED
    )
    for row in session.exec(query).all():
        session.delete(row)
    session.flush()


def _held(session: Session, read: Read) -> list[VendorCostRow]:
    """The buckets of the days and accounts that were read."""
    months = {int(month) for month, _ in read.days}
    days = {(int(month), day) for month, day in read.days}
    query = select(VendorCostRow).where(
        VendorCostRow.account_id == read.account_id,
        VendorCostRow.vendor == read.vendor,
        col(VendorCostRow.month).in_(months),
    )
    if ALL_NAMED not in read.accounts:
        query = query.where(col(VendorCostRow.vendor_account).in_(read.accounts))
    # A day that is told by itself takes the place of what was told of its month as a whole.
    rows = session.exec(query.with_for_update())
    return [row for row in rows if row.day == WHOLE_MONTH or (row.month, row.day) in days]


def _renew(session: Session, row: VendorCostRow, cost: VendorCost, now: datetime) -> Saved:
    values = _values(cost, now)
    same = all(getattr(row, name) == value for name, value in values.items() if not name.endswith("_us"))
    row.read_at_us = us(now)
    if not same:
        session.add(_past(row, now))
        for name, value in values.items():
            setattr(row, name, value)
        row.version += 1
    session.add(row)
    return Saved(same=1) if same else Saved(changed=1)


def _past(row: VendorCostRow, now: datetime) -> VendorCostPast:
    return VendorCostPast(
        account_id=row.account_id,
        version=row.version,
        billed_nano_usd=row.billed_nano_usd,
        list_nano_usd=row.list_nano_usd,
        changed_at_us=row.changed_at_us,
        replaced_at_us=us(now),
        **_key(bucket_of(row)),
    )


def _key(bucket: Bucket) -> dict[str, Any]:
    return {
        "vendor": bucket.vendor,
        "vendor_account": bucket.account,
        "model": bucket.model,
        "month": int(bucket.month),
        "day": bucket.day,
    }


def _values(cost: VendorCost, now: datetime) -> dict[str, Any]:
    counts = {f"{name}_tokens": count for name, count in cost.tokens._asdict().items() if name != "reasoning"}
    at = {"changed_at_us": us(now), "read_at_us": us(now)}
    return {"billed_nano_usd": int(cost.billed), "list_nano_usd": cost.listed, **counts, **at}


def _tokens(row: VendorCostRow) -> Tokens:
    return Tokens(
        row.input_tokens,
        row.cache_read_tokens,
        row.cache_write_5m_tokens,
        row.cache_write_1h_tokens,
        row.cache_write_other_tokens,
        row.output_tokens,
    )


def _note_days(session: Session, read: Read, now: datetime) -> None:
    for account in sorted(read.accounts):
        for month, day in read.days:
            row = VendorDay(
                account_id=read.account_id,
                vendor=read.vendor,
                vendor_account=account,
                month=int(month),
                day=day,
                read_at_us=us(now),
            )
            session.merge(row)
