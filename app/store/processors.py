"""Work on all processors: processes of our own, each with one connection that all its parts share."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from app.store.database import Database

Part = TypeVar("Part")
Result = TypeVar("Result")
MOST_PROCESSES = 8
THERE: dict[str, Database] = {}  # in a process of ours: its database


def on_all_processors(
    url: str,
    work: Callable[[Database, Part], Result],
    parts: Sequence[Part],
    *,
    mapped: bool = False,
    sorts_on_disk: bool = False,
) -> Iterator[Result]:
    """What `work` makes of each part, in their order; it and all that it takes and gives is pickled.

    `mapped` and `sorts_on_disk` are those of Database.
    """
    processes = min(os.cpu_count() or 1, MOST_PROCESSES, len(parts)) or 1
    # New processes, not forked ones: a fork would share the connections of this one.
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (url, mapped, sorts_on_disk)) as pool:
        jobs = [pool.submit(_work, work, part) for part in parts]
        for job in jobs:
            yield job.result()


def _begin(url: str, mapped: bool, sorts_on_disk: bool) -> None:
    gc.disable()  # it would look at a hundred thousand rows again and again, of which none is garbage yet
    THERE["db"] = Database(url, pool_size=1, mapped=mapped, sorts_on_disk=sorts_on_disk)


def _work(work: Callable[[Database, Part], Result], part: Part) -> Result:
    try:
        return work(THERE["db"], part)
    finally:
        gc.collect()
