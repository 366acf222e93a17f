"""How many telemetry events a server takes in a second, over HTTP, until they are in the books.

Claude Code's usage events, with all the attributes that it sends, from many sessions at once: in large batches, as a
collector between sends them, and in small ones between events of other kinds, as each agent does by itself. The server
is a process of its own on SQLite; the load comes from this one over a few kept connections, and shares the machine.
"""

import gc
import json
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from app.store.database import Database
from app.store.migrations import migrate
from bench.record import serve
from tests.record.issuer import issuing
from tests.record.reports import START
from tests.record.serving import install
from tests.record.telling import attributes, new_token

SESSIONS = 200
CONNECTIONS = 8
WARM_UP = 20
# By name: usage events and other events of a request, and how many requests.
LOADS = {"collector": (100, 0, 500), "agents": (5, 15, 2_000)}
RESOURCE = {
    "team": "payments", "vcs.owner.name": "acme", "vcs.repository.name": "widgets", "host.arch": "amd64",
    "os.type": "linux", "os.version": "6.18.44", "service.name": "claude-code", "service.version": "2.1.330",
}  # fmt: skip


def measure(rounds: int = 1) -> dict[str, Any]:
    """Events/s by load and encoding; `usage_events_per_s` are those that became model calls."""
    return {
        f"{load}_{'protobuf' if protobuf else 'json'}": measure_load(load, protobuf)
        for _ in range(rounds)
        for load in LOADS
        for protobuf in (False, True)
    }


def measure_load(load: str, protobuf: bool) -> dict[str, Any]:
    usage, others, requests = LOADS[load]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, issuing() as issuer:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        migrate(url)
        stop, (ours, theirs) = context.Event(), context.Pipe()
        server = context.Process(target=serve, args=(url, issuer.url, theirs, stop))
        server.start()
        port = ours.recv()
        token = _token(url)
        bodies = [_body(number, usage, others, protobuf) for number in range(requests + WARM_UP)]
        gc.collect()
        _send(port, token, bodies[:WARM_UP], protobuf)
        began = time.perf_counter()
        _send(port, token, bodies[WARM_UP:], protobuf)
        took = time.perf_counter() - began
        stop.set()
        served_s = ours.recv()
        server.join()
        return {
            "events_per_s": round(requests * (usage + others) / took),
            "usage_events_per_s": round(requests * usage / took),
            "requests_per_s": round(requests / took),
            "server_cpu_us_per_event": round(served_s / (len(bodies) * (usage + others)) * 1e6),
            "body_bytes": len(bodies[0]),
            **_books(url, len(bodies) * usage),
        }


def _token(url: str) -> str:
    database = Database(url)
    with database.transaction() as session:
        install(session)
    token = new_token(database)
    database.close()
    return token


def _body(number: int, usage: int, others: int, protobuf: bool) -> bytes:
    ids = random.Random(number)
    session = f"{number % SESSIONS:08x}-4bfa-4a35-aefa-d51af454721e"
    records = list(_records(session, number, usage, others, ids))
    scope = {"scope": {"name": "com.anthropic.claude_code.events", "version": "2.1.330"}, "logRecords": records}
    body = {"resourceLogs": [{"resource": {"attributes": attributes(RESOURCE)}, "scopeLogs": [scope]}]}
    if protobuf:
        return json_format.ParseDict(body, ExportLogsServiceRequest()).SerializeToString()
    return json.dumps(body).encode()


def _records(session: str, number: int, usage: int, others: int, ids: random.Random) -> Iterator[dict[str, Any]]:
    every = {**RESOURCE, "user.id": "5" * 64, "session.id": session, "app.version": "2.1.330", "terminal.type": "dumb"}
    for sequence in range(usage + others):
        at = START + timedelta(milliseconds=number * 100 + sequence)
        own: dict[str, Any] = {"event.name": "tool_result", "tool_name": "Bash", "success": "true", "duration_ms": 131}
        if sequence < usage:
            own = {
                "event.name": "api_request", "model": "claude-sonnet-4-5-20250929", "input_tokens": 13,
                "output_tokens": 61, "cache_read_tokens": 4_137, "cache_creation_tokens": 317,
                "cache_creation_5m_tokens": 317, "cache_creation_1h_tokens": 0, "cost_usd_micros": 3_384,
                "duration_ms": 131, "ttft_ms": 36, "request_id": f"req_011C{ids.getrandbits(80):020x}",
                "speed": "normal", "query_source": "sdk", "prompt.id": "5d9f07e5-cfde-4d5d-9555-12292ad5b806",
            }  # fmt: skip
        told = {**every, "event.sequence": sequence, "event.timestamp": at.isoformat(), **own}
        nanoseconds = str(int(at.timestamp() * 1_000_000) * 1_000)
        yield {"timeUnixNano": nanoseconds, "observedTimeUnixNano": nanoseconds, "attributes": attributes(told)}


def _send(port: int, token: str, bodies: Sequence[bytes], protobuf: bool) -> None:
    kind = "application/x-protobuf" if protobuf else "application/json"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    failed: list[int] = []

    def client(part: Sequence[bytes]) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        for body in part:
            connection.request("POST", "/v1/logs", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                failed.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=client, args=(bodies[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise AssertionError(f"answered {failed}")


def _books(url: str, calls: int) -> dict[str, int]:
    database = Database(url)
    with database.reading() as session:
        connection = session.connection()
        kept = connection.exec_driver_sql("SELECT COUNT(*) FROM model_call").scalar_one()
        off = connection.exec_driver_sql("SELECT SUM(amount_nano_usd) FROM ledger_entry").scalar_one()
    database.close()
    if (kept, off) != (calls, 0):
        raise AssertionError(f"{kept} of {calls} calls are kept, the books are off by {off}")
    return {"model_calls": kept}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
