"""What a format gets to read, and how a file that cannot be read is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .calls import LOWER_BOUND, MISSING, AgentRun, Refused
from .files import LINE_LIMIT, LogFile, decode, lines, marked_lines
from .window import Window

_TIMESTAMP = re.compile(rb'"timestamp":\s*"([^"]{1,40})"')
_SESSION = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
CUT = "a log ends in the middle of a line"
LONG = "a line of a log is too long to be read"
BROKEN = "a line of a log could not be read"
NO_USAGE = "an answer in the log has no usage"


class Gathered:
    """What all formats have found so far. Formats read in the registry's order and may look at earlier finds."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.runs: dict[tuple[str, str], AgentRun] = {}
        self.unread: list[tuple[str, LogFile, str]] = []
        self.sessions: dict[str, object] = {}  # a format's own notes on sessions, for a later format's cross-check

    def run(self, agent: str, session: str) -> AgentRun:
        """The run of this session, made when it is new."""
        made = AgentRun(agent, session)
        return self.runs.setdefault((agent, made.session), made)

    def unreadable(self, agent: str, file: LogFile, reason: str) -> None:
        """Note a log of this job that cannot be read."""
        self.unread.append((agent, file, reason))

    def tell_unread(self) -> None:
        """Show sessions whose logs could not be read: missing, or a lower bound where other logs of it were read."""
        for agent, file, reason in self.unread:
            if _SESSION.search(file.path):
                run = self.run(agent, session_of_path(file.path))
                run.doubt(LOWER_BOUND if run.calls else MISSING, reason)


def session_of_path(path: str) -> str:
    """The session or thread id in a log's name or, for a sub-agent's log, in its folder; else the path."""
    found = _SESSION.findall(path.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]) or _SESSION.findall(path)
    return found[-1] if found else path


def timestamp_of(line: bytes) -> str:
    """The time that stands at a line's beginning, as it is written, also in one that is no whole JSON."""
    found = _TIMESTAMP.search(line[:4096])
    return found.group(1).decode("ascii", "replace") if found else ""


def lines_until_broken(file: LogFile, marks: re.Pattern[bytes] | None = None) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of a file, or those with marks; one that stops being readable ends as if it were cut."""
    at = 0
    try:
        for at, line, whole in marked_lines(file.path, marks) if marks else lines(file.path):
            yield at, line, whole
    except OSError:
        yield at, b"", False


def taken_lines(
    file: LogFile, matters: Callable[[bytes], bool], take: Callable[[int, object], None]
) -> Iterator[tuple[int, str]]:
    """Give `take` the offset and the value of each line that matters. What cannot be read is told: where, and why."""
    for offset, line, whole in lines_until_broken(file):
        if whole and not matters(line):
            continue
        try:
            take(offset, decode(line))
        except Refused:
            if whole or is_json(line):
                yield offset, BROKEN
            elif len(line) < LINE_LIMIT:
                yield offset, CUT
            elif matters(line):
                yield offset, LONG


def is_json(line: bytes) -> bool:
    """True for a line that is whole though its file ends with it."""
    try:
        decode(line)
    except Refused:
        return False
    return True
