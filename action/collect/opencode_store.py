"""opencode's store: one SQLite database with all sessions and their messages.

Read with version 1.18.33. Where: `opencode.db` (`opencode-<channel>.db` of other channels) in `~/.local/share/opencode`
or `opencode` below `XDG_DATA_HOME`, or the file that `OPENCODE_DB` names. New rows stand in its write-ahead log until
opencode ends in good order.

What the token fields mean, in an assistant message's `tokens`:

* `input` excludes `cache.read` and `cache.write`. The lifetime of a cache write is not told.
* `output` excludes `reasoning`; it is added.
* A session's `tokens_*` columns are its totals.

Rules:

* One call for each assistant message with tokens. Messages have no response id: a call's id is a hash of model, times
  and counts, for a fork copies messages under new ids. The call counts in the oldest session that has it.
* Sessions with a `parent_id` are sub-agents; their calls belong to the session at the root.
* Titles, and in some versions summaries, are made with calls that are recorded nowhere: every session is a lower bound.
* Messages change after they are written, so time alone tells what is of this job.
* A message without tokens that did not fail at the API is an answer that was lost. Totals are a cross-check only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from .calls import MISSING, Call, Refused, content_id, count, digest, label, mapping, milliseconds, text
from .costs import cost_of, report
from .files import LINE_LIMIT, LogFile, decode
from .places import Place, Surroundings
from .providers import provider_of
from .sources import BROKEN, LONG, Gathered
from .sqlite_file import Unreadable, opened
from .window import SKEW_US

if TYPE_CHECKING:
    from sqlite3 import Connection

AGENT = "opencode"
NAME = "opencode store"
SUFFIXES: tuple[str, ...] = (".db", ".sqlite")
VARIABLES: tuple[str, ...] = ("OPENCODE_DB", "XDG_DATA_HOME")
SECONDS = 8.0  # for all databases together
SESSIONS_LIMIT, MESSAGES_LIMIT = 50_000, 200_000
UNRECORDED = "opencode does not record the model calls that make titles"
UNANSWERED = "an answer in the log has no end"
NO_USAGE = "an answer in the log has no usage"
LOST = "opencode counted more tokens than its log holds"
UNKNOWN = "a database could not be read, or its format is not known"
MANY = "there are too many messages; not all of them were read"

_NOT_SERVED = {"APIError", "ProviderAuthError", "ContextOverflowError"}
_TOTALS = ("tokens_input", "tokens_output", "tokens_reasoning", "tokens_cache_read", "tokens_cache_write")


def places(where: Surroundings) -> Iterator[Place]:
    """opencode's data folder, and the file that its variable names."""
    yield from where.in_homes(".local", "share", "opencode", prefix="opencode", deep=False)
    yield from where.named_by("XDG_DATA_HOME", "opencode", prefix="opencode", deep=False)
    yield from where.files_named_by("OPENCODE_DB")


def recognises(record: dict[str, object]) -> bool:
    """True for any SQLite database: the only ones in this format's places are opencode's."""
    return record.get("file") == "SQLite"


class Session:
    """One row of the sessions, and what its messages tell."""

    def __init__(self, row: dict[str, object]) -> None:
        self.id, self.parent = _text(row.get("id")), _text(row.get("parent_id"))
        self.workdir, self.version = _text(row.get("directory"), 4096), label(_text(row.get("version")))
        self.created_us = _ms(row.get("time_created"))
        self.told = [_int(row.get(name)) for name in _TOTALS]
        self.held = [0] * len(_TOTALS)
        self.calls: list[tuple[Call, Decimal]] = []
        self.problems: list[tuple[int | None, str]] = []  # when, where that is known, and a sentence


class Store:
    """One database, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.sessions: dict[str, Session] = {}
        self.problem = ""


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these databases to what was gathered."""
    start_us = gathered.window.start_us
    since_us = None if start_us is None else start_us - SKEW_US
    until = time.monotonic() + SECONDS
    stores = [_store(file, since_us, until) for file in files if since_us is None or _changed_us(file) >= since_us]
    sessions = {session.id: session for store in stores for session in store.sessions.values()}
    taken: set[str] = set()
    for session in sorted(sessions.values(), key=lambda each: (each.created_us, each.id)):
        _count(session, _root(session, sessions), taken, gathered)
    for session in sessions.values():
        _tell(session, _root(session, sessions), gathered)
    for store in stores:
        _tell_problem(store, sessions, gathered)


def _changed_us(file: LogFile) -> int:
    """When the database or its write-ahead log was last written to."""
    try:
        return max(file.changed_us, os.lstat(file.path + "-wal").st_mtime_ns // 1000)
    except OSError:
        return file.changed_us


def _store(file: LogFile, since_us: int | None, until: float) -> Store:
    made = Store(file)
    try:
        with opened(file.path, until) as connection:
            _take_sessions(made, connection)
            _take_messages(made, connection, since_us)
    except Unreadable as problem:
        made.problem = str(problem)
    return made


def _columns(connection: Connection, table: str) -> list[str]:
    return [_text(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


def _take_sessions(made: Store, connection: Connection) -> None:
    wanted = ("id", "parent_id", "directory", "version", "time_created", *_TOTALS)
    there = [name for name in _columns(connection, "session") if name in wanted]
    if "id" not in there:
        raise Unreadable(UNKNOWN)
    for row in connection.execute(f"SELECT {', '.join(there)} FROM session LIMIT {SESSIONS_LIMIT}"):  # noqa: S608
        session = Session(dict(zip(there, row)))
        made.sessions[session.id] = session


def _take_messages(made: Store, connection: Connection, since_us: int | None) -> None:
    there = _columns(connection, "message")
    if not {"session_id", "data"} <= set(there):
        raise Unreadable(UNKNOWN)
    recent = f" AND time_updated >= {since_us // 1000}" if since_us and "time_updated" in there else ""
    query = (
        f"SELECT session_id, CASE WHEN length(data) <= {LINE_LIMIT} THEN data END FROM message"  # noqa: S608 - our own
        f" WHERE instr(data, '\"assistant\"') > 0{recent} LIMIT {MESSAGES_LIMIT}"
    )
    rows = 0
    for session_id, data in connection.execute(query):
        rows += 1
        session = made.sessions.setdefault(_text(session_id), Session({"id": session_id}))
        _take(session, data)
    if rows == MESSAGES_LIMIT:
        raise Unreadable(MANY)


def _take(session: Session, data: object) -> None:
    try:
        message = mapping(decode(data)) if isinstance(data, bytes) else {}
        if message.get("role") == "assistant":
            _take_answer(session, message, mapping(message.get("time")))
        elif not message:
            session.problems.append((None, LONG))
    except Refused:
        session.problems.append((None, BROKEN))


def _take_answer(session: Session, message: dict[str, object], times: dict[str, object]) -> None:
    at_us = milliseconds(times.get("created"))
    tokens = mapping(message.get("tokens"))
    cache = mapping(tokens.get("cache"))
    counts = [count(tokens, "input", 0), count(tokens, "output", 0), count(tokens, "reasoning", 0)]
    counts += [count(cache, "read", 0), count(cache, "write", 0)]
    if not any(counts):
        session.problems += [(at_us, sentence) for sentence in _lost(message, times)]
        return
    session.held = [a + b for a, b in zip(session.held, counts)]
    session.calls.append((_call(session, message, times, counts), cost_of(message.get("cost"))))


def _lost(message: dict[str, object], times: dict[str, object]) -> Iterator[str]:
    """What is to be said of an answer without tokens. A call that the API refused cost nothing."""
    name = mapping(message.get("error")).get("name")
    if times.get("completed") is None or (name is not None and name not in _NOT_SERVED):
        yield UNANSWERED
    elif name is None:
        yield NO_USAGE


def _call(session: Session, message: dict[str, object], times: dict[str, object], counts: list[int]) -> Call:
    model = text(message.get("modelID"))
    provider = provider_of(message.get("providerID"), model)
    identity = content_id(AGENT, provider, model, times.get("created"), times.get("completed"), *counts)
    call = Call(identity, provider, model, milliseconds(times.get("created")))
    call.input, produced, call.reasoning, call.cache_read, call.cache_write_other = counts
    call.output = produced + call.reasoning
    call.subagent = bool(session.parent)
    return call


def _root(session: Session, sessions: dict[str, Session]) -> Session:
    for _ in range(32):
        if session.parent not in sessions:
            break
        session = sessions[session.parent]
    return session


def _count(session: Session, root: Session, taken: set[str], gathered: Gathered) -> None:
    for call, cost in session.calls:
        if call.id not in taken and gathered.window.holds(call.at_us):
            run = gathered.run(AGENT, root.id)
            run.calls.append(call)
            report(run, cost)
        taken.add(call.id)


def _tell(session: Session, root: Session, gathered: Gathered) -> None:
    """Say of each session of this job what its log cannot know."""
    window = gathered.window
    reasons = [sentence for at_us, sentence in session.problems if at_us is None or window.holds(at_us)]
    if window.holds(session.created_us) and any(a > b for a, b in zip(session.told, session.held)):
        reasons.append(LOST)
    run = gathered.runs.get((AGENT, root.id))
    if run is None and not reasons:
        return
    run = run or gathered.run(AGENT, root.id)
    for reason in dict.fromkeys([UNRECORDED, *reasons]):
        run.lacks(reason)
    run.version = run.version or root.version
    run.workdir_sha256 = run.workdir_sha256 or (digest(root.workdir) if root.workdir else "")


def _tell_problem(store: Store, sessions: dict[str, Session], gathered: Gathered) -> None:
    """A database that could not be read lessens what is claimed of its sessions, or shows as one that is missing."""
    if not store.problem:
        return
    roots = {_root(session, sessions).id for session in store.sessions.values()}
    runs = [run for root in roots if (run := gathered.runs.get((AGENT, root)))]
    for run in runs:
        run.lacks(store.problem)
    if not runs:
        gathered.run(AGENT, store.file.path).doubt(MISSING, store.problem)


def _text(value: object, limit: int = 128) -> str:
    return text(value.decode("utf-8", "replace") if isinstance(value, bytes) else value, limit)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _ms(value: object) -> int:
    try:
        return milliseconds(value)
    except Refused:
        return 0
