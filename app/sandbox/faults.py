"""Trouble on demand: limits, outages, latency and lost answers, for the next requests that match."""

import re
from dataclasses import dataclass

KINDS = ("primary", "secondary", "status", "latency", "drop")


@dataclass
class Fault:
    """`after` lets the request take effect first, so that only its answer is lost."""

    kind: str
    times: int
    method: str
    path: str
    after: bool
    status: int
    retry_after_s: int | None
    seconds: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no kind of fault {self.kind!r}; there are {', '.join(KINDS)}")

    def matches(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in {"", method} and re.search(self.path, path) is not None


class Faults:
    """The faults that wait. The hub's lock guards them."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, used up once."""
        for fault in self._waiting:
            if fault.matches(method, path):
                fault.times -= 1
                return fault
        return None
