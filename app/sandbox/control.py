"""The steering over HTTP, for other processes: POST /_sandbox/{method} with JSON arguments, or Remote."""

import json
import urllib.error
import urllib.request
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.sandbox.steer.accounts import Accounts
from app.sandbox.steer.agents import Agents
from app.sandbox.steer.desk import Desk
from app.sandbox.steer.pulls import Pulls
from app.sandbox.steer.repositories import Repositories
from app.sandbox.steer.runs import Runs
from app.sandbox.steer.trouble import Trouble

PARTS = (Accounts, Agents, Repositories, Pulls, Runs, Trouble)
METHODS = frozenset(name for part in PARTS for name in vars(part) if not name.startswith("_"))


def routes(desk: Desk) -> list[Route]:
    """The control endpoints."""

    async def control(request: Request) -> JSONResponse:
        name = request.path_params["method"]
        if name not in METHODS:
            return JSONResponse({"error": f"no method {name}"}, 404)
        try:
            arguments = json.loads(await request.body() or b"{}")
            value = await run_in_threadpool(getattr(desk, name), **arguments)
        except (LookupError, TypeError, ValueError) as mistake:
            return JSONResponse({"error": f"{type(mistake).__name__}: {mistake}"}, 400)
        return JSONResponse({"value": value})

    return [Route("/_sandbox/{method}", control, methods=["POST"])]


class Remote:
    """A sandbox in another process: `remote.call("merge", repository="acme/shop", number=3)`."""

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url
        self._timeout_s = timeout_s

    def call(self, method: str, **arguments: Any) -> Any:
        """Call the method of that name there; gives its value. ValueError with the sandbox's words when it refuses."""
        raw = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{method}", raw, {"Content-Type": "application/json"})  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                return json.load(answer)["value"]
        except urllib.error.HTTPError as refused:
            with refused:
                raise ValueError(json.load(refused)["error"]) from None
