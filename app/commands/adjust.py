"""`python -m app adjust`: what was typed in, sentences out. The story does the rest."""

import argparse
import sys

from app.commands.asked import for_one_account, month_of, user
from app.commands.lines import one_line
from app.core.chargeback.by_hand import ByHand, NoSuchAdjustmentError, amount_in
from app.core.money import NanoUsd, dollars_text
from app.core.month import Month
from app.settings import Settings
from app.store.keys import instant
from app.stories.adjust import Adjusted, NotAdjustedError
from app.stories.adjust import adjust as enter
from app.world import World


def adjust(settings: Settings, options: argparse.Namespace) -> int:
    """Enter an adjustment; the exit code is 2 for what is none, 1 for what the books refuse."""
    month = month_of(options.month)
    if month is None:
        return 2
    try:
        asked = _asked(month, options)
    except NoSuchAdjustmentError as no:
        print(no, file=sys.stderr)
        return 2
    by = one_line(options.by or user()).strip() or "command line"
    return for_one_account(settings, options, lambda world, account_id: _enter(world, account_id, asked, by))


def _asked(month: Month, options: argparse.Namespace) -> ByHand:
    texts = ("to", "giver", "credit", "reason", "evidence")
    told = {name: one_line(getattr(options, name) or "").strip() for name in texts}
    return ByHand(original=month, amount=amount_in(options.amount), **told)


def _enter(world: World, account_id: int, asked: ByHand, by: str) -> int:
    try:
        done = enter(world, account_id, asked, by)
    except NoSuchAdjustmentError as no:
        print(no, file=sys.stderr)
        return 2
    except NotAdjustedError as no:
        print(one_line(str(no)), file=sys.stderr)
        return 1
    _tell(done)
    return 0


def _tell(done: Adjusted) -> None:
    for row in done.rows:
        original, stated = Month.from_int(row.original_month), Month.from_int(row.month)
        amount = dollars_text(NanoUsd(row.amount_nano_usd))
        print(f"{one_line(row.cost_center)}: {amount} of {original}, in its statement of {stated}")
    if done.again:
        entered = f"{instant(done.rows[0].created_at_us):%Y-%m-%d}"
        print(f"It was entered on {entered} already: nothing changed.", file=sys.stderr)
