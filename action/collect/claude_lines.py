"""A transcript of Claude Code, read: what its lines say. What of it counts, claude_transcript.py decides."""

from __future__ import annotations

import re
from decimal import Decimal

from . import claude_steps
from .calls import Call, Refused, label, mapping, microseconds, pull_number, text
from .claude_message import call_of, tokens_of
from .costs import money
from .files import LINE_LIMIT, LogFile, decode
from .shape import Steps
from .sources import BROKEN, CUT, LONG, is_json, lines_until_broken, session_of_path

Key = tuple[str, str]
# What `_take` may do something about, by its type, subtype or role. An answer tells three times what it is, before its
# content and behind it: one that is torn or damaged is still found, and no content need be looked through.
_MARKED = re.compile(
    rb'e": ?"(?:message|assistant|api-request|cost-state|ai-title|pr-link|api_error|'
    rb'(?:(?<=type":")|(?<=type": "))user)"'
)
# A line that says early, behind plain values, that it is a user's or a request. No writer names a key twice.
_EARLY = re.compile(rb'\{(?:"\w{1,40}": ?(?:null|true|false|"[^"\\]{0,100}"), ?){0,9}"type": ?"(user|api-request)",')
_LINK = (b'{"type":"pr-link",', b'{"type": "pr-link",')
_HEAD = 300  # of a line, where its type stands
_TIMESTAMP = re.compile(rb'"timestamp":\s*"([^"]{1,40})"')


class CostState:
    """The session's totals at the end of a process, and the latest call before it."""

    def __init__(self, after_us: int, offset: int, total: Decimal, tokens: list[int]) -> None:
        self.after_us, self.offset, self.total, self.tokens = after_us, offset, total, tokens


class Transcript:
    """One file, read."""

    def __init__(self, file: LogFile) -> None:
        self.file = file
        self.session = ""
        self.version = ""
        self.workdir = ""
        self.began_us: int | None = None
        self.last_us = 0
        self.calls: dict[Key, Call] = {}
        self.old: set[Key] = set()  # calls that stood in the file when the job started
        self.costs: list[CostState] = []
        self.problems: list[tuple[int, bytes, str]] = []  # offset, of the line its time, sentence
        self.open_turn: tuple[int, bytes] | None = None
        self.perhaps_open: tuple[int, bytes] | None = None  # by a user's line that was not looked at whole
        self.titled_at: int | None = None  # the offset of the first title
        self.links: list[tuple[int, str, int]] = []  # offset, repository and number of a pull
        self.unfinished: dict[Key, int] = {}
        self.steps = Steps()
        self.subagent_of: dict[str, str] = {}  # which sub-agent made a call, by the call's id
        self.latest: tuple[object, Key, object] = (None, ("", ""), None)  # the response that the last line was of

    @property
    def order(self) -> tuple[int, int, str]:
        """Earlier files own what later ones copied. A fork's first line tells its own beginning."""
        return (self.last_us if self.began_us is None else self.began_us, self.last_us, self.file.path)

    @property
    def copied_history(self) -> bool:
        return self.began_us is not None and any(call.at_us < self.began_us for call in self.calls.values())


def read_transcript(file: LogFile) -> Transcript:
    """Read a file. What it cannot tell is noted in it."""
    made = Transcript(file)
    made.began_us = _began_in(file)
    for offset, line, whole in lines_until_broken(file, _MARKED):
        _take(made, offset, line, whole)
    _settle(made)
    if made.open_turn:
        made.open_turn = (made.open_turn[0], _stamp(made.open_turn[1]))
    made.session = made.session or session_of_path(file.path)
    return made


def _began_in(file: LogFile) -> int | None:
    """The time of the first line that has one."""
    for _, line, whole in lines_until_broken(file):
        began_us = _began(line)
        if began_us is not None and (whole or is_json(line)):
            return began_us
    return None


def _stamp(line: bytes) -> bytes:
    """What of a line is kept for later: the part with its time."""
    found = _TIMESTAMP.search(line)
    return found.group() if found else b""


def _take(made: Transcript, offset: int, line: bytes, whole: bool) -> None:
    """One line. Only those that may hold usage are decoded; the others are looked at as bytes."""
    if not whole:
        _take_broken(made, offset, line)
        return
    early = _EARLY.match(line)
    kind = early.group(1) if early else b""
    if kind == b"user":
        _take_user(made, offset, line)
    elif _may_hold_usage(line):
        try:
            _take_record(made, offset, line, decode(line))
        except Refused:
            made.problems.append((offset, _stamp(line), BROKEN))
    elif kind:
        made.open_turn, made.perhaps_open = (offset, line), None
        if claude_steps.is_of_user(line):  # behind a request that was torn
            claude_steps.take_line(made.steps, offset, line)
    elif claude_steps.is_of_user(line):
        _take_user(made, offset, line)
    elif b'"api_error"' in line[:_HEAD]:
        claude_steps.take_retry(made.steps, offset, line)
    else:
        _take_note(made, offset, line)


def _take_note(made: Transcript, offset: int, line: bytes) -> None:
    """What Claude Code notes of the session beside what was said in it."""
    if line.startswith(_LINK):
        _take_link(made, offset, line)
    elif made.titled_at is None and line.startswith((b'{"type":"ai-title",', b'{"type": "ai-title",')):
        made.titled_at = offset


def _may_hold_usage(line: bytes) -> bool:
    return (b'"usage"' in line and b'"assistant"' in line) or b'"cost-state"' in line


def _take_broken(made: Transcript, offset: int, line: bytes) -> None:
    """A last line without a line break may be whole all the same; one that is too long may be no answer at all."""
    try:
        decode(line)
    except Refused:
        if line.startswith(_LINK):
            return
        long = len(line) >= LINE_LIMIT
        if not long or (b'"usage"' in line and b'"assistant"' in line):
            made.problems.append((offset, _stamp(line[:4096]), LONG if long else CUT))
    else:
        _take(made, offset, line, True)


def _began(line: bytes) -> int | None:
    found = _TIMESTAMP.search(line)
    try:
        return microseconds(found.group(1).decode("ascii", "replace")) if found else None
    except Refused:
        return None


def _take_link(made: Transcript, offset: int, line: bytes) -> None:
    """A pull that showed up in the session. It costs nothing and tells of no call: a line that is wrong is no doubt."""
    try:
        record = mapping(decode(line))
        made.links.append((offset, text(record.get("prRepository")), pull_number(record.get("prNumber"))))
    except Refused:
        return


def _take_user(made: Transcript, offset: int, line: bytes) -> None:
    claude_steps.take_line(made.steps, offset, line)
    _settle(made)
    made.perhaps_open = (offset, line)


def _settle(made: Transcript) -> None:
    """Look whether the last user's line asks the model. Most are long, and answered: then nobody needs to know."""
    if made.perhaps_open and not claude_steps.is_note(made.perhaps_open[1]):
        made.open_turn = made.perhaps_open
    made.perhaps_open = None


def _take_record(made: Transcript, offset: int, line: bytes, found: object) -> None:
    record = mapping(found)
    if record.get("type") == "cost-state":
        made.costs.append(_cost_state(made, offset, record))
    elif record.get("type") == "user":  # a tool's result may hold usage too
        claude_steps.take_line(made.steps, offset, line)
        if record.get("isMeta") is not True:
            made.open_turn, made.perhaps_open = (offset, line), None
    elif record.get("type") == "assistant":
        made.open_turn = made.perhaps_open = None
        if not made.session:
            made.session = text(record.get("sessionId"), 128)
            made.workdir = text(record.get("cwd"), 4096)
        if record.get("version") != made.version:
            made.version = label(record.get("version")) or made.version
        message = mapping(record.get("message"))
        _take_answer(made, offset, record, message)
        if made.latest[1] in made.calls:
            claude_steps.take_answer(made.steps, offset, made.calls[made.latest[1]].at_us, message)


def _take_answer(made: Transcript, offset: int, record: dict[str, object], message: dict[str, object]) -> None:
    if message.get("model") == "<synthetic>":
        return
    if message.get("id") != made.latest[0] or message.get("usage") != made.latest[2]:
        made.latest = (message.get("id"), _take_call(made, record, message), message.get("usage"))
    key = made.latest[1]
    if message.get("stop_reason"):
        made.unfinished.pop(key, None)
    else:
        made.unfinished[key] = offset
    if offset < made.file.old_size:
        made.old.add(key)


def _take_call(made: Transcript, record: dict[str, object], message: dict[str, object]) -> Key:
    """Count a response, or replace what an earlier block of it said; the earliest block tells its time."""
    call = call_of(message, microseconds(record.get("timestamp")))
    call.subagent = record.get("isSidechain") is True
    if call.subagent:
        made.subagent_of[call.id] = text(record.get("agentId"), 128)
    key = (call.id, text(record.get("requestId"), 128))
    earlier = made.calls.get(key)
    if earlier:
        call.at_us = min(call.at_us, earlier.at_us)
    made.calls[key] = call
    made.last_us = max(made.last_us, call.at_us)
    return key


def _cost_state(made: Transcript, offset: int, record: dict[str, object]) -> CostState:
    return CostState(made.last_us, offset, money(record.get("totalCostUSD")), tokens_of(record.get("modelUsage")))
