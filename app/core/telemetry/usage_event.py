"""What one usage event says, before it is checked against the clock: what each agent's reader gives."""

from collections.abc import Callable
from typing import NamedTuple

from app.core.money import NanoUsd
from app.core.telemetry.told import Told
from app.core.usage import Tokens


class UsageEvent(NamedTuple):
    """One model call as told. The time is not checked yet, the rest is."""

    session: str
    version: str
    provider: str
    response_id: str
    model: str
    at_us: int
    tokens: Tokens
    speed: str = "standard"
    subagent: bool = False
    reported_cost: NanoUsd | None = None
    doubts: tuple[str, ...] = ()


class Count(NamedTuple):
    """What one data point of a token counter says."""

    session: str
    version: str
    model: str
    kinds: tuple[str, ...]  # all that it is a part of


UsageReader = Callable[[Told], UsageEvent | None]  # None: no usage in it, to be passed over
CountReader = Callable[[Told], Count | None]
