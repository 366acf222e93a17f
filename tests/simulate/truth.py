"""What really happened: which pulls an agent run served, and what the evidence allows to know of it.

Nothing of this ever reaches the App: the simulator writes it down beside the events, and only the score reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.core.facts import Claims

Pulls = frozenset[int]
NONE: Pulls = frozenset()


@dataclass(frozen=True)
class AgentRunTruth:
    """`expected`: what the definitions make of the evidence; `also`: other answers that are no mistake."""

    case: str
    repository_id: int
    session: str
    cost_nano_usd: int
    served: Pulls
    expected: Pulls
    levels: str  # "E3", or several that are as good: "E4 E5"; empty where nothing is expected; "E8": overhead
    also: tuple[Pulls, ...] = ()
    pulls_in: int = 0  # the repository of the pulls, where it is not the agent run's own


@dataclass
class RevertTruth:
    """A pull that undoes another. `known`: whether anything that GitHub tells says so."""

    case: str
    repository_id: int
    number: int
    reverts: int
    known: bool


@dataclass
class Truth:
    """All of it."""

    agent_runs: dict[str, AgentRunTruth] = field(default_factory=dict)  # by session
    reverts: list[RevertTruth] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What a job sends when it is done: signed claims and a body."""

    claims: Claims
    body: Mapping[str, Any]
