"""`POST /v1/logs`, `/v1/metrics`, `/v1/traces`: OTLP over HTTP. Owns the order of the checks and the form of answers.

The sender's token comes first. What cannot be written now is answered 503: exporters try that again, and nothing else.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.core.telemetry import read
from app.core.telemetry.told import Told, Wanted
from app.otlp import MalformedError, TooLargeError, answers, decode_logs, decode_metrics, decode_traces, unzipped
from app.stories.telemetry import Sender, Sent, TelemetryRefusedError, price, sender_of, take
from app.web.batches import Batches
from app.web.bearer import CHALLENGE, bearer
from app.web.bodies import drain, read_body
from app.web.counts import TELEMETRY, Counts
from app.world import World

log = logging.getLogger(__name__)

# Plain and unzipped: about 5,000 events. Records without anything in them take 66 times their size while they are read.
LARGEST_BODY = 8 * 1024 * 1024
TOO_LARGE = "The body is larger than 8 MB, zipped or unzipped: have the exporter send smaller batches."
JSON, PROTOBUF = "application/json", "application/x-protobuf"
INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED = 3, 7, 14, 16  # google.rpc.Code
CODES = {401: UNAUTHENTICATED, 403: PERMISSION_DENIED, 503: UNAVAILABLE}
OUTCOMES = {401: "token", 403: "not-installed", 413: "too-large", 415: "not-otlp", 503: "not-written"}
AGAIN = {"Retry-After": "5"}


@dataclass(frozen=True, slots=True)
class Signal:
    """One of OTLP's three kinds of requests, and how it is read."""

    kind: str
    wanted: Wanted
    decode: Callable[..., list[Told]]
    read: Callable[..., Any]


SIGNALS = {
    f"/v1/{signal.kind}": signal
    for signal in (
        Signal("logs", read.LOGS, decode_logs, read.read_logs),
        Signal("metrics", read.METRICS, decode_metrics, read.read_metrics),
        Signal("traces", read.SPANS, decode_traces, read.read_spans),
    )
}


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came, with what its headers say of it."""

    raw: bytes
    protobuf: bool
    gzip: bool


class RefusedError(Exception):
    """An HTTP status and a sentence for people."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers


def telemetry_routes(world: World, counts: Counts | None = None) -> list[Route]:
    """The routes of this surface."""
    surface = Telemetry(world, counts or Counts())
    return [Route(path, surface.post, methods=["POST"]) for path in SIGNALS]


class Telemetry:
    """Takes OTLP from agents' exporters and from collectors between."""

    def __init__(self, world: World, counts: Counts) -> None:
        self._world = world
        self._counts = counts
        # On SQLite a commit is shared by all that come meanwhile; on PostgreSQL an account's telemetry takes turns.
        size, threads = (32, 1) if world.db.sqlite else (8, 4)
        self._batches = Batches(self._write, size, threads)

    async def post(self, request: Request) -> Response:
        """Take one request."""
        protobuf = _content_type(request) == PROTOBUF
        try:
            sent = await self._sent(request, protobuf)
        except RefusedError as refused:
            self._counts.add(TELEMETRY, OUTCOMES.get(refused.status, "malformed"))
            await drain(request)
            return _refusal(refused, protobuf)
        except ClientDisconnect:
            return Response(status_code=400)
        self._counts.add(TELEMETRY, "partly-taken" if sent.refused else "taken")
        return _answer(SIGNALS[request.url.path], sent, protobuf)

    async def _sent(self, request: Request, protobuf: bool) -> Sent:
        sender = await run_in_threadpool(self._sender, _bearer(request))
        gzip = _check_headers(request)
        raw = await read_body(request, LARGEST_BODY)
        if raw is None:
            raise RefusedError(413, TOO_LARGE)
        return await self._batches.put((SIGNALS[request.url.path], sender, Body(raw, protobuf, gzip)))

    def _sender(self, unverified_token: str) -> Sender:
        try:
            with self._world.db.reading() as session:
                return sender_of(session, unverified_token, self._world.now())
        except TelemetryRefusedError as refused:
            raise RefusedError(
                refused.status, refused.sentence, CHALLENGE if refused.status == 401 else None
            ) from refused

    def _write(self, items: Sequence[tuple[Signal, Sender, Body]]) -> list[Sent | Exception]:
        outcomes = [self._attempt(*item) for item in items]
        written = iter(take(self._world, [each for each in outcomes if isinstance(each, Sent)]))
        found = [next(written) if isinstance(each, Sent) else each for each in outcomes]
        return [each if isinstance(each, Sent | RefusedError) else _unwritten() for each in found]

    def _attempt(self, signal: Signal, sender: Sender, body: Body) -> Sent | Exception:
        try:
            plain = unzipped(body.raw, LARGEST_BODY) if body.gzip else body.raw
            told = signal.decode(plain, signal.wanted, protobuf=body.protobuf)
            return price(self._world, sender, signal.read(told, self._world.now()))
        except TooLargeError:
            return RefusedError(413, TOO_LARGE)
        except MalformedError as malformed:
            return RefusedError(400, str(malformed))
        except Exception as error:
            log.exception("telemetry could not be read")
            return error


def _unwritten() -> RefusedError:
    return RefusedError(503, "It could not be written now; send it again.", AGAIN)


def _content_type(request: Request) -> str:
    return str(request.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _bearer(request: Request) -> str:
    unverified_token = bearer(request)
    if unverified_token is None:
        raise RefusedError(401, "Send an access token once, as Authorization: Bearer …", CHALLENGE)
    return unverified_token


def _check_headers(request: Request) -> bool:
    """Whether the body is zipped; raises RefusedError for what we cannot read."""
    if _content_type(request) not in (JSON, PROTOBUF):
        raise RefusedError(415, f"Send OTLP as {JSON} or {PROTOBUF}.")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise RefusedError(415, "Send the body plain or with gzip.")
    return encoding == "gzip"


def _answer(signal: Signal, sent: Sent, protobuf: bool) -> Response:
    """200, with how much of it was refused and why."""
    content = answers.taken(signal.kind, sent.refused, sent.refusal, protobuf=protobuf)
    return Response(content, media_type=PROTOBUF if protobuf else JSON)


def _refusal(refused: RefusedError, protobuf: bool) -> Response:
    code = CODES.get(refused.status, INVALID_ARGUMENT)
    content = answers.status(code, refused.sentence, protobuf=protobuf)
    return Response(content, refused.status, refused.headers, PROTOBUF if protobuf else JSON)
