"""`python -m app survey`. Only asks for it: a running worker does it, within GitHub's limits."""

import argparse
import sys
from collections.abc import Sequence

from app.commands.asked import for_accounts, month_of
from app.commands.opening import now
from app.core.month import Month
from app.settings import Settings
from app.store.surveys import ask_for_surveys
from app.world import World


def survey(settings: Settings, options: argparse.Namespace) -> int:
    """Have each account's repositories looked through for the month; the exit code."""
    month = month_of(options.month) if options.month else Month.of(now()).previous
    if month is None:
        return 2

    def ask(world: World, accounts: Sequence[int]) -> int:
        with world.db.transaction() as session:
            asked = sum(ask_for_surveys(session, account_id, month, world.now()) for account_id in accounts)
        print(f"{asked} to survey for {month}; a running worker takes them up within a second", file=sys.stderr)
        return 0

    return for_accounts(settings, options, ask)
