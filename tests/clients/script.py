"""What the stand-in model does: for each scenario that a prompt names, the tool calls of each turn.

A prompt says `SCN:name`. All texts, commands and files carry words that must never leave the runner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CANARIES = {
    "prompt": "zebra-prompt-7713",
    "answer": "zebra-answer-5521",
    "code": "zebra_code_9034",
    "file": "zebra-file-4410",
    "output": "zebra-output-6187",
    "branch": "zebra-branch-2096",
}
# The output's word is put together by the shell, so that it stands in no command.
COMMAND = (
    f"mkdir -p out && echo 'def {CANARIES['code']}(): pass' > out/{CANARIES['file']}.py"
    " && printf '%s%s\\n' zebra-output- 6187 && ls out"
)
CHILD = f"SCN:child {CANARIES['prompt']} Please run one command and report."


@dataclass(frozen=True)
class Turn:
    """What the model says and the tools it calls: any of "shell", "agent"."""

    text: str
    calls: tuple[str, ...] = ()


_LAST = Turn(f"Done: {CANARIES['answer']}.")
_RUN = Turn(f"I will run it: {CANARIES['answer']}.", ("shell",))
SCENARIOS: Mapping[str, tuple[Turn, ...]] = {
    "basic": (_RUN, _RUN, _LAST),
    "short": (_RUN, _LAST),
    "sub": (Turn("I will delegate this.", ("agent",)), Turn("And run one command.", ("shell",)), _LAST),
    "child": (_RUN, _LAST),
    "retry": (_RUN, _RUN, _LAST),  # the API fails now and then
    "refused": (_RUN, _LAST),  # the API refuses the second request
    "kill": (_RUN, _RUN, _RUN, _LAST),  # the third answer never ends
    "endless": (_RUN,) * 40,
}


def turn_of(scenario: str, number: int) -> Turn:
    """The `number`th turn (from 0) of a scenario; its last one for all later."""
    turns = SCENARIOS.get(scenario, (_LAST,))
    return turns[min(number, len(turns) - 1)]


def fill(schema: Mapping[str, Any], call: str, child: str = "") -> Any:
    """A value that fits a tool's JSON schema and does what `call` ("shell", "agent" or "") says.

    `child` is the type of sub-agent to ask for, where the schema has one.
    """
    properties = schema.get("properties") or {}
    wanted = set(schema.get("required") or (() if call else properties))
    if call == "agent":
        wanted |= properties.keys() & (_CHILD_TYPE_NAMES if wanted else {"message"})
    return {name: _value(name, properties.get(name) or {}, call, child) for name in sorted(wanted)}


_TEXTS = {"description": "A small check", "title": "A small check", "name": "checker", "task_name": "checker"}
_CHILD_TYPE_NAMES = {"subagent_type", "agent_type", "agent_name"}
_CHILD_TYPES = ("general-purpose", "generalist", "general", "task", "worker", "default")


def _value(name: str, schema: Mapping[str, Any], call: str, child: str) -> Any:
    kind = str(schema.get("type", "string")).lower()
    if kind == "object" and schema.get("properties"):
        return fill(schema, call, child)
    if name in {"command", "cmd", "script", "commands"}:
        return (
            [COMMAND]
            if kind == "array" and name == "commands"
            else ["bash", "-lc", COMMAND]
            if kind == "array"
            else COMMAND
        )
    if name in {"prompt", "message", "task", "objective", "query", "request", "instructions"} and call == "agent":
        return CHILD
    if "enum" in schema:
        return next((one for one in _CHILD_TYPES if one in schema["enum"]), schema["enum"][0])
    if name in _CHILD_TYPE_NAMES:
        return child
    empty = {"boolean": False, "integer": 1, "number": 1, "array": [], "object": {}}
    return empty.get(kind, _TEXTS.get(name, "A small check"))
