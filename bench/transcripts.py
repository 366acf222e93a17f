"""Claude Code transcripts of any size, shaped like the real samples of version 2.1.330. Measures nothing itself.

The lines are the samples' own, with fresh ids and times. Where a sample's text was removed, text of the same length
stands again, and what tools return is as long as it is in practice: a few kB, now and then many.
"""

import json
import random
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.servers import ROOT

SAMPLES = ROOT / "tests" / "data" / "agent_logs" / "claude-code-2.1.330"
SCENARIOS = ("alias", "basic-json", "otel-json", "stream-json", "subagent")
FOLDER = Path(".claude") / "projects" / "-home-runner-work-widgets-widgets"
SUBAGENT_EVERY = 4  # sessions
RESULT_CHARACTERS = 2_500  # the median; log-normal
RESULT_SPREAD = 1.2
RESULT_LIMIT = 100_000
_ID = re.compile(r"((?:msg|req|toolu)_)[0-9a-zA-Z]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REMOVED = re.compile(r"\[removed (\d+) chars\]")
_PAGE = (
    """def test_it(tmp_path: Path) -> None:\n\t"Says what."\n    assert "a/b" in {"é": r"\\d"}, f'{tmp_path!r} <b>'\n"""
)
Line = dict[str, Any]


def write(home: Path, files: int, size: int, seed: int, start: datetime) -> int:
    """So many transcripts below `home`, of about `size` bytes together. Gives the bytes written."""
    chance = random.Random(seed)
    samples = [_Sample(path) for name in SCENARIOS for path in sorted((SAMPLES / name).glob(f"home/{FOLDER}/*.jsonl"))]
    written, session = 0, ""
    for number in range(files):
        sidechain = number % (SUBAGENT_EVERY + 1) == SUBAGENT_EVERY
        if sidechain:
            path = home / FOLDER / session / "subagents" / f"agent-a{chance.getrandbits(64):016x}.jsonl"
        else:
            session = _fresh_uuid(chance)
            path = home / FOLDER / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        least = (size - written) / (files - number) * chance.uniform(0.3, 1.4)  # what ends a session comes on top
        author = _Author(session, sidechain, start + timedelta(seconds=chance.randrange(3_600)), chance)
        written += path.write_bytes(b"".join(author.lines(chance.choice(samples), least)))
    return written


class _Sample:
    """A real session in three parts: up to the first request, from that to the next, and the last with its end."""

    def __init__(self, path: Path) -> None:
        lines: list[Line] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if line["type"] != "cost-state"]  # totals of the sample alone
        requests = [at for at, line in enumerate(lines) if line["type"] == "api-request"]
        self.session = path.stem
        self.head, self.turn, self.end = lines[: requests[0]], lines[requests[0] : requests[1]], lines[requests[-1] :]


class _Author:
    """Writes one transcript. What a turn says twice (an id, a tool's result), it says the same."""

    def __init__(self, session: str, sidechain: bool, at: datetime, chance: random.Random) -> None:
        self.session, self.sidechain, self.at, self.chance = session, sidechain, at, chance
        self.ids: dict[str, str] = {}
        self.result = ""

    def lines(self, sample: _Sample, least: float) -> Iterator[bytes]:
        """The sample's beginning, its turn until there are `least` bytes, and its end."""
        held, part = 0, sample.head
        while part:
            self.ids = {sample.session: self.session}
            self.result = _text(self.chance, int(RESULT_CHARACTERS * self.chance.lognormvariate(0, RESULT_SPREAD)))
            for line in map(self.line, part):
                held += len(line)
                yield line
            part = [] if part is sample.end else sample.turn if held < least else sample.end

    def line(self, sample: Line) -> bytes:
        self.at += timedelta(milliseconds=self.chance.randrange(1, 1_000))
        made = self._filled(sample)
        if "timestamp" in made:
            made["timestamp"] = self.at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        if "isSidechain" in made:
            made["isSidechain"] = self.sidechain
        return json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def _filled(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            returned = value.get("type") == "tool_result"
            return {k: self.result if returned and k == "content" else self._filled(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, str):
            return value
        if key == "stdout":
            return self.result
        return _REMOVED.sub(lambda found: _text(self.chance, int(found[1])), _ID.sub(self._fresh, value))

    def _fresh(self, found: re.Match[str]) -> str:
        made = found[1] + f"01{self.chance.getrandbits(88):022x}" if found[1] else _fresh_uuid(self.chance)
        return self.ids.setdefault(found[0], made)


def _fresh_uuid(chance: random.Random) -> str:
    digits = f"{chance.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _text(chance: random.Random, characters: int) -> str:
    at = chance.randrange(len(_PAGE))
    return (_PAGE * (characters // len(_PAGE) + 2))[at : at + min(characters, RESULT_LIMIT)]
