"""Time, webhook deliveries out of order, and trouble on demand."""

from datetime import datetime
from typing import Any

from app.sandbox.clock import iso
from app.sandbox.faults import Fault
from app.sandbox.steer.desk import Desk


class Trouble(Desk):
    """What a test does to the world around the App."""

    def now(self) -> str:
        """The sandbox's time, as GitHub writes it."""
        return iso(self.hub.now())

    def set_time(self, instant: str | datetime | None) -> None:
        """Stand still at the instant (ISO 8601 with offset, or aware); None: the real time again."""
        given = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        if given is not None and given.tzinfo is None:
            raise ValueError("the instant needs an offset")
        with self.hub.lock:
            self.hub.clock.set(given)

    def advance(self, seconds: float) -> str:
        """Move the time on; gives it."""
        with self.hub.lock:
            self.hub.clock.advance(seconds)
            return iso(self.hub.now())

    def fail(
        self,
        kind: str,
        times: int = 1,
        method: str = "",
        path: str = "",
        after: bool = False,
        status: int = 502,
        retry_after_s: int | None = 60,
        seconds: float = 0.5,
    ) -> None:
        """Trouble for the next `times` requests of that method whose path the expression `path` matches.

        `kind`: "primary" or "secondary" (limits; `status` 403 or 429), "status" (`status` 5xx), "latency" (`seconds`),
        "drop" (no answer). `after`: the request takes effect first.
        """
        with self.hub.lock:
            self.faults.add(Fault(kind, times, method, path, after, status, retry_after_s, seconds))

    def clear_faults(self) -> None:
        with self.hub.lock:
            self.faults.clear()

    def limit_requests(self, hourly: int) -> None:
        """The hourly budget of each installation, counted anew."""
        with self.hub.lock:
            self.limits.hourly = hourly
            self.limits.budgets.clear()

    def limit_creations(self, a_minute: int | None) -> None:
        """Refuse more new comments and issues a minute than this (GitHub: 80); None: never."""
        with self.hub.lock:
            self.limits.creations_a_minute = a_minute
            self.limits.created.clear()

    def hold(self) -> None:
        """Keep webhook deliveries back until release()."""
        self.courier.hold()

    def release(self, shuffle_seed: int | None = None) -> int:
        """Send what was held back, shuffled when a seed is given; gives how many."""
        return self.courier.release(shuffle_seed)

    def drop_next(self, count: int = 1) -> None:
        """Lose the next deliveries on their way."""
        self.courier.drop_next(count)

    def duplicate_next(self, count: int = 1) -> None:
        """Deliver each of the next ones twice."""
        self.courier.duplicate_next(count)

    def drain(self, timeout_s: float = 10.0) -> bool:
        """Wait until every delivery was sent; False when that takes too long."""
        return self.courier.drain(timeout_s)

    def redeliver(self, delivery: int | str) -> int:
        """Send a delivery again by its id or guid (its latest attempt); gives the new delivery id."""
        with self.hub.lock:
            known = [one.delivery_id for one in self.courier.log if delivery in {one.delivery_id, one.guid}]
            if not known:
                raise LookupError(f"no delivery {delivery}")
            return self.courier.redeliver(known[-1]).delivery_id

    def deliveries(self) -> list[dict[str, Any]]:
        """The delivery log, oldest first."""
        return [
            {
                "id": one.delivery_id,
                "guid": one.guid,
                "event": one.event,
                "action": one.action,
                "status": one.status,
                "status_code": one.status_code,
                "redelivery": one.redelivery,
                "body": one.body.decode(),
            }
            for one in self.courier.log
        ]
