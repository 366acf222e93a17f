"""GitHub Copilot CLI's event logs: one JSON line for each thing that happened in a session.

Read with version 1.0.102. Where: `session-state/<session>/events.jsonl` below `~/.copilot` or `COPILOT_HOME`.
Sub-agents write into their session's log, with an `agentId` on each line.

What the token fields mean:

* `inputTokens` includes `cacheReadTokens` and `cacheWriteTokens`; both are taken out. The lifetime of a cache write is
  not told. `outputTokens` includes `reasoningTokens`.
* A `session.usage_record` is one response; `accounting.usageId` is the API's response id and
  `accounting.sourceSessionId` the session that made it. A sub-agent's names one that has no log: its calls belong to
  the session whose call stands before them.
* A `session.shutdown` has sums by model. With an `accountingSnapshot` they are the session's, over all its runs. Older
  versions, which have no usage records, log nothing else; some of them began anew with each run.
* `cost` counts premium requests and credits, not money.

Rules:

* Usage records count, one call for each usage id, in the session that made it: forks copy lines.
* The sums are a cross-check only: more there than in the records makes a lower bound.
* A log without any record and without a snapshot is counted from its sums: one call for each run and model, with what
  the sums have grown by, or all of them where they are smaller than before. Which call had how much is not known, so
  the run is marked as estimated.
* A log whose last turn is not followed by a shutdown is a lower bound: an answer may have been on its way. So is one
  with an `abort` in a turn whose answer has no record: a signal lets Copilot write its shutdown all the same.
* A model served with a key of one's own has the provider that was set up; all others are Copilot's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .calls import (
    ESTIMATED,
    Call,
    Refused,
    content_id,
    count,
    digest,
    label,
    mapping,
    microseconds,
    text,
    word,
)
from .files import LogFile
from .places import Place, Surroundings
from .providers import provider_of
from .sources import BROKEN, Gathered, session_of_path, taken_lines

AGENT = "copilot-cli"
NAME = "copilot events"
SUFFIXES: tuple[str, ...] = ("events.jsonl",)
VARIABLES: tuple[str, ...] = ("COPILOT_HOME",)
ABORTED = "Copilot was stopped before the model's answer ended"
NO_END = "the log has no end: Copilot was stopped, or still runs"
LOST = "Copilot counted more tokens than its log holds"
BY_SUMS = "this version of Copilot logs sums by model, not calls"

_MARKS = (b'"session.usage_record"', b'"session.shutdown"', b'"session.start"', b'"session.resume"')
_TURNS = (b'"assistant.turn_start"', b'"abort"')
_SHORT = 2048  # a line of a turn's start, or of an abort, has no content
_FIELDS = ("inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens")
Usage = list[int]


def places(where: Surroundings) -> Iterator[Place]:
    """The `session-state` folders, also where GitHub Agentic Workflows put it."""
    yield from where.in_homes(".copilot", "session-state")
    yield from where.named_by("COPILOT_HOME", "session-state")
    yield from where.in_machines_temporary("gh-aw", "sandbox", "agent", "session-state")


def recognises(record: dict[str, object]) -> bool:
    """True for an event of such a log."""
    kind = record.get("type")
    dotted = isinstance(kind, str) and kind.startswith(
        ("session.", "assistant.", "user.", "system.", "tool.", "hook.", "subagent.", "abort")
    )
    return dotted and isinstance(record.get("data"), dict) and isinstance(record.get("timestamp"), str)


class Sums:
    """What a shutdown tells: the tokens of each model, of this run or of the session."""

    def __init__(self, offset: int, at_us: int, data: dict[str, object]) -> None:
        self.offset, self.at_us = offset, at_us
        self.of_session = "accountingSnapshot" in data
        models = mapping(data.get("modelMetrics"))
        self.models = {name: _usage(mapping(mapping(model).get("usage"))) for name, model in models.items()}


class Log:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = session_of_path(file.path)  # a fork's log may begin with its parent's lines
        self.version = self.workdir = ""
        self.calls: list[tuple[int, str, Call]] = []  # offset, the session that made it, call
        self.source = ""  # of the latest call that was no sub-agent's
        self.sums: list[Sums] = []
        self.problems: list[tuple[int, object, str]] = []  # offset, timestamp, sentence
        self.unended: tuple[int, object] | None = None
        self.asked = False  # a turn has begun, and has no usage record yet


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these logs to what was gathered."""
    logs = [_log(file) for file in files if gathered.window.touched(file)]
    taken = {call.id for log in logs for offset, _, call in log.calls if offset < log.file.old_size}
    for log in logs:
        _count(log, taken, gathered)
    for log in logs:
        _tell(log, gathered)


def _log(file: LogFile) -> Log:
    made = Log(file)
    for offset, sentence in taken_lines(file, _matters, lambda offset, record: _take(made, offset, mapping(record))):
        made.problems.append((offset, None, sentence))
    return made


def _matters(line: bytes) -> bool:
    return any(mark in line for mark in _MARKS) or (len(line) < _SHORT and any(mark in line for mark in _TURNS))


def _take(made: Log, offset: int, record: dict[str, object]) -> None:
    kind, data = record.get("type"), mapping(record.get("data"))
    if kind == "session.start":
        if made.session == made.file.path:
            made.session = text(data.get("sessionId"), 128) or made.session
        made.version = label(data.get("copilotVersion"))
        made.workdir = text(mapping(data.get("context")).get("cwd"), 4096)
    elif kind == "assistant.turn_start":
        made.unended = (offset, record.get("timestamp"))
        made.asked = True
    elif kind == "abort" and made.asked:
        made.problems.append((offset, record.get("timestamp"), ABORTED))
    elif kind == "session.usage_record":
        made.unended = (offset, record.get("timestamp"))
        made.asked = False
        source, call = _call(record, mapping(data.get("usage")))
        made.source = made.source if call.subagent else source
        made.calls.append((offset, made.source, call))
    elif kind == "session.shutdown":
        made.unended = None
        made.sums.append(Sums(offset, microseconds(record.get("timestamp")), data))


def _usage(fields: dict[str, object]) -> Usage:
    return [count(fields, name, None if name in {"inputTokens", "outputTokens"} else 0) for name in _FIELDS]


def _call(record: dict[str, object], fields: dict[str, object]) -> tuple[str, Call]:
    accounting = mapping(fields.get("accounting"))
    identity = accounting.get("usageId") or fields.get("apiCallId")
    if not isinstance(identity, str):
        raise Refused("usageId")
    call = Call(word(identity), _provider(fields), text(fields.get("model")), microseconds(record.get("timestamp")))
    _fill(call, _usage(fields))
    call.subagent = bool(record.get("agentId"))
    return text(accounting.get("sourceSessionId"), 128), call


def _provider(fields: dict[str, object]) -> str:
    if fields.get("isByok") is not True:
        return "github-copilot"
    return provider_of(fields.get("providerType"), text(fields.get("model")))


def _fill(call: Call, usage: Usage) -> None:
    entered, cached, written, produced, reasoned = usage
    if cached + written > entered:
        raise Refused("usage")
    call.input, call.cache_read, call.cache_write_other = entered - cached - written, cached, written
    call.output, call.reasoning = produced, min(reasoned, produced)


def _count(log: Log, taken: set[str], gathered: Gathered) -> None:
    for offset, source, call in log.calls:
        new = offset >= log.file.old_size and gathered.window.holds(call.at_us)
        if new and call.id not in taken:
            gathered.run(AGENT, source or log.session).calls.append(call)
        taken.add(call.id)
    for offset, call in _by_sums(log):
        if offset >= log.file.old_size and gathered.window.holds(call.at_us) and call.id not in taken:
            run = gathered.run(AGENT, log.session)
            run.calls.append(call)
            run.doubt(ESTIMATED, BY_SUMS)


def _by_sums(log: Log) -> Iterator[tuple[int, Call]]:
    """Calls out of the sums, for a log that has nothing else."""
    if log.calls or any(sums.of_session for sums in log.sums):
        return
    before: dict[str, Usage] = {}
    for sums in log.sums:
        for model, now in sums.models.items():
            was = before.get(model, [0] * len(now))
            before[model] = now
            grown = now if any(a < b for a, b in zip(now, was)) else [a - b for a, b in zip(now, was)]
            identity = content_id(AGENT, log.session, sums.at_us, model, now)
            call = Call(identity, "github-copilot", text(model), sums.at_us)
            try:
                _fill(call, grown)
            except Refused:
                log.problems.append((sums.offset, None, BROKEN))
                continue
            if call.prompt or call.output:
                yield sums.offset, call


def _tell(log: Log, gathered: Gathered) -> None:
    run = gathered.runs.get((AGENT, word(log.session)))
    for reason in dict.fromkeys(_doubts(log, gathered)):
        run = run or gathered.run(AGENT, log.session)
        run.lacks(reason)
    if run:
        run.version = run.version or log.version
        run.workdir_sha256 = run.workdir_sha256 or (digest(log.workdir) if log.workdir else "")


def _doubts(log: Log, gathered: Gathered) -> Iterator[str]:
    window, file = gathered.window, log.file
    for offset, timestamp, sentence in log.problems:
        if window.may_hold(file, offset, timestamp):
            yield sentence
    if log.unended and window.may_hold(file, *log.unended):
        yield NO_END
    last = log.sums[-1] if log.sums else None
    if last and last.of_session and last.offset >= file.old_size and window.holds(last.at_us):
        told = [sum(column) for column in zip(*last.models.values())]
        calls = [call for _, _, call in log.calls]
        held = [sum(call.prompt for call in calls), sum(call.cache_read for call in calls),
                sum(call.cache_write_other for call in calls), sum(call.output for call in calls)]  # fmt: skip
        if any(a > b for a, b in zip(told, held)):
            yield LOST
