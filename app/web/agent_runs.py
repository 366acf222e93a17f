"""`POST /v1/agent-runs`, and the schema of its body. Owns the order of the checks: the cheap ones and the token first.

No large body is read before its sender's token is verified and the App is found on their account.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.core.reported_calls import ReportRefusedError
from app.oidc import KeysUnavailableError, TokenRefusedError, TokenVerifier
from app.stories.record import KeptRun, Prepared, Recorded, RecordRefusedError, admit, prepare, record
from app.web.batches import Batches
from app.web.bearer import CHALLENGE, bearer
from app.web.bodies import drain, read_body
from app.web.counts import RECORDS, Counts
from app.web.strict_json import parse
from app.world import World

LARGEST_BODY = 16 * 1024 * 1024
SMALL_BODY = 256 * 1024  # about 700 model calls
LONGEST_MESSAGE = 300
SCHEMA_FILE = Path(__file__).with_name("agent-runs-1.schema.json")
HTTP_STATUS = {"opened": 202, "recorded": 201, "repeat": 200}


class AnswerError(Exception):
    """An HTTP status, a code for machines and a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.response = refusal(status, code, message, headers)


def refusal(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    """How every refusal looks."""
    return JSONResponse({"code": code, "message": message[:LONGEST_MESSAGE]}, status, headers)


# What the caller may do wrong, and the one thing that may fail outside: anything else rises.
ANSWERS: dict[type[Exception], Callable[[Any], Response]] = {
    AnswerError: lambda it: it.response,
    TokenRefusedError: lambda it: refusal(401, it.code, it.sentence, CHALLENGE),
    RecordRefusedError: lambda it: refusal(it.status, it.code, it.sentence),
    ReportRefusedError: lambda it: refusal(422, "body-invalid", str(it)),
    KeysUnavailableError: lambda it: refusal(503, "keys-unavailable", str(it), {"Retry-After": "30"}),
}


def agent_run_routes(world: World, counts: Counts | None = None) -> list[Route]:
    """The routes of this surface."""
    settings = world.settings
    verifier = TokenVerifier.of(settings.oidc_issuers, settings.oidc_audience or settings.public_url, world.now)
    surface = AgentRuns(world, verifier, counts or Counts())
    return [
        Route("/v1/agent-runs", surface.post, methods=["POST"]),
        Route("/v1/schemas/agent-runs-1.json", surface.schema, methods=["GET"]),
    ]


class AgentRuns:
    """Takes records of agent runs from Actions, with the schema compiled once."""

    def __init__(self, world: World, verifier: TokenVerifier, counts: Counts) -> None:
        self._counts = counts
        self._world = world
        self._verifier = verifier
        # SQLite has one writer and pays for each commit; PostgreSQL has many, which must not wait for each other.
        size, threads = (16, 1) if world.db.sqlite else (1, 8)
        self._batches = Batches(self._record, size, threads)
        self._schema = SCHEMA_FILE.read_bytes()
        # Masked: what a stranger sent is not repeated to logs and step summaries.
        self._validator = jsonschema_rs.validator_for(json.loads(self._schema), mask="the value")

    async def schema(self, _request: Request) -> Response:
        """The JSON Schema of a record."""
        return Response(self._schema, media_type="application/schema+json", headers={"Cache-Control": "max-age=3600"})

    async def post(self, request: Request) -> Response:
        """Take one record."""
        try:
            unverified_token = _bearer(request)
            if _declared_length(request) > SMALL_BODY:
                await run_in_threadpool(self._admit, unverified_token)
            recorded = await self._batches.put((unverified_token, await _read(request)))
        except tuple(ANSWERS) as refused:
            await drain(request)
            answer = ANSWERS[type(refused)](refused)
            self._counts.add(RECORDS, json.loads(bytes(answer.body))["code"])
            return answer
        except ClientDisconnect:
            return Response(status_code=400)
        self._counts.add(RECORDS, recorded.status)
        return JSONResponse(answer_of(recorded), HTTP_STATUS[recorded.status])

    def _admit(self, unverified_token: str) -> None:
        claims = self._verifier.verify(unverified_token)
        with self._world.db.reading() as session:
            admit(session, claims)

    def _record(self, sent: Sequence[tuple[str, bytes]]) -> list[Recorded | Exception]:
        with self._world.db.reading() as session:
            outcomes = [self._attempt(session, *each) for each in sent]
        written = iter(record(self._world, [each for each in outcomes if isinstance(each, Prepared)]))
        return [next(written) if isinstance(each, Prepared) else each for each in outcomes]

    def _attempt(self, session: Session, unverified_token: str, body: bytes) -> Prepared | Exception:
        try:
            return self._prepare(session, unverified_token, body)
        except Exception as error:  # noqa: BLE001 - the answer of this one, not of those it came with
            return error

    def _prepare(self, session: Session, unverified_token: str, body: bytes) -> Prepared:
        claims = self._verifier.verify(unverified_token)
        terms = admit(session, claims)
        try:
            parsed = parse(body)
        except ValueError as error:
            raise AnswerError(422, "body-malformed", str(error)) from error
        try:
            self._validator.validate(parsed)
        except jsonschema_rs.ValidationError as error:
            path = "/" + "/".join(map(str, error.instance_path))
            raise AnswerError(422, "body-invalid", f"{path[:100]}: {error.message[:180]}.") from error
        except (ValueError, OverflowError) as error:  # an integer that no schema validator can hold
            raise AnswerError(422, "body-invalid", "The body has a number that is too long.") from error
        return prepare(self._world, claims, terms, body, parsed)


def _bearer(request: Request) -> str:
    unverified_token = bearer(request)
    if unverified_token is None:
        sentence = "Send the job's OIDC token once, as Authorization: Bearer …"
        raise AnswerError(401, "token-missing", sentence, CHALLENGE)
    return unverified_token


def _declared_length(request: Request) -> int:
    """The body's length as its sender says; without one, as if it were the largest. Refuses what is no plain JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise AnswerError(415, "not-json", "Send the record as application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise AnswerError(415, "encoded", "Send the record without a content encoding.")
    length = request.headers.get("content-length", str(LARGEST_BODY))
    if not (length.isascii() and length.isdigit() and len(length) <= 12 and int(length) <= LARGEST_BODY):
        raise _too_large()
    return int(length)


async def _read(request: Request) -> bytes:
    body = await read_body(request, LARGEST_BODY)
    if body is None:
        raise _too_large()
    return body


def _too_large() -> AnswerError:
    return AnswerError(413, "too-large", "The record is larger than 16 MB.")


def answer_of(recorded: Recorded) -> dict[str, Any]:
    """What the Action prints. Without `show_money` no amount is in it: a public repository's step summary is public."""
    runs = [_run(each, recorded.show_money) for each in recorded.agent_runs]
    cost = sum(each.row["cost_nano_usd"] for each in recorded.agent_runs)
    return {
        "record_id": recorded.record_id,
        "status": recorded.status,
        "agent_runs": runs,
        "cost_nano_usd": cost if recorded.show_money else None,
        "unpriced_calls": sum(run["unpriced_calls"] for run in runs),
        "price_list": recorded.price_list,
        "show_money": recorded.show_money,
    }


TOLD = (
    "agent", "session", "provenance", "completeness", "model_calls", "calls_counted_elsewhere", "unpriced_calls",
    "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens",
    "output_tokens", "reasoning_tokens",
)  # fmt: skip


def _run(kept: KeptRun, show_money: bool) -> dict[str, Any]:
    return {
        **{name: kept.row[name] for name in TOLD},
        "status": kept.status,
        "unpriced_models": kept.unpriced_models,
        "cost_nano_usd": kept.row["cost_nano_usd"] if show_money else None,
    }
