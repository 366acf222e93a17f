"""pi's sessions: one JSON line for each entry of a session's tree.

Read with version 0.73.1. Where: `sessions/--<folder>--/<time>_<session>.jsonl` below `~/.pi/agent` or
`PI_CODING_AGENT_DIR`, or the folder that `PI_CODING_AGENT_SESSION_DIR` names.

What the token fields mean, in an assistant message's `usage`:

* `input` excludes `cacheRead` and `cacheWrite`. The lifetime of a cache write is not told.
* `output` includes reasoning, which is not told apart.
* Cache writes of OpenAI's APIs are not logged: they stand in the input, so such runs are a lower bound.

Rules:

* One call for each `responseId`, in the oldest session that has it: forks copy lines with their times. Messages of
  versions without response ids get a hash of provider, model, time and counts.
* An answer that was aborted or failed counts with what it had used, as a lower bound; one without usage is no call.
* Summaries (of a compaction or a branch) are made with calls that are not logged: a lower bound.
* A log whose last message is not an answer at its end is a lower bound. `--no-session` writes nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from .calls import Call, Refused, content_id, count, digest, mapping, microseconds, milliseconds, text, word
from .costs import cost_of, report
from .files import LINE_LIMIT, LogFile
from .places import Place, Surroundings
from .providers import provider_of
from .sources import Gathered, session_of_path, taken_lines

AGENT = "pi"
NAME = "pi session"
SUFFIXES: tuple[str, ...] = (".jsonl",)
VARIABLES: tuple[str, ...] = ("PI_CODING_AGENT_DIR", "PI_CODING_AGENT_SESSION_DIR")
NO_CACHE_WRITES = "pi does not log the cache writes of OpenAI's APIs; they are counted as input"
UNANSWERED = "the log ends before the model's last answer"
ABORTED = "an answer was aborted before its end"
SUMMARY = "the model call that made a summary is not in the log"

_ROLES = {"user", "assistant", "toolResult", "bashExecution", "custom", "hookMessage"}
_ENDS = {"stop", "length", "error", "aborted"}
_MARKS = (b'"message"', b'"session"', b'"compaction"', b'"branch_summary"')
_HEAD = 240


def places(where: Surroundings) -> Iterator[Place]:
    """The `sessions` folders."""
    yield from where.in_homes(".pi", "agent", "sessions")
    yield from where.named_by("PI_CODING_AGENT_DIR", "sessions")
    yield from where.named_by("PI_CODING_AGENT_SESSION_DIR")


def recognises(record: dict[str, object]) -> bool:
    """True for a session's first line, or one of its messages."""
    if record.get("type") == "session":
        return isinstance(record.get("id"), str) and isinstance(record.get("cwd"), str)
    return record.get("type") == "message" and mapping(record.get("message")).get("role") in _ROLES


class Log:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = self.workdir = self.began = ""
        self.calls: list[tuple[int, Call, Decimal]] = []  # offset, call, cost
        self.problems: list[tuple[int, str, object, str]] = []  # offset, what it is about, timestamp, sentence
        self.unanswered: tuple[int, object] | None = None


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these sessions to what was gathered."""
    logs = [_log(file) for file in files if gathered.window.touched(file)]
    taken = {call.id for log in logs for offset, call, _ in log.calls if offset < log.file.old_size}
    for log in sorted(logs, key=lambda each: (each.began, each.file.path)):
        _tell(log, taken, gathered)


def _log(file: LogFile) -> Log:
    made = Log(file)
    for offset, sentence in taken_lines(file, _matters, lambda offset, record: _take(made, offset, mapping(record))):
        made.problems.append((offset, "", None, sentence))
    made.session = made.session or session_of_path(file.path)
    return made


def _matters(line: bytes) -> bool:
    if len(line) >= LINE_LIMIT:  # what people and tools say may be as long
        return b'"assistant"' in line[: 2 * _HEAD]
    head = line[:_HEAD]
    return any(mark in head for mark in _MARKS)


def _take(made: Log, offset: int, record: dict[str, object]) -> None:
    kind = record.get("type")
    if kind == "session" and not made.session:
        made.session = text(record.get("id"), 128)
        made.workdir = text(record.get("cwd"), 4096)
        made.began = text(record.get("timestamp"), 40)
    elif kind in {"compaction", "branch_summary"} and record.get("fromHook") is not True:
        made.problems.append((offset, text(record.get("id")), record.get("timestamp"), SUMMARY))
    elif kind == "message":
        _take_message(made, offset, record, mapping(record.get("message")))


def _take_message(made: Log, offset: int, record: dict[str, object], message: dict[str, object]) -> None:
    if message.get("role") in {"user", "toolResult"}:
        made.unanswered = (offset, record.get("timestamp"))
    if message.get("role") != "assistant":
        return
    made.unanswered = None if message.get("stopReason") in _ENDS else (offset, record.get("timestamp"))
    call = _call(record, message)
    if call.prompt or call.output:
        made.calls.append((offset, call, cost_of(mapping(mapping(message.get("usage")).get("cost")).get("total"))))
        if _lacks_writes(call, message):
            made.problems.append((offset, call.id, record.get("timestamp"), NO_CACHE_WRITES))
    if message.get("stopReason") == "aborted" or (message.get("stopReason") == "error" and call.output):
        made.problems.append((offset, call.id, record.get("timestamp"), ABORTED))


def _call(record: dict[str, object], message: dict[str, object]) -> Call:
    usage = mapping(message.get("usage"))
    entered, cached, written, produced = (count(usage, name) for name in ("input", "cacheRead", "cacheWrite", "output"))
    model, provider = text(message.get("model")), provider_of(message.get("provider"), text(message.get("model")))
    identity = message.get("responseId")
    if isinstance(identity, str) and identity:
        known = word(identity)
    else:
        known = content_id(AGENT, provider, model, message.get("timestamp"), entered, cached, written, produced)
    call = Call(known, provider, model, _at(record, message))
    call.input, call.cache_read, call.cache_write_other, call.output = entered, cached, written, produced
    return call


def _at(record: dict[str, object], message: dict[str, object]) -> int:
    try:
        return microseconds(record.get("timestamp"))
    except Refused:
        return milliseconds(message.get("timestamp"))


def _lacks_writes(call: Call, message: dict[str, object]) -> bool:
    return "openai" in text(message.get("api")) and not call.cache_write_other


def _tell(log: Log, taken: set[str], gathered: Gathered) -> None:
    doubts = list(dict.fromkeys(_doubts(log, taken, gathered)))
    calls, cost = [], Decimal(0)
    for offset, call, price in log.calls:
        if offset >= log.file.old_size and gathered.window.holds(call.at_us) and call.id not in taken:
            calls.append(call)
            cost += price
        taken.add(call.id)
    taken.update(about for _, about, _, _ in log.problems if about)
    if not calls and not doubts:
        return
    run = gathered.run(AGENT, log.session)
    run.calls += calls
    run.workdir_sha256 = run.workdir_sha256 or (digest(log.workdir) if log.workdir else "")
    report(run, cost)
    for reason in doubts:
        run.lacks(reason)


def _doubts(log: Log, taken: set[str], gathered: Gathered) -> Iterator[str]:
    """What this log lacks. What it copied was told of the log that it came from."""
    for offset, about, timestamp, sentence in log.problems:
        if about not in taken and gathered.window.may_hold(log.file, offset, timestamp):
            yield sentence
    if log.unanswered and gathered.window.may_hold(log.file, *log.unanswered):
        yield UNANSWERED
