"""How far vendors' reports are read over HTTP: a pass reads every day anew that can still move, some days at a time.

Within the caller's transaction. A pass that is stopped goes on where it was, as each day knows when it was read.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from app.core.month import Month
from app.core.vendors.accounts import AgentSpend
from app.store.invoice_tables import VendorReading
from app.store.keys import instant, us
from app.store.queue import BEHIND, NewJob
from app.store.vendor_costs import forget_days, unsettled_days

LONGEST_PROBLEM = 300
# Claude Enterprise refuses a day that is a year ago, and with it the whole question.
FURTHEST_BACK = timedelta(days=360)


def vendor_lane(account_id: int) -> str:
    """The lane in which an account's vendors are read, one after the other."""
    return f"{account_id}/vendors{BEHIND}"


def vendor_job(account_id: int, vendor: str, due: datetime) -> NewJob:
    """A pass through a vendor's reports."""
    return NewJob(account_id, vendor_lane(account_id), "vendor", f"vendor/{vendor}", {"vendor": vendor}, due)


def reading_of(session: Session, account_id: int, vendor: str) -> VendorReading | None:
    return session.get(VendorReading, (account_id, vendor))


def readings_of(session: Session, account_id: int) -> list[VendorReading]:
    """The readings of an account, by vendor."""
    query = select(VendorReading).where(VendorReading.account_id == account_id)
    return list(session.exec(query.order_by(col(VendorReading.vendor))))


def begin(session: Session, account_id: int, spend: AgentSpend, now: datetime) -> VendorReading:
    """The pass that is under way, or a new one. What else is named than before has every day read anew."""
    row = reading_of(session, account_id, spend.vendor)
    if row is None:
        first = int(f"{Month.of(now).previous.start:%Y%m%d}")
        row = VendorReading(account_id=account_id, vendor=spend.vendor, since_day=first, selection=spend.selection)
    if row.selection != spend.selection:
        forget_days(session, account_id, spend.vendor)
        row.selection, row.began_at_us = spend.selection, None
    if row.began_at_us is None:
        row.began_at_us, row.left_out = us(now), 0
    session.add(row)
    session.flush()
    return row


def read_since(session: Session, account_id: int, vendor: str, since: date, now: datetime) -> None:
    """Have days read that are further back."""
    row = reading_of(session, account_id, vendor)
    first = int(f"{since:%Y%m%d}")
    row = row or VendorReading(account_id=account_id, vendor=vendor, since_day=first)
    row.since_day, row.began_at_us = min(row.since_day, first), us(now)
    session.add(row)
    session.flush()


def next_days(session: Session, row: VendorReading, now: datetime, most: int) -> Sequence[date]:
    """The next days in a row that the pass has to read; none when it is through. Today is not over, so not read."""
    if row.began_at_us is None:
        return ()
    since = date(row.since_day // 10_000, row.since_day // 100 % 100, row.since_day % 100)
    span = max(since, now.date() - FURTHEST_BACK), now.date()
    days = unsettled_days(session, row.account_id, row.vendor, span, instant(row.began_at_us))
    return [day for number, day in enumerate(days[:most]) if day == days[0] + timedelta(days=number)]


def note_left_out(session: Session, row: VendorReading, rows: int) -> None:
    held = session.get_one(VendorReading, (row.account_id, row.vendor), with_for_update=True)
    held.left_out += rows
    held.problem = ""
    session.add(held)
    session.flush()


def end(session: Session, account_id: int, vendor: str, now: datetime) -> None:
    """The pass is through."""
    row = session.get_one(VendorReading, (account_id, vendor), with_for_update=True)
    row.began_at_us, row.ended_at_us, row.problem = None, us(now), ""
    session.add(row)
    session.flush()


def note_problem(session: Session, account_id: int, vendor: str, problem: str) -> None:
    """Why the pass does not get on."""
    row = reading_of(session, account_id, vendor)
    if row is not None:
        row.problem = problem[:LONGEST_PROBLEM]
        session.add(row)
        session.flush()
