"""The Action's collecting against ccusage: 560 Claude Code transcripts of 123 MB, read and told as JSON.

All read the same home on the repository's disk; rounds are interleaved, medians reported, and the token totals must be
the same. ccusage runs a thread on each CPU, ours two processes, so their time on an idle machine is less than their CPU
time. Ours is run by this Python and by the system's own, which is built with optimisations, as those of runners are.
Target: at most 1.5 times its time, and 64 MB for both processes together.
"""

import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import peer_programs, transcripts
from bench.processes import Used, held_bytes, run
from bench.servers import ROOT, cache

FILES = 560
SIZE = 123_000_000
SEED = 1
ROUNDS = 15
PYTHONS = {"ours": sys.executable, "ours_by_system_python": "/usr/bin/python3"}
COLLECT = ["-I", "-S", str(ROOT / "action" / "main.py"), "collect", "--home"]
FIELDS = (
    ("input_tokens",),
    ("cache_read_tokens",),
    ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens"),
    ("output_tokens",),
)


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians of time, CPU and memory for each, the ratios to ccusage's, and the totals that all found."""
    peer = peer_programs.ccusage()
    if peer is None:
        return {"skipped": "npm is missing"}
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        home, environ = Path(folder) / "home", {"HOME": str(Path(folder) / "home")}
        size = transcripts.write(home, FILES, SIZE, SEED, datetime(2026, 11, 23, tzinfo=UTC))
        commands = {name: [python, *COLLECT, str(home)] for name, python in PYTHONS.items() if Path(python).exists()}
        commands["ccusage"] = peer_programs.ccusage_command(peer, "claude")
        seen: dict[str, list[Used]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                seen[name].append(run(command, environ, Path(folder) / name))
        held = {name: held_bytes(command, environ, Path(folder) / name) for name, command in commands.items()}
        told = {name: (Path(folder) / name).read_bytes() for name in commands}
    theirs = peer_programs.ccusage_totals(told.pop("ccusage"))
    if ours := {name: found for name, record in told.items() if (found := totals(record)) != theirs}:
        raise RuntimeError(f"ccusage tells {theirs}, {ours}")
    about = {"transcripts_mb": round(size / 1e6, 1), "files": FILES, "rounds": rounds, "cpus": os.cpu_count()}
    return {**about, **_compared(seen, held), "totals": theirs}


def totals(record: bytes) -> peer_programs.Totals:
    """Fresh input, cache reads, cache writes and output of a record."""
    calls = [call for run in json.loads(record)["agent_runs"] for call in run["calls"]]
    fresh, read, written, output = (sum(call.get(n, 0) for call in calls for n in names) for names in FIELDS)
    return fresh, read, written, output


def _compared(seen: dict[str, list[Used]], held: dict[str, int]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, (_, *rounds) in seen.items():  # the first one warms up
        wall_s, cpu_s, rss = (median(values) for values in zip(*rounds, strict=True))
        together = max(held[name], rss)
        figures[name] = {"wall_s": round(wall_s, 3), "cpu_s": round(cpu_s, 3), "held_mb": round(together / 1e6, 1)}
        if name != "ccusage":
            pairs = list(zip(rounds, seen["ccusage"][1:], strict=True))
            figures[name]["wall_ratio"] = round(median(ours.wall_s / theirs.wall_s for ours, theirs in pairs), 2)
            figures[name]["cpu_ratio"] = round(median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs), 2)
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
