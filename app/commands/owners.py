"""`python -m app owners MONTH`: whose each repository is, and what its agent runs were charged."""

import argparse
from collections.abc import Sequence

from app.commands.asked import for_accounts, month_of
from app.core.report.escape import plain
from app.core.report.owners_table import owners_lines
from app.settings import Settings
from app.store.accounts import installation_of
from app.stories.owner_hints import with_hints
from app.stories.owners import owned_in
from app.world import World


def owners(settings: Settings, options: argparse.Namespace) -> int:
    """Print a table for each account, and what is doubtful about owners; the exit code."""
    month = month_of(options.month)
    if month is None:
        return 2

    def show(world: World, accounts: Sequence[int]) -> int:
        for account_id in accounts:
            with world.db.reading() as session:
                installation = installation_of(session, account_id)
            owned, findings = owned_in(world, account_id, month)
            untold: list[str] = []
            if options.hints:
                owned, untold = with_hints(world, account_id, owned)
            login = plain(installation.account_login) if installation else str(account_id)
            print("\n".join(owners_lines(f"{login}, {month}", owned)))
            for sentence in untold:
                print(f"Hints: {plain(sentence, 300)}.")
            for each in findings:
                print(f"{each.code}: {plain(each.sentence, 300)}")
        return 0

    return for_accounts(settings, options, show, with_github=options.hints)
