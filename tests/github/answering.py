"""A loopback server that gives prepared answers, for what the sandbox cannot be made to say."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = {"token": "ghs_first", "expires_at": "2099-01-01T00:00:00Z"}


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None  # JSON, or bytes as they are
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Answering:
    """Prepared answers by "METHOD /path" (without query). The last answer of a list is given for ever after."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._prepared: dict[str, list[Answer]] = {}
        self.say("POST /app/installations/7/access_tokens", Answer(201, TOKEN))

    def say(self, question: str, *answers: Answer) -> None:
        self._prepared[question] = list(answers)

    def count(self, question: str) -> int:
        return sum(f"{one.method} {one.path.partition('?')[0]}" == question for one in self.asked)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        prepared = self._prepared.get(f"{asked.method} {asked.path.partition('?')[0]}", [])
        if not prepared:
            return Answer(404, {"message": "Not Found"})
        return prepared.pop(0) if len(prepared) > 1 else prepared[0]


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    answering: Answering

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = self.answering.answer(Asked(self.command, self.path, dict(self.headers.items()), body))
        raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response_only(answer.status)
        for name, value in {"content-length": str(len(raw)), "date": self.date_time_string(), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def answering() -> Iterator[Answering]:
    prepared = Answering()
    requests = type("Requests", (_Request,), {"answering": prepared})
    server = ThreadingHTTPServer(("127.0.0.1", 0), requests)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    prepared.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield prepared
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
