"""Real logs with known usage, and ways to place them in a home as if their agent had just run.

As a program, `python logs.py AGENT-VERSION/SCENARIO HOME` replants a scenario into a home with the times of now: what
a step of a test workflow runs instead of the agent.
"""

import json
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action"
LOGS = ROOT / "tests" / "data" / "agent_logs"
_INSTANT = re.compile(r"2026-11-23T\d\d:\d\d:\d\d\.\d{3}Z")
CLASSES = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write_5m": "cache_write_5m_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "cache_write_other": "cache_write_other_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}
Usage = dict[str, dict[str, int]]


def scenarios() -> list[str]:
    return sorted(str(path.parent.relative_to(LOGS)) for path in LOGS.glob("*/*/EXPECTED.json"))


def expected(scenario: str) -> Usage:
    """The true usage by model, every class named, as the API served it."""
    truth = json.loads((LOGS / scenario / "EXPECTED.json").read_text(encoding="utf-8"))
    return {model: classes(usage) for model, usage in truth["per_model"].items()}


def expected_steps(scenario: str, *steps: str) -> Usage:
    """The true usage of some of a scenario's steps, by model."""
    truth = json.loads((LOGS / scenario / "EXPECTED.json").read_text(encoding="utf-8"))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(["responses", *CLASSES], 0))
    for step in steps:
        for model, usage in truth["per_step"][step].items():
            sums[model] = {name: sums[model][name] + usage.get(name, 0) for name in sums[model]}
    return dict(sums)


def classes(usage: dict[str, int]) -> dict[str, int]:
    return {name: usage.get(name, 0) for name in ["responses", *CLASSES]}


def usage(agent_runs: Iterable[dict[str, Any]]) -> Usage:
    """The same sums over a record's agent runs."""
    sums: Usage = defaultdict(lambda: dict.fromkeys(["responses", *CLASSES], 0))
    for run in agent_runs:
        for call in run["calls"]:
            sums[call["model"]]["responses"] += 1
            for name, field in CLASSES.items():
                sums[call["model"]][name] += call.get(field, 0)
    return dict(sums)


def lumped(sums: Usage) -> Usage:
    """The same sums as a log has them that does not tell how long a cache write lives."""
    writes = ("cache_write_5m", "cache_write_1h", "cache_write_other")
    return {
        model: {**usage, "cache_write_5m": 0, "cache_write_1h": 0, "cache_write_other": sum(usage[w] for w in writes)}
        for model, usage in sums.items()
    }


def home_of(scenario: str) -> Path:
    return LOGS / scenario / "home"


def around(scenario: str) -> list[str]:
    """What `collect` is told of a scenario beside its home: its folder is the temporary one, `workspace` in it."""
    return ["--temp", str(LOGS / scenario), "--workspace", str(LOGS / scenario / "workspace")]


def copy_home(scenario: str, home: Path) -> Path:
    """The scenario's home as it is, its times kept."""
    shutil.copytree(home_of(scenario), home, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return home


def replant(scenario: str, home: Path, at: datetime, edit: Callable[[str], str] = str) -> datetime:
    """Copy a scenario's home with all times moved so that the first is `at`; gives the last. `edit` sees each text."""
    texts = {path: path.read_text(encoding="utf-8") for path in home_of(scenario).rglob("*") if path.is_file()}
    first = min(_moments("".join(texts.values())))
    shift = at - first

    def moved(match: re.Match[str]) -> str:
        return _text(datetime.fromisoformat(match.group()) + shift)

    for path, content in texts.items():
        target = home / path.relative_to(home_of(scenario))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(edit(_INSTANT.sub(moved, content)), encoding="utf-8", newline="\n")
    return max(_moments("".join(texts.values()))) + shift


def _moments(content: str) -> list[datetime]:
    return [datetime.fromisoformat(found) for found in _INSTANT.findall(content)]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


if __name__ == "__main__":
    replant(sys.argv[1], Path(sys.argv[2]), datetime.now(UTC))
