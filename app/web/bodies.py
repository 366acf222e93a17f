"""Request bodies, read and thrown away within bounds."""

import asyncio
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

MOST_DRAINED = 64 * 1024 * 1024
LONGEST_DRAIN_S = 1.0


async def read_body(request: Request, largest: int) -> bytes | None:
    """The whole body, or None when it is larger than that."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            return None
        parts.append(part)
    return b"".join(parts)


async def drain(request: Request) -> None:
    """Let a refused sender finish, within bounds: many read no answer before they have sent everything."""
    left = MOST_DRAINED
    with suppress(TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: the body was read to its end
        async with asyncio.timeout(LONGEST_DRAIN_S):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return
