"""A model API on loopback that speaks four vendors' dialects and knows what it charged.

    with StandIn() as api:
        ...run a client against api.url...
        api.served            # every response that went out

One stand-in serves one run of a client. What it answers is in script.py; the scenarios "retry", "refused" and "kill"
also make it fail: with a status that clients try again, with one that they do not, and by never ending an answer.
"""

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clients import dialects
from tests.clients.catcher import read_body
from tests.clients.dialects import Answer, Asked, Event
from tests.clients.script import turn_of
from tests.clients.truth import Served, tokens

IN_FLIGHT_TURN = 2  # of the scenario "kill"
HELD_S = 60.0
CHILD_S = 3.0
OVERLOADED = {"anthropic": 529, "responses": 503, "chat": 503, "gemini": 503}
_GEMINI = re.compile(r"/models/([^/:?]+):(streamGenerateContent|generateContent)")


class StandIn:
    """`child` is the type of sub-agent to ask for. The file `flag` appears when the answer is out that never ends;
    `failed` are the statuses of the answers that were errors.
    """

    def __init__(self, child: str = "general-purpose", flag: Path = Path(os.devnull)) -> None:
        self.child, self.flag = child, flag
        self.served: list[Served] = []
        self.failed: list[int] = []
        self.stopped = threading.Event()
        self.strange: list[str] = []  # requests that nothing here answers
        self.bodies: list[tuple[str, Any]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def failure(self, api: str, asked: Asked) -> int:
        """The status of the error to answer with, or 0. Only calls of the scenario's own agent fail."""
        if asked.kind == "side":
            return 0
        with self._lock:
            seen = len([one for one in self.served if one.scenario == asked.scenario and one.kind == asked.kind])
            if asked.scenario == "retry" and len(self.failed) < 2 and seen == 1:
                self.failed.append(OVERLOADED[api])
            elif asked.scenario == "refused" and seen == 1:
                self.failed.append(400)
            else:
                return 0
            return self.failed[-1]

    def wait_for_the_child(self) -> None:
        """Where a client starts its sub-agent in the background, let that end before its parent can."""
        deadline = time.monotonic() + CHILD_S
        while time.monotonic() < deadline and not any(one.kind == "child" and one.turn for one in self.served):
            time.sleep(0.05)
        time.sleep(0.2)

    def charge(self, api: str, asked: Asked) -> Served:
        """Note a response that is about to go out."""
        with self._lock:
            number = len(self.served) + 1
            mark = f"{number:04d}{time.time_ns() % 10**12:012d}"
            prefix = {"anthropic": "msg_01", "responses": "resp_", "chat": "chatcmpl-", "gemini": "gem-"}[api]
            whole = not (asked.scenario == "kill" and asked.turn == IN_FLIGHT_TURN and asked.kind == "main")
            served = Served(
                number, api, asked.model, asked.kind, asked.scenario, asked.turn, prefix + mark, f"req_01{mark}",
                asked.stream, time.time(), tokens(api, number), whole,
            )  # fmt: skip
            self.served.append(served)
        return served


def _handler(api: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        stand_in = api

    return Handler


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/models"):
            self._send({"object": "list", "data": [], "models": []})
        else:
            self.stand_in.strange.append(f"GET {self.path}")
            self._send({"error": {"type": "not_found_error", "message": "No such page."}}, 404)

    def do_POST(self) -> None:
        body = read_body(self)
        path = self.path.partition("?")[0]
        try:
            self._post(path, json.loads(body or b"{}"))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client is gone

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self.stand_in.bodies.append((path, body))
        gemini = _GEMINI.search(path)
        if path.endswith("/count_tokens"):
            self._send({"input_tokens": 100})
        elif path.endswith(":countTokens"):
            self._send({"totalTokens": 100})
        elif path.endswith("/v1/messages"):
            self._answer("anthropic", dialects.asked_anthropic(body))
        elif path.endswith("/responses"):
            self._answer("responses", dialects.asked_responses(body))
        elif path.endswith("/chat/completions"):
            self._answer("chat", dialects.asked_chat(body))
        elif gemini:
            stream = gemini.group(2) == "streamGenerateContent"
            self._answer("gemini", dialects.asked_gemini(body, gemini.group(1), stream))
        else:
            self.stand_in.strange.append(f"POST {self.path}")
            self._send({"error": {"type": "not_found_error", "message": "No such page."}}, 404)

    def _answer(self, api: str, asked: Asked) -> None:
        if status := self.stand_in.failure(api, asked):
            kind = "overloaded_error" if status != 400 else "invalid_request_error"
            error = {"type": kind, "code": status, "status": "UNAVAILABLE", "message": "The stand-in fails."}
            self._send({"type": "error", "error": error}, status)
            return
        if asked.scenario == "sub" and asked.kind == "main" and asked.turn == 1:
            self.stand_in.wait_for_the_child()
        served = self.stand_in.charge(api, asked)
        made = dialects.answer(
            asked, turn_of(asked.scenario, asked.turn), served.response_id, served.tokens, self.stand_in.child
        )
        spaces = {name: schema.get("namespace") for name, schema in asked.tools.items()}
        if asked.stream:
            self._stream(api, _events(api, made, spaces), served)
        else:
            self._send(_whole(api, made, spaces), request_id=served.request_id)

    def _stream(self, api: str, events: Iterable[Event], served: Served) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self._ids(served.request_id)
        self.end_headers()
        for number, (name, data) in enumerate(events):
            self._chunk((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n")
            if not served.whole and number == 1:
                self.stand_in.flag.touch()
                self.stand_in.stopped.wait(HELD_S)
                self.close_connection = True
                return
        if api == "chat":
            self._chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, text: str) -> None:
        raw = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.flush()

    def _ids(self, request_id: str) -> None:
        self.send_header("request-id", request_id)
        self.send_header("x-request-id", request_id)

    def _send(self, content: Mapping[str, Any], status: int = 200, request_id: str = "") -> None:
        raw = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if request_id:
            self._ids(request_id)
        self.end_headers()
        self.wfile.write(raw)


def _events(api: str, made: Answer, spaces: Mapping[str, Any]) -> Iterable[Event]:
    if api == "responses":
        return dialects.stream_responses(made, spaces)
    streams = {"anthropic": dialects.stream_anthropic, "chat": dialects.stream_chat, "gemini": dialects.stream_gemini}
    return streams[api](made)


def _whole(api: str, made: Answer, spaces: Mapping[str, Any]) -> Mapping[str, Any]:
    if api == "responses":
        return dialects.whole_responses(made, spaces)
    wholes = {"anthropic": dialects.whole_anthropic, "chat": dialects.whole_chat, "gemini": dialects.whole_gemini}
    return wholes[api](made)
