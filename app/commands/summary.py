"""`python -m app summary`: a month's issue, made or renewed now, in the lane in which a worker would."""

import argparse
import sys
import time
from collections.abc import Sequence

from app.commands import opening
from app.commands.asked import for_accounts, month_of
from app.commands.lines import one_line
from app.core.month import Month
from app.settings import Settings
from app.store.queue import DEAD, DONE, NewJob, enqueue, state_of
from app.stories.summarize import preview
from app.world import World

TIMEOUT_S = 120


def summary(settings: Settings, options: argparse.Namespace) -> int:
    """Make the month's summary of each account; the exit code."""
    month = month_of(options.month)
    if month is None:
        return 2
    settings.require_complete()

    def all_of(world: World, accounts: Sequence[int]) -> int:
        return max(_summarize(world, account_id, month) for account_id in accounts)

    return for_accounts(settings, options, all_of, with_github=True)


def _summarize(world: World, account_id: int, month: Month) -> int:
    """Do the job here, in its lane, so that a worker elsewhere cannot be doing it at the same time."""
    if text := preview(world, account_id, month):
        print(f"account {account_id}: no summary.repository is configured, so nothing is posted:", file=sys.stderr)
        print(text)
        return 0

    worker, lane, dedupe = opening.worker(world), f"{account_id}/summary", f"summary/{month}"
    with world.db.transaction() as session:
        job = NewJob(account_id, lane, "summary", dedupe, {"month": str(month)}, world.now())
        enqueue(session, job, world.now())
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        worker.drain(only=lane)
        with world.db.reading() as session:
            state, error = state_of(session, account_id, dedupe)
        if state == DEAD:
            print(f"account {account_id}: {one_line(error)}", file=sys.stderr)
            return 1
        if state == DONE:
            print(f"account {account_id}: the summary of {month} is up to date", file=sys.stderr)
            return 0
        time.sleep(0.1)
    waits = f"account {account_id}: not done yet, a running worker goes on with it; {one_line(error)}"
    print(waits, file=sys.stderr)
    return 1
