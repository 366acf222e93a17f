"""Sums of each repository's months are computed from the books, and kept: metrics of a month are read from them.

The figures are the same with them and without: what changed since is computed when it is asked for. So this may come
late, and nothing is lost when it never comes.
"""

import time
from datetime import timedelta

from app.core.month import Month
from app.store.keys import instant
from app.store.queue import Job
from app.store.rolled_up import compute_and_keep, stale_repositories
from app.world import World

AT_ONCE = 10
AT_ONCE_TOOK_S = 1.0
# Then the next turn goes on: others wait for the lane's thread, and for Python's lock.
LONGEST_TURN_S = 2.0
# A repository rests so many times as long as its sums took: one that always changes takes a thirtieth of a processor.
RESTS_TIMES = 30


def roll_up(job: Job, world: World) -> None:
    """Bring an account's sums up to date, as far as a turn comes."""
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_TURN_S:
        due = _due(world, job.account_id)
        if not due:
            return
        compute_and_keep(world.db, job.account_id, due, world.now())


def _due(world: World, account_id: int) -> list[int]:
    now = world.now()
    chosen: list[int] = []
    takes_s = 0.0
    with world.db.reading() as session:
        stale = stale_repositories(session, account_id, Month.of(now).next, now)
    for repository_id, standing in stale.items():
        took = timedelta(microseconds=standing.took_us) if standing else timedelta(0)
        if standing and now < instant(standing.computed_at_us) + took * RESTS_TIMES:
            continue
        takes_s += took.total_seconds()
        if len(chosen) == AT_ONCE or (chosen and takes_s > AT_ONCE_TOOK_S):
            break
        chosen.append(repository_id)
    return chosen
