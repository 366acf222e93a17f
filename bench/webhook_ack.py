"""Webhook deliveries acknowledged a second: ours, durable, against a Probot App with an empty handler.

Both verify the signature of the same 25 kB `pull_request` bodies. Ours also commits inbox, job and lane rows (SQLite,
synchronous FULL) before it answers 202; Probot stores nothing. Target: at least 0.8 of its rate, and a p99 no higher.
wrk, the server under test and nothing else share the machine; runs are interleaved, medians are reported.
"""

import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import Any

from app.sandbox import Sandbox
from bench.servers import SECRET, Running, cache, mergemeter, private_key, serving

PROBOT = Path(__file__).parent / "probot"
SIZE = 25_249
PULLS = 64
CONNECTIONS = 32
ROUNDS = 5
SECONDS = 5

LUA = """
local deliveries = {}
local id = 0
local thread_count = 0
function setup(thread) thread_count = thread_count + 1; thread:set("me", thread_count) end
function init(args)
  for line in io.lines(os.getenv("BENCH_DELIVERIES")) do
    local signature, body = line:match("^(%S+) (.*)$")
    deliveries[#deliveries + 1] = { signature, body }
  end
end
function request()
  id = id + 1
  local one = deliveries[id % #deliveries + 1]
  return wrk.format("POST", "/webhooks/github", {
    ["Content-Type"] = "application/json", ["X-GitHub-Event"] = "pull_request",
    ["X-GitHub-Delivery"] = string.format("%s-%d-%012d", os.getenv("BENCH_RUN"), me, id),
    ["X-Hub-Signature-256"] = one[1], ["User-Agent"] = "GitHub-Hookshot/bench",
  }, one[2])
end
function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, bad,
    latency:percentile(50), latency:percentile(99)))
end
"""


def measure(rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, Any]:
    """Medians of interleaved runs, with the ratio of the rates and of the p99s."""
    for program in ("wrk", "node", "npm"):
        if shutil.which(program) is None:
            return {"skipped": f"{program} is missing"}
    with tempfile.TemporaryDirectory(dir=cache()) as folder, ExitStack() as servers:
        load = _Load(Path(folder), seconds)
        targets = {
            "ours": servers.enter_context(mergemeter(Path(folder), "--web-only")),
            "probot": servers.enter_context(_probot(Path(folder))),
        }
        for server in targets.values():  # warm both up
            load.run(server, "warm", 2)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in targets}
        for number in range(rounds):
            for name, server in targets.items():
                runs[name].append(load.run(server, f"r{number}"))
        kept = sqlite3.connect(Path(folder) / "bench.sqlite3").execute("SELECT count(*) FROM inbox").fetchone()[0]
    figures: dict[str, Any] = {name: _medians(results) for name, results in runs.items()}
    figures["rate_ratio"] = round(figures["ours"]["per_s"] / figures["probot"]["per_s"], 2)
    figures["p99_ratio"] = round(figures["ours"]["p99_ms"] / figures["probot"]["p99_ms"], 2)
    return {**figures, "deliveries_kept": kept, "body_bytes": SIZE, "connections": CONNECTIONS, "rounds": rounds}


def _medians(results: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(result[name] for result in results), 1) for name in results[0]}


class _Load:
    """wrk with a script that gives each delivery its own id."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self.script, self.seconds = folder / "load.lua", seconds
        self.script.write_text(LUA)
        self.deliveries = folder / "deliveries.txt"
        with self.deliveries.open("wb") as lines:
            for body in _bodies():
                signature = hmac(SECRET.encode(), body, sha256).hexdigest()
                lines.write(f"sha256={signature} ".encode() + body + b"\n")

    def run(self, server: Running, name: str, seconds: int | None = None) -> dict[str, float]:
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds or self.seconds}s", "-s", str(self.script)]
        env = {**os.environ, "BENCH_DELIVERIES": str(self.deliveries), "BENCH_RUN": name}
        used_s = server.cpu_s()
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}"], env=env, capture_output=True, text=True, check=True
        )
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
        if not found:
            raise RuntimeError(f"wrk told no result:\n{done.stdout}{done.stderr}")
        requests, duration_us, bad, p50_us, p99_us = map(int, found.groups())
        if bad:
            raise RuntimeError(f"{bad} of {requests} requests failed")
        cpu_us = (server.cpu_s() - used_s) * 1e6 / requests
        rate = {"per_s": requests / duration_us * 1e6, "cpu_us_each": cpu_us}
        return {**rate, "p50_ms": p50_us / 1000, "p99_ms": p99_us / 1000}


def _bodies() -> Iterator[bytes]:
    """`pull_request` payloads of different pulls, as GitHub shapes them, padded to the size of a usual one."""
    with Sandbox() as github:
        github.hub.deliver = lambda _delivery: None
        app = github.register_app(hook_url="http://127.0.0.1:9/", webhook_secret=SECRET)
        github.create_account("acme")
        github.create_repository("acme/widgets", files={"README.md": "1\n"})
        github.install("acme", app_id=app["app_id"])
        sent: list[Any] = []
        github.hub.deliver = sent.append
        github.open_pull("acme/widgets", "more-widgets", title="More widgets", files={"widgets.py": "1\n"})
        payload = next(json.loads(delivery.body) for delivery in sent if delivery.event == "pull_request")
    for number in range(1, PULLS + 1):
        payload["number"] = payload["pull_request"]["number"] = number
        payload["pull_request"]["body"] = ""
        missing = SIZE - len(_dump(payload))
        payload["pull_request"]["body"] = ("What changes, and why, in a few sentences. " * (SIZE // 40))[:missing]
        yield _dump(payload)


def _dump(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


@contextmanager
def _probot(folder: Path) -> Iterator[Running]:
    env = {
        "APP_ID": "1",
        "PRIVATE_KEY": private_key(),
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_PATH": "/webhooks/github",
        "LOG_LEVEL": "error",
        "NODE_ENV": "production",
        "HOME": str(folder),
    }
    with serving(["node", "server.mjs"], env, "PORT", _installed_probot()) as running:
        yield running


def _installed_probot() -> Path:
    home = cache() / "probot"
    for name in ("package.json", "package-lock.json", "server.mjs"):
        home.mkdir(exist_ok=True)
        shutil.copyfile(PROBOT / name, home / name)
    if not (home / "node_modules" / "probot").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"], cwd=home, check=True)
    return home
