"""Installation tokens in memory, minted once however many threads ask at once. Never on disk, never in logs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

EARLY = timedelta(minutes=2)  # a token is not used in its last minutes: the request has to arrive, too


@dataclass(frozen=True, slots=True)
class Token:
    text: str = field(repr=False)
    expires_at: datetime


class TokenCache:
    """`mint` asks GitHub for a token of an installation (id) and may raise; `now` is the present, aware UTC."""

    def __init__(self, mint: Callable[[int], Token], now: Callable[[], datetime]) -> None:
        self._mint = mint
        self._now = now
        self._guard = threading.Lock()
        self._locks: dict[int, threading.Lock] = {}
        self._tokens: dict[int, Token] = {}

    def get(self, installation_id: int) -> str:
        """A token that is good for at least two minutes. One installation's mint never holds up another's."""
        with self._guard:
            lock = self._locks.setdefault(installation_id, threading.Lock())
        with lock:
            token = self._tokens.get(installation_id)
            if token is None or token.expires_at - EARLY <= self._now():
                token = self._tokens[installation_id] = self._mint(installation_id)
            return token.text

    def forget(self, installation_id: int, text: str) -> None:
        """Drop this token, unless another thread has replaced it already."""
        with self._guard:
            token = self._tokens.get(installation_id)
            if token is not None and token.text == text:
                del self._tokens[installation_id]
