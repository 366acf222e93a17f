"""`python -m app journal`: CSV on standard output or into a file, all other words on standard error."""

import argparse
import sys
from pathlib import Path

from app.commands.asked import for_one_account, month_of, user
from app.commands.lines import one_line
from app.core.chargeback.by_hand import LONGEST_TEXT
from app.core.chargeback.journal import Journal, csv_of
from app.core.month import Month
from app.settings import Settings
from app.store.keys import instant
from app.stories.post_journal import NotPostedError, listed, post, preview, reverse, show
from app.world import World


def run(name: str, settings: Settings, options: argparse.Namespace) -> int:
    """Do one of the four; the exit code is 2 for a wrong command line, 1 for what is refused."""
    month = month_of(options.month) if getattr(options, "month", None) else None
    if month is None and getattr(options, "month", None):
        return 2
    reason = one_line(getattr(options, "because", "-")).strip()
    if not 0 < len(reason) <= LONGEST_TEXT:
        print(f"Say --because, in 1 to {LONGEST_TEXT} characters: it is kept.", file=sys.stderr)
        return 2
    return for_one_account(
        settings, options, lambda world, account_id: _run(name, world, account_id, month, reason, options)
    )


def _run(
    name: str, world: World, account_id: int, month: Month | None, reason: str, options: argparse.Namespace
) -> int:
    by = one_line(getattr(options, "by", "") or user()).strip() or "command line"
    try:
        if month is not None and name == "post":
            return _post(world, account_id, month, by, options)
        if name == "reverse":
            return _write(reverse(world, account_id, options.number, reason, by), options.out)
        if name == "show":
            return _write(show(world, account_id, options.number), options.out)
    except NotPostedError as no:
        print(one_line(str(no)), file=sys.stderr)
        return 1
    return _list(world, account_id, month)


def _post(world: World, account_id: int, month: Month, by: str, options: argparse.Namespace) -> int:
    if options.dry_run:
        print("Nothing is booked: this is what `journal post` would write.", file=sys.stderr)
        return _write(preview(world, account_id, month), options.out)
    return _write(post(world, account_id, month, by), options.out)


def _write(journal: Journal, out: str | None) -> int:
    total = f"{journal.total_cents // 100:,}.{journal.total_cents % 100:02} {journal.currency}"
    print(
        f"{journal.number}: {journal.kind.value} of {journal.month}, statements: {len(journal.statements)},"
        f" {total} debit and credit",
        file=sys.stderr,
    )
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(csv_of(journal))
        sys.stdout.buffer.flush()
        return 0
    try:
        Path(out).write_bytes(csv_of(journal))
    except OSError as error:
        print(
            one_line(f"{out} cannot be written: {error}. `journal show` writes a kept journal again."), file=sys.stderr
        )
        return 1
    return 0


def _list(world: World, account_id: int, month: Month | None) -> int:
    found = listed(world, account_id, month)
    for row, undone in found:
        what = f"reverses {row.reverses}" if row.reverses else f"reversed by {undone}" if undone else "in force"
        total = f"{row.total_cents // 100:,}.{row.total_cents % 100:02} {row.currency}"
        made = f"{instant(row.created_at_us):%Y-%m-%d}"
        print(f"{row.number:<14}  {row.kind:<8}  {total:>18}  {made}  {one_line(row.actor)}  {what}")
    if not found:
        print("there are no journals", file=sys.stderr)
    return 0
