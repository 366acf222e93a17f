"""Real logs of real agents, made to look as if they had just run: new ids, present times, larger numbers.

The two files in samples/ were written by Claude Code 2.1.330 and Codex 0.169.0 against a stand-in model API, with
their texts blanked. Their few tokens are multiplied so that a pull costs what a pull costs.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "samples"
# Ids and hashes as the agents write them: made anew for each session, or they would count once in all.
ID = re.compile(r"\b(?:msg_|req_|resp_)\w+|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
COUNT = re.compile(r"tokens|Tokens|costUSD|totalCostUSD")
STEP = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Session:
    """One agent session to be written: `scale` multiplies its tokens, `model` replaces the sample's."""

    agent: str  # "claude-code" or "codex"
    name: str
    scale: int = 40
    model: str = ""


def write(session: Session, home: Path, now: datetime) -> Path:
    """Write a session's log into a home folder, as its agent would; returns the file."""
    lines = list(_lines(session, now))
    if session.agent == "codex":
        day = f"{now.astimezone(UTC):%Y/%m/%d}"
        path = home / ".codex" / "sessions" / day / f"rollout-{now:%Y-%m-%dT%H-%M-%S}-{_uuid(session, 'thread')}.jsonl"
    else:
        path = home / ".claude" / "projects" / "-home-runner-work" / f"{lines[0]['sessionId']}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _lines(session: Session, now: datetime) -> Iterator[dict[str, Any]]:
    text = (SAMPLES / f"{session.agent}.jsonl").read_text(encoding="utf-8")
    text = ID.sub(lambda found: _renewed(session, found[0]), text)
    for number, line in enumerate(text.splitlines()):
        entry = _scaled(json.loads(line), session)
        if "timestamp" in entry:
            at = now + number * STEP
            entry["timestamp"] = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
        yield entry


def _scaled(value: Any, session: Session, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _scaled(each, session, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_scaled(each, session, key) for each in value]
    if key == "model" and session.model and value != "<synthetic>":
        return session.model
    if isinstance(value, int | float) and not isinstance(value, bool) and COUNT.search(key):
        return value * session.scale
    return value


def _renewed(session: Session, known: str) -> str:
    if known.startswith(("msg_", "req_", "resp_")):
        return known[: known.index("_") + 1] + hashlib.sha256(f"{session.name}/{known}".encode()).hexdigest()[:24]
    return _uuid(session, known)


def _uuid(session: Session, known: str) -> str:
    digest = hashlib.sha256(f"{session.name}/{known}".encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
