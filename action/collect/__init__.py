"""From folders on disk to agent runs. One module for each log format; this one finds the files and asks whose they are.

A file is recognised by its content: exactly one format must know it. A file in an agent's own folder that no format
knows is told, never dropped in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from . import (
    aider_analytics,
    aider_history,
    claude_execution,
    claude_transcript,
    cline_session,
    codex_rollout,
    copilot_events,
    gemini_chat,
    gemini_stats,
    generic_lines,
    gh_aw_firewall,
    opencode_store,
    pi_session,
    qwen_chat,
)
from .calls import AgentRun
from .files import Budget, LogFile, records_of_head, walk
from .places import Place, Surroundings
from .sources import Gathered
from .window import Window

FILE_LIMIT = 512 << 20
TOTAL_LIMIT = 1 << 30
RUNS_LIMIT = 500


class Format(Protocol):
    """What a format's module has. `read` may look at what formats before it in FORMATS have gathered."""

    AGENT: str
    NAME: str
    SUFFIXES: tuple[str, ...]
    VARIABLES: tuple[str, ...]  # of the environment, that say where the agent keeps its logs

    def places(self, where: Surroundings) -> Iterator[Place]: ...
    def recognises(self, record: dict[str, object]) -> bool: ...
    def read(self, files: list[LogFile], gathered: Gathered) -> None: ...


FORMATS: tuple[Format, ...] = (
    claude_transcript, claude_execution, cline_session, codex_rollout, copilot_events, gemini_chat, gemini_stats,
    opencode_store, pi_session, qwen_chat, aider_history, aider_analytics, generic_lines,
    gh_aw_firewall,  # sees what others log: always the last
)  # fmt: skip
AGENTS = tuple(dict.fromkeys(format_.AGENT for format_ in FORMATS))
VARIABLES = tuple(dict.fromkeys(name for format_ in FORMATS for name in format_.VARIABLES))


def find(
    surroundings: Surroundings, agents: list[str], budget: Budget, notices: list[str]
) -> list[tuple[str, LogFile]]:
    """The files in the agents' places, each with the agent whose place it is. No file twice."""
    found: dict[str, tuple[str, LogFile]] = {}
    for format_ in FORMATS:
        for place in format_.places(surroundings) if format_.AGENT in agents else ():
            for file in _files(format_, place, budget, notices):
                found.setdefault(file.path, (format_.AGENT, file))
    if budget.exhausted:
        notices.append("there are too many log files; not all of them were read")
    return sorted(found.values(), key=lambda item: item[1].path)


def _files(format_: Format, place: Place, budget: Budget, notices: list[str]) -> Iterator[LogFile]:
    if not os.path.isdir(place.path):
        return
    if place.leads_out():
        notices.append(f"{format_.AGENT}: its log folder is a link out of the home and was not read")
        return

    def wanted(name: str) -> bool:
        return name.startswith(place.prefix) and name.endswith(format_.SUFFIXES) and not name.endswith(place.but)

    yield from walk(os.path.realpath(place.path), wanted, budget, place.deep)


def collect(
    surroundings: Surroundings, window: Window, agents: list[str] | None = None, seconds: float = 20
) -> tuple[list[AgentRun], list[str]]:
    """The agent runs of this window and sentences about what could not be read. Never raises for what is on disk."""
    notices: list[str] = []
    gathered = Gathered(window)
    files: dict[str, list[LogFile]] = {format_.NAME: [] for format_ in FORMATS}
    total = 0
    for agent, file in find(surroundings, agents or list(AGENTS), Budget(seconds), notices):
        window.settle(file)
        if file.path.endswith(".zst") or not window.touched(file):
            name = _by_name(agent, file)  # its content is of no use, or only to compare with
        else:
            total += file.size
            name = _recognise(agent, file, gathered, notices) if total <= TOTAL_LIMIT else ""
        if name:
            files[name].append(file)
    for format_ in FORMATS:
        format_.read(files[format_.NAME], gathered)
    gathered.tell_unread()
    if total > TOTAL_LIMIT:
        notices.append("the logs are too large; not all of them were read")
    runs = [run.ready(surroundings.repository) for run in gathered.runs.values()]
    if len(runs) > RUNS_LIMIT:
        notices.append(f"more than {RUNS_LIMIT} agent runs; the others are left out")
    return runs[:RUNS_LIMIT], list(dict.fromkeys(notices))[:20]


def _by_name(agent: str, file: LogFile) -> str:
    return next((f.NAME for f in FORMATS if agent == f.AGENT and file.path.endswith(f.SUFFIXES)), "")


def _recognise(agent: str, file: LogFile, gathered: Gathered, notices: list[str]) -> str:
    """The name of the one format that knows the file, or nothing."""
    known: set[str] = set()
    try:
        for record in records_of_head(file.path) if file.size <= FILE_LIMIT else ():
            known |= {format_.NAME for format_ in FORMATS if format_.recognises(record)}
            if known:
                break
    except OSError:
        _tell_unreadable(agent, file, gathered, notices)
        return ""
    if len(known) == 1:
        return known.pop()
    _tell_unreadable(agent, file, gathered, notices)
    return ""


def _tell_unreadable(agent: str, file: LogFile, gathered: Gathered, notices: list[str]) -> None:
    window = gathered.window
    changed = window.start_us is None or (file.changed_us >= window.start_us and file.size != file.old_size)
    if not changed or not file.size:
        return
    reason = "a log could not be read, or its format is not known"
    notices.append(f"{agent}: {reason}")
    gathered.unreadable(agent, file, reason)
