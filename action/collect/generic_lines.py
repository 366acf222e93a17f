"""Mergemeter's own JSON lines, for agents whose logs it does not know: one object for each model call.

Whoever runs such an agent writes them; docs/generic-format.md tells how. Where: files named `*.mergemeter.jsonl` in the
workspace, in the runner's temporary folder, and in the folder that `MERGEMETER_LOG_DIR` names.

A line is one of two:

* A model call: `agent`, `session`, `id`, `provider`, `model`, `at` and `output_tokens`, and where they are not zero
  `input_tokens` (uncached), `cache_read_tokens`, `cache_write_5m_tokens`, `cache_write_1h_tokens`,
  `cache_write_other_tokens`, `reasoning_tokens` (a part of the output), `web_searches`; `service_tier`, `speed` and
  `subagent` where they apply, and `pull`, the number of the pull that the call served. All mean what they mean in the
  record's schema. Nothing is cumulative.
* A session's end: `agent`, `session`, `completeness` (`complete`, `lower_bound`, `estimated`, `missing`), and `calls`,
  how many calls of the session stand above it in the file.

Rules:

* A line with an unknown field or a wrong value is broken: it does not count, and its session is a lower bound. Where
  it does not even tell its session, all sessions of the file are.
* Lines are appended. One that stood in the file when the job started, or whose time is not within the job, does not
  count.
* An id counts once: not again in a copy of the line, and not when another log of this job holds it. An id that comes
  again with other counts makes its session a lower bound.
* A session is as complete as its last line says. Without an end below its last call it was cut off: a lower bound. So
  it is when its end tells of more calls than there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .calls import (
    COMPLETE,
    ESTIMATED,
    LOWER_BOUND,
    MISSING,
    Call,
    Refused,
    count,
    label,
    mapping,
    microseconds,
    pull_number,
    text,
    word,
)
from .files import LogFile, decode
from .places import Place, Surroundings
from .sources import BROKEN, CUT, Gathered, lines_until_broken, session_of_path

AGENT = "generic"
NAME = "generic lines"
SUFFIXES: tuple[str, ...] = (".mergemeter.jsonl",)
VARIABLES: tuple[str, ...] = ("MERGEMETER_LOG_DIR",)
NO_END = "the log does not tell that the session ended"
TOO_FEW = "the log holds fewer calls than it says"
TWICE = "an id in the log stands for different calls"
SAID = {
    LOWER_BOUND: "the log says that calls are lacking",
    ESTIMATED: "the log says that its counts are estimates",
    MISSING: "the log says that the calls are not known",
}
_WORDS = ("id", "provider")
_COUNTS = {
    "input_tokens": "input", "cache_read_tokens": "cache_read", "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h", "cache_write_other_tokens": "cache_write_other",
    "output_tokens": "output", "reasoning_tokens": "reasoning", "web_searches": "searches",
}  # fmt: skip
_NEEDED = {"agent", "session", "id", "provider", "model", "at", "output_tokens"}
_CALL = _NEEDED | _COUNTS.keys() | {"service_tier", "speed", "subagent", "pull"}
_END = {"agent", "session", "completeness", "calls"}
Owner = tuple[str, str]


def places(where: Surroundings) -> Iterator[Place]:
    """The workspace and the temporary folder themselves, and what the variable names."""
    yield from where.in_workspace(deep=False)
    yield from where.in_temporary(deep=False)
    yield from where.named_by("MERGEMETER_LOG_DIR")


def recognises(record: dict[str, object]) -> bool:
    """True for what is meant as a line of this format, be it right or wrong."""
    return {"agent", "session"} <= record.keys() and bool({"output_tokens", "completeness"} & record.keys())


class Session:
    """One session of one agent in one file."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.lines = 0  # calls, older ones included
        self.new = self.ended = False
        self.doubts: list[tuple[str, str]] = []


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the sessions of these files."""
    runs = gathered.runs.values()
    taken: dict[str, object] = {name: None for run in runs for call in run.calls for name in (call.id, call.alias)}
    for file in files:
        if gathered.window.touched(file) and file.changed_us >= (gathered.window.start_us or 0):
            sessions, broken = _sessions(file, gathered)
            for owner, session in sessions.items():
                _tell(owner, session, broken, taken, gathered)
            if broken and not sessions:
                gathered.run(AGENT, session_of_path(file.path)).doubt(MISSING, broken[0])


def _sessions(file: LogFile, gathered: Gathered) -> tuple[dict[Owner, Session], list[str]]:
    """The sessions, and what is wrong with lines that do not tell theirs."""
    sessions: dict[Owner, Session] = {}
    broken: list[str] = []
    for offset, line, whole in lines_until_broken(file):
        new = offset >= file.old_size
        owner: Owner | None = None
        try:
            if line.strip():
                record = mapping(decode(line))
                owner = _owner(record)
                _take(sessions.setdefault(owner, Session()), record, new, gathered)
        except Refused:
            if new and owner:
                sessions[owner].new = True
                sessions[owner].doubts.append((LOWER_BOUND, BROKEN))
            elif new:
                broken.append(BROKEN if whole else CUT)
    return sessions, broken


def _owner(record: dict[str, object]) -> Owner:
    owner = label(record.get("agent")), label(record.get("session"), 128)
    if not all(owner) or owner != (record["agent"], record["session"]):
        raise Refused("session")
    return owner


def _take(session: Session, record: dict[str, object], new: bool, gathered: Gathered) -> None:
    if "completeness" in record:
        _take_end(session, record, new)
        return
    session.lines += 1
    call = _call(record)
    if new and gathered.window.holds(call.at_us):
        session.new, session.ended = True, False
        session.calls.append(call)


def _take_end(session: Session, record: dict[str, object], new: bool) -> None:
    said = record["completeness"]
    if not record.keys() <= _END or said not in (COMPLETE, *SAID):
        raise Refused("completeness")
    lacking = count(record, "calls", session.lines) > session.lines
    session.ended = True
    if not new:
        return
    if said == MISSING:
        session.new = True
    if said != COMPLETE:
        session.doubts.append((str(said), SAID[str(said)]))
    if lacking:
        session.new = True
        session.doubts.append((LOWER_BOUND, TOO_FEW))


def _call(record: dict[str, object]) -> Call:
    if not record.keys() <= _CALL or not record.keys() >= _NEEDED:
        raise Refused("fields")
    for name in _WORDS:
        if record[name] != word(record[name]):
            raise Refused(name)
    call = Call(str(record["id"]), str(record["provider"]), _text(record, "model"), microseconds(record["at"]))
    for name, attribute in _COUNTS.items():
        setattr(call, attribute, count(record, name) if name in record else 0)
    call.tier, call.speed = _text(record, "service_tier"), _text(record, "speed")
    call.subagent = record.get("subagent", False) is True
    call.pull = pull_number(record["pull"]) if "pull" in record else 0
    if call.reasoning > call.output or not isinstance(record.get("subagent", False), bool):
        raise Refused("reasoning_tokens")
    return call


def _text(record: dict[str, object], name: str) -> str:
    value = record.get(name, "")
    if value != text(value):
        raise Refused(name)
    return str(value)


def _tell(owner: Owner, session: Session, broken: list[str], taken: dict[str, object], gathered: Gathered) -> None:
    doubts = session.doubts + [(LOWER_BOUND, reason) for reason in broken]
    calls = []
    for call in session.calls:
        if call.id not in taken:
            taken[call.id] = call.as_json()
            calls.append(call)
        elif taken[call.id] not in (None, call.as_json()):
            doubts.append((LOWER_BOUND, TWICE))
    if session.calls and not session.ended:
        doubts.append((LOWER_BOUND, NO_END))
    if not calls and (session.calls or not session.new):
        return
    run = gathered.run(*owner)
    run.calls += calls
    for completeness, reason in doubts:
        known = LOWER_BOUND if completeness == MISSING else completeness
        run.doubt(known if run.calls else MISSING, reason)
