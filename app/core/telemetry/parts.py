"""What is made of telemetry: the parts of agents' sessions that one request told of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.money import NanoUsd
from app.core.usage import ModelCall, Purpose, Tokens

ASKED = "asked"  # the kind of a total that is no count: when the model was last asked, in microseconds


@dataclass(frozen=True, slots=True)
class Tags:
    """Where and for whom a session says that it worked: the sender's claims. Empty or None: not told, or invalid."""

    owner: str = ""
    repository: str = ""
    branch: str = ""
    pull_number: int | None = None
    team: str = ""
    purpose: Purpose = Purpose.OTHER


@dataclass(frozen=True, slots=True)
class ToldCall:
    """A model call, and the agent's own figure for it. The figure is a cross-check, never added."""

    call: ModelCall
    reported_cost: NanoUsd | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """One data point of a token counter: for the cross-check only, never added to calls.

    A point of the same series and start replaces an earlier smaller one; sums over starts and series are what the
    agent counted, whether its points are cumulative or deltas (whose starts all differ).
    """

    model: str
    kind: str  # a key of KINDS
    series: str
    start_us: int
    value: int

    @property
    def about_us(self) -> int:
        """When the session was at work."""
        return self.value if self.kind == ASKED else self.start_us


KINDS: dict[str, Callable[[Tokens], int]] = {
    "input": lambda tokens: tokens.input,
    "prompt": lambda tokens: tokens.prompt,  # for agents whose counter of input includes what was cached
    "cache_read": lambda tokens: tokens.cache_read,
    "cache_write": lambda tokens: tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_other,
    "output": lambda tokens: tokens.output,
    "reasoning": lambda tokens: tokens.reasoning,
}


def counted(kind: str, tokens: Tokens) -> int:
    """What the totals of a kind should be for calls that used these tokens."""
    return KINDS[kind](tokens)


@dataclass(frozen=True, slots=True)
class SessionPart:
    """What one request told of one session under the same tags."""

    agent: str  # as the Action's collectors name it
    agent_version: str
    session: str
    tags: Tags
    calls: Sequence[ToldCall]
    totals: Sequence[Total]
    doubts: Sequence[str]  # why there may be more usage than this: sentences of ours


@dataclass(frozen=True, slots=True)
class Reading:
    """What was made of a request."""

    parts: Sequence[SessionPart]
    used: int = 0  # events that became calls or totals
    refused: int = 0  # usage events that say something impossible
    refusal: str = ""  # why the first of them was refused, a sentence
