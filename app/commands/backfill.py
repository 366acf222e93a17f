"""The history of an account's pulls, read now and with a word on how far it is.

Works here, page by page and in turns with a worker elsewhere: what a kill leaves, either of them goes on with.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from app.commands import opening
from app.commands.asked import first_day, for_accounts
from app.settings import Settings
from app.store.queue import behind
from app.store.readings import Progress, ask_for_history, progress
from app.worker import Worker
from app.world import World

POLL_S = 0.5


def backfill(settings: Settings, options: argparse.Namespace) -> int:
    """Read every repository's pulls back to a day; 0 when all could be read, 1 when not."""
    since = first_day(options.since) if options.since else None
    if options.since and since is None:
        return 2
    settings.require_complete()

    def all_of(world: World, accounts: Sequence[int]) -> int:
        worker = opening.worker(world)
        return max(_backfill(world, worker, account_id, since, _told) for account_id in accounts)

    return for_accounts(settings, options, all_of, with_github=True)


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _backfill(
    world: World, worker: Worker, account_id: int, since: datetime | None, told: Callable[[str], None]
) -> int:
    with world.db.transaction() as session:
        ask_for_history(session, account_id, since, world.now())
    last = ""
    while True:
        worked = worker.step(only=behind(account_id))
        with world.db.reading() as session:
            found = progress(session, account_id)
        line = _line(account_id, found, world.now())
        if line != last:
            told(line)
        last = line
        if found.over:
            return 1 if found.done < found.repositories else 0
        if not worked:
            time.sleep(POLL_S)


def _line(account_id: int, found: Progress, now: datetime) -> str:
    line = f"account {account_id}: {found.text()}"
    if found.over and found.done < found.repositories:
        return f"{line}. The log and `inbox list` say why not all"
    if found.due is not None and found.due > now:
        return f"{line}; goes on at {found.due:%H:%M:%S} UTC"
    return line
