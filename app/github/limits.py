"""What this package asks of whoever keeps count of GitHub's rate limits. Owns the protocol, not the count."""

from collections.abc import Mapping
from typing import Protocol


class Limits(Protocol):
    """The limits of one installation.

    `before_write` is called directly before every request that changes something: it is also the last place
    where a worker that lost its lease can stop.
    """

    def before_write(self, creating: bool) -> None:
        """Raise Later when the write has to wait. `creating`: a comment or an issue, which notify people."""

    def saw(self, headers: Mapping[str, str], status: int) -> None:
        """Take note of an answer's rate limit headers (names in any case) and status."""
