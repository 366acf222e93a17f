"""An address on loopback that takes webhooks and remembers them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    url: str
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # statuses for the next ones; 202 when empty

    def events(self) -> list[tuple[str, str | None]]:
        return [(headers["x-github-event"], json.loads(raw).get("action")) for headers, raw in self.taken]

    def payloads(self, event: str) -> list[dict[str, Any]]:
        return [json.loads(raw) for headers, raw in self.taken if headers["x-github-event"] == event]


@contextmanager
def listening() -> Iterator[Listener]:
    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            listener.taken.append(({name.lower(): value for name, value in self.headers.items()}, raw))
            self.send_response(listener.answers.pop(0) if listener.answers else 202)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    listener = Listener(f"http://127.0.0.1:{server.server_port}/webhooks/github")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield listener
    server.shutdown()
    server.server_close()
    thread.join()
