"""A GitHub for thousands of pulls: the sandbox's state, steering and REST door, in parts and without a socket.

The sandbox looks at every pull there is on each push. Here each repository (with its forks) is a part of its own that
shares all the rest, and the App's requests come in over an httpx transport. What it answers is the sandbox's.
"""

import heapq
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import httpx
from starlette.routing import compile_path

from app.sandbox import refusals
from app.sandbox.clock import Clock
from app.sandbox.deliveries import Courier
from app.sandbox.faults import Faults
from app.sandbox.limits import Limits
from app.sandbox.oidc import Issuer
from app.sandbox.rest.apps import DELIVERIES_ARE_KEPT
from app.sandbox.rest.door import Answer, Door
from app.sandbox.rest.routes import OPERATIONS, written
from app.sandbox.sandbox import _register_actions
from app.sandbox.state import Attempt, Delivery, Hub, Repository, WorkflowRun
from app.sandbox.steer.accounts import Accounts
from app.sandbox.steer.pulls import Pulls
from app.sandbox.steer.repositories import Repositories
from app.sandbox.steer.runs import Runs

URL = "https://github.test"
NO_LIMIT = 10**9
LOG_IS_TIDIED_AT = 2_000  # deliveries, then at twice what is left
ROUTES = tuple((operation, compile_path(operation.path)[0]) for operation in OPERATIONS)


class Steered(Accounts, Repositories, Pulls, Runs):
    """What people and agents do to one part."""


class Part(Hub):
    """One repository and its forks; everything else is shared with the whole."""

    def __init__(self, whole: Hub) -> None:
        self.__dict__.update(whole.__dict__)
        self.repositories = {}


class SimulatedGitHub:
    """`told` hears of each delivery when it is sent. Time stands still until `set_time`."""

    def __init__(self, seed: int, start: datetime, told: Callable[[Delivery], None]) -> None:
        self.whole = Hub(Clock(lambda: start), seed)
        self.whole.clock.set(start)
        self.whole.url = URL
        self.whole.deliver = told
        self.issuer = Issuer(self.whole)
        self.limits = Limits(hourly=NO_LIMIT)
        self._log: dict[int, Delivery] = {}
        self._tidy_at = LOG_IS_TIDIED_AT
        self._count = 0
        self._ends: list[tuple[datetime, int, WorkflowRun, Attempt, str]] = []
        self.told = told
        _register_actions(self.whole)
        self.desk = self._steered(self.whole)
        self.app = self.desk.register_app()
        self._doors: dict[str, Door] = {}
        self._door = self._door_of(self.whole)

    def now(self) -> datetime:
        return self.whole.now()

    def set_time(self, instant: datetime) -> None:
        self.whole.clock.set(instant)
        while self._ends and self._ends[0][0] <= instant:
            at, _, run, attempt, conclusion = heapq.heappop(self._ends)
            attempt.status, attempt.conclusion, attempt.updated_at = "completed", conclusion, at
            for job in run.jobs.values():
                if job.run_attempt == attempt.number:
                    job.conclusion, job.completed_at = conclusion, at

    def end_later(self, at: datetime, run: WorkflowRun, attempt: Attempt, conclusion: str) -> None:
        """Let an attempt of a workflow run end at that time, with its jobs."""
        self._count += 1
        heapq.heappush(self._ends, (at, self._count, run, attempt, conclusion))

    def note_delivery(self, delivery: Delivery) -> None:
        """Put an attempt to deliver in the log. What GitHub has forgotten by now is thrown away now and then."""
        self._log[delivery.delivery_id] = delivery
        if len(self._log) > self._tidy_at:
            oldest = self.now() - DELIVERIES_ARE_KEPT
            self._log = {key: one for key, one in self._log.items() if one.created_at >= oldest}
            self._tidy_at = max(LOG_IS_TIDIED_AT, 2 * len(self._log))

    def create_repository(self, full_name: str, visibility: str = "private") -> tuple[Steered, Repository]:
        """A repository as a part of its own, and who steers it."""
        part = Part(self.whole)
        steered = self._steered(part)
        repository = part.repositories[steered.create_repository(full_name, visibility, {"README.md": "# Here\n"})]
        self.whole.repositories[repository.repository_id] = repository
        self.found_at(repository, part)
        return steered, repository

    def found_at(self, repository: Repository, part: Hub) -> None:
        """Let requests for the repository's present name go to its part; earlier names still do."""
        self.whole.repositories[repository.repository_id] = repository
        self._doors[repository.full_name.lower()] = self._door_of(part)

    def answer(self, request: httpx.Request) -> Answer:
        path = self._named(request.url.path)
        for operation, pattern in ROUTES:
            found = pattern.match(path) if operation.method == request.method else None
            if found:
                arguments = found.groupdict()
                name = f"{arguments.get('owner')}/{arguments.get('repo')}".lower()
                door = self._doors.get(name, self._door)
                return door.enter(
                    operation, path, arguments, dict(request.url.params), dict(request.headers), request.read()
                )
        return Answer(404, refusals.not_found().body)

    def _named(self, path: str) -> str:
        """/repositories/{id}… is another name for /repos/{owner}/{repo}…"""
        found = re.match(r"/repositories/(\d+)(/.*)?$", path)
        repository = self.whole.repositories.get(int(found[1])) if found else None
        return f"/repos/{repository.full_name}{found[2] or ''}" if found and repository else path

    def _steered(self, hub: Hub) -> Steered:
        return Steered(hub, Courier(hub), self.issuer, Faults(), self.limits)

    def _door_of(self, hub: Hub) -> Door:
        return Door(hub, self.limits, Faults(), self._redeliver, lambda: list(self._log.values()))

    def _redeliver(self, delivery_id: int) -> None:
        kept = self._log[delivery_id]
        number, now = self.whole.next_id("delivery"), self.now()
        self.told(replace(kept, delivery_id=number, created_at=now, redelivery=True, status="waiting", status_code=0))


class Wire(httpx.BaseTransport):
    """The App's way to that GitHub. It counts what goes over it."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self.github = github
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = written(self.github.answer(request))
        return httpx.Response(response.status_code, headers=dict(response.headers), content=bytes(response.body))
