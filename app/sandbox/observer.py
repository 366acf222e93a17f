"""What an observer of the REST interface gets to see: every request with its answer, as bytes on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `template` is the operation's path, None when no operation has this address."""

    method: str
    path: str
    template: str | None
    query: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    answer_headers: Mapping[str, str]
    answer_body: bytes


class Observer(Protocol):
    def saw(self, exchange: Exchange) -> None: ...
