"""The demo's stage: a GitHub, a server, runners, and what has come of the play so far."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from app.core.month import Month
from app.demo.runner import Done, run_job
from app.demo.samples import Session
from app.demo.server import Server
from app.sandbox import Sandbox

ORGANISATION = "acme"
PLACES = WIDGETS, GADGETS, GATEWAY = tuple(f"{ORGANISATION}/{name}" for name in ("widgets", "gadgets", "gateway"))
WEBSITE = f"{ORGANISATION}/website"
FINANCE = f"{ORGANISATION}/finance"
# Words in the titles of issues there.
SUMMARY, PLATFORM, APPS = ("AI agent costs",), ("Statement", "Platform"), ("Statement", "Apps")
PATIENCE_S = 60
REQUEST_S = 5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One workflow job with the agent sessions that run in it."""

    repository: str
    workflow: str
    purpose: str
    sessions: tuple[Session, ...]
    pull: int | None = None
    event: str = "pull_request"
    team: str = "platform"


class Play:
    """The stage. `pulls` are the numbers of this month's pulls by name, `told` what commands wrote, by their name."""

    def __init__(self, gh: Sandbox, server: Server, folder: Path, say: Say) -> None:
        self.gh, self.server, self.folder, self.say = gh, server, folder, say
        self.month = Month.of(datetime.now(UTC))
        self.pulls: dict[str, int] = {}
        self.told: dict[str, str] = {}
        self.jobs = 0
        self.pool = ThreadPoolExecutor(2)
        self._shift = timedelta()

    def turn_to(self, instant: datetime | None) -> None:
        """Let GitHub's clock and the runners' stand at an instant; None for the real time. The App's is always real."""
        self.gh.set_time(instant)
        self._shift = timedelta() if instant is None else instant - datetime.now(UTC)

    def run(self, jobs: Sequence[Job]) -> list[Done]:
        """Play jobs, two runners at a time."""
        return [each.result() for each in [self._start(job) for job in jobs]]

    def _start(self, job: Job) -> "Future[Done]":
        self.jobs += 1
        path = f".github/workflows/{job.workflow}.yml"
        run = self.gh.start_workflow_run(
            job.repository, job.event, pull=job.pull, path=path, name=job.workflow.capitalize(), job=job.workflow
        )
        inputs = {"server-url": self.server.url, "team": job.team, "purpose": job.purpose}
        root = self.folder / f"runner-{self.jobs}"
        return self.pool.submit(run_job, root, run, inputs, job.sessions, self._shift)

    def wait(self, what: str, found: Callable[[], Any]) -> Any:
        """Wait until something stands on GitHub; raises with the server's log when it does not come."""
        deadline = time.monotonic() + PATIENCE_S
        while not (result := found()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come within {PATIENCE_S} s:\n{self.server.log()}")
            time.sleep(0.1)
        return result

    def settle(self) -> None:
        """Wait until the App has heard all that happened and has no more to do about it."""
        self.gh.drain()
        self.wait("the end of the App's work", lambda: _is_idle(self.server.url))

    def issue(self, *words: str) -> dict[str, Any] | None:
        """The issue in the finance repository that has these words in its title, if it is there."""
        found = self.gh.issues(FINANCE)
        return next((each for each in found if all(word in each["title"] for word in words)), None)


def _is_idle(server_url: str) -> bool:
    """Whether nothing that is due now waits or is being done, by the App's own metrics."""
    with urlopen(f"{server_url}/metrics", timeout=REQUEST_S) as answer:  # noqa: S310 - our own loopback address
        lines = answer.read().decode().splitlines()
    busy = [line for line in lines if line.startswith(("mergemeter_jobs_due", "mergemeter_jobs_running"))]
    return not any(float(line.rpartition(" ")[2]) for line in busy)


def claude(name: str, scale: int, model: str = "") -> Session:
    return Session("claude-code", name, scale, model)


def codex(name: str, scale: int) -> Session:
    return Session("codex", name, scale)
