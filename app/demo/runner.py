"""A runner that takes one job: the real Action as its first step, then agents that leave their logs, then `post`.

The Action is started as action/python.js starts it; node itself is not needed here.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.demo.samples import Session, write

MAIN = Path(__file__).parents[2] / "action" / "main.py"
SET_BACK = Path(__file__).parent / "set_back.py"
FILES = ("GITHUB_STATE", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY")
TIMEOUT_S = 60
MICROSECOND = timedelta(microseconds=1)
HEREDOC = re.compile(r"^(?P<name>[^=\n]+?)<<(?P<mark>[^\n]+)\n(?P<value>.*?)\n?^(?P=mark)$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^(?P<name>[^=\n<]+)=(?P<value>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Done:
    """What a job's Action left: its log, its step summary and its outputs."""

    log: str
    summary: str
    outputs: dict[str, str] = field(default_factory=dict)


def run_job(
    root: Path, run: Mapping[str, Any], inputs: Mapping[str, str], sessions: Iterable[Session], shift: timedelta
) -> Done:
    """Play one job in the folder `root`, on a machine whose clock is `shift` ahead of the real time.

    `run` is what the sandbox's start_workflow_run gave.
    """
    home, temp = root / "home", root / "temp"
    for folder in (home, temp):
        folder.mkdir(parents=True)
    event = temp / "event.json"
    event.write_text(json.dumps(run["event"]), encoding="utf-8")
    files = {name: str(temp / name.lower()) for name in FILES}
    for path in files.values():
        Path(path).touch()
    places = {"HOME": str(home), "RUNNER_TEMP": str(temp), "GITHUB_WORKSPACE": str(root), "RUNNER_OS": "Linux"}
    env = {**run["env"], **files, **places, "GITHUB_EVENT_PATH": str(event)}
    given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    log = _step("main", {**env, **given}, shift)
    for session in sessions:
        write(session, home, datetime.now(UTC) + shift)
    state = {f"STATE_{name}": value for name, value in _pairs(files["GITHUB_STATE"]).items()}
    log += _step("post", {**env, **state}, shift)
    summary = Path(files["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8")
    return Done(log, summary, _pairs(files["GITHUB_OUTPUT"]))


def _step(phase: str, env: Mapping[str, str], shift: timedelta) -> str:
    machine = [str(SET_BACK), str(shift // MICROSECOND * 1000)] if shift else []
    argv = [sys.executable, "-I", "-S", *machine, str(MAIN), phase]
    done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the Action's {phase} step failed with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def _pairs(path: str) -> dict[str, str]:
    """The names and values in a file of GITHUB_STATE's kind: `name=value` lines and heredocs."""
    text = Path(path).read_text(encoding="utf-8")
    found = {each["name"]: each["value"] for each in HEREDOC.finditer(text)}
    return found | {each["name"]: each["value"] for each in LINE.finditer(HEREDOC.sub("", text))}
