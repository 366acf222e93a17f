"""`python -m app reprice`: what is recorded, priced anew with the prices and configuration in force now."""

import argparse
from collections.abc import Sequence

from app.commands.asked import first_day, for_accounts
from app.settings import Settings
from app.stories import reprice as story
from app.world import World


def reprice(settings: Settings, options: argparse.Namespace) -> int:
    """Price each account anew; the exit code is 1 where corrections were refused."""
    since = first_day(options.since)
    if since is None:
        return 2

    def each(world: World, accounts: Sequence[int]) -> int:
        refused = 0
        for account_id in accounts:
            found = story.reprice(world, account_id, since, options.dry_run)
            print(f"account {account_id}: {found.text(options.dry_run)}")
            refused += found.refused
        return 1 if refused else 0

    return for_accounts(settings, options, each)
