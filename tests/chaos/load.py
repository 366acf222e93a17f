"""What happens on GitHub, drawn at random: pulls that live their lives, and workflow runs in which agents work.

Keeps its own account of what each pull must have cost in the end: a run of a `pull_request` event belongs to its
pull, whatever else happens, and one on a schedule to none.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from app.sandbox import Sandbox
from app.sandbox.state import Delivery

PATH = ".github/workflows/agent.yml"
WORKFLOW = "on: [pull_request]\njobs:\n  agent:\n    steps:\n      - uses: anthropics/claude-code-action@v1\n"
CALL_NANO_USD = 1_000 * 3_000 + 1_300 * 15_000  # claude-sonnet-4-5: $3 and $15 a million tokens
METHODS = ("merge", "squash", "rebase")
MOST_MERGED_WITH_COMMENT = 45  # of one organisation: above 60 new comments a minute the App makes itself wait


@dataclass(frozen=True)
class Work:
    """A job whose agent made `calls` model calls; `more` is what the Action claims about the job."""

    run: dict[str, Any]
    calls: int
    more: Mapping[str, Any]
    started_at: float = field(default_factory=time.time)

    @property
    def session(self) -> str:
        return f"session-{self.run['run_id']}"


@dataclass
class Place:
    """One repository with its pulls by what they are."""

    name: str
    organisation: str
    open: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    merged: list[int] = field(default_factory=list)
    worked_on: set[int] = field(default_factory=set)


class Load:
    """Plays until there were `deliveries` webhooks and `agent_runs` jobs, `pace_s` between two happenings."""

    def __init__(
        self, gh: Sandbox, app: Mapping[str, Any], chance: Random, deliveries: int, agent_runs: int, pace_s: float,
        organisations: int, send: Callable[[Work], None],
    ) -> None:  # fmt: skip
        self.gh, self.app, self.chance, self.send = gh, app, chance, send
        self.deliveries, self.agent_runs, self.pace_s = deliveries, agent_runs, pace_s
        self.places = [
            Place(f"org-{n}/{name}", f"org-{n}") for n in range(organisations) for name in ("widgets", "gadgets")
        ]
        self.works: list[Work] = []
        self.late: list[Work] = []  # their records come after everything else
        self.certain: dict[tuple[str, int], int] = defaultdict(int)  # what a pull must have cost; 0: no pull
        self.merged: Counter[str] = Counter()
        self.files = 0
        self.held = 0
        self.addresses: Callable[[], list[str]] = list
        self.stopped = threading.Event()

    def prepare(self) -> None:
        """Make organisations and repositories, and install the App."""
        self.gh.limit_requests(10**9)
        for name in dict.fromkeys(place.organisation for place in self.places):
            self.gh.create_account(name)
        for place in self.places:
            self.gh.create_repository(place.name, files={PATH: WORKFLOW})
        for name in dict.fromkeys(place.organisation for place in self.places):
            self.gh.install(name)

    def play(self) -> None:
        """Let it happen; at the end nothing is held back any more."""
        while not self.stopped.is_set() and (self.to_deliver() > 0 or len(self.works) < self.agent_runs):
            self.hook()
            place = self.chance.choice(self.places)
            behind = len(self.works) / self.agent_runs < self.delivered() / self.deliveries
            if (behind or self.to_deliver() <= 0) and (place.open or place.closed or place.merged):
                self.agent(place)
            else:
                self.happening(place)
            self.disorder()
            time.sleep(self.pace_s * self.chance.random() * 2)
        self.gh.release(self.chance.randrange(2**31))
        for work in self.late:
            self.send(work)

    def heard(self) -> list[Delivery]:
        """Every attempt to deliver something to the App so far."""
        return [one for one in list(self.gh.courier.log) if one.app.app_id == self.app["app_id"]]

    def delivered(self) -> int:
        return len(self.gh.courier.log)

    def to_deliver(self) -> int:
        return self.deliveries - self.delivered()

    def hook(self) -> None:
        """The load balancer's choice for the next deliveries."""
        if addresses := self.addresses():
            self.gh.set_hook_url(f"{self.chance.choice(addresses)}/webhooks/github", self.app["app_id"])

    def disorder(self) -> None:
        drawn = self.chance.random()
        if self.held:
            self.held -= 1
            if not self.held:
                self.gh.release(self.chance.randrange(2**31))
        elif drawn < 0.06:
            self.held = self.chance.randint(2, 12)
            self.gh.hold()
        elif drawn < 0.12:
            self.gh.duplicate_next(self.chance.randint(1, 3))
        elif drawn < 0.14:
            self.gh.drop_next(1)

    # ---- pulls -------------------------------------------------------------------------------------------------

    def happening(self, place: Place) -> None:
        drawn = self.chance.random()
        self.notice_indirect_merges(place)
        if len(place.open) < 3 or drawn < 0.06:
            return self.open(place)
        if drawn < 0.76:
            return self.push(place)
        if drawn < 0.88:
            return self.merge(place)
        if drawn < 0.92:
            return self.close(place)
        if drawn < 0.97:
            return self.reopen(place)
        return self.revert(place)

    def notice_indirect_merges(self, place: Place) -> None:
        """A pull whose commits another merge brought to its base has merged by that."""
        gone = [n for n in place.open if self.gh.pull(place.name, n)["state"] == "closed"]
        place.open = [n for n in place.open if n not in gone]
        place.merged += gone

    def file(self) -> dict[str, str]:
        self.files += 1
        return {f"file-{self.files % 50}.py": f"{self.files}\n"}

    def open(self, place: Place) -> None:
        number = self.gh.open_pull(place.name, f"branch-{self.files}", title=f"Pull {self.files}", files=self.file())
        place.open.append(number)

    def push(self, place: Place) -> None:
        force = self.chance.random() < 0.1
        self.gh.push_to_pull(place.name, self.chance.choice(place.open), self.file(), force=force)

    def merge(self, place: Place) -> None:
        number = self.chance.choice(place.open)
        if number in place.worked_on:
            if self.merged[place.organisation] >= MOST_MERGED_WITH_COMMENT:
                return
            self.merged[place.organisation] += 1
        place.open.remove(number)
        place.merged.append(number)
        self.gh.merge(place.name, number, self.chance.choice(METHODS))

    def close(self, place: Place) -> None:
        number = self.chance.choice(place.open)
        place.open.remove(number)
        place.closed.append(number)
        self.gh.close(place.name, number)

    def reopen(self, place: Place) -> None:
        if place.closed:
            number = place.closed.pop()
            place.open.append(number)
            self.gh.reopen(place.name, number)

    def revert(self, place: Place) -> None:
        unreverted = [n for n in place.merged if not self.is_revert(place, n)]
        if unreverted:
            number = self.gh.revert(place.name, self.chance.choice(unreverted))
            place.open.append(number)

    def is_revert(self, place: Place, number: int) -> bool:
        return str(self.gh.pull(place.name, number)["head"]["ref"]).startswith("revert-")

    # ---- agents ------------------------------------------------------------------------------------------------

    def agent(self, place: Place) -> None:
        drawn, calls = self.chance.random(), self.chance.randint(1, 4)
        every = place.open * 3 + place.closed + place.merged[-5:]
        number = self.chance.choice(every)
        if drawn < 0.7:
            work = self.start(place, calls, {}, pull=number)
            self.certain[place.name, number] += calls * CALL_NANO_USD
        elif drawn < 0.85:
            work = self.start(place, calls, {"pull_number": number}, event="issue_comment", pull=number)
        elif drawn < 0.95 and number in place.open:
            branch = self.gh.pull(place.name, number)["head"]["ref"]
            work = self.start(place, calls, {}, event="push", branch=branch)
        else:
            work = self.start(place, calls, {}, event="schedule")
            self.certain[place.name, 0] += calls * CALL_NANO_USD
            number = 0
        place.worked_on |= {number} - {0}
        if self.chance.random() < 0.15:
            self.late.append(work)
        else:
            self.send(work)

    def start(self, place: Place, calls: int, more: Mapping[str, Any], **event: Any) -> Work:
        work = Work(self.gh.start_workflow_run(place.name, path=PATH, **event), calls, more)
        self.works.append(work)
        return work
