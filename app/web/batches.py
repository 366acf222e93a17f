"""Work that requests hand to threads, taken together when it comes together. Owns no business."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Calls `work` in at most `threads` threads with up to `size` items; it gives one result or error for each item.

    Few threads do more than many here: Python runs one at a time, and handing it to and fro costs half of it again.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result | Exception]], size: int, threads: int) -> None:
        self._work, self._size, self._threads = work, size, threads
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def put(self, item: Item) -> Result:
        """The item's result, when its batch is done; raises the item's error."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._running) < self._threads:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            taken = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            try:
                results = await run_in_threadpool(self._work, [item for item, _ in taken])
            except Exception as error:  # noqa: BLE001 - each of those who wait gets it
                results = [error] * len(taken)
            for (_, future), result in zip(taken, results, strict=True):
                if future.done():
                    continue  # its request was given up
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
