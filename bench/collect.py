"""The Action's collecting against ccusage: 560 Claude Code transcripts of 123 MB, read and told as JSON.

Both are processes that read the same home on the repository's disk; rounds are interleaved, medians reported, and the
token totals must be the same. ccusage runs a thread on each CPU, so its time on an idle machine is less than its CPU
time; ours is one thread. Target: at most 1.5 times its time, and 64 MB.
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
from bench.processes import Used, run
from bench.servers import ROOT, cache

FILES = 560
SIZE = 123_000_000
SEED = 1
ROUNDS = 15
COLLECT = [sys.executable, "-I", "-S", str(ROOT / "action" / "main.py"), "collect", "--home"]
FIELDS = (
    ("input_tokens",),
    ("cache_read_tokens",),
    ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens"),
    ("output_tokens",),
)


def measure(rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians of time, CPU and memory for both, their ratios, and the totals that both found."""
    peer = peer_programs.ccusage()
    if peer is None:
        return {"skipped": "npm is missing"}
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        home, environ = Path(folder) / "home", {"HOME": str(Path(folder) / "home")}
        size = transcripts.write(home, FILES, SIZE, SEED, datetime(2026, 11, 23, tzinfo=UTC))
        commands = {"ours": [*COLLECT, str(home)], "ccusage": peer_programs.ccusage_command(peer, "claude")}
        seen: dict[str, list[Used]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                seen[name].append(run(command, environ, Path(folder) / name))
        ours, theirs = (
            totals((Path(folder) / "ours").read_bytes()),
            peer_programs.ccusage_totals((Path(folder) / "ccusage").read_bytes()),
        )
    if ours != theirs:
        raise RuntimeError(f"ours tells {ours}, ccusage {theirs}")
    return {"transcripts_mb": round(size / 1e6, 1), "files": FILES, "rounds": rounds, **_compared(seen), "totals": ours}


def totals(record: bytes) -> peer_programs.Totals:
    """Fresh input, cache reads, cache writes and output of a record."""
    calls = [call for run in json.loads(record)["agent_runs"] for call in run["calls"]]
    fresh, read, written, output = (sum(call.get(n, 0) for call in calls for n in names) for names in FIELDS)
    return fresh, read, written, output


def _compared(seen: dict[str, list[Used]]) -> dict[str, Any]:
    figures: dict[str, Any] = {"cpus": os.cpu_count()}
    for name, (_, *rounds) in seen.items():  # the first one warms up
        wall_s, cpu_s, rss = (median(values) for values in zip(*rounds, strict=True))
        figures[name] = {"wall_s": round(wall_s, 3), "cpu_s": round(cpu_s, 3), "max_rss_mb": round(rss / 1e6, 1)}
    pairs = list(zip(seen["ours"][1:], seen["ccusage"][1:], strict=True))
    figures["wall_ratio"] = round(median(ours.wall_s / theirs.wall_s for ours, theirs in pairs), 2)
    figures["cpu_ratio"] = round(median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs), 2)
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
