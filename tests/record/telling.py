"""Senders of telemetry for tests: tokens, bodies, and agents' own samples."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from app.store.access_tokens import make_token
from app.store.database import Database
from tests.core.telemetry_samples import bodies
from tests.record.issuer import ACCOUNT
from tests.record.serving import Answer, Server

JSON, PROTOBUF = "application/json", "application/x-protobuf"


def new_token(database: Database, account_id: int = ACCOUNT, name: str = "laptops") -> str:
    with database.transaction() as session:
        return make_token(session, account_id, "ingest", name, datetime.now(UTC))[1]


def tell(
    server: Server, kind: str, body: bytes | dict[str, Any], token: str, protobuf: bool = False, zipped: bool = False
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": PROTOBUF if protobuf else JSON}
    if zipped:
        raw, headers["Content-Encoding"] = gzip.compress(raw), "gzip"
    return server.ask("POST", f"/v1/{kind}", raw, headers)


def tell_sample(server: Server, sample: str, token: str, kinds: Iterable[str] = ("logs", "metrics", "traces")) -> None:
    """Send what an agent sent, in its order."""
    for number, (kind, body, protobuf) in enumerate(bodies(sample)):
        if kind in kinds:
            answer = tell(server, kind, body, token, protobuf, zipped=number % 2 == 1)
            assert (answer.status, answer.content) == (200, {}), (kind, answer)


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def logs(*records: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """An ExportLogsServiceRequest in JSON."""
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": {"attributes": attributes(resource or {})}, "scopeLogs": [scope]}]}


def api_request(request: str, at: datetime, session: str = "s-1", **changed: Any) -> dict[str, Any]:
    """Claude Code's event for one call of claude-sonnet-4-5, which costs what `reports.call` does."""
    told = {
        "event.name": "api_request", "session.id": session, "model": "claude-sonnet-4-5-20250929",
        "input_tokens": 1_000, "output_tokens": 1_300, "cache_read_tokens": 0, "cache_creation_tokens": 0,
        "request_id": request,
    }  # fmt: skip
    nanoseconds = int(at.timestamp() * 1_000_000) * 1_000
    return {"timeUnixNano": str(nanoseconds), "attributes": attributes({**told, **changed})}


def token_usage(session: str, kind: str, value: int, start: datetime, at: datetime) -> dict[str, Any]:
    """Claude Code's counter as an ExportMetricsServiceRequest in JSON."""
    point = {
        "attributes": attributes({"session.id": session, "type": kind, "model": "claude-sonnet-4-5-20250929"}),
        "startTimeUnixNano": str(int(start.timestamp() * 1_000_000) * 1_000),
        "timeUnixNano": str(int(at.timestamp() * 1_000_000) * 1_000),
        "asInt": str(value),
    }
    metric = {"name": "claude_code.token.usage", "sum": {"aggregationTemporality": 1, "dataPoints": [point]}}
    scope = {"scope": {"name": "com.anthropic.claude_code"}, "metrics": [metric]}
    return {"resourceMetrics": [{"resource": {}, "scopeMetrics": [scope]}]}
