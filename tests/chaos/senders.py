"""Those who send and do not give up: jobs with their records, and whoever redelivers what GitHub could not deliver.

As the Action: a request that got no answer is sent again, with the same token or with a new one, to any address.
"""

import json
import queue
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from app.sandbox import Sandbox
from tests.chaos.load import Load, Work
from tests.chaos.processes import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPTED = (200, 201, 202)
TRY_AGAIN = (500, 502, 503, 504)
TIMEOUT_S = 4.0
PATIENCE_S = 120.0


class Senders:
    """Threads that send records. `refused` is what the App said that it must not say."""

    def __init__(self, gh: Sandbox, seed: int, threads: int = 4) -> None:
        self.gh = gh
        self.waiting: queue.Queue[Work | None] = queue.Queue()
        self.answers: Counter[str] = Counter()
        self.refused: list[str] = []
        self.addresses: Callable[[], list[str]] = list
        self.threads = [threading.Thread(target=self._run, args=(Random(f"{seed}/{n}"),)) for n in range(threads)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def send(self, work: Work) -> None:
        self.waiting.put(work)

    def finish(self) -> None:
        """Return once everything was taken."""
        for _ in self.threads:
            self.waiting.put(None)
        for thread in self.threads:
            thread.join()

    def _run(self, chance: Random) -> None:
        while (work := self.waiting.get()) is not None:
            if chance.random() < 0.3:
                self._send(work, record(work, closed=False), chance)
            self._send(work, record(work), chance)
            if chance.random() < 0.1:  # a step that runs twice
                self._send(work, record(work), chance)

    def _send(self, work: Work, body: bytes, chance: Random) -> None:
        token = ""
        status, answer, deadline = 0, b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not token or chance.random() < 0.5:
                token = self.gh.mint_token(work.run, AUDIENCE)
            status, answer = self._post(body, token, chance)
            if status in ACCEPTED:
                self.answers[json.loads(answer)["status"]] += 1
                return
            if status and status not in TRY_AGAIN:
                break
            self.answers["no answer" if not status else str(status)] += 1
            time.sleep(0.1 + chance.random() * 0.3)
        self.refused.append(f"{work.session}: {status} {answer[:300]!r}")

    def _post(self, body: bytes, token: str, chance: Random) -> tuple[int, bytes]:
        addresses = self.addresses()
        if not addresses:
            return 0, b""
        connection = HTTPConnection(urlsplit(chance.choice(addresses)).netloc, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", "/v1/agent-runs", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()


def record(work: Work, closed: bool = True) -> bytes:
    """The same bytes each time, as a step that sends again has them."""
    at = datetime.fromtimestamp(work.started_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    calls = [
        {
            "id": f"msg_{work.session}_{n}",
            "provider": "anthropic",
            "model": "claude-sonnet-4-5-20250929",
            "at": at,
            "input_tokens": 1_000,
            "output_tokens": 1_300,
        }
        for n in range(work.calls)
    ]
    agent_run = {"agent": "claude-code", "session": work.session, "completeness": "complete", "calls": calls}
    body: dict[str, Any] = {
        "schema": "mergemeter.agent-runs/1",
        "phase": "closed" if closed else "opened",
        "action_version": "0.1.0",
        "job": {"name": "agent", "started_at": at, **work.more},
        "tags": {"team": "platform", "purpose": "author"},
        "agent_runs": [agent_run] if closed else [],
    }
    return json.dumps(body).encode()


def sweep(gh: Sandbox, load: Load, timeout_s: float = 90.0) -> int:
    """Redeliver every delivery that has no 2xx answer until each one has; how many redeliveries that took."""
    deadline, count = time.monotonic() + timeout_s, 0
    while time.monotonic() < deadline:
        assert gh.drain(timeout_s)
        heard = load.heard()
        told = {one.guid for one in heard if 200 <= one.status_code < 300}
        lost = list(dict.fromkeys(one.guid for one in heard if one.guid not in told))
        if not lost:
            return count
        load.hook()
        for guid in lost:
            gh.redeliver(guid)
        count += len(lost)
    raise AssertionError(f"{len(lost)} deliveries are not acknowledged after {timeout_s} s")


def redeliver_some(gh: Sandbox, load: Load, chance: Random, share: float) -> None:
    """Somebody presses "Redeliver" on what had arrived long ago."""
    for guid in sorted({one.guid for one in load.heard()}):
        if chance.random() < share:
            gh.redeliver(guid)
    assert gh.drain(60)
