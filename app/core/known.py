"""How far the cost of agent runs is known: 0 is an answer only where nothing is missing."""

from dataclasses import dataclass
from typing import Protocol

from app.core.usage import Completeness


class Counted(Protocol):
    """What is asked of an agent run."""

    @property
    def completeness(self) -> str: ...
    @property
    def model_calls(self) -> int: ...
    @property
    def unpriced_calls(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Known:
    """How far an agent run's cost is known, or that of several together."""

    agent_runs: int = 0
    incomplete: int = 0  # whose record is a lower bound, an estimate or missing
    model_calls: int = 0
    unpriced_calls: int = 0

    @property
    def cost_known(self) -> bool:
        """Whether 0 would be an answer: something is priced, or there is nothing to price and nothing is missing."""
        return self.unpriced_calls < self.model_calls or (not self.unpriced_calls and not self.incomplete)

    @property
    def complete(self) -> bool:
        return not self.incomplete and not self.unpriced_calls

    @classmethod
    def of(cls, run: Counted) -> "Known":
        incomplete = run.completeness != Completeness.COMPLETE
        return cls(1, int(incomplete), run.model_calls, run.unpriced_calls)

    def __add__(self, other: "Known") -> "Known":
        return Known(
            self.agent_runs + other.agent_runs,
            self.incomplete + other.incomplete,
            self.model_calls + other.model_calls,
            self.unpriced_calls + other.unpriced_calls,
        )
