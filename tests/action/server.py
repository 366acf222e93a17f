"""A Mergemeter and a token endpoint on loopback, as the Action sees them: keeps what was sent, answers as told."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any]]
RECORDED: dict[str, Any] = {
    "record_id": "0193", "status": "recorded", "agent_runs": [], "cost_nano_usd": None, "unpriced_calls": 0,
    "price_list": "genai-prices 0.2.3", "show_money": False,
}  # fmt: skip


def recorded(_: dict[str, Any]) -> Answer:
    return 201, RECORDED


class Server:
    """`with Server() as server`: `server.url`, `server.bodies`, `server.audiences`, `server.tokens`."""

    def __init__(self, answer: Callable[[dict[str, Any]], Answer] = recorded, token_status: int = 200) -> None:
        self.answer, self.token_status = answer, token_status
        self.bodies: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.tokens: list[str] = []
        self.audiences: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    @property
    def closed(self) -> dict[str, Any]:
        """The one closing record."""
        (body,) = [body for body in self.bodies if body["phase"] == "closed"]
        return body

    def environ(self) -> dict[str, str]:
        """The variables by which a job gets its OIDC token."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path != "/token" or self.headers["Authorization"] != "Bearer request-token":
                return self._send(403, {})
            server.audiences += parse_qs(url.query)["audience"]
            return self._send(server.token_status, {"value": f"token-{len(server.audiences)}"})

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/v1/agent-runs":
                return self._send(404, {})
            server.raw.append(content)
            server.bodies.append(json.loads(content))
            server.tokens.append(self.headers["Authorization"])
            return self._send(*server.answer(server.bodies[-1]))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if 300 <= status < 400:
                self.send_header("Location", str(body.get("location", "")))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
