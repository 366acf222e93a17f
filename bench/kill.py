"""2,000 deliveries and 500 agent runs while every process is killed, frozen or gone: what happened, what is wrong.

`python -m bench.kill [WORD …]` plays the kinds with such a word in their name, or all: "serve" and "split" on SQLite
and on PostgreSQL as they ship, and "replicas": two on PostgreSQL, frozen past a short lease; one dies for good.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.store.migrations import migrate
from tests.chaos.campaign import SERVE, SPLIT, TWO, Plan, campaign
from tests.databases import SharedPostgres, new_home

SIZE: dict[str, Any] = {"deliveries": 2_000, "agent_runs": 500, "organisations": 5, "patience_s": 300.0}
KINDS = {
    "serve on sqlite": Plan(SERVE, kills=10, seed=1, **SIZE),
    "split on sqlite": Plan(SPLIT, kills=10, seed=2, **SIZE),
    "serve on postgresql": Plan(SERVE, kills=10, seed=3, **SIZE),
    "split on postgresql": Plan(SPLIT, kills=10, seed=4, **SIZE),
    "replicas on postgresql": Plan(TWO, kills=4, freezes=6, deaths=1, seed=5, lease_s=4.0, frozen_s=7.0, **SIZE),
}


def measure(kinds: Sequence[str] = tuple(KINDS)) -> dict[str, Any]:
    """For each kind the figures and the findings; there must be no findings."""
    return {kind: _played(kind) for kind in kinds}


def _played(kind: str) -> dict[str, Any]:
    print(f"kill: {kind} …", file=sys.stderr, flush=True)
    with _database(kind.rpartition(" ")[2]) as url:
        outcome = campaign(url, KINDS[kind])
    if outcome.findings:
        print(outcome.logs[-20_000:], file=sys.stderr)
    return {**outcome.figures, "findings": outcome.findings}


@contextmanager
def _database(engine: str) -> Iterator[str]:
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'kill.sqlite3'}"
            migrate(url)
            yield url
        return
    server = SharedPostgres(new_home())
    try:
        server.ensure()
        server.create("kill")
        yield server.url("kill")
    finally:
        server.stop()


def table(figures: dict[str, dict[str, Any]]) -> str:
    """A row for each figure, a column for each kind."""
    names = list(dict.fromkeys(name for each in figures.values() for name in each if name != "findings"))
    lines = [["", *figures]] + [[name, *(str(each.get(name, "")) for each in figures.values())] for name in names]
    lines.append(["findings", *(str(len(each["findings"])) for each in figures.values())])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main(words: Sequence[str]) -> int:
    played = measure([kind for kind in KINDS if not words or any(word in kind for word in words)])
    print(table(played))
    findings = {kind: each["findings"] for kind, each in played.items() if each["findings"]}
    if findings:
        print(json.dumps(findings, indent=2))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
