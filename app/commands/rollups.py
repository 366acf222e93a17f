"""`python -m app rollups`: the sums that a month's metrics are read from, made anew or held against the books."""

import argparse
import gc
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context

from app.commands.asked import for_accounts
from app.settings import Settings
from app.store.database import Database
from app.store.rolled_up import compute_and_keep, differences
from app.store.rollups import first_in_account_us, repositories_with_work
from app.world import World

AT_ONCE = 10  # repositories
MOST_PROCESSES = 8


def rebuild(settings: Settings, options: argparse.Namespace) -> int:
    """Compute all sums anew; the exit code is 1 where others were computing them at the same time."""

    def each(world: World, accounts: Sequence[int]) -> int:
        left = 0
        for account_id in accounts:
            began = time.monotonic()
            wanted, kept = rebuilt(world.db, account_id, world.now())
            left += wanted - kept
            took_s = time.monotonic() - began
            print(f"account {account_id}: {kept:,} of {wanted:,} repositories computed anew in {took_s:.1f} s")
        return 1 if left else 0

    return for_accounts(settings, options, each)


def check(settings: Settings, options: argparse.Namespace) -> int:
    """Hold the sums that count against the books; the exit code is 1 where one differs."""

    def each(world: World, accounts: Sequence[int]) -> int:
        found = 0
        for account_id in accounts:
            told = differences(world.db, account_id, world.now())
            found += len(told)
            for line in told:
                print(f"account {account_id}: {line} differs from the books")
            if not told:
                print(f"account {account_id}: the sums are what the books give")
        if found:
            print("`python -m app rollups rebuild` makes them anew. Please report this: it should not happen.")
        return 1 if found else 0

    return for_accounts(settings, options, each)


def rebuilt(db: Database, account_id: int, now: datetime) -> tuple[int, int]:
    """Compute every repository's sums on all processors; how many there are, and how many were kept."""
    with db.reading() as session:
        wanted = repositories_with_work(session, account_id)
        first_us = first_in_account_us(session, account_id)
    parts = list(_parts(wanted))
    processes = min(os.cpu_count() or 1, MOST_PROCESSES, len(parts))
    if processes <= 1:
        return len(wanted), sum(compute_and_keep(db, account_id, part, now, first_us) for part in parts)
    # New processes, not forked ones: a fork would share the connections of this one.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        jobs = [pool.submit(_rebuild, db.url, account_id, part, now, first_us) for part in parts]
        return len(wanted), sum(job.result() for job in jobs)


def _parts(repository_ids: list[int]) -> Iterator[list[int]]:
    for done in range(0, len(repository_ids), AT_ONCE):
        yield repository_ids[done : done + AT_ONCE]


def _rebuild(url: str, account_id: int, repository_ids: list[int], now: datetime, first_us: int | None) -> int:
    gc.disable()  # it would look at a hundred thousand shares again and again, of which none is garbage yet
    db = Database(url, pool_size=1, mapped=True)
    try:
        return compute_and_keep(db, account_id, repository_ids, now, first_us)
    finally:
        db.close()
        gc.collect()
