"""`python -m app reconcile`: a month's vendor figures against what is recorded, as a table or as JSON."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from app.commands.asked import for_accounts, month_of, user
from app.core.money import ZERO, NanoUsd, dollars_text
from app.core.month import Month
from app.core.reconcile import Line, State, Sum
from app.core.report.escape import plain
from app.core.report.figures_table import columns
from app.core.report.numbers import count
from app.core.vendors.values import WHOLE_MONTH
from app.settings import Settings
from app.store.chargeback_tables import AdjustmentRow
from app.stories.reconcile import Reconciliation, StillOpenError, enter, reconciliation
from app.world import World

BUCKET = ("vendor", "account", "model", "day")
AMOUNTS = ("ours", "billed", "difference")
QUIET = frozenset({State.RECONCILED, State.ESTIMATED})
LEGEND = "ours: contracted cost of recorded model calls. billed: by invoices, else by vendors' reports."


def reconcile(settings: Settings, options: argparse.Namespace) -> int:
    """Print a month of each account, and with --enter write its adjustments; the exit code."""
    month = month_of(options.month)
    if month is None:
        return 2

    def told(world: World, accounts: Sequence[int]) -> int:
        for account_id in accounts:
            try:
                entered = enter(world, account_id, month, f"command line: {user()}") if options.enter else []
            except StillOpenError as no:
                print(no, file=sys.stderr)
                return 1
            found = reconciliation(world, account_id, month)
            if options.json:
                print(json.dumps(as_json(account_id, found, entered)))
            else:
                print("\n".join(lines_of(account_id, found, options.all)))
                _tell_entered(entered, options.enter)
        return 0

    return for_accounts(settings, options, told)


def lines_of(account_id: int, found: Reconciliation, every: bool) -> list[str]:
    """The tables: each vendor's month, the buckets that a person should see, and what is proposed."""
    shown = [line for line in found.lines if every or line.state not in QUIET]
    rest = len(found.lines) - len(shown)
    quiet = f"{rest:,} other buckets are reconciled or estimated; --all shows them." if rest else ""
    buckets = columns((*BUCKET, *AMOUNTS, "state"), map(_row, shown), left=4) if shown else []
    left = [f"{plain(vendor)}: {_usd(amount)} stays in the reconciliation" for vendor, amount in
            found.proposals.left.items() if vendor in found.proposals.final]  # fmt: skip
    return [
        f"account {account_id}, {found.month}",
        "",
        *columns(("vendor", *AMOUNTS, "vendor only", "ours only", "state"), map(_sum_row, found.sums)),
        "",
        *buckets,
        *([quiet] if quiet else []),
        *_proposal_lines(found),
        *left,
        LEGEND,
    ]


def _row(line: Line) -> tuple[str, ...]:
    where = line.bucket
    day = f"{where.month}-{where.day:02}" if where.day != WHOLE_MONTH else str(where.month)
    unpriced = f" ({count(line.unpriced_calls, 'call')} without a price)" if line.unpriced_calls else ""
    names = (plain(where.vendor), plain(where.account) or "–", plain(where.model) or "–", day)
    return (*names, *(_usd(each) for each in (line.ours, line.billed, line.difference)), f"{line.state}{unpriced}")


def _sum_row(told: Sum) -> tuple[str, ...]:
    amounts = (told.ours, told.billed, told.difference, told.vendor_only, told.ours_only)
    return (plain(told.vendor), *map(_usd, amounts), told.state.value)


def _proposal_lines(found: Reconciliation) -> list[str]:
    proposed = {(each.vendor, each.cost_center): each.amount for each in found.proposals.proposals}
    rows = [
        (plain(vendor), plain(center), *(_usd(by.get((vendor, center), ZERO)) for by in (proposed, found.entered)))
        for vendor, center in sorted({*proposed, *found.entered})
    ]
    return ["", *columns(("vendor", "cost center", "proposed", "entered"), rows, left=2)] if rows else []


def _usd(amount: NanoUsd) -> str:
    return dollars_text(amount)


def _tell_entered(entered: Sequence[AdjustmentRow], asked: bool) -> None:
    for row in entered:
        into = Month.from_int(row.month)
        print(f"entered for {plain(row.cost_center)} in {into}: {_usd(NanoUsd(row.amount_nano_usd))}", file=sys.stderr)
    if asked and not entered:
        print("nothing to enter beyond what stands there already", file=sys.stderr)


def as_json(account_id: int, found: Reconciliation, entered: Sequence[AdjustmentRow] = ()) -> Mapping[str, Any]:
    """Amounts are integers of nano-USD."""
    return {
        "account_id": account_id,
        "month": str(found.month),
        "vendors": [_sum_json(each) for each in found.sums],
        "buckets": [_line_json(each) for each in found.lines],
        "proposals": [
            {"vendor": each.vendor, "cost_center": each.cost_center, "amount_nano_usd": each.amount,
             "evidence": each.evidence}
            for each in found.proposals.proposals
        ],
        "stays_nano_usd": dict(found.proposals.left),
        "entered": [
            {"cost_center": row.cost_center, "month": str(Month.from_int(row.month)),
             "amount_nano_usd": row.amount_nano_usd}
            for row in entered
        ],
    }  # fmt: skip


def _sum_json(told: Sum) -> Mapping[str, Any]:
    return {
        "vendor": told.vendor,
        "state": told.state.value,
        "buckets": told.buckets,
        "ours_nano_usd": told.ours,
        "billed_nano_usd": told.billed,
        "difference_nano_usd": told.difference,
        "vendor_only_nano_usd": told.vendor_only,
        "ours_only_nano_usd": told.ours_only,
    }


def _line_json(line: Line) -> Mapping[str, Any]:
    where = line.bucket
    return {
        "vendor": where.vendor,
        "account": where.account,
        "model": where.model,
        "day": None if where.day == WHOLE_MONTH else f"{where.month}-{where.day:02}",
        "state": line.state.value,
        "ours_nano_usd": line.ours,
        "billed_nano_usd": line.billed,
        "difference_nano_usd": line.difference,
        "unpriced_calls": line.unpriced_calls,
    }
