"""Real logs of which one field after another holds something else: nothing crashes, and what is told fits a record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.places import Surroundings
from collect.window import Window

from tests.action.logs import LOGS

ODD: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "x" * 300,
    "2026-13-45T99:00:00Z",
    [],
    [[]],
    {},
    {"models": {"": {}}},
]
FILES = {
    "claude-code-2.1.330/basic-json": "home/.claude/projects/*/*.jsonl",
    "codex-0.169.0/basic": "home/.codex/sessions/*/*/*/*.jsonl",
    "gemini-cli-0.61.0/basic-json": "home/.gemini/tmp/*/chats/*.jsonl",
    "gemini-cli-0.61.0/otel-http": "workspace/gemini-artifacts/stdout.log",
    "qwen-code-0.24.4/all": "home/.qwen/projects/*/chats/64*.jsonl",
}


def mutated(value: Any, odd: Any) -> Iterator[Any]:
    """The value with each of its parts in turn replaced."""
    yield odd
    if isinstance(value, dict):
        for name, each in value.items():
            yield from ({**value, name: changed} for changed in mutated(each, odd))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from ([*value[:at], changed, *value[at + 1 :]] for changed in mutated(each, odd))


def whole(content: str) -> list[Any]:
    return [json.loads(content)] if content.startswith("{\n") else [json.loads(line) for line in content.splitlines()]


@pytest.mark.parametrize(("scenario", "pattern"), FILES.items(), ids=list(FILES))
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_no_odd_field_makes_reading_crash(tmp_path: Path, scenario: str, pattern: str, odd: Any) -> None:
    original = next((LOGS / scenario).glob(pattern))
    target = tmp_path / original.relative_to(LOGS / scenario)
    target.parent.mkdir(parents=True)
    lines = whole(original.read_text(encoding="utf-8"))
    parts = lines if len(lines) == 1 else lines[:8]
    where = Surroundings([str(tmp_path / "home")], {}, "", str(tmp_path / "workspace"))
    for at, line in enumerate(parts):
        for changed in mutated(line, odd):
            target.write_text("\n".join(map(json.dumps, [*lines[:at], changed, *lines[at + 1 :]])), encoding="utf-8")
            runs, _ = collect(where, Window())
            json.dumps([run.as_json() for run in runs], allow_nan=False)
            assert all(0 <= call.reasoning <= call.output for run in runs for call in run.calls)
