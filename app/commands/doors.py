"""From a command's name to the code that does it. Each loads what it needs when it is called, and no more."""
# ruff: noqa: PLC0415

import argparse
import sys

from app.settings import Settings


def inbox_list(settings: Settings, _options: argparse.Namespace) -> int:
    from app.commands.inbox import list_dead
    from app.commands.opening import database

    with database(settings) as held:
        return list_dead(held)


def inbox_show(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.inbox import show_dead
    from app.commands.opening import database

    with database(settings) as held:
        return show_dead(held, options.id)


def inbox_revive(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.inbox import revive_dead
    from app.commands.opening import database, now

    if bool(options.id) == options.all:
        print("Name one job or delivery, or say --all.", file=sys.stderr)
        return 2
    with database(settings) as held:
        return revive_dead(held, options.id, now())


def token_add(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.lines import one_line
    from app.commands.tokens import LONGEST_NAME, add_token
    from app.store.access_tokens import TokenScope

    name, scope = one_line(options.name).strip(), TokenScope(options.scope)
    if not 0 < len(name) <= LONGEST_NAME:
        print(f"A token's name has 1 to {LONGEST_NAME} characters.", file=sys.stderr)
        return 2
    return for_accounts(settings, options, lambda world, found: add_token(world, found[0], scope, name))


def token_list(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.tokens import list_tokens

    return for_accounts(settings, options, list_tokens)


def token_revoke(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.opening import opened
    from app.commands.tokens import revoke_token

    with opened(settings, with_github=False) as world:
        return revoke_token(world, options.id)


def period_list(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.period import list_periods

    return list_periods(settings, options)


def period_check(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.period import check_period

    return check_period(settings, options)


def period_close(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.period import close_period

    return close_period(settings, options)


def verify(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.verify import verify as hold

    return hold(settings, options)


def adjust(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.adjust import adjust as enter

    return enter(settings, options)


def journal(name: str, settings: Settings, options: argparse.Namespace) -> int:
    """`journal post`, `reverse`, `show` and `list`."""
    from app.commands.journal import run

    return run(name, settings, options)


def report(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.report import report as show

    return for_accounts(settings, options, lambda world, found: show(world, found, options))


def explain(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.explain import explain as show

    return for_accounts(settings, options, lambda world, found: show(world, found, options))


def by_hand(name: str, settings: Settings, options: argparse.Namespace) -> int:
    """`attribute`, `detach` and `links`."""
    from app.commands.linking import run

    return run(name, settings, options)


def summary(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.summary import summary as make

    return make(settings, options)


def survey(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.survey import survey as ask

    return ask(settings, options)


def backfill(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.backfill import backfill as read

    return read(settings, options)


def reprice(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.reprice import reprice as price

    return price(settings, options)


def rollups_rebuild(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.rollups import rebuild

    return rebuild(settings, options)


def rollups_check(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.rollups import check

    return check(settings, options)


def owners(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.owners import owners as show

    return show(settings, options)


def waste(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.waste import waste as show

    return show(settings, options)


def statement_list(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statements import list_statements

    return list_statements(settings, options)


def statement_show(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statements import show_statement

    return show_statement(settings, options)


def statement_why(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statements import explain_line

    return explain_line(settings, options)


def statement_month(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statements import show_month

    return show_month(settings, options)


def statement_accept(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statement_decisions import accept

    return accept(settings, options)


def statement_dispute(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statement_decisions import dispute

    return dispute(settings, options)


def statement_resolve(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.statement_decisions import resolve_dispute

    return resolve_dispute(settings, options)


def vendors_read(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.vendors import read

    return read(settings, options)


def vendors_import(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.vendors import bring

    return for_accounts(settings, options, lambda world, found: bring(world, found[0], options.file))


def vendors_status(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.vendors import status

    return for_accounts(settings, options, status)


def reconcile(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.reconcile import reconcile as show

    return show(settings, options)


def export(settings: Settings, options: argparse.Namespace) -> int:
    from app.commands.asked import for_accounts
    from app.commands.export import export as write

    return for_accounts(settings, options, lambda world, found: write(world, found, options))
