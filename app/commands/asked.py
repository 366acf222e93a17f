"""What a command line names: accounts, a month, a day, who asks. Prints the sentence where there is no such thing."""

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime

from app.commands.opening import opened
from app.core.month import Month
from app.settings import Settings
from app.store.accounts import active_accounts, installation_of
from app.world import World

NO_ACCOUNT = "There is no such account on which the App is installed and active."
SEVERAL_ACCOUNTS = "The App is installed on several accounts: name one with --account."


def for_accounts(
    settings: Settings,
    options: argparse.Namespace,
    run: Callable[[World, list[int]], int],
    with_github: bool = False,
) -> int:
    """Run for the account that is named, or all of them."""
    with opened(settings, with_github) as world:
        if accounts := accounts_of(world, options.account):
            return run(world, accounts)
    print(NO_ACCOUNT, file=sys.stderr)
    return 1


def for_one_account(settings: Settings, options: argparse.Namespace, run: Callable[[World, int], int]) -> int:
    """Run for the account that is named, or the only one."""

    def only(world: World, accounts: list[int]) -> int:
        if len(accounts) > 1:
            print(SEVERAL_ACCOUNTS, file=sys.stderr)
            return 2
        return run(world, accounts[0])

    return for_accounts(settings, options, only)


def accounts_of(world: World, named: str | None) -> list[int]:
    """The active accounts, or the one of them that has this login or id."""
    with world.db.reading() as session:
        active = active_accounts(session)
        if named is None:
            return active
        logins = {
            found.account_login.lower(): found.account_id for a in active if (found := installation_of(session, a))
        }
    return [account_id for account_id in active if named == str(account_id) or logins.get(named.lower()) == account_id]


def month_of(text: str) -> Month | None:
    try:
        return Month.parse(text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return None


def first_day(text: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        print(f"{text!r} is not a day: write it as 2026-10-01", file=sys.stderr)
        return None


def user() -> str:
    """The user of this machine; "" for one without a name, as containers have them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
