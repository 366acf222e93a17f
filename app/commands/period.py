"""`python -m app period`: months that are open, close and have closed; what closing one finds; closing it."""

import argparse
import sys

from app.commands.asked import for_accounts, for_one_account, month_of, user
from app.commands.lines import one_line
from app.core.chargeback.findings import Finding
from app.core.money import NanoUsd, dollars_text
from app.core.month import Month
from app.settings import Settings
from app.store.keys import instant
from app.store.periods import month_to_close, periods_of
from app.store.stated import BooksBrokenError
from app.store.statements import newest_statements
from app.stories.close_period import Closed, CloseRefusedError, check, close
from app.world import World


def list_periods(settings: Settings, options: argparse.Namespace) -> int:
    """Every month that closes or has closed, and the one that is next."""

    def each(world: World, accounts: list[int]) -> int:
        for account_id in accounts:
            _list(world, account_id)
        return 0

    return for_accounts(settings, options, each)


def check_period(settings: Settings, options: argparse.Namespace) -> int:
    """Print all that closing the month would find; write nothing."""
    month = month_of(options.month)
    if month is None:
        return 2
    return for_one_account(settings, options, lambda world, account_id: _check(world, account_id, month))


def close_period(settings: Settings, options: argparse.Namespace) -> int:
    """Close a month and print its statements; the exit code is 1 where it cannot close."""
    month = month_of(options.month)
    if month is None:
        return 2
    by = one_line(options.by or user()).strip() or "command line"
    return for_one_account(settings, options, lambda world, account_id: _close(world, account_id, month, by))


def _list(world: World, account_id: int) -> None:
    with world.db.reading() as session:
        rows, following = periods_of(session, account_id), month_to_close(session, account_id)
        issued = {row.month: newest_statements(session, account_id, Month.from_int(row.month)) for row in rows}
    for row in rows:
        total = NanoUsd(sum(each.total_nano_usd for each in issued[row.month]))
        when = f"{instant(row.closed_at_us):%Y-%m-%d %H:%M} UTC" if row.closed_at_us else "unfinished: close it again"
        early = ", before vendors' figures were final" if row.early else ""
        print(
            f"account {account_id}: {Month.from_int(row.month)} {row.state} ({when}, by {row.actor}{early}),"
            f" {len(issued[row.month])} statements, {dollars_text(total)}"
        )
    print(f"account {account_id}: {following or 'nothing'} is next to close")


def _check(world: World, account_id: int, month: Month) -> int:
    try:
        _print_findings(check(world, account_id, month))
    except BooksBrokenError as broken:
        return _refused(str(broken))
    return 0


def _close(world: World, account_id: int, month: Month, by: str) -> int:
    try:
        closed = close(world, account_id, month, by)
    except (CloseRefusedError, BooksBrokenError) as refused:
        return _refused(str(refused))
    _print_closed(closed)
    return 0


def _print_findings(findings: list[Finding]) -> None:
    for each in findings:
        amount = "" if each.amount is None else f" ({dollars_text(each.amount)})"
        print(f"{each.code}: {one_line(each.sentence)}{amount}")
    if not findings:
        print("Nothing was found: the month can close.")


def _print_closed(closed: Closed) -> None:
    for sentence in closed.findings:
        print(f"found: {one_line(sentence)}")
    for row in closed.statements:
        kind = "chargeback" if row.chargeback else "showback"
        print(
            f"{row.number} v{row.version}  {dollars_text(NanoUsd(row.total_nano_usd)):>14}  {kind:<10}  {row.state:<9}"
            f"  {one_line(row.cost_center)}"
        )
    total = NanoUsd(sum(row.total_nano_usd for row in closed.statements if row.version == 1))
    had = "had closed before" if closed.again else "is closed"
    print(f"{closed.month} {had}: {len(closed.statements)} statements, {dollars_text(total)}")


def _refused(sentence: str) -> int:
    print(one_line(sentence), file=sys.stderr)
    return 1
