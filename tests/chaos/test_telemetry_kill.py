"""kill -9 while telemetry comes in: what was answered 200 is in the books, once, whatever is sent again."""

import json
import os
import random
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.store.database import Database
from app.store.tables import AgentRun, ModelCallRow
from tests.chaos.processes import AUDIENCE, Replica
from tests.record.ledger import check_books, everything
from tests.record.reports import CALL_COST, START
from tests.record.serving import install
from tests.record.telling import api_request, logs, new_token

REQUESTS = 120
CALLS = 5
SENDERS = 4
KILLS = 3
PATIENCE_S = 40


class Sender(threading.Thread):
    """An exporter: sends its batches in order, and each again until it is answered."""

    def __init__(self, url: str, token: str, numbers: list[int], answered: set[int]) -> None:
        super().__init__(daemon=True)
        self.address, self.token, self.numbers, self.answered = urlsplit(url), token, numbers, answered

    def run(self) -> None:
        for number in self.numbers:
            deadline = time.monotonic() + PATIENCE_S
            while not self._sent(number):
                if time.monotonic() > deadline:
                    return
                time.sleep(0.02)
            self.answered.add(number)

    def _sent(self, number: int) -> bool:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection = HTTPConnection(self.address.hostname or "", self.address.port, timeout=10)
        try:
            connection.request("POST", "/v1/logs", json.dumps(batch(number)).encode(), headers)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def batch(number: int) -> dict[str, object]:
    at = START + timedelta(seconds=number)
    return logs(*(api_request(name, at, f"s-{number % 7}") for name in calls_of(number)))


def calls_of(number: int) -> list[str]:
    return [f"req_{number}_{position}" for position in range(CALLS)]


def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@contextmanager
def replica(url: str, log: Path) -> Iterator[Replica]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environ = {
        "PATH": os.environ.get("PATH", ""), "MERGEMETER_DATABASE_URL": url, "MERGEMETER_PORT": port,
        "MERGEMETER_APP_ID": "1", "MERGEMETER_PRIVATE_KEY": _key(), "MERGEMETER_WEBHOOK_SECRETS": secrets.token_hex(20),
        "MERGEMETER_PUBLIC_URL": AUDIENCE,
    }  # fmt: skip
    one = Replica(["serve", "--web-only"], environ, None, log)
    one.start()
    try:
        yield one
    finally:
        one.kill()


def strike(url: str, tmp_path: Path) -> None:
    database = Database(url)
    with database.transaction() as session:
        install(session)
    token, answered = new_token(database), set[int]()
    rng = random.Random(7)
    with replica(url, tmp_path / "replica.log") as one:
        senders = [Sender(one.url, token, list(range(n, REQUESTS, SENDERS)), answered) for n in range(SENDERS)]
        for sender in senders:
            sender.start()
        for kill in range(1, KILLS + 1):
            wait_for(answered, kill * REQUESTS // (KILLS + 1))
            time.sleep(rng.uniform(0, 0.05))
            one.kill()
            known = {call.response_id for call in everything(database, ModelCallRow)}
            assert {name for number in set(answered) for name in calls_of(number)} <= known
            one.start()
        wait_for(answered, REQUESTS)
    calls = everything(database, ModelCallRow)
    assert sorted(call.response_id for call in calls) == sorted(n for i in range(REQUESTS) for n in calls_of(i))
    assert check_books(database) == REQUESTS * CALLS * CALL_COST
    assert sum(run.model_calls for run in everything(database, AgentRun)) == REQUESTS * CALLS
    assert len(everything(database, AgentRun)) == 7
    database.close()


def wait_for(answered: set[int], number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(answered) < number:
        assert time.monotonic() < deadline, f"{len(answered)} of {number} were answered"
        time.sleep(0.005)


def test_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    path = tmp_path / "mergemeter.sqlite3"
    shutil.copyfile(sqlite_template, path)
    strike(f"sqlite:///{path}", tmp_path)


def test_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    strike(postgres_url, tmp_path)
