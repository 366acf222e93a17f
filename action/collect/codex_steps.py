"""The steps of Codex's rollouts, for codex_rollout.py, which decides whose they are.

* A tool call is a `function_call`, `custom_tool_call`, `local_shell_call`, `web_search_call` or `tool_search_call`
  item, by its call id. It failed when its output tells an exit code that is not 0; other failures are not logged.
* A turn is a `task_started` event by its turn id; before those were logged, a `user_message` event. What a sub-agent
  is asked is none.
* Codex reads files by commands, so that repeated reads cannot be told; nor can retries, which it does not log.
"""

from __future__ import annotations

import re

from .calls import microseconds, text
from .shape import TURN, Step, Steps, hashed

MARKS = (
    b'"function_call"', b'"custom_tool_call"', b'"local_shell_call"', b'"web_search_call"', b'"tool_search_call"',
    b'"user_message"',
)  # fmt: skip
OUTPUT = b'_call_output"'  # of the two kinds of calls that have one
_KINDS = {
    "exec_command": "command", "shell": "command", "shell_command": "command", "container.exec": "command",
    "write_stdin": "command", "local_shell_call": "command",
    "apply_patch": "edit", "read_file": "read", "view_image": "read",
    "grep_files": "search", "list_dir": "search", "tool_search": "search", "tool_search_call": "search",
    "web_search": "web", "web_search_call": "web", "spawn_agent": "agent",
}  # fmt: skip
_MESSAGE = "user_message"
_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "web_search_call", "tool_search_call")
_CALL_ID = re.compile(rb'"call_id":\s?"([^"\\]{1,128})"')
# What a tool printed follows, or in the form with metadata stands before it, with its quotes escaped twice.
_EXIT = re.compile(rb'(?:"|\\n)(?:Process exited with code |Exit code: )(-?\d{1,10})')
_METADATA = re.compile(rb'\\"metadata\\":\s?\{\\"exit_code\\":\s?(-?\d{1,10})')
_PRINTED = b"\\nOutput:\\n"


def take(steps: Steps, offset: int, kind: str, record: dict[str, object], payload: dict[str, object]) -> None:
    """A step's line, when it is one."""
    what = key = ""
    request = b""
    if kind == "task_started":
        what, key = TURN, text(payload.get("turn_id"), 128)
    elif kind == _MESSAGE:
        what = _MESSAGE
    elif kind == "response_item" and payload.get("type") in _CALLS:
        name = text(payload.get("name"), 128) or str(payload["type"])
        what, key = _KINDS.get(name, "other"), text(payload.get("call_id"), 128) or text(payload.get("id"), 128)
        given = [payload.get(field) for field in ("arguments", "input", "action")]
        request = hashed((name, given), hashed(key))
    if what:
        at_us = microseconds(record.get("timestamp"))
        steps.add(Step(offset, at_us, what, hashed(key or f"{offset} {at_us}"), request))


def take_output(steps: Steps, line: bytes) -> None:
    """A tool's output, looked at as bytes: its exit code stands before what the tool printed."""
    call, ended = _CALL_ID.search(line), _EXIT.search(line.partition(_PRINTED)[0]) or _METADATA.search(line)
    if call and ended and int(ended.group(1)):
        steps.failed.add(hashed(call.group(1).decode("utf-8", "replace")))


def settle_turns(steps: Steps, subagent: bool) -> None:
    """Where turns are logged as such, the messages that began them are none of their own."""
    prompt = TURN if any(step.what == TURN for step in steps.made) else _MESSAGE
    others = [step for step in steps.made if step.what not in (TURN, _MESSAGE)]
    steps.made = others + [step._replace(what=TURN) for step in steps.made if step.what == prompt and not subagent]
