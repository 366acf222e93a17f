"""`python -m app report`: a month in the terminal, metrics of any scope and days, or every share of a month as CSV."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date

from app.core.month import Month
from app.core.period import Period
from app.core.report.escape import plain
from app.core.report.figures_table import amount_text, columns, month_lines
from app.core.report.metrics_table import metrics_lines, trend_lines
from app.core.report.shares import csv_lines
from app.core.shares import Dimension
from app.store.accounts import installation_of, repositories_of
from app.store.tables import Repository
from app.stories.measure import metrics_by, trend_of
from app.stories.shares import shares
from app.stories.summarize import month_report
from app.stories.walk import pulls
from app.world import World

PULL_HEAD = ("pull", "title", "state", "in the month", "over its life", "agent runs")
PAGE = 1_000


class MistakeError(Exception):
    """What is wrong with the command line, as a sentence."""


def report(world: World, accounts: Sequence[int], options: argparse.Namespace) -> int:
    """Print what is asked of each account; exit code 2 for a command line that makes no sense."""
    try:
        period = _period(options)
        if options.by or options.trend or not options.month:
            return _report_metrics(world, accounts, options, period)
    except (MistakeError, ValueError) as mistake:
        print(mistake, file=sys.stderr)
        return 2
    return _report_month(world, accounts, options, Month.of(period.start))


def _period(options: argparse.Namespace) -> Period:
    """The month or the days; raises MistakeError, and ValueError for what is no month."""
    days = options.first, options.last
    if options.month and not any(days):
        return Period.of(Month.parse(options.month))
    if options.month or not all(days):
        raise MistakeError("Name a month (--month 2026-10), or the days --from 2026-10-05 --to 2026-10-11.")
    try:
        first, last = (date.fromisoformat(each) for each in days)
    except ValueError as mistake:
        raise MistakeError(f"{mistake}: write days as 2026-10-05.") from None
    if last < first:
        raise MistakeError("The last day is before the first.")
    return Period.between(first, last)


def _report_metrics(world: World, accounts: Sequence[int], options: argparse.Namespace, period: Period) -> int:
    if options.csv or options.repository:
        raise MistakeError("--csv and --repository are for a month as it is; leave --by, --trend, --from and --to out.")
    if options.trend and (options.by or not options.month):
        raise MistakeError("--trend is of the whole account, and ends with a month: --trend --month 2026-10.")
    dimension = Dimension(options.by or Dimension.ORGANISATION)
    for account_id in accounts:
        with world.db.reading() as session:
            installation = installation_of(session, account_id)
            names = {each.repository_id: f"{each.owner}/{each.name}" for each in repositories_of(session, account_id)}
        login = plain(installation.account_login) if installation else str(account_id)
        if options.trend:
            lines = trend_lines(f"{login}, six months", trend_of(world, account_id, Month.of(period.start)))
        else:
            found = metrics_by(world, account_id, period, dimension)
            provisional = any(each.provisional for each in found.values())
            state = "provisional" if provisional else "final"
            lines = metrics_lines(f"{login}, {period} ({state})", dimension, found, names)
        print("\n".join(lines))
    return 0


def _report_month(world: World, accounts: Sequence[int], options: argparse.Namespace, month: Month) -> int:
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
