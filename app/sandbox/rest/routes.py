"""The REST interface as Starlette routes: HTTP in, the door, HTTP out; with faults and the observer around."""

import asyncio
import json
import re
import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.sandbox import refusals
from app.sandbox.faults import Fault
from app.sandbox.observer import Exchange, Observer
from app.sandbox.refusals import Refusal
from app.sandbox.rest import actions, agents, apps, checks, contents, issues, properties, pulls, teams
from app.sandbox.rest.door import Answer, Door, Operation

OPERATIONS = (
    *apps.OPERATIONS,
    *pulls.OPERATIONS,
    *checks.OPERATIONS,
    *issues.OPERATIONS,
    *actions.OPERATIONS,
    *contents.OPERATIONS,
    *agents.OPERATIONS,
    *properties.OPERATIONS,
    *teams.OPERATIONS,
)
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "x-github-media-type": "github.v3; format=json",
    "server": "github.com",
}


class Lost(Response):
    """The connection ends in the middle of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        head: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
        await send(head)  # and no body: the server closes the connection


def routes(door: Door, observer: Observer | None, log: Callable[[str, str, int], None]) -> list[Route]:
    """One route for each operation."""
    return [_route(operation, door, observer, log) for operation in OPERATIONS]


def _route(operation: Operation, door: Door, observer: Observer | None, log: Callable[[str, str, int], None]) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        path = request.scope.get("asked_path", request.url.path)
        with door.hub.lock:
            fault = door.faults.take(operation.method, request.url.path)
        if fault is not None and fault.kind == "latency":
            await asyncio.sleep(fault.seconds)
        answer = None
        if fault is None or fault.after or fault.kind == "latency":
            answer = await run_in_threadpool(_enter, door, operation, request, raw)
        if fault is not None and fault.kind != "latency":
            answer = trouble(fault)
        response = Lost() if answer is None else written(answer)
        status = 0 if answer is None else response.status_code
        log(operation.method, path, status)
        if observer is not None and status:
            observer.saw(exchange(request, operation.path, raw, response))
        return response

    return Route(operation.path, endpoint, methods=[operation.method])


def _enter(door: Door, operation: Operation, request: Request, raw: bytes) -> Answer:
    arguments = {name: str(value) for name, value in request.path_params.items()}
    with door.hub.lock:
        return door.enter(operation, request.url.path, arguments, dict(request.query_params), request.headers, raw)


def trouble(fault: Fault) -> Answer | None:
    """What the caller gets to see of a fault; None when nothing."""
    if fault.kind == "drop":
        return None
    if fault.kind == "status":
        return Answer(fault.status, {"message": "Server Error"})
    limited = fault.status if fault.status in {403, 429} else 403
    if fault.kind == "secondary":
        refusal = refusals.secondary_limit(limited, fault.retry_after_s)
    else:
        refusal = refusals.primary_limit(0, _reset(fault), 5000)
        refusal.status = limited
    return Answer(refusal.status, refusal.body, refusal.headers)


def _reset(fault: Fault) -> int:
    return int(time.time()) + (fault.retry_after_s or 0)


def written(answer: Answer) -> Response:
    """The answer with GitHub's usual headers."""
    headers = HEADERS | dict(answer.headers)
    if isinstance(answer.body, bytes):
        content = answer.body
    else:
        content = b"" if answer.status == 204 else json.dumps(answer.body, ensure_ascii=False).encode()
    return Response(content, answer.status, headers)


def exchange(request: Request, template: str | None, raw: bytes, response: Response) -> Exchange:
    return Exchange(
        method=request.method,
        path=request.url.path,
        template=template and re.sub(r":path}", "}", template),
        query=request.url.query,
        request_headers=dict(request.headers),
        request_body=raw,
        status=response.status_code,
        answer_headers=dict(response.headers),
        answer_body=bytes(response.body),
    )


def unknown() -> Response:
    """No operation has this address."""
    refusal = Refusal(404, "Not Found")
    return written(Answer(404, refusal.body))
