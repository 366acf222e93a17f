"""`python -m app waste`: what workflows wasted in a month."""

import argparse
from collections.abc import Sequence

from app.commands.asked import for_accounts, month_of
from app.commands.lines import one_line
from app.commands.opening import now
from app.core.month import Month
from app.settings import Settings
from app.stories.find_waste import told_waste
from app.world import World


def waste(settings: Settings, options: argparse.Namespace) -> int:
    """Print each account's waste; the exit code."""
    month = month_of(options.month) if options.month else Month.of(now()).previous
    if month is None:
        return 2

    def told(world: World, accounts: Sequence[int]) -> int:
        print("\n".join(one_line(line) for each in accounts for line in told_waste(world, each, month)))
        return 0

    return for_accounts(settings, options, told)
