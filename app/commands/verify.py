"""`python -m app verify`: that nothing which was issued was altered since."""

import argparse

from app.commands.asked import for_accounts
from app.commands.lines import one_line
from app.core.report.numbers import count
from app.settings import Settings
from app.stories.verify_books import verify as hold
from app.world import World


def verify(settings: Settings, options: argparse.Namespace) -> int:
    """Hold statements, ledger and model calls against each other; the exit code is 1 where they differ."""

    def each(world: World, accounts: list[int]) -> int:
        faults = 0
        for account_id in accounts:
            found = hold(world, account_id)
            faults += len(found.faults)
            for fault in found.faults:
                print(f"account {account_id}: {one_line(fault)}")
            held = f"{count(found.statements, 'statement')} of {count(found.periods, 'month')}"
            if not found.faults:
                end = f"; the chain ends with {found.last}" if found.last else ""
                print(f"account {account_id}: {held}, their ledger entries and model calls are as they were{end}")
        return 1 if faults else 0

    return for_accounts(settings, options, each)
