"""`python -m app report`: a month in the terminal, or every share of it as CSV."""

import argparse
import sys
from collections.abc import Sequence

from app.core.month import Month
from app.core.report.escape import plain
from app.core.report.figures_table import amount_text, columns, month_lines
from app.core.report.shares import csv_lines
from app.store.accounts import repositories_of
from app.store.tables import Repository
from app.stories.shares import shares
from app.stories.summarize import month_report
from app.stories.walk import pulls
from app.world import World

PULL_HEAD = ("pull", "title", "state", "in the month", "over its life", "agent runs")
PAGE = 1_000


def report(world: World, accounts: Sequence[int], options: argparse.Namespace) -> int:
    """Print a month of each account, or of one repository of theirs."""
    try:
        month = Month.parse(options.month)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    named = {each: _named(world, each, options.repository) for each in accounts} if options.repository else {}
    if options.repository and not any(named.values()):
        print(f"There is no repository {plain(options.repository)}.", file=sys.stderr)
        return 1
    for account_id in accounts:
        if options.csv:
            _print_shares(world, account_id, month, named.get(account_id), head=account_id == accounts[0])
        elif not options.repository or named[account_id]:
            _print_tables(world, account_id, month, named.get(account_id))
    return 0


def _named(world: World, account_id: int, name: str) -> list[Repository]:
    with world.db.reading() as session:
        known = repositories_of(session, account_id)
    wanted = name.lower()
    return [each for each in known if wanted in (each.name.lower(), f"{each.owner}/{each.name}".lower())]


def _print_shares(world: World, account_id: int, month: Month, named: list[Repository] | None, *, head: bool) -> None:
    ids = [None] if named is None else [each.repository_id for each in named]
    for repository_id in ids:
        lines = csv_lines(shares(world, account_id, month, repository_id))
        if not (head and repository_id == ids[0]):
            next(lines)
        sys.stdout.writelines(lines)


def _print_tables(world: World, account_id: int, month: Month, named: list[Repository] | None) -> None:
    names = None if named is None else frozenset(each.name.lower() for each in named)
    print("\n".join(month_lines(month_report(world, account_id, month, public_issue=False), names)))
    for each in named or []:
        print("", *_pull_lines(world, each, month), sep="\n")


def _pull_lines(world: World, repository: Repository, month: Month) -> list[str]:
    rows, after = [], 0
    while page := pulls(world, repository.account_id, repository.repository_id, month, after, PAGE):
        after = page[-1].pull.number
        rows += [
            (
                f"#{each.pull.number}", plain(each.pull.title, 50), each.pull.state,
                amount_text(each.in_month, each.known.cost_known),
                amount_text(each.lifetime, each.known.cost_known), f"{each.known.agent_runs:,}",
            )
            for each in page
        ]  # fmt: skip
    return columns(PULL_HEAD, rows, left=3) if rows else ["No pull that an agent worked for."]
