"""Catches what clients send over OTLP/HTTP, and answers as a test wants it answered."""

import gzip
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self


def read_body(request: BaseHTTPRequestHandler) -> bytes:
    """The whole body, also where it comes in chunks: Gemini CLI and Qwen Code tell no length."""
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    parts = []
    while size := int(request.rfile.readline().partition(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


@dataclass(frozen=True)
class Caught:
    """One request: its body is decompressed."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    answered: int


class Catcher:
    """`answers` are statuses for the first requests; 200 to all later ones."""

    def __init__(self, *answers: int) -> None:
        self.caught: list[Caught] = []
        self._answers = list(answers)
        self._lock = threading.Lock()
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                raw = read_body(self)
                zipped = self.headers.get("Content-Encoding") == "gzip"
                status = catcher.note(self.path, dict(self.headers), gzip.decompress(raw) if zipped else raw)
                json_asked = "json" in self.headers.get("Content-Type", "")
                answer = b"{}" if json_asked else b""
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if json_asked else "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    def note(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self._lock:
            status = self._answers.pop(0) if self._answers else 200
            self.caught.append(Caught(path, headers, body, time.time(), status))
        return status

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def save(self, folder: Path) -> None:
        """Each body as a file, and `index.jsonl` with its path and headers."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "index.jsonl").open("w", encoding="utf-8") as index:
            for number, one in enumerate(self.caught, 1):
                end = "json" if "json" in one.headers.get("Content-Type", one.headers.get("content-type", "")) else "pb"
                name = f"{number:04d}-{one.path.rpartition('/')[2]}.{end}"
                (folder / name).write_bytes(one.body)
                entry = {"file": name, "path": one.path, "headers": one.headers, "answered": one.answered, "at": one.at}
                index.write(json.dumps(entry) + "\n")
