"""The stand-in API by itself: it charges what its answers tell, follows its script, and fails where it should."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.clients.script import CANARIES
from tests.clients.stand_in import StandIn

TOOL = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
ASK = "Please check SCN:basic"
CHAT_TOOL = {"type": "function", "function": {"name": "bash", "parameters": TOOL}}
REQUESTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "anthropic": (
        "/v1/messages",
        {"messages": [{"role": "user", "content": ASK}], "tools": [{"name": "Bash", "input_schema": TOOL}]},
    ),
    "responses": (
        "/v1/responses",
        {"input": [{"role": "user", "content": ASK}], "tools": [{"name": "bash", "parameters": TOOL}]},
    ),
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": ASK}], "tools": [CHAT_TOOL]}),
    "gemini": (
        "/v1beta/models/a-model:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": ASK}]}],
            "tools": [{"functionDeclarations": [{"name": "run_shell_command", "parameters": TOOL}]}],
        },
    ),
}


def ask(api: StandIn, dialect: str, *, stream: bool = False, scenario: str = "basic") -> str:
    """The text of an answer."""
    path, body = REQUESTS[dialect]
    if stream and dialect == "gemini":
        path = path.replace("generateContent", "streamGenerateContent") + "?alt=sse"
    text = json.dumps({"model": "a-model", "stream": stream, **body}).replace("SCN:basic", f"SCN:{scenario}")
    with urlopen(Request(api.url + path, text.encode(), {"Content-Type": "application/json"}), timeout=20) as answer:
        return str(answer.read().decode())


def numbers(answer: str) -> set[int]:
    """Every number of an answer: its JSON, or that of its events."""
    texts = [line[6:] for line in answer.splitlines() if line.startswith("data: {")] or [answer]
    found: set[int] = set()

    def walk(node: Any) -> None:
        if isinstance(node, dict | list):
            for inner in node.values() if isinstance(node, dict) else node:
                walk(inner)
        elif isinstance(node, int):
            found.add(node)

    for text in texts:
        walk(json.loads(text))
    return found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", REQUESTS)
def test_an_answer_tells_what_is_charged_for_it_and_calls_the_tool(dialect: str, stream: bool) -> None:
    with StandIn() as api:
        answer = ask(api, dialect, stream=stream)
        (one,) = api.served
    told = numbers(answer)
    assert {one.tokens.cache_read, one.tokens.output - (one.tokens.reasoning if dialect == "gemini" else 0)} <= told
    assert (one.tokens.input if dialect == "anthropic" else one.tokens.prompt) in told
    assert CANARIES["file"] in answer
    assert (one.kind, one.turn, one.model) == ("main", 0, "a-model")


def test_a_request_without_tools_is_a_side_call() -> None:
    with StandIn() as api:
        body = json.dumps({"model": "a-model", "messages": [{"role": "user", "content": ASK}]}).encode()
        urlopen(Request(f"{api.url}/v1/messages", body), timeout=20).close()
        assert [one.kind for one in api.served] == ["side"]


@pytest.mark.parametrize("dialect", REQUESTS)
def test_an_error_is_answered_after_the_first_answer_and_charged_for_nothing(dialect: str) -> None:
    with StandIn() as api:
        ask(api, dialect, scenario="retry")
        for _ in range(2):
            with pytest.raises(HTTPError, match=r"529|503") as refused:
                ask(api, dialect, scenario="retry")
            refused.value.close()
        ask(api, dialect, scenario="retry")
        assert len(api.served) == 2
        assert len(api.failed) == 2


def test_the_answer_in_flight_raises_the_flag_and_never_ends(tmp_path: Path) -> None:
    flag = tmp_path / "in-flight"
    with StandIn(flag=flag) as api:
        history = [{"role": "user", "content": "SCN:kill"}]
        for turn in range(2):
            call = {"type": "tool_use", "id": f"t{turn}", "name": "Bash", "input": {}}
            history += [{"role": "assistant", "content": [call]}, {"role": "user", "content": "done"}]  # type: ignore[dict-item]
        path, body = REQUESTS["anthropic"]
        text = json.dumps({"model": "a-model", "stream": True, **body, "messages": history})
        with urlopen(Request(api.url + path, text.encode()), timeout=20) as answer:
            begun = [answer.readline() for _ in range(6)]  # two events
            deadline = time.monotonic() + 10
            while not flag.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
        assert b"event: message_start\n" in begun
        assert [one.whole for one in api.served] == [False]
        assert flag.exists()
