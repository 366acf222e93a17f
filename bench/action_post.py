"""The Action's `post` on 10 MB of Claude Code transcripts: CPU time and memory of the Python process.

Target: at most 0.4 s CPU and 60 MB. The record is sent to a server on loopback.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

ACTION = Path(__file__).resolve().parents[1] / "action"
SIZE = 10_000_000
RUNS = 5
TEXT = 'if name == "main":\n    raise Error("what a file holds, with quotes")\n    return the_value_of(name)\n'
# Run in a process of its own, so that the operating system's figures are those of `post` alone.
MEASURE = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
scale = 1024 if sys.platform != "darwin" else 1
print("MEASURED", json.dumps([code, used.ru_utime + used.ru_stime, used.ru_maxrss * scale]))
"""


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer({"value": "token"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"record_id": "1", "status": "recorded", "agent_runs": [], "show_money": False})

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def transcript(session: str, start: datetime, size: int) -> bytes:
    """A session of this many bytes, in the proportions of version 2.1.330: about a seventh of it is answers."""
    lines: list[str] = []
    held = turn = 0
    while held < size:
        at = (start + timedelta(milliseconds=50 * turn)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        shared: dict[str, object] = {
            "sessionId": session,
            "timestamp": at,
            "cwd": "/home/runner/work/w/w",
            "version": "2.1.330",
        }
        usage: dict[str, object] = {
            "input_tokens": 13, "cache_creation_input_tokens": 317, "cache_read_input_tokens": 4137,
            "output_tokens": 61, "service_tier": "standard", "speed": "standard", "iterations": [],
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": 317},
        }  # fmt: skip
        message: dict[str, object] = {
            "id": f"msg_{session[:8]}{turn}", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
            "stop_reason": "tool_use", "usage": usage,
        }  # fmt: skip
        text: dict[str, object] = {"type": "text", "text": TEXT * 3}
        given = {"file_path": f"/home/runner/work/w/w/{turn % 40}.py", "new_string": TEXT * 3}
        tool: dict[str, object] = {"type": "tool_use", "id": f"toolu_{turn}", "name": "Edit", "input": given}
        result = {"tool_use_id": f"toolu_{turn - 1}", "type": "tool_result", "is_error": turn % 20 == 0}
        made: list[dict[str, object]] = [
            {"type": "user", "message": {"role": "user", "content": [{**result, "content": TEXT * 60}]}, **shared},
            {"type": "api-request-blob", "message": {"role": "user", "content": [{**result, "content": TEXT * 90}]}},
            *(
                {"type": "assistant", "requestId": f"req_{turn}", "message": {**message, "content": [block]}, **shared}
                for block in (text, text, tool)
            ),
        ]
        lines += [json.dumps(line, separators=(",", ":")) + "\n" for line in made]
        held += sum(map(len, lines[-5:]))
        turn += 1
    return "".join(lines).encode()


def environment(folder: Path, url: str) -> dict[str, str]:
    for name in ("home", "temp", "work"):
        (folder / name).mkdir(exist_ok=True)
    return {
        "HOME": str(folder / "home"), "RUNNER_TEMP": str(folder / "temp"), "GITHUB_WORKSPACE": str(folder / "work"),
        "GITHUB_STATE": str(folder / "state"), "GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_JOB": "bench",
        "INPUT_SERVER-URL": url, "ACTIONS_ID_TOKEN_REQUEST_URL": url + "/token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    }  # fmt: skip


def state(path: Path) -> dict[str, str]:
    """What the runner would hand to `post`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {"STATE_" + lines[i].partition("<<")[0]: lines[i + 1] for i in range(0, len(lines), 3)}


def _once(folder: Path, url: str) -> tuple[float, int]:
    environ = environment(folder, url)
    command = [sys.executable, "-I", "-S", str(ACTION / "main.py")]
    subprocess.run([*command, "main"], env=environ, check=True, stdout=subprocess.DEVNULL)
    project = folder / "home" / ".claude" / "projects" / "-home-runner-work-w-w"
    project.mkdir(parents=True)
    for number in range(4):
        session = f"{number:08d}-0000-4000-8000-000000000000"
        (project / f"{session}.jsonl").write_bytes(transcript(session, datetime.now(UTC), SIZE // 4))
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, *command, "post"],
        env={**environ, **state(folder / "state")}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    code, cpu_s, rss = json.loads(measured.partition("MEASURED ")[2])
    if code or "::notice" in measured:
        raise RuntimeError(measured)
    return float(cpu_s), int(rss)


def measure(runs: int = RUNS) -> dict[str, float]:
    """Medians: CPU seconds and megabytes of `post` on 10 MB of transcripts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seen: list[tuple[float, int]] = []
    try:
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as folder:
                seen.append(_once(Path(folder), f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        server.server_close()
    return {
        "transcripts_mb": SIZE / 1e6,
        "post_cpu_s": round(median(cpu for cpu, _ in seen), 3),
        "post_max_rss_mb": round(median(rss for _, rss in seen) / 1e6, 1),
        "cpus": os.cpu_count() or 0,
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
