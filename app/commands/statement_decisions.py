"""`statement accept|dispute|resolve`: what an operator decides in an owner's name, and answers to a dispute."""

import argparse
import sys
from collections.abc import Callable

from app.commands.asked import NO_ACCOUNT, accounts_of, user
from app.commands.lines import one_line
from app.commands.opening import opened
from app.core.chargeback.by_hand import NoSuchAdjustmentError, amount_in
from app.core.commands import LONGEST_LINE
from app.core.money import NanoUsd, dollars_text
from app.core.month import Month
from app.settings import Settings
from app.store.chargeback_tables import StatementRow
from app.store.statements import statement_numbered
from app.stories.decide_statement import NotDecidedError, accept_here, dispute_here
from app.stories.resolve_dispute import NotResolvedError, Resolved, Won, resolve
from app.world import World

Do = Callable[[World, int], None]


class UnusableError(ValueError):
    """Something on the command line that cannot be used; the message is a sentence."""


def accept(settings: Settings, options: argparse.Namespace) -> int:
    """Accept a statement in an owner's name; the exit code."""

    def do(world: World, account_id: int) -> None:
        login, reason = _login(options.login), _text("--reason", options.reason)
        _told(accept_here(world, account_id, options.number, login, reason), "accepted")

    return _run(settings, options, do)


def dispute(settings: Settings, options: argparse.Namespace) -> int:
    """Dispute a statement in an owner's name; the exit code."""

    def do(world: World, account_id: int) -> None:
        login, reason = _login(options.login or user()), _text("--reason", options.reason)
        _told(dispute_here(world, account_id, options.number, login, reason), "disputed")

    return _run(settings, options, do)


def resolve_dispute(settings: Settings, options: argparse.Namespace) -> int:
    """Answer a dispute with the next version; the exit code."""

    def do(world: World, account_id: int) -> None:
        answer, won = _text("--answer", options.answer), [_won(each) for each in options.adjust]
        resolved = resolve(world, account_id, options.number, answer, won, _login(options.by or user()))
        _told(resolved.row, "issued")
        _tell_adjustments(resolved)

    return _run(settings, options, do)


def _run(settings: Settings, options: argparse.Namespace, do: Do) -> int:
    with opened(settings, with_github=False) as world:
        accounts = accounts_of(world, options.account)
        if not accounts:
            print(NO_ACCOUNT, file=sys.stderr)
            return 1
        found = [each for each in accounts if _has(world, each, options.number)]
        if len(found) != 1:
            which = "Several accounts have such a statement: name one with --account."
            print(which if found else f"There is no statement {one_line(options.number)}.", file=sys.stderr)
            return 1
        try:
            do(world, found[0])
        except (UnusableError, NoSuchAdjustmentError) as no:
            print(no, file=sys.stderr)
            return 2
        except (NotDecidedError, NotResolvedError) as no:
            print(no, file=sys.stderr)
            return 1
    return 0


def _has(world: World, account_id: int, number: str) -> bool:
    with world.db.reading() as session:
        return statement_numbered(session, account_id, number) is not None


def _told(row: StatementRow, what: str) -> None:
    print(f"statement {row.number} v{row.version}: {what}; a running worker shows it on its issue", file=sys.stderr)


def _tell_adjustments(resolved: Resolved) -> None:
    for each in resolved.adjustments:
        amount = dollars_text(NanoUsd(each.amount_nano_usd))
        print(f"adjustment in {Month.from_int(each.month)}: {each.cost_center} {amount}", file=sys.stderr)


def _won(text: str) -> Won:
    """FROM:TO:AMOUNT."""
    parts = text.split(":")
    if len(parts) != 3 or not all(parts):
        raise UnusableError(f"{one_line(text)!r} is not FROM:TO:AMOUNT, as payments:platform:12.34")
    return Won(parts[0], parts[1], amount_in(parts[2]))


def _text(option: str, text: str) -> str:
    told = one_line(text).strip()
    if not told or len(told) > LONGEST_LINE:
        raise UnusableError(f"Say {option}, in 1 to {LONGEST_LINE} characters: it is kept, and shown.")
    return told


def _login(text: str) -> str:
    told = one_line(text).strip().removeprefix("@")
    if not 0 < len(told) <= 100:
        raise UnusableError("Say who decides, in 1 to 100 characters.")
    return told
