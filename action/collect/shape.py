"""The shape of an agent's work: counts of what it did, without what. Whose steps they are, the formats decide.

Paths, requests and ids are hashed as soon as they are read and only compared; counts alone leave. What a log cannot
tell is absent, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from .files import LogFile
from .window import Window

KINDS = ("read", "edit", "command", "search", "web", "agent", "other")  # of tool calls
TURN, RETRY = "turn", "retry"
STEPS_LIMIT = 200_000  # of one file


class Step(NamedTuple):
    """One thing that a log says an agent did."""

    offset: int
    at_us: int
    what: str  # TURN, RETRY, or the kind of a tool call
    key: bytes  # hash of the log's own id: the same step in a copied or resumed log
    request: bytes = b""  # hash of a tool call's name and input
    file: bytes = b""  # hash of the path that it reads


class Steps:
    """The steps of one log, and which of its tool calls failed."""

    __slots__ = ("failed", "made")

    def __init__(self) -> None:
        self.made: list[Step] = []
        self.failed: set[bytes] = set()

    def add(self, step: Step) -> None:
        """Add a step, up to what one log can plausibly hold."""
        if len(self.made) < STEPS_LIMIT:
            self.made.append(step)


def fresh_steps(logs: Iterable[tuple[Steps, LogFile]], window: Window) -> list[list[Step]]:
    """Of each log, those with the owners of copied lines first, the steps that this job made and no earlier log has."""
    listed = list(logs)
    seen = {step.key for steps, file in listed for step in steps.made if step.offset < file.old_size}
    fresh = []
    for steps, _ in listed:
        mine = []
        for step in steps.made:
            if step.key not in seen:
                seen.add(step.key)
                mine += [step] if window.holds(step.at_us) else []
        fresh.append(mine)
    return fresh


class Shape:
    """What one agent run did. `reads` and `retries` say whether its log can tell those."""

    __slots__ = ("failed", "reads", "retries", "steps", "subagents")

    def __init__(self, *, reads: bool, retries: bool) -> None:
        self.reads, self.retries = reads, retries
        self.steps: list[Step] = []
        self.failed: set[bytes] = set()
        self.subagents = 0

    def add(self, steps: Iterable[Step], failed: Iterable[bytes], subagents: int) -> None:
        """Add steps that this job made and nothing else has."""
        self.steps += steps
        self.failed.update(failed)
        self.subagents += subagents

    def as_json(self) -> dict[str, Any]:
        """The counts, as the record's schema has them."""
        whats = [step.what for step in self.steps]
        calls = [step for step in self.steps if step.what not in (TURN, RETRY)]
        counts: dict[str, Any] = {
            "turns": whats.count(TURN),
            "tool_calls": {kind: whats.count(kind) for kind in KINDS},
            "repeated_requests": _repeats(step.request for step in calls),
            "failed_tool_calls": sum(step.key in self.failed for step in calls),
            "subagents": self.subagents,
        }
        if self.reads:
            counts["repeated_reads"] = _repeats(step.file for step in calls if step.file)
        if self.retries:
            counts["retries"] = whats.count(RETRY)
        return counts


def hashed(value: object, otherwise: bytes = b"") -> bytes:
    """What stands for a text or a decoded value while it is compared; `otherwise` for one that is nested too deep."""
    try:
        return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    except RecursionError:
        return otherwise


def _repeats(hashes: Iterable[bytes]) -> int:
    listed = list(hashes)
    return len(listed) - len(set(listed))
