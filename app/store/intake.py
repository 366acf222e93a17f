"""The one writer of the inbox: deliveries that arrive together are committed together.

A commit for each request would mean two hundred a second; grouped, the same disk takes two thousand, each of them
durable before it is acknowledged. Bounded: when too many wait, the next one is refused instead of kept in memory.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import SimpleQueue

from app.store.bulk import BulkWriter
from app.store.database import Database
from app.store.inbox import Delivery, keep

log = logging.getLogger("mergemeter.intake")
LARGEST_BATCH = 256
MOST_WAITING = 2000
MOST_WAITING_BYTES = 128 * 1024 * 1024

Waiting = tuple[Delivery, "asyncio.Future[None]"]


class IntakeFullError(Exception):
    """Too many deliveries wait for the disk; come back in a few seconds."""


class Intake:
    """Started and stopped with the web server; answers the event loop that asked."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now
        self._writer = BulkWriter(database)
        self._waiting: SimpleQueue[Waiting | None] = SimpleQueue()  # None: write what is before it, then end
        self._bytes = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._write_batches, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        self._stopping = True
        self._waiting.put(None)
        self._thread.join()
        self._writer.close()

    async def keep(self, delivery: Delivery) -> None:
        """Return once the delivery is committed. Raises IntakeFullError, or what the database raised."""
        if self._stopping or self._waiting.qsize() >= MOST_WAITING or self._bytes > MOST_WAITING_BYTES:
            raise IntakeFullError
        future = asyncio.get_running_loop().create_future()
        self._bytes += len(delivery.compressed)
        self._waiting.put((delivery, future))
        try:
            await future
        finally:
            self._bytes -= len(delivery.compressed)

    def _write_batches(self) -> None:
        more = True
        while more:
            batch, more = self._take()
            if batch:
                self._answer(batch, self._write(batch))

    def _take(self) -> tuple[list[Waiting], bool]:
        """What waits, once there is something; and whether to go on."""
        batch: list[Waiting] = []
        one = self._waiting.get()
        while one is not None:
            batch.append(one)
            if len(batch) == LARGEST_BATCH or self._waiting.empty():
                return batch, True
            one = self._waiting.get()
        return batch, False

    def _write(self, batch: Sequence[Waiting]) -> list[Exception | None]:
        try:
            self._commit([delivery for delivery, _ in batch])
        except Exception:  # one bad row must not refuse the others
            log.warning("a batch of %d failed and is written row by row", len(batch), exc_info=True)
            return [self._write_one(delivery) for delivery, _ in batch]
        return [None] * len(batch)

    def _write_one(self, delivery: Delivery) -> Exception | None:
        try:
            self._commit([delivery])
        except Exception as error:  # answered to its request alone
            log.exception("delivery %s could not be kept", delivery.delivery_id)
            return error
        return None

    def _commit(self, deliveries: list[Delivery]) -> None:
        with self._writer.transaction() as bulk:
            keep(bulk, deliveries, self._now())
        self._database.enqueued.set()

    def _answer(self, batch: Sequence[Waiting], errors: Sequence[Exception | None]) -> None:
        loop = batch[0][1].get_loop()
        try:
            loop.call_soon_threadsafe(_resolve, batch, errors)
        except RuntimeError:
            log.warning("the server ended before %d deliveries were acknowledged; they are kept", len(batch))


def _resolve(batch: Sequence[Waiting], errors: Sequence[Exception | None]) -> None:
    for (_, future), error in zip(batch, errors, strict=True):
        if future.done():  # its client went away
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
