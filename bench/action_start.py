"""From the start of the Action's Python to the first byte that it sends: `main.py post` as python.js runs it.

1 MB of Claude Code transcripts lies in the home, the server is on loopback. Target: at most 0.15 s. Python has compiled
the modules before, as it has in every job when `main` is through.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import ClassVar

from bench import transcripts
from bench.action_post import ACTION, Server, environment, state
from bench.servers import cache

SIZE = 1_000_000
FILES = 5
ROUNDS = 15
PYTHON = [sys.executable, "-I", "-S"]


class _Noting(Server):
    """Notes when each connection brings its first byte."""

    arrived: ClassVar[list[float]] = []

    def handle(self) -> None:
        self.rfile.peek(1)  # type: ignore[attr-defined]
        self.arrived.append(time.perf_counter())
        super().handle()


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Medians in seconds of interleaved rounds: to the first byte, and a Python program that does nothing."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Noting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    first, nothing = [], []
    try:
        for number in range(rounds):
            with tempfile.TemporaryDirectory(dir=cache()) as folder:
                first.append(_first_byte_s(Path(folder), f"http://127.0.0.1:{server.server_port}", number))
            began = time.perf_counter()
            subprocess.run([*PYTHON, "-c", ""], check=True, env={})
            nothing.append(time.perf_counter() - began)
    finally:
        server.shutdown()
        server.server_close()
    figures = {"first_byte_s": round(median(first), 3), "python_alone_s": round(median(nothing), 3)}
    return {"transcripts_mb": SIZE / 1e6, "rounds": rounds, **figures}


def _first_byte_s(folder: Path, url: str, seed: int) -> float:
    environ = environment(folder, url)
    command = [*PYTHON, str(ACTION / "main.py")]
    subprocess.run([*command, "main"], env=environ, check=True, stdout=subprocess.DEVNULL)
    transcripts.write(folder / "home", FILES, SIZE, seed, datetime.now(UTC))
    _Noting.arrived.clear()
    began = time.perf_counter()
    said = subprocess.run(
        [*command, "post"], env={**environ, **state(folder / "state")}, check=True, capture_output=True
    )
    if said.stdout or len(_Noting.arrived) != 2:  # the token and the record, and no notice
        raise RuntimeError(said.stdout.decode())
    return _Noting.arrived[0] - began


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
