"""From folders on disk to agent runs. One module for each log format; this one finds the files and asks whose they are.

A file is recognised by its content: exactly one format must know it. A file in an agent's own folder that no format
knows is told, never dropped in silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from . import claude_execution, claude_transcript, codex_rollout
from .calls import AgentRun
from .files import Budget, LogFile, records_of_head, walk
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

    def recognises(self, record: dict[str, object]) -> bool: ...
    def read(self, files: list[LogFile], gathered: Gathered) -> None: ...


FORMATS: tuple[Format, ...] = (claude_transcript, claude_execution, codex_rollout)
AGENTS = tuple(dict.fromkeys(format_.AGENT for format_ in FORMATS))


class Place:
    """A folder where logs of a format may be. A place in a home must not lead out of it."""

    def __init__(self, format_: Format, path: str, inside: str = "", prefix: str = "", deep: bool = True) -> None:
        self.agent, self.suffixes = format_.AGENT, format_.SUFFIXES
        self.path, self.inside, self.prefix, self.deep = path, inside, prefix, deep

    def wants(self, name: str) -> bool:
        return name.startswith(self.prefix) and name.endswith(self.suffixes)

    def leads_out(self) -> bool:
        """True when a link in its path leaves the home."""
        if not self.inside:
            return False
        home, real = os.path.realpath(self.inside), os.path.realpath(self.path)
        return real != home and not real.startswith(home.rstrip(os.sep) + os.sep)


class Surroundings:
    """Where to look: homes, folders that agents' own variables name, and the runner's temporary folder."""

    def __init__(self, homes: list[str], claude: list[str], codex: list[str], temporary: str = "") -> None:
        self.homes, self.claude, self.codex, self.temporary = homes, claude, codex, temporary

    def places(self) -> Iterator[Place]:
        for home in self.homes:
            for folder in (".claude", os.path.join(".config", "claude")):
                yield Place(claude_transcript, os.path.join(home, folder, "projects"), home)
            for name in ("sessions", "archived_sessions"):
                yield Place(codex_rollout, os.path.join(home, ".codex", name), home)
        for folder in self.claude:
            yield Place(claude_transcript, os.path.join(folder, "projects"))
        for folder in [*self.codex, *self._temporary_folders()]:
            for name in ("sessions", "archived_sessions"):
                yield Place(codex_rollout, os.path.join(folder, name))
        for folder in self._temporary_folders():
            yield Place(claude_transcript, os.path.join(folder, "projects"))
        if self.temporary:
            yield Place(claude_execution, self.temporary, prefix="claude-execution-output", deep=False)

    def _temporary_folders(self) -> list[str]:
        """Actions give an agent a home of its own there."""
        try:
            with os.scandir(self.temporary or os.devnull) as entries:
                return [e.path for e, _ in zip(entries, range(500)) if e.is_dir(follow_symlinks=False)]
        except OSError:
            return []


def find(
    surroundings: Surroundings, agents: list[str], budget: Budget, notices: list[str]
) -> list[tuple[str, LogFile]]:
    """The files in the agents' places, each with the agent whose place it is. No file twice."""
    found: dict[str, tuple[str, LogFile]] = {}
    for place in surroundings.places():
        if place.agent not in agents or not os.path.isdir(place.path):
            continue
        if place.leads_out():
            notices.append(f"{place.agent}: its log folder is a link out of the home and was not read")
            continue
        for file in walk(os.path.realpath(place.path), place.wants, budget, place.deep):
            found.setdefault(file.path, (place.agent, file))
    if budget.exhausted:
        notices.append("there are too many log files; not all of them were read")
    return sorted(found.values(), key=lambda item: item[1].path)


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
    runs = [run.ready() for run in gathered.runs.values()]
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
