"""What all requests of the API have in common: the token first, then the parameters, then one story, then the answer.

Answers are private, and have an ETag by which an unchanged one is not sent again.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from app.store.access_tokens import TokenScope
from app.stories.reading import ReadRefusedError, admitted
from app.web.api.parameters import USUAL, ParameterError, read_path, read_query
from app.web.bearer import CHALLENGE, bearer
from app.world import World

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
IN_MEMORY = 4 * 1024 * 1024
STEP = 256 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for; `values` are those of its path and query."""

    world: World
    account_id: int
    values: dict[str, Any]

    @property
    def most(self) -> int:
        """How many items a page may have."""
        return int(self.values.get("limit", USUAL))


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `tell` gives the answer as JSON values, or lines of CSV; None: there is no such thing."""

    path: str
    name: str
    about: str
    answer: str  # the schema's name; "" for CSV
    tell: Callable[[Asked], Any]
    query: tuple[str, ...] = field(default=())


def route_of(world: World, operation: Operation) -> Route:
    """The route of an operation."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(_answer, world, operation, request)

    return Route(operation.path, endpoint, methods=["GET"], name=operation.name)


def refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """How every refusal looks."""
    return JSONResponse({"code": code, "message": message}, status, {**PRIVATE, **(headers or {})})


def _answer(world: World, operation: Operation, request: Request) -> Response:
    unverified_token = bearer(request)
    if unverified_token is None:
        return refused(401, "token-missing", "Send an access token once, as Authorization: Bearer …", CHALLENGE)
    try:
        reader = admitted(world, unverified_token, TokenScope.READ)
        values = read_path(request.path_params)
        query = read_query(operation.query, request.query_params.multi_items())
    except ReadRefusedError as no:
        return refused(no.status, no.code, no.sentence, CHALLENGE if no.status == 401 else None)
    except ParameterError as mistake:
        return refused(400, "parameter", str(mistake))
    told = None if values is None else operation.tell(Asked(world, reader.account_id, values | query))
    if told is None:
        return refused(404, "not-found", "There is no such thing in this account.")
    return _told_csv(told, request) if not operation.answer else _told_json(told, request)


def _told_json(told: Any, request: Request) -> Response:
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = {**PRIVATE, "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if _unchanged(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _told_csv(lines: Iterator[str], request: Request) -> Response:
    """Written to its end before it is sent: a reader that is slow must not hold a snapshot of the database."""
    digest, size = hashlib.sha256(), 0
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - it is closed when it was sent
    for line in lines:
        part = line.encode("utf-8", "replace")
        digest.update(part)
        size += file.write(part)
    headers = {**PRIVATE, "ETag": f'"{digest.hexdigest()[:32]}"'}
    if _unchanged(request, headers["ETag"]):
        file.close()
        return Response(status_code=304, headers=headers)
    file.seek(0)
    headers["Content-Length"] = str(size)
    return StreamingResponse(_steps(file), media_type="text/csv; charset=utf-8", headers=headers)


def _steps(file: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    with file:
        while part := file.read(STEP):
            yield part


def _unchanged(request: Request, etag: str) -> bool:
    sent = request.headers.get("if-none-match", "")
    return etag in {each.strip().removeprefix("W/") for each in sent.split(",")} or sent.strip() == "*"


def page(items: Sequence[Any], most: int, cursor: Callable[[Any], object]) -> tuple[Sequence[Any], str | None]:
    """Of up to `most` + 1 items the page, and the cursor of the next one; None: it is the last."""
    return (items[:most], str(cursor(items[most - 1]))) if len(items) > most else (items, None)
