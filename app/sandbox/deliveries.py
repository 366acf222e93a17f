"""Webhook deliveries: signed, logged, sent in order from one thread. Can hold, shuffle, duplicate and drop them.

As on GitHub nothing is sent again by itself; a redelivery keeps its guid and gets a new delivery id.
"""

import hashlib
import hmac
import http.client
import random
import threading
import time
from collections import deque
from dataclasses import replace
from urllib.parse import urlsplit

from app.sandbox.state import Delivery, Hub

USER_AGENT = "GitHub-Hookshot/5a1d5c7"


def headers(delivery: Delivery) -> dict[str, str]:
    """What GitHub sends along: ids, the event and the signature over the body's bytes."""
    signature = hmac.new(delivery.app.webhook_secret.encode(), delivery.body, hashlib.sha256).hexdigest()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(delivery.app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(delivery.app.app_id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


class Courier:
    """Sends deliveries one after the other. All methods may be called from any thread."""

    def __init__(self, hub: Hub, timeout_s: float = 10.0) -> None:
        self.log: list[Delivery] = []
        self._hub = hub
        self._timeout_s = timeout_s
        self._queue: deque[Delivery] = deque()
        self._held: list[Delivery] | None = None
        self._drops = 0
        self._duplicates = 0
        self._busy = False
        self._stopped = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="sandbox-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._news:
            self._stopped = True
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._timeout_s + 1)

    def post(self, delivery: Delivery) -> None:
        """Log it and send it in its turn; without a hook address it is only logged."""
        with self._news:
            self.log.append(delivery)
            if not delivery.app.hook_url:
                delivery.status = "no hook url"
            elif self._drops > 0:
                self._drops -= 1
                delivery.status = "failed to connect to host"
            elif self._held is not None:
                self._held.append(delivery)
            else:
                self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        copies = 2 if self._duplicates > 0 else 1
        self._duplicates -= copies - 1
        self._queue.extend([delivery] * copies)
        self._news.notify_all()

    def hold(self) -> None:
        """Keep deliveries back until release()."""
        with self._news:
            self._held = [] if self._held is None else self._held

    def release(self, shuffle_seed: int | None = None) -> int:
        """Send what was held back, shuffled when a seed is given; gives how many."""
        with self._news:
            held, self._held = self._held or [], None
            if shuffle_seed is not None:
                random.Random(shuffle_seed).shuffle(held)  # noqa: S311 - an order, not a secret
            for delivery in held:
                self._enqueue(delivery)
            return len(held)

    def drop_next(self, count: int) -> None:
        """Lose the next deliveries: they get no HTTP answer."""
        with self._news:
            self._drops = count

    def duplicate_next(self, count: int) -> None:
        """Send each of the next deliveries twice under one guid."""
        with self._news:
            self._duplicates = count

    def redeliver(self, delivery_id: int) -> Delivery:
        """Send a logged delivery again: same guid and body. LookupError when it is unknown."""
        found = next((entry for entry in self.log if entry.delivery_id == delivery_id), None)
        if found is None:
            raise LookupError(f"no delivery {delivery_id}")
        again = replace(
            found,
            delivery_id=self._hub.next_id("delivery"),
            created_at=self._hub.now(),
            redelivery=True,
            status="waiting",
            status_code=0,
        )
        self.post(again)
        return again

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is left to send; False when that took too long."""
        with self._news:
            return self._news.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._queue or self._stopped)
                if self._stopped:
                    return
                delivery, self._busy = self._queue.popleft(), True
            try:
                send(delivery, self._timeout_s)
            finally:
                with self._news:
                    self._busy = False
                    self._news.notify_all()


def send(delivery: Delivery, timeout_s: float) -> None:
    """POST the delivery and write down how it went."""
    place = urlsplit(delivery.app.hook_url or "")
    started = time.monotonic()
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=timeout_s)
    try:
        connection.request("POST", place.path or "/", delivery.body, headers(delivery))
        answer = connection.getresponse()
        delivery.answer = answer.read(65_536).decode(errors="replace")
        delivery.answer_headers = dict(answer.getheaders())
        delivery.status_code = answer.status
        delivery.status = "OK" if answer.status < 400 else f"Invalid HTTP Response: {answer.status}"
    except TimeoutError:
        delivery.status = "timed out"
    except (OSError, http.client.HTTPException):
        delivery.status = "failed to connect to host"
    finally:
        delivery.duration_s = round(time.monotonic() - started, 2)
        connection.close()
