"""How a job stood when it began, and what its agents wrote since. What was there before is never theirs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import record
from collect import AGENTS, VARIABLES, collect, find
from collect.calls import AgentRun
from collect.files import Budget, tail_digest
from collect.places import Surroundings
from collect.window import UNTOUCHED_US, Window
from runner import commits, event, memory

SNAPSHOT_S = 1.0
SNAPSHOT_FILES = 5000
COLLECTING_S = 20.0
HOMES = ("HOME", "USERPROFILE")
MACHINES_TEMPORARY = "/tmp"  # noqa: S108 - fixed by agents that keep their logs there


class Found(NamedTuple):
    """What is of this job: agent runs, sentences about what could not be read, commits, and when that was."""

    runs: list[AgentRun]
    notices: list[str]
    commits: list[str]
    ended_us: int


def remembered(environ: Mapping[str, str], given: dict[str, Any], started_us: int) -> memory.Memory:
    """What must be known again at the job's end, without what sending needs."""
    return memory.Memory(
        inputs=given,
        job=record.job_of(
            environ, given["matrix"], started_us, event.pull_number(environ), event.issue_number(environ)
        ),
        started_us=started_us,
        lacking="",
        places={name: environ[name] for name in (*HOMES, *VARIABLES) if name in environ},
        sending={},
        token_url="",
        standalone={},
    )


def snapshot(values: memory.Memory, environ: Mapping[str, str]) -> dict[str, object]:
    """The logs that are there already (a restored cache, a machine of one's own), and the branch tips."""
    found = find(surroundings(values, environ), list(AGENTS), Budget(SNAPSHOT_S), [])
    recent = [file for _, file in found if file.changed_us >= values.started_us - UNTOUCHED_US]
    recent.sort(key=lambda file: file.changed_us, reverse=True)
    until = time.monotonic() + SNAPSHOT_S
    known = {f.path: [f.size, tail_digest(f.path, f.size)] for f in recent[:SNAPSHOT_FILES] if time.monotonic() < until}
    return {"known": known, "tips": sorted(set(commits.tips(environ.get("GITHUB_WORKSPACE", "")).values()))}


def surroundings(values: memory.Memory, environ: Mapping[str, str]) -> Surroundings:
    """Places as they were when the job began, and as they are named now: an agent's action may set its own."""

    def every(*names: str) -> list[str]:
        given = (source.get(name, "") for source in (values.places, environ) for name in names)
        return list(dict.fromkeys(path for path in given if os.path.isabs(path)))

    variables = {name: every(name) for name in VARIABLES}
    temporary, workspace = environ.get("RUNNER_TEMP", ""), environ.get("GITHUB_WORKSPACE", "")
    return Surroundings(
        every(*HOMES), variables, temporary, workspace, MACHINES_TEMPORARY, environ.get("GITHUB_REPOSITORY", "")
    )


def since(environ: Mapping[str, str], values: memory.Memory) -> Found:
    """Collect what the agents wrote since the start."""
    start = memory.recall_start(values)
    ended_us = time.time_ns() // 1000
    window = Window(values.started_us, ended_us, _known(start))
    runs, notices = collect(surroundings(values, environ), window, values.inputs["agents"], COLLECTING_S)
    if start is None:
        notices.append("the notes from the job's start are gone; only times tell what is new")
    made = commits.made(environ.get("GITHUB_WORKSPACE", ""), _tips(start), values.started_us // 1_000_000)
    return Found(runs, notices, made, ended_us)


def _known(start: Mapping[str, object] | None) -> dict[str, tuple[int, str]]:
    known = start.get("known") if start else None
    return {path: (entry[0], entry[1]) for path, entry in known.items()} if isinstance(known, dict) else {}


def _tips(start: Mapping[str, object] | None) -> set[str]:
    tips = start.get("tips") if start else None
    return set(map(str, tips)) if isinstance(tips, list) else set()
