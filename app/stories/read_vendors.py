"""Vendors' reports, read with an operator's keys every night: each day is read until its figures do not move any more.

Only what the configuration names as agent spend is kept. Without a key nothing is asked. A limit of the vendor is a
later time for the rest of the pass; what was read before stays read.
"""

import logging
from collections.abc import Sequence
from datetime import date

from app.core.outcomes import Later, Refused
from app.core.vendors.accounts import AgentSpend
from app.store.accounts import installation_of
from app.store.configs import config_in_force
from app.store.invoice_tables import VendorReading
from app.store.queue import Job, enqueue
from app.store.vendor_costs import Read, days_between, save_reading
from app.store.vendor_readings import begin, end, next_days, note_left_out, note_problem, vendor_job
from app.vendors.connection import VendorFailed
from app.vendors.reports import AT_ONCE, DAY, MOST_AT_ONCE, Access, Asked, read_report
from app.world import World

log = logging.getLogger(__name__)


def read_vendor(job: Job, world: World) -> None:
    """Read the next days of a vendor's reports of an account, and ask for the ones behind them."""
    vendor = str(job.args["vendor"])
    found = _access(world, job.account_id, vendor)
    if found is None:
        return
    access, spend = found
    with world.db.transaction() as session:
        row = begin(session, job.account_id, spend, world.now())
        days = next_days(session, row, world.now(), AT_ONCE.get(vendor, MOST_AT_ONCE))
        if not days:
            end(session, job.account_id, vendor, world.now())
            return
    try:
        _read(world, row, access, spend, days)
    except Refused as no:
        log.error("account %s: %s", job.account_id, no)  # noqa: TRY400 - a person has to mend it
        _note(world, row, no.sentence)
        return
    except (Later, VendorFailed) as problem:
        _note(world, row, problem.reason if isinstance(problem, Later) else str(problem))
        raise


def _access(world: World, account_id: int, vendor: str) -> tuple[Access, AgentSpend] | None:
    """The key and what is named; None where there is not both."""
    with world.db.reading() as session:
        installation = installation_of(session, account_id)
        spend = config_in_force(session, account_id).vendors.of(vendor)
    if installation is None or installation.state != "active" or spend is None:
        return None
    key = world.settings.vendor_key(installation.account_login, vendor)
    return (Access(vendor, world.settings.vendor_url(vendor), key, world.now), spend) if key else None


def _read(world: World, row: VendorReading, access: Access, spend: AgentSpend, days: Sequence[date]) -> None:
    """Read some days whole, and keep them; or nothing of them."""
    told = read_report(access, Asked(spend, days[0], days[-1]))
    read = Read(row.account_id, row.vendor, days_between(days[0], days[-1] + DAY))
    with world.db.transaction() as session:
        saved = save_reading(session, read, told.costs, world.now())
        note_left_out(session, row, told.left_out)
        enqueue(session, vendor_job(row.account_id, row.vendor, world.now()), world.now())
    log.info(
        "account %s: %s from %s to %s: %d buckets new, %d changed, %d rows of others left out",
        *(row.account_id, row.vendor, days[0], days[-1], saved.added, saved.changed, told.left_out),
    )


def _note(world: World, row: VendorReading, problem: str) -> None:
    with world.db.transaction() as session:
        note_problem(session, row.account_id, row.vendor, problem)
