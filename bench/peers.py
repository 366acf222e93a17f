"""How exact ours, ccusage and tokscale are: the sums of every sample log against what the API served.

Each tuple is fresh input, cache reads, cache writes, output. The samples lie here with spaces in their JSON lines;
agents write none, and ccusage finds nothing then, so all three get a copy of the home as an agent writes it. Ours
says of its own sums whether they are complete; the others say nothing of the kind.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.collect import COLLECT, totals
from bench.peer_programs import Totals, ccusage, of_ccusage, of_tokscale, tokscale
from bench.servers import ROOT, cache

LOGS = ROOT / "tests" / "data" / "agent_logs"
NOTHING = (0, 0, 0, 0)
Reader = Callable[[Path], Totals]


def measure() -> dict[str, Any]:
    """For each scenario the truth and what each reader says; how many are exact, wrong, and not seen at all."""
    readers = _readers()
    rows = {
        str(path.parent.relative_to(LOGS)): _row(path.parent, readers)
        for path in sorted(LOGS.glob("*/*/EXPECTED.json"))
    }
    counts = {name: _count([(row["truth"], row[name]) for row in rows.values()]) for name in ("ours", *readers)}
    doubtful = [row for row in rows.values() if row["ours"] != row["truth"] and row["told"] != ["complete"]]
    counts["ours"]["of_them_told"] = len(doubtful)
    return {"scenarios": rows, "counts": counts}


def _readers() -> dict[str, Reader]:
    found: dict[str, Reader] = {}
    if program := ccusage():
        found["ccusage"] = lambda home: of_ccusage(program, home)
    if script := tokscale():
        found["tokscale"] = lambda home: of_tokscale(script, home)
    return found


def _row(scenario: Path, readers: dict[str, Reader]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        copy = Path(folder) / "scenario"
        shutil.copytree(scenario, copy)
        for path in copy.rglob("*.jsonl"):
            path.write_bytes(_as_written(path.read_bytes()))
        where = [str(copy / "home"), "--temp", str(copy), "--workspace", str(copy / "workspace")]
        record = subprocess.run([*COLLECT, *where], check=True, capture_output=True).stdout
        told = sorted({run["completeness"] for run in json.loads(record)["agent_runs"]})
        row: dict[str, Any] = {"truth": _truth(scenario), "ours": totals(record), "told": told}
        return row | {name: reader(copy / "home") for name, reader in readers.items()}


def _as_written(content: bytes) -> bytes:
    """The same JSON lines without spaces between their parts."""
    lines = [json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False) for line in content.splitlines()]
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")


def _truth(scenario: Path) -> Totals:
    total = json.loads((scenario / "EXPECTED.json").read_text(encoding="utf-8"))["total"]
    written = sum(total.get(name, 0) for name in ("cache_write_5m", "cache_write_1h", "cache_write_other"))
    return (total["input"], total["cache_read"], written, total["output"])


def _count(pairs: list[tuple[Totals, Totals]]) -> dict[str, int]:
    exact = sum(truth == said for truth, said in pairs)
    nothing = sum(said == NOTHING for _, said in pairs)
    return {"exact": exact, "wrong": len(pairs) - exact - nothing, "finds_nothing": nothing}


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table: `=` where a reader tells the truth, `–` where it finds nothing."""
    names = list(figures["counts"])
    lines = ["| sample | truth | " + " | ".join(names) + " |", "|" + " --- |" * (len(names) + 2)]
    for scenario, row in figures["scenarios"].items():
        cells = [_cell(row["truth"], row[name]) for name in names]
        if row["told"] != ["complete"] and cells[0] != "=":
            cells[0] += f" ({', '.join(row['told'])})"
        lines.append(f"| {scenario} | {_numbers(row['truth'])} | " + " | ".join(cells) + " |")
    for count in ("exact", "wrong", "of_them_told", "finds_nothing"):
        cells = [str(figures["counts"][name].get(count, 0)) for name in names]
        lines.append(f"| **{count.replace('_', ' ')}** | {len(figures['scenarios'])} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(truth: Totals, said: Totals) -> str:
    return "=" if said == truth else "–" if said == NOTHING else _numbers(said)


def _numbers(sums: Totals) -> str:
    return ", ".join(map(str, sums))


if __name__ == "__main__":
    print(table(measure()))
