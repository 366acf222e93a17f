"""Whether a write may still be sent. A process that was frozen between its leave to write and the sending is late.

Others may have its work by then, and what they wrote cannot always be taken back: GitHub deletes no check run. So the
last look is taken where the request goes out, and not only where it is permitted.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SOON_S = 2.0  # far less than a lease that was just renewed; enough for a token to be minted on the way
_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def promptly() -> Iterator[None]:
    """What is sent inside is sent soon or not at all."""
    token = _until.set(time.monotonic() + SOON_S)
    try:
        yield
    finally:
        _until.reset(token)


def is_late() -> bool:
    """Whether a request that is about to go out was permitted too long ago."""
    until = _until.get()
    return until is not None and time.monotonic() > until
