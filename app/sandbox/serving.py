"""uvicorn in a thread, stopped at once: its own loop looks only ten times a second, and tests would pay for that."""

import asyncio
import socket
import threading
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

TICKS_A_SECOND = 10  # uvicorn's own: every tenth tick renews the Date header
GRACE_S = 2.0


class Prompt(uvicorn.Server):
    """A server that stops when it is told to, not at its next look."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    async def main_loop(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1 / TICKS_A_SECOND)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        busy = [task for task in self.server_state.tasks if not task.done()]
        if busy:
            await asyncio.wait(busy, timeout=GRACE_S)
        await asyncio.sleep(0)  # lets the closed transports go

    def stop(self) -> None:
        """From another thread: stop serving."""
        self.should_exit = True
        if self._loop is not None and self._wake is not None and not self._loop.is_closed():
            with suppress(RuntimeError):  # the loop ended in between
                self._loop.call_soon_threadsafe(self._wake.set)


class Serving:
    """An ASGI application on a loopback socket, in a thread of its own."""

    def __init__(self, application: ASGIApp, host: str, port: int) -> None:
        self._socket = socket.create_server((host, port))
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            server_header=False,
            timeout_keep_alive=30,
        )
        self._server = Prompt(config)
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serve from now on. The socket listens already: whoever connects early only waits a moment."""
        self._thread.start()

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(GRACE_S + 1)
        self._socket.close()

    def wait(self) -> None:
        """Block as long as it serves."""
        while self._thread.is_alive():
            self._thread.join(1)
