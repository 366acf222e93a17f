"""`attribute`, `detach` and `links` on the command line: what was typed in, sentences out. The story does the rest."""

import argparse
import re
import sys

from app.commands.asked import accounts_of, user
from app.commands.lines import one_line
from app.commands.opening import opened
from app.core.commands import LONGEST_REASON, Target, UnreadableCommandError, target
from app.settings import Settings
from app.store.keys import instant
from app.store.manual_links import history, note, runs_named
from app.stories.attribute import NotDoneError, decide_here
from app.world import World

PULL = re.compile(r"([\w.-]{1,100})/([\w.-]{1,100})#([1-9]\d{0,9})", re.ASCII)


def run(name: str, settings: Settings, options: argparse.Namespace) -> int:
    """Do one of the three; the exit code."""
    with opened(settings, with_github=False) as world:
        return _run(name, world, accounts_of(world, options.account), options)


def _run(name: str, world: World, accounts: list[int], options: argparse.Namespace) -> int:
    try:
        wanted = target(options.agent_run)
        pull = _pull(options.to) if name == "attribute" else None
    except (UnreadableCommandError, ValueError) as no:
        print(no, file=sys.stderr)
        return 2
    account_id = _account_of(world, accounts, wanted)
    if account_id is None:
        print("No account here knows such an agent run.", file=sys.stderr)
        return 1
    return _links(world, account_id, wanted) if name == "links" else _decide(world, account_id, wanted, pull, options)


def _pull(text: str) -> tuple[str, str, int]:
    found = PULL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no pull: write it as acme/widgets#12")
    return found[1], found[2], int(found[3])


def _account_of(world: World, accounts: list[int], wanted: Target) -> int | None:
    with world.db.reading() as session:
        return next((each for each in accounts if runs_named(session, each, wanted)), None)


def _decide(
    world: World, account_id: int, wanted: Target, pull: tuple[str, str, int] | None, options: argparse.Namespace
) -> int:
    reason, by = one_line(options.because).strip(), one_line(options.by or user()).strip()
    if not reason or not by or len(reason) > LONGEST_REASON:
        print(f"A decision needs --by, and a reason of at most {LONGEST_REASON} characters.", file=sys.stderr)
        return 2
    try:
        count = decide_here(world, account_id, wanted, pull, reason, by)
    except NotDoneError as no:
        print(no, file=sys.stderr)
        return 1
    where = "to no pull" if pull is None else f"to {pull[0]}/{pull[1]}#{pull[2]}"
    print(f"agent runs attributed {where}: {count}; a running worker moves their cost within a second", file=sys.stderr)
    return 0


def _links(world: World, account_id: int, wanted: Target) -> int:
    with world.db.reading() as session:
        named = [each.agent_run for each in runs_named(session, account_id, wanted)]
        told = [(each, history(session, account_id, each.id)) for each in named]
    for each, rows in told:
        print(f"{each.id}  {each.agent}  {each.evidence or '–'}  {one_line(each.evidence_note).strip()}")
        for row in rows:
            where = "no pull" if row.number is None else f"repository {row.repository_id} #{row.number}"
            print(f"  {instant(row.at_us):%Y-%m-%d %H:%M:%S}  {where}  {one_line(note(row)).strip()}  ({row.source})")
        if not rows:
            print("  nobody decided anything")
    return 0
