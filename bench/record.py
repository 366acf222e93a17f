"""How many records of 100 model calls a server takes in a second, over HTTP, each with its own verified token.

The server is a process of its own on SQLite; the load comes from this one over a few kept connections. Both share
the machine. Tokens and bodies are made beforehand.
"""

import gc
import json
import multiprocessing
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from app.__main__ import GARBAGE_OBJECTS
from app.store.database import Database
from app.store.migrations import migrate
from tests.record.issuer import Issuer, issuing
from tests.record.reports import START, agent_run, call, closing, stamp
from tests.record.serving import install, serving, world_of

REQUESTS = 1_200
WARM_UP = 100
CONNECTIONS = 8
CALLS = 100


def measure(requests: int = REQUESTS) -> dict[str, Any]:
    """Requests/s over all, and latency in ms, of `requests` records; also what ended up in the books."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, issuing() as issuer:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        migrate(url)
        stop, (ours, theirs) = context.Event(), context.Pipe()
        server = context.Process(target=serve, args=(url, issuer.url, theirs, stop))
        server.start()
        port = ours.recv()
        jobs = [_request(issuer, number) for number in range(requests + WARM_UP)]
        _send(port, jobs[:WARM_UP])
        began, cpu = time.perf_counter(), time.process_time()
        latencies = _send(port, jobs[WARM_UP:])
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        served = ours.recv()
        server.join()
        return {
            "requests_per_s": round(requests / took, 1),
            "model_calls_per_s": round(requests * CALLS / took),
            "p50_ms": round(statistics.median(latencies) * 1e3, 2),
            "p99_ms": round(statistics.quantiles(latencies, n=100)[98] * 1e3, 2),
            "server_cpu_ms_per_request": round(served / len(jobs) * 1e3, 2),
            "load_generator_cpu_share": round(cpu / took, 2),
            "body_bytes": len(jobs[0][0]),
            **_books(url),
        }


def serve(url: str, issuer_url: str, ready: Any, stop: Event) -> None:
    """The server's process: the surface on a free port, until told to stop."""
    database = Database(url)
    with database.transaction() as session:
        install(session)
    with serving(world_of(database, issuer_url)) as server:
        gc.freeze()  # as `serve` does
        gc.set_threshold(GARBAGE_OBJECTS)
        ready.send(server.port)
        began = time.process_time()
        stop.wait()
        ready.send(time.process_time() - began)
    database.close()


def _request(issuer: Issuer, number: int) -> tuple[bytes, dict[str, str]]:
    tokens = {"cache_read_tokens": 20_000 + number, "cache_write_5m_tokens": 700, "reasoning_tokens": 100}
    more = {"service_tier": "standard", "speed": "standard", "subagent": False, "at": stamp(START)}
    # Response ids are random, as vendors' are: each is written to another page of the index that knows them.
    ids = random.Random(number)
    calls = [call(f"01{ids.getrandbits(96):024x}", **tokens, **more) for _ in range(CALLS)]
    body = json.dumps(closing(agent_run(f"session-{number}", calls))).encode()
    token = issuer.token(run_id=str(number + 1), check_run_id=str(number + 1))
    return body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def _send(port: int, jobs: Sequence[tuple[bytes, dict[str, str]]]) -> list[float]:
    latencies: list[float] = []

    def client(part: Sequence[tuple[bytes, dict[str, str]]]) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        for body, headers in part:
            began = time.perf_counter()
            connection.request("POST", "/v1/agent-runs", body, headers)
            answer = connection.getresponse()
            answer.read()
            latencies.append(time.perf_counter() - began)
            if answer.status != 201:
                raise AssertionError(f"answered {answer.status}")
        connection.close()

    threads = [threading.Thread(target=client, args=(jobs[n::CONNECTIONS],)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies


def _books(url: str) -> dict[str, int]:
    database = Database(url)
    with database.reading() as session:
        connection = session.connection()
        calls = connection.exec_driver_sql("SELECT COUNT(*), SUM(cost_nano_usd) FROM model_call").one()
        ledger = connection.exec_driver_sql("SELECT SUM(amount_nano_usd) FROM ledger_entry").scalar_one()
    database.close()
    return {"model_calls": calls[0], "cost_nano_usd": calls[1], "ledger_sum_nano_usd": ledger}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
