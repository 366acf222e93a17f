"""The sandbox's own time: what GitHub writes as created_at, merged_at and so on. Tokens expire by the real clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def real_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """A clock that runs with `source` and can be set or moved, so that a month can be played in a second."""

    def __init__(self, source: Callable[[], datetime] = real_now) -> None:
        self._source = source
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The present instant, aware, UTC, whole seconds as GitHub tells them."""
        return (self._frozen or self._source()).astimezone(UTC).replace(microsecond=0)

    def set(self, instant: datetime | None) -> None:
        """Stand still at the instant; None runs with the source again."""
        self._frozen = instant

    def advance(self, seconds: float) -> None:
        """Move on by seconds and stand still there."""
        self._frozen = self.now() + timedelta(seconds=seconds)


def iso(instant: datetime) -> str:
    """GitHub's way to write an instant: 2026-10-05T12:00:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)
