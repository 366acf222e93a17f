"""How each model API is spoken: what a request asks, and the events of an answer."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.clients.script import Turn, fill
from tests.clients.truth import Tokens

Event = tuple[str, dict[str, Any]]  # the event's name, or "" where an API names none, and its data
_SCENARIO = re.compile(r"SCN:(\w+)")
SHELLS = (
    "Bash",
    "exec_command",
    "shell_command",
    "shell",
    "run_shell_command",
    "bash",
    "execute_command",
    "run_commands",
)
FINISH = "complete_task"  # how a sub-agent of Gemini CLI ends
AGENTS = (
    "Agent",
    "Task",
    "spawn_agent",
    "agent",
    "task",
    "invoke_agent",
    "generalist",
    "start_subagent",
    "use_subagents",
)


@dataclass(frozen=True)
class Asked:
    """A request. `turn` counts the answers since the prompt that named the scenario. `tools`: name to JSON schema."""

    model: str
    stream: bool
    scenario: str
    turn: int
    tools: Mapping[str, Mapping[str, Any]]
    shape: Mapping[str, Any] | None = None  # of the JSON that the answer has to be

    @property
    def kind(self) -> str:
        if not self.tools:
            return "side"
        return "child" if self.scenario == "child" else "main"


@dataclass(frozen=True)
class Answer:
    """What goes out: one text, tool calls (id, name, arguments), and what it cost."""

    response_id: str
    model: str
    text: str
    calls: Sequence[tuple[str, str, Mapping[str, Any]]]
    tokens: Tokens


def answer(asked: Asked, turn: Turn, response_id: str, tokens: Tokens, child: str) -> Answer:
    """The turn of the script in terms of the tools that the client offers."""
    if asked.kind == "side":
        text = json.dumps(fill(asked.shape, "")) if asked.shape else "A small check"
        return Answer(response_id, asked.model, text, (), tokens)
    calls = []
    if not turn.calls and FINISH in asked.tools:
        calls.append((f"call_t{asked.turn}_9_{response_id[-12:]}", FINISH, fill(asked.tools[FINISH], "")))
    for place, call in enumerate(turn.calls):
        known = SHELLS if call == "shell" else AGENTS
        name = next((one for one in known if one in asked.tools), "")
        if name:
            made = fill(asked.tools[name], call, child)
            calls.append((f"call_t{asked.turn}_{place}_{response_id[-12:]}", name, made))
    return Answer(response_id, asked.model, turn.text, calls, tokens)


def _scenario(texts: Sequence[str]) -> tuple[int, str]:
    """(place, scenario) of the last text that names one."""
    for place in range(len(texts) - 1, -1, -1):
        if found := _SCENARIO.findall(texts[place]):
            return place, found[-1]
    return -1, ""


def _flat(content: Any) -> str:
    """The text parts of a message's content."""
    if isinstance(content, str):
        return content
    parts = [part for part in content or [] if isinstance(part, Mapping)]
    return "\n".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))


# ---- Anthropic's Messages ------------------------------------------------------------------------------------------


def asked_anthropic(body: Mapping[str, Any]) -> Asked:
    messages = body["messages"]
    place, scenario = _scenario([_flat(one["content"]) if one["role"] == "user" else "" for one in messages])
    turn = sum(one["role"] == "assistant" and "tool_use" in json.dumps(one["content"]) for one in messages[place + 1 :])
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", []) if "input_schema" in tool}
    shape = ((body.get("output_config") or {}).get("format") or body.get("output_format") or {}).get("schema")
    return Asked(body["model"], bool(body.get("stream")), scenario, turn, tools, shape)


def anthropic_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write_5m + tokens.cache_write_1h,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": tokens.output,
        "service_tier": "standard",
    }


def _anthropic_blocks(made: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": made.text}]
    return blocks + [
        {"type": "tool_use", "id": f"toolu_{call_id}", "name": name, "input": dict(arguments)}
        for call_id, name, arguments in made.calls
    ]


def whole_anthropic(made: Answer) -> dict[str, Any]:
    return {
        "id": made.response_id, "type": "message", "role": "assistant", "model": made.model,
        "content": _anthropic_blocks(made), "stop_reason": "tool_use" if made.calls else "end_turn",
        "stop_sequence": None, "usage": anthropic_usage(made.tokens),
    }  # fmt: skip


def stream_anthropic(made: Answer) -> Iterator[Event]:
    message = whole_anthropic(made)
    usage = message["usage"] | {"output_tokens": 3}  # what has been written when the message starts
    start = message | {"content": [], "stop_reason": None, "usage": usage}
    yield "message_start", {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        empty: dict[str, Any] = {"text": ""} if block["type"] == "text" else {"input": {}}
        opened = block | empty
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": opened}
        if block["type"] == "text":
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": made.tokens.output}}
    yield "message_stop", {"type": "message_stop"}


# ---- OpenAI's Responses --------------------------------------------------------------------------------------------


def asked_responses(body: Mapping[str, Any]) -> Asked:
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    place, scenario = _scenario([_flat(one.get("content")) if one.get("role") == "user" else "" for one in items])
    ids = re.findall(r"call_t(\d+)_", json.dumps([one.get("call_id") for one in items[place + 1 :]]))
    tools = {}
    for tool in body.get("tools") or []:
        for one in tool.get("tools", [tool]):
            tools[one.get("name", "")] = one.get("parameters") or {}
    namespaces = {
        one["name"]: tool["name"] for tool in body.get("tools") or [] for one in tool.get("tools", []) if "name" in one
    }
    shape = ((body.get("text") or {}).get("format") or {}).get("schema")
    turn = 1 + max(map(int, ids)) if ids else 0
    marked = {name: {**schema, "namespace": namespaces.get(name)} for name, schema in tools.items()}
    return Asked(body["model"], bool(body.get("stream")), scenario, turn, marked, shape)


def _responses_items(made: Answer, namespaces: Mapping[str, str | None]) -> list[dict[str, Any]]:
    end = made.response_id[-16:]
    items: list[dict[str, Any]] = [
        {"type": "reasoning", "id": f"rs_{end}", "summary": [{"type": "summary_text", "text": "Thinking."}]},
        {
            "type": "message", "id": f"msg_{end}", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": made.text, "annotations": []}],
        },
    ]  # fmt: skip
    for place, (call_id, name, arguments) in enumerate(made.calls):
        call = {"type": "function_call", "id": f"fc_{place}{end}", "status": "completed", "call_id": call_id}
        space = {"namespace": namespaces[name]} if namespaces.get(name) else {}
        items.append({**call, "name": name, "arguments": json.dumps(arguments), **space})
    return items


def whole_responses(made: Answer, namespaces: Mapping[str, str | None]) -> dict[str, Any]:
    tokens = made.tokens
    details = {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write_other}
    usage = {
        "input_tokens": tokens.prompt, "input_tokens_details": details, "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning}, "total_tokens": tokens.prompt + tokens.output,
    }  # fmt: skip
    return {
        "id": made.response_id, "object": "response", "created_at": 1795000000, "status": "completed",
        "model": made.model, "output": _responses_items(made, namespaces), "usage": usage, "error": None,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {},
    }  # fmt: skip


def stream_responses(made: Answer, namespaces: Mapping[str, str | None]) -> Iterator[Event]:
    whole = whole_responses(made, namespaces)
    started = whole | {"status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": started})]
    for index, item in enumerate(whole["output"]):
        opened = item | ({"content": []} if item["type"] == "message" else {})
        opened |= {"arguments": ""} if item["type"] == "function_call" else {}
        events.append(("response.output_item.added", {"output_index": index, "item": opened}))
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part = {"type": "output_text", "text": "", "annotations": []}
            events.append(("response.content_part.added", {**where, "content_index": 0, "part": part}))
            events.append(("response.output_text.delta", {**where, "content_index": 0, "delta": made.text}))
            events.append(("response.output_text.done", {**where, "content_index": 0, "text": made.text}))
        if item["type"] == "function_call":
            events.append(("response.function_call_arguments.delta", {**where, "delta": item["arguments"]}))
            events.append(("response.function_call_arguments.done", {**where, "arguments": item["arguments"]}))
        events.append(("response.output_item.done", {"output_index": index, "item": item}))
    events.append(("response.completed", {"response": whole}))
    for number, (name, data) in enumerate(events):
        yield name, {"type": name, "sequence_number": number, **data}


# ---- OpenAI's Chat Completions -------------------------------------------------------------------------------------


def asked_chat(body: Mapping[str, Any]) -> Asked:
    messages = body["messages"]
    place, scenario = _scenario([_flat(one.get("content")) if one["role"] == "user" else "" for one in messages])
    turn = sum(bool(one.get("tool_calls")) for one in messages[place + 1 :])
    tools = {one["function"]["name"]: one["function"].get("parameters") or {} for one in body.get("tools") or []}
    shape = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return Asked(body["model"], bool(body.get("stream")), scenario, turn, tools, shape)


def _chat_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "prompt_tokens": tokens.prompt, "completion_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cache_read},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }  # fmt: skip


def _chat_message(made: Answer) -> dict[str, Any]:
    calls = [
        {"id": call_id, "index": place, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for place, (call_id, name, given) in enumerate(made.calls)
    ]
    return {"role": "assistant", "content": made.text, **({"tool_calls": calls} if calls else {})}


def whole_chat(made: Answer) -> dict[str, Any]:
    choice = {"index": 0, "message": _chat_message(made), "finish_reason": "tool_calls" if made.calls else "stop"}
    head = {"id": made.response_id, "object": "chat.completion", "created": 1795000000, "model": made.model}
    return {**head, "choices": [choice], "usage": _chat_usage(made.tokens)}


def stream_chat(made: Answer) -> Iterator[Event]:
    head = {"id": made.response_id, "object": "chat.completion.chunk", "created": 1795000000, "model": made.model}
    message = _chat_message(made)
    parts = [{"role": "assistant", "content": made.text}]
    parts += [{"tool_calls": message["tool_calls"]}] if made.calls else []
    for part in parts:
        yield "", {**head, "choices": [{"index": 0, "delta": part, "finish_reason": None}]}
    ended = "tool_calls" if made.calls else "stop"
    yield "", {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": ended}]}
    yield "", {**head, "choices": [], "usage": _chat_usage(made.tokens)}


# ---- Gemini's generateContent --------------------------------------------------------------------------------------


def asked_gemini(body: Mapping[str, Any], model: str, stream: bool) -> Asked:
    contents = body["contents"]
    place, scenario = _scenario([_flat(one.get("parts")) if one.get("role") == "user" else "" for one in contents])
    turn = sum("functionResponse" in json.dumps(one.get("parts")) for one in contents[place + 1 :])
    tools = {}
    for group in body.get("tools") or []:
        for one in group.get("functionDeclarations") or []:
            tools[one["name"]] = one.get("parametersJsonSchema") or one.get("parameters") or {}
    settings = body.get("generationConfig") or {}
    shape = settings.get("responseJsonSchema") or settings.get("responseSchema")
    return Asked(model, stream, scenario, turn, tools, shape)


def whole_gemini(made: Answer) -> dict[str, Any]:
    tokens = made.tokens
    parts: list[dict[str, Any]] = [{"text": made.text}]
    parts += [{"functionCall": {"name": name, "args": dict(given)}} for _, name, given in made.calls]
    usage = {
        "promptTokenCount": tokens.prompt, "candidatesTokenCount": tokens.output - tokens.reasoning,
        "cachedContentTokenCount": tokens.cache_read, "thoughtsTokenCount": tokens.reasoning,
        "totalTokenCount": tokens.prompt + tokens.output,
    }  # fmt: skip
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {
        "candidates": [candidate], "usageMetadata": usage, "modelVersion": made.model, "responseId": made.response_id
    }  # fmt: skip


def stream_gemini(made: Answer) -> Iterator[Event]:
    whole = whole_gemini(made)
    content = whole["candidates"][0]["content"]
    first = {"content": {**content, "parts": content["parts"][:1]}, "index": 0}
    yield "", {**whole, "candidates": [first], "usageMetadata": {"promptTokenCount": made.tokens.prompt}}
    rest = {**whole["candidates"][0], "content": {**content, "parts": content["parts"][1:] or [{"text": " "}]}}
    yield "", {**whole, "candidates": [rest]}
