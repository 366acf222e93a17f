"""`python -m app rollups`: the sums that a month's metrics are read from, made anew or held against the books."""

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from app.commands.asked import for_accounts
from app.settings import Settings
from app.store.database import Database
from app.store.processors import on_all_processors
from app.store.rolled_up import compute_and_keep, differences
from app.store.rollups import first_in_account_us, repositories_with_work
from app.world import World

AT_ONCE = 10  # repositories


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
    work = partial(_rebuild, account_id=account_id, now=now, first_us=first_us)
    if len(parts) <= 1:
        return len(wanted), sum(map(partial(work, db), parts))
    return len(wanted), sum(on_all_processors(db.url, work, parts, mapped=True))


def _parts(repository_ids: list[int]) -> Iterator[list[int]]:
    for done in range(0, len(repository_ids), AT_ONCE):
        yield repository_ids[done : done + AT_ONCE]


def _rebuild(db: Database, repository_ids: list[int], account_id: int, now: datetime, first_us: int | None) -> int:
    return compute_and_keep(db, account_id, repository_ids, now, first_us)
