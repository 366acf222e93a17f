"""The list of cases. A case is a generator that plays one story in one repository and yields how long it waits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulate.scene import Scene

Case = Callable[[Scene], Iterator[float]]


@dataclass(frozen=True)
class Listed:
    """`weight`: how often it comes up in a large world. `alone`: it needs a repository (and account) of its own."""

    name: str
    play: Case
    weight: int
    alone: bool


CASES: dict[str, Listed] = {}


def case(weight: int = 2, *, alone: bool = False) -> Callable[[Case], Case]:
    """List a case under its function's name."""

    def listed(play: Case) -> Case:
        name = play.__name__.replace("_", " ")
        CASES[name] = Listed(name, play, weight, alone)
        return play

    return listed
