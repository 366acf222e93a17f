"""The organisation as it lives: cases start over some weeks and run at the same time, in as many repositories.

Seeded: the same seed gives the same events, ids and shas, whatever is done with them.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from app.sandbox.state import Delivery
from tests.simulate import (
    cases_branches,
    cases_everyday,
    cases_people,
    cases_places,
    cases_rules,
    cases_stacks,
    cases_traps,
)
from tests.simulate.cases import CASES, Listed
from tests.simulate.github import SimulatedGitHub
from tests.simulate.scene import Place, Rules, Scene
from tests.simulate.truth import Report, Truth

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
ORGANISATION = "acme"
OVERHEAD = 'overhead_workflows: ["*/housekeeping.yml"]\n'
# What each organisation's configuration says in the end.
RULES = {
    ORGANISATION: Rules(overhead=True),
    "borealis": Rules(overhead=True, claims_count=True),
    "cumulus": Rules(),
}
# What they say one after the other: minds are changed while agents work.
CONFIGURATIONS = {
    ORGANISATION: ('overhead_workflows: ["*/agent.yml"]\n', OVERHEAD),
    "borealis": ("claims_count: false\n", OVERHEAD + "claims_count: true\n"),
    "cumulus": ("claims_count: true\n" + OVERHEAD, "claims_count: false\n"),
}
OWNERS = (ORGANISATION, "borealis", ORGANISATION, "cumulus")  # of the repositories, in turn
MODULES = (cases_everyday, cases_branches, cases_stacks, cases_traps, cases_places, cases_people, cases_rules)


@dataclass(frozen=True)
class Size:
    """`each`: every case at least so often; `cases`: so many altogether, the rest drawn by weight."""

    repositories: int
    cases: int
    each: int
    days: float = 10.0


@dataclass(frozen=True)
class Happening:
    """What the App may be told at `at` or later."""

    at: datetime
    what: Delivery | Report


class World:
    """`step` lets the next thing happen and gives what the App may be told of it.

    `more`: what every organisation's configuration says beside, before it is changed and after.
    """

    def __init__(self, seed: int, size: Size, only: str = "", more: tuple[str, str] = ("", "")) -> None:
        self.random = Random(f"world {seed}")
        self.size = size
        self._more = more
        self.truth = Truth()
        self._told: list[Delivery] = []
        self.github = SimulatedGitHub(seed, START, self._told.append)
        self._waiting: list[tuple[float, int, Scene, Iterator[float]]] = []
        self._count = 0
        self.places = [self._place(n) for n in range(size.repositories)]
        for owner in RULES:
            self.github.desk.create_account(owner)
            self._configure(owner)
            self.github.desk.install(owner)
        chosen = [one for one in CASES.values() if only in one.name]
        names = [one for one in chosen for _ in range(size.each)]
        drawn = max(size.cases - len(names), 0)
        if drawn:
            names += self.random.choices(chosen, [0 if one.alone else one.weight for one in chosen], k=drawn)
        self.random.shuffle(names)
        for listed in names:
            self._enter(listed)

    @property
    def pulls(self) -> int:
        return sum(len(repository.pulls) for repository in self.github.whole.repositories.values())

    @property
    def over(self) -> bool:
        return not self._waiting

    @property
    def next_at(self) -> datetime:
        return START + timedelta(seconds=self._waiting[0][0])

    def step(self) -> list[Happening]:
        """The next thing happens, at `next_at`."""
        at_s, count, scene, story = heapq.heappop(self._waiting)
        self.github.set_time(max(START + timedelta(seconds=at_s), self.github.now()))
        scene.begun = True
        wait_s = next(story, None)
        if wait_s is not None:
            # GitHub writes whole seconds: what happens at different times must be seconds apart.
            heapq.heappush(self._waiting, (at_s + max(wait_s, 2.0), count, scene, story))
        return self.heard(scene)

    def close_doors(self) -> None:
        """What has not begun by now never does."""
        self._waiting = [one for one in self._waiting if one[2].begun]
        heapq.heapify(self._waiting)

    def begin(self) -> list[Happening]:
        """What happened before the first step: the installation."""
        return self.heard()

    def heard(self, scene: Scene | None = None) -> list[Happening]:
        """What GitHub has sent since, and what the scene's jobs will send."""
        now = self.github.now()
        happened = [Happening(now, delivery) for delivery in self._told]
        self._told.clear()
        if scene is None:
            return happened
        happened += [Happening(now + timedelta(seconds=after_s), report) for after_s, report in scene.after]
        scene.after.clear()
        return happened

    def _place(self, number: int) -> Place:
        owner = OWNERS[number % len(OWNERS)]
        visibility = self.random.choice(["private", "private", "public"])
        return Place(self.github, f"{owner}/repository-{number}", visibility, RULES[owner])

    def _configure(self, owner: str) -> None:
        """The owner's configuration as it is from the beginning; it will be changed somewhere in the middle."""
        first, last = (told + more for told, more in zip(CONFIGURATIONS[owner], self._more, strict=True))
        place = Place(self.github, f"{owner}/.github-private")
        place.desk.push(place.repository.full_name, "main", {"mergemeter.yml": first})

        def change() -> Iterator[float]:
            place.desk.push(place.repository.full_name, "main", {"mergemeter.yml": last})
            yield from ()

        self._count += 1
        scene = Scene("configuration", place, Random(owner), self.truth)
        heapq.heappush(self._waiting, (self.size.days * 86_400 * 0.4, self._count, scene, change()))

    def _enter(self, listed: Listed) -> None:
        self._count += 1
        random = Random(self.random.getrandbits(64))
        if listed.alone:
            owner = ORGANISATION
            if "installation" in listed.name:
                owner = f"branch-office-{self._count}"
                self.github.desk.create_account(owner)
            place = Place(self.github, f"{owner}/alone-{self._count}", rules=RULES.get(owner))
            if owner != ORGANISATION:
                self.github.desk.install(owner)
        else:
            place = random.choice(self.places)
        scene = Scene(listed.name, place, random, self.truth)
        scene.neighbours = self.places
        start_s = random.uniform(0, self.size.days * 86_400)
        heapq.heappush(self._waiting, (start_s, self._count, scene, listed.play(scene)))
