"""A GitHub that signs and sends deliveries to the real server over real HTTP."""

import hashlib
import hmac
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import uvicorn

from app.web.app import build_app
from app.world import World

SECRET = "a-webhook-secret-of-the-tests"
OLD_SECRET = "the-secret-before-the-rotation"
APP_ID = 4711
ACCOUNT, REPOSITORY = 100, 200


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("code", ""))


@dataclass(frozen=True)
class Hooks:
    port: int

    def send(
        self,
        payload: Any,
        event: str = "pull_request",
        delivery_id: str = "",
        secret: str = SECRET,
        more: Iterable[tuple[str, str]] = (),
        without: Iterable[str] = (),
        timeout: float = 30,
    ) -> Answer:
        """Sign as GitHub does and send. `more` headers are added, even doubled; `without` leaves some out."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("X-GitHub-Event", event),
            ("X-GitHub-Delivery", delivery_id or str(uuid.uuid4())),
            ("X-GitHub-Hook-Installation-Target-ID", str(APP_ID)),
            ("X-Hub-Signature-256", sign(body, secret)),
            *more,
        ]
        return self.raw(body, [(name, value) for name, value in headers if name not in without], timeout=timeout)

    def raw(self, body: bytes, headers: Iterable[tuple[str, str]], method: str = "POST", timeout: float = 30) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.putrequest(method, "/webhooks/github")
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"{}"))
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"{}"))
        finally:
            connection.close()


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def pull_payload(number: int = 1, action: str = "opened", account: int = ACCOUNT, **more: Any) -> dict[str, Any]:
    """The few fields of a `pull_request` delivery that are read, in GitHub's places."""
    return {
        "action": action,
        "number": number,
        "pull_request": {"number": number, "head": {"sha": f"{number:040x}"}},
        "repository": {"id": REPOSITORY, "name": "widgets", "owner": {"id": account, "login": "acme"}},
        "organization": {"id": account, "login": "acme"},
        "installation": {"id": 300},
        **more,
    }


@contextmanager
def serving(world: World, beat_at: Any = None) -> Iterator[Hooks]:
    """The whole application on a free port of loopback, in a thread."""
    config = uvicorn.Config(build_app(world, beat_at), log_config=None, access_log=False, lifespan="on")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Hooks(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
