"""The steps of Claude Code's transcripts, for claude_transcript.py, which decides whose they are.

* A tool call is a `tool_use` block of an answer, by its id; the API's own tools (`server_tool_use`) too. It failed when
  the result with its id has `is_error`. Reading a file again counts whichever part of it is read.
* A turn is a prompt: a `user` line that is no tool result, no note of Claude Code's own and no summary. What a
  sub-agent is asked is none.
* A retry is an `api_error` line: one for each attempt that failed.
"""

from __future__ import annotations

import re

from .calls import Refused, mapping, microseconds, text
from .files import decode
from .shape import RETRY, TURN, Step, Steps, hashed

_KINDS = {
    "Read": "read", "NotebookRead": "read",
    "Edit": "edit", "MultiEdit": "edit", "NotebookEdit": "edit", "Write": "edit",
    "Bash": "command", "BashOutput": "command", "KillBash": "command", "KillShell": "command", "PowerShell": "command",
    "Glob": "search", "Grep": "search", "LS": "search", "LSP": "search",
    "WebFetch": "web", "WebSearch": "web", "web_fetch": "web", "web_search": "web",
    "Agent": "agent", "Task": "agent",
}  # fmt: skip
_NO_PROMPT = re.compile(rb'"(?:tool_use_id"|isSidechain":\s?true|isCompactSummary":\s?true)')
_END = 2000  # of a line, where its own id and time stand: behind the message
_UUID = re.compile(rb'"uuid":\s?"([^"]{1,64})"')
_TIMESTAMP = re.compile(rb'"timestamp":\s?"([^"]{1,40})"')


def take_answer(steps: Steps, offset: int, at_us: int, message: dict[str, object]) -> None:
    """The tool calls of an answer's line."""
    content = message.get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") in ("tool_use", "server_tool_use"):
            name, given = text(block.get("name"), 128), mapping(block.get("input"))
            kind = _KINDS.get(name, "other")
            path = given.get("file_path") or given.get("notebook_path") if kind == "read" else None
            key = hashed(block.get("id") or offset)
            file = hashed(path) if isinstance(path, str) else b""
            steps.add(Step(offset, at_us, kind, key, hashed((name, given), key), file))


def is_of_user(line: bytes) -> bool:
    """True for a user's line. Quotes inside of text are escaped, so this and what follows find real keys."""
    return b'"type' + _colon(line) + b'"user"' in line


def is_note(line: bytes) -> bool:
    """True for a user's line that is a note of Claude Code's own."""
    return b'"isMeta' + _colon(line) + b"true" in line


def take_line(steps: Steps, offset: int, line: bytes) -> None:
    """A user's line: a prompt, or the results of tool calls."""
    if not _NO_PROMPT.search(line):
        if not is_note(line):
            _take(steps, offset, line, TURN)
    elif b'"is_error' + _colon(line) + b"true" in line and not is_note(line):
        _take_results(steps, line)


def _colon(line: bytes) -> bytes:
    """What stands behind keys: who wrote the line puts a space after each colon, or after none."""
    at = line.find(b'":') + 2
    return b'": ' if line[at : at + 1] == b" " else b'":'


def take_retry(steps: Steps, offset: int, line: bytes) -> None:
    """An `api_error` line."""
    _take(steps, offset, line, RETRY)


def _take(steps: Steps, offset: int, line: bytes, what: str) -> None:
    end = max(0, len(line) - _END)
    at, uuid = (pattern.search(line, end) or pattern.search(line) for pattern in (_TIMESTAMP, _UUID))
    if at and uuid:
        try:
            at_us = microseconds(at.group(1).decode("ascii", "replace"))
        except Refused:
            return
        steps.add(Step(offset, at_us, what, hashed(uuid.group(1))))


def _take_results(steps: Steps, line: bytes) -> None:
    try:
        record = mapping(decode(line))
    except Refused:
        return
    content = mapping(record.get("message")).get("content")
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("is_error") is True:
            steps.failed.add(hashed(block.get("tool_use_id")))
