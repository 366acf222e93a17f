"""Cline's sessions: one JSON object with all messages of an agent, written anew with each change.

Read with version 3.0.65 of its command line. Where: `sessions/<session>/<agent>.messages.json` in `~/.cline/data`, in
`CLINE_DATA_DIR` or `data` below `CLINE_DIR`, or in the folder that `CLINE_SESSION_DATA_DIR` names. Beside the session's
own messages lie those of its sub-agents and teammates, and its manifest `<session>.json`.

What the token fields mean, in a message's `metrics`:

* `inputTokens` includes `cacheReadTokens` and `cacheWriteTokens`; both are taken out. The lifetime of a cache write is
  not told. `outputTokens` includes reasoning, which is not told apart.
* The manifest's `aggregateUsage` has the sums of the session, sub-agents included, over all its runs.

Rules:

* One call for each message with metrics. There is no response id: a call's id is a hash of model, time and counts. It
  counts in the oldest session that has it.
* Messages of sub-agents and teammates belong to the session that started them. They are written when it ends: one
  without any message is an answer that was lost.
* The file is written anew each time, so time alone tells what is of this job.
* The manifest's sums are a cross-check only: more there than in the messages makes a lower bound.
* A session that did not complete and whose last message is not an answer at its end is a lower bound.
* A file that is cut or broken gives the messages before that place, as a lower bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from decimal import Decimal

from .calls import Call, Refused, content_id, count, digest, label, mapping, milliseconds, text
from .costs import cost_of, report
from .files import LogFile, elements, fields, open_regular
from .places import Place, Surroundings
from .providers import provider_of
from .sources import BROKEN, Gathered

AGENT = "cline"
NAME = "cline session"
SUFFIXES: tuple[str, ...] = (".messages.json",)
VARIABLES: tuple[str, ...] = ("CLINE_DATA_DIR", "CLINE_DIR", "CLINE_SESSION_DATA_DIR")
FILE_LIMIT, MANIFEST_LIMIT = 64 << 20, 1 << 20
UNANSWERED = "the log ends before the model's last answer"
LOST = "Cline counted more tokens than its log holds"
TOO_LARGE = "a log is too large to be read to its end"


def places(where: Surroundings) -> Iterator[Place]:
    """The `sessions` folders."""
    yield from where.in_homes(".cline", "data", "sessions")
    yield from where.named_by("CLINE_DIR", "data", "sessions")
    yield from where.named_by("CLINE_DATA_DIR", "sessions")
    yield from where.named_by("CLINE_SESSION_DATA_DIR")


def recognises(record: dict[str, object]) -> bool:
    """True for the object that such a file is, also when it is cut before its messages."""
    return isinstance(record.get("sessionId"), str) and record.get("agent") in {"lead", "subagent", "teammate"}


class Conversation:
    """One file, read: the messages of one agent."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = self.agent = self.version = ""
        self.calls: list[tuple[Call, Decimal]] = []
        self.problems: list[str] = []
        self.changed_us = file.changed_us  # when the last message was made, where it says so
        self.answered = False


class Manifest:
    """What stands beside a session's messages."""

    def __init__(self, path: str) -> None:
        record = fields(_content(path, MANIFEST_LIMIT)) if path else {}
        metadata = mapping(record.get("metadata"))
        self.workdir, self.began = text(record.get("cwd"), 4096), text(record.get("started_at"), 40)
        self.completed = record.get("status") == "completed"
        usage = mapping(metadata.get("aggregateUsage") or metadata.get("usage"))
        try:
            self.told = [count(usage, "inputTokens", 0), count(usage, "outputTokens", 0)]
        except Refused:
            self.told = [0, 0]


def read(files: Iterable[LogFile], gathered: Gathered) -> None:
    """Add the agent runs of these sessions to what was gathered."""
    folders: dict[str, list[LogFile]] = {}
    for file in files:
        folders.setdefault(os.path.dirname(file.path), []).append(file)
    sessions = []
    for group in folders.values():
        if any(gathered.window.touched(file) for file in group):
            talks = [_conversation(file) for file in group]
            sessions.append((Manifest(_manifest_of(talks)), talks))
    taken: set[str] = set()
    for manifest, talks in sorted(sessions, key=lambda each: (each[0].began, each[1][0].file.path)):
        _tell(manifest, talks, taken, gathered)


def _manifest_of(talks: list[Conversation]) -> str:
    lead = next((talk for talk in talks if talk.agent == "lead"), None)
    return lead.file.path[: -len(SUFFIXES[0])] + ".json" if lead else ""


def _content(path: str, limit: int) -> bytes:
    """The file's beginning; nothing of one that cannot be read."""
    try:
        with open_regular(path) as opened:
            return opened.read(limit)
    except OSError:
        return b""


def _conversation(file: LogFile) -> Conversation:
    made = Conversation(file)
    content = _content(file.path, min(file.size, FILE_LIMIT))
    record = fields(content)
    made.session = text(record.get("sessionId"), 128) or os.path.basename(file.path)[: -len(SUFFIXES[0])]
    made.agent = text(record.get("agent"), 32)
    made.version = label(mapping(record.get("origin")).get("version"))
    messages = record.get("messages")
    if not isinstance(messages, list):
        made.problems.append(BROKEN)
        messages = list(elements(content.partition(b'"messages"')[2].decode("utf-8", "replace")))
    for message in messages:
        _take(made, mapping(message))
    return made


def _take(made: Conversation, message: dict[str, object]) -> None:
    try:
        made.answered = message.get("role") == "assistant" and not _asks(message)
        made.changed_us = at_us = milliseconds(message.get("ts"))
        if message.get("role") == "assistant" and message.get("metrics") is not None:
            metrics = mapping(message["metrics"])
            call = _call(mapping(message.get("modelInfo")), metrics, at_us)
            call.subagent = made.agent != "lead"
            if call.prompt or call.output:
                made.calls.append((call, cost_of(metrics.get("cost"))))
    except Refused:
        made.problems.append(BROKEN)


def _asks(message: dict[str, object]) -> bool:
    """True for an answer that calls a tool, which another answer follows."""
    content = message.get("content")
    return isinstance(content, list) and any(mapping(part).get("type") == "tool_use" for part in content)


def _call(info: dict[str, object], metrics: dict[str, object], at_us: int) -> Call:
    entered, produced = count(metrics, "inputTokens"), count(metrics, "outputTokens")
    cached, written = count(metrics, "cacheReadTokens", 0), count(metrics, "cacheWriteTokens", 0)
    if cached + written > entered:
        raise Refused("metrics")
    model = text(info.get("id"))
    provider = provider_of(info.get("provider"), model)
    call = Call(content_id(AGENT, provider, model, at_us, entered, cached, written, produced), provider, model, at_us)
    call.input, call.cache_read, call.cache_write_other = entered - cached - written, cached, written
    call.output = produced
    return call


def _tell(manifest: Manifest, talks: list[Conversation], taken: set[str], gathered: Gathered) -> None:
    calls = []
    for talk in talks:
        for call, cost in talk.calls:
            if gathered.window.holds(call.at_us) and call.id not in taken:
                calls.append((call, cost))
            taken.add(call.id)
    doubts = list(dict.fromkeys(_doubts(manifest, talks, gathered)))
    if not calls and not doubts:
        return
    run = gathered.run(AGENT, talks[0].session)
    for call, cost in calls:
        run.calls.append(call)
        report(run, cost)
    run.version = run.version or next((talk.version for talk in talks if talk.version), "")
    run.workdir_sha256 = run.workdir_sha256 or (digest(manifest.workdir) if manifest.workdir else "")
    for reason in doubts:
        run.lacks(reason)


def _doubts(manifest: Manifest, talks: list[Conversation], gathered: Gathered) -> Iterator[str]:
    for talk in talks:
        if gathered.window.holds(talk.file.changed_us):
            yield from talk.problems
            if talk.file.size > FILE_LIMIT:
                yield TOO_LARGE
    recent = [talk for talk in talks if gathered.window.holds(talk.changed_us)]
    for talk in recent:
        if not talk.answered and not (manifest.completed and talk.agent == "lead"):
            yield UNANSWERED
    every = [call for talk in talks for call, _ in talk.calls]
    held = [sum(call.prompt for call in every), sum(call.output for call in every)]
    if recent and any(a > b for a, b in zip(manifest.told, held)):
        yield LOST
