"""`python -m app vendors`: read vendors' reports now, bring a file, and see how far it all is."""

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path

from app.commands import opening
from app.commands.asked import first_day, for_accounts
from app.commands.lines import one_line
from app.core.money import NanoUsd, dollars_text
from app.core.report.escape import plain
from app.core.report.figures_table import columns
from app.core.report.numbers import count
from app.core.vendors.values import MOST_MISTAKES
from app.settings import Settings
from app.store.accounts import installation_of
from app.store.configs import config_in_force
from app.store.invoice_tables import VendorReading
from app.store.invoices import invoices_of
from app.store.keys import instant
from app.store.queue import DEAD, WAITING, enqueue, state_of
from app.store.vendor_readings import read_since, readings_of, vendor_job, vendor_lane
from app.stories.import_invoices import import_file
from app.world import World


def read(settings: Settings, options: argparse.Namespace) -> int:
    """Read reports here, in the lane in which a worker would; 0 when all could be read, 1 when not."""
    since = first_day(options.since) if options.since else None
    if options.since and since is None:
        return 2

    def all_of(world: World, accounts: Sequence[int]) -> int:
        wanted = [(each, vendor) for each in accounts for vendor in _readable(world, each, options.vendor)]
        if not wanted:
            print("There is no vendor that has both a key and a line in agent_spend.", file=sys.stderr)
            return 1
        return max([_read(world, *each, since.date() if since else None) for each in wanted])

    return for_accounts(settings, options, all_of)


def _readable(world: World, account_id: int, only: str | None) -> list[str]:
    with world.db.reading() as session:
        installation = installation_of(session, account_id)
        spend = config_in_force(session, account_id).vendors.agent_spend
    login = installation.account_login if installation else ""
    return [
        each.vendor for each in spend if world.settings.vendor_key(login, each.vendor) and only in (None, each.vendor)
    ]


def _read(world: World, account_id: int, vendor: str, since: date | None) -> int:
    job = vendor_job(account_id, vendor, world.now())
    with world.db.transaction() as session:
        if since:
            read_since(session, account_id, vendor, since, world.now())
        enqueue(session, job, world.now())
    opening.worker(world).drain(only=vendor_lane(account_id))
    with world.db.reading() as session:
        state, _ = state_of(session, account_id, job.dedupe)
        reading = next((each for each in readings_of(session, account_id) if each.vendor == vendor), None)
    print(f"account {account_id}: {_line(reading)}" if reading else f"account {account_id}: {vendor}: not begun yet")
    if state == WAITING:
        print("A running worker goes on with it.", file=sys.stderr)
    return 1 if state in (WAITING, DEAD) or reading is None or reading.problem else 0


def bring(world: World, account_id: int, name: str) -> int:
    """Import a file; 1 where it has mistakes, and then nothing of it was taken."""
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        print(f"{plain(name)} cannot be read: {type(error).__name__}", file=sys.stderr)
        return 2
    done = import_file(world, account_id, raw)
    for mistake in done.mistakes[:MOST_MISTAKES]:
        print(one_line(str(mistake)), file=sys.stderr)
    if done.mistakes:
        more = len(done.mistakes) - MOST_MISTAKES
        print(f"{f'… and {more} more. ' if more > 0 else ''}Nothing was imported.", file=sys.stderr)
        return 1
    for vendor, invoice_id, version in done.invoices:
        print(f"{vendor}: invoice {plain(invoice_id)}, version {version}")
    buckets = done.buckets
    print(f"buckets of reports: {buckets.added} new, {buckets.changed} changed, {buckets.same} as they were")
    print(f"{count(done.left_out, 'row')} of others left out: not named as agent spend")
    return 0


def status(world: World, accounts: Sequence[int]) -> int:
    """Print readings and invoices."""
    for account_id in accounts:
        with world.db.reading() as session:
            readings, invoices = readings_of(session, account_id), invoices_of(session, account_id)
        begun = {each.vendor for each in readings}
        print(f"account {account_id}")
        print("\n".join([*map(_line, readings), *_not_read(world, account_id, begun)]) or "no vendor is named")
        rows = [
            (each.vendor, plain(each.invoice_id), str(each.version), f"{each.lines:,}", f"{each.left_out:,}",
             dollars_text(NanoUsd(each.billed_nano_usd)), f"{instant(each.imported_at_us):%Y-%m-%d}")
            for each in invoices
        ]  # fmt: skip
        print(_table(rows))
    return 0


def _not_read(world: World, account_id: int, begun: Collection[str]) -> list[str]:
    """What keeps each vendor that has a key or is named from being read."""
    with world.db.reading() as session:
        installation = installation_of(session, account_id)
        spend = config_in_force(session, account_id).vendors.agent_spend
    login = installation.account_login.lower() if installation else ""
    keyed = {vendor for whose, vendor, _ in world.settings.vendor_keys if whose == login}
    named = {each.vendor for each in spend}
    told = {
        **dict.fromkeys(keyed - named, "there is a key, but agent_spend in mergemeter.yml does not name it"),
        **dict.fromkeys(named - keyed, "there is no key: its figures come from files alone"),
        **dict.fromkeys(keyed & named, "not read yet"),
    }
    return [f"{vendor}: {told[vendor]}" for vendor in sorted(told) if vendor not in begun]


def _table(rows: Iterable[Sequence[str]]) -> str:
    listed = list(rows)
    head = ("vendor", "invoice", "version", "lines", "left out", "billed", "imported")
    return "\n".join(columns(head, listed, left=2)) if listed else "no invoice was imported yet"


def _line(row: VendorReading) -> str:
    when = f"read whole {instant(row.ended_at_us):%Y-%m-%d %H:%M} UTC" if row.ended_at_us else "not read whole yet"
    left = f", {count(row.left_out, 'row')} of others left out"
    return f"{row.vendor}: {when}{left}" + (f"; {one_line(row.problem)}" if row.problem else "")
