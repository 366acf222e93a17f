"""Qwen Code's telemetry, by the same rules as its chats. Read with version 0.15.10, its chats also with 0.24.4.

The log event `qwen-code.api_response` is one response, of sub-agents too:

* `input_token_count` includes `cached_content_token_count` (cache reads).
* `output_token_count` includes `thoughts_token_count`, unlike Gemini CLI's, which Qwen Code came from; but not with
  Google's own API, where `total_token_count` shows that thoughts came on top.
* With Anthropic's API, cache writes stand in the input or nowhere: these sessions may have cost more.
* `response_id` is the API's id, the same as in the chat. `event.timestamp` is some milliseconds later than there.
* `auth_type` is the API that was spoken; for an `openai` one the model's name tells its vendor.

The metric `qwen-code.token.usage` counts the same tokens since the process began: a cross-check, where it names its
session. `response_text`, prompts and spans: ignored.
"""

import re

from app.core.telemetry.fields import (
    Fields,
    RefusedEventError,
    count,
    label,
    name,
    response_id,
    session_of,
)
from app.core.telemetry.told import Scalar, Told
from app.core.telemetry.usage_event import Count, UsageEvent
from app.core.usage import Tokens

AGENT = "qwen-code"
EVENTS = ("qwen-code.api_response",)
COUNTER = "qwen-code.token.usage"
NO_CACHE_WRITES = "Qwen Code does not tell Anthropic's cache writes apart"
KEYS = (
    "session.id", "service.version", "event.timestamp", "model", "auth_type", "prompt_id", "response_id", "type",
    "subagent_name", "subagent_id", "input_token_count", "cached_content_token_count", "output_token_count",
    "thoughts_token_count", "total_token_count",
)  # fmt: skip
_KINDS = {
    "input": ("prompt",),
    "cache": ("cache_read",),
    "output": ("output",),
    "thought": ("reasoning",),
}
_VENDORS = (
    ("google", re.compile(r"gemini|gemma")), ("anthropic", re.compile(r"claude")), ("x-ai", re.compile(r"grok")),
    ("openai", re.compile(r"(gpt|chatgpt|codex)\b|o[1-9]\b")), ("deepseek", re.compile(r"deepseek")),
    ("zhipuai", re.compile(r"glm")), ("moonshotai", re.compile(r"kimi|moonshot")), ("minimax", re.compile(r"minimax")),
    ("mistral", re.compile(r"(mi|code|dev|magi|mini)stral")), ("alibaba", re.compile(r"qwen|qwq|qvq|coder-model")),
)  # fmt: skip
_SPOKEN = {"gemini": "google", "vertex-ai": "google", "anthropic": "anthropic", "qwen-oauth": "alibaba"}


def read(told: Told) -> UsageEvent:
    """One response."""
    fields = told.attributes
    model, tokens, prompt = label(fields, "model"), _tokens(fields), label(fields, "prompt_id", 512)
    session, when = session_of(fields, "session.id"), fields.get("event.timestamp", told.at_us)
    return UsageEvent(
        session=session,
        version=_version(told),
        provider=provider_of(fields.get("auth_type"), model),
        response_id=response_id(fields, "response_id", AGENT, session, when, model, *tokens),
        model=model,
        at_us=told.at_us,
        tokens=tokens,
        subagent=_is_of_subagent(fields, prompt),
        doubts=(NO_CACHE_WRITES,) if fields.get("auth_type") == "anthropic" else (),
    )


def read_count(told: Told) -> Count | None:
    fields = told.attributes
    kinds = _KINDS.get(label(fields, "type"))
    if kinds is None or "session.id" not in fields:
        return None
    return Count(session_of(fields, "session.id"), _version(told), label(fields, "model"), kinds)


def _version(told: Told) -> str:
    """Qwen Code's own; earlier versions told that of Node.js."""
    version = name(told.resource, "service.version")
    return "" if version.startswith("v") else version


def _is_of_subagent(fields: Fields, prompt: str) -> bool:
    """As told, or as the prompt's id shows: a session's own has `########` and a number behind the session's id."""
    rest = prompt.partition("#")[2]
    return bool(fields.get("subagent_name") or fields.get("subagent_id")) or ("#" in rest and rest[0] != "#")


def _tokens(fields: Fields) -> Tokens:
    entered, cached = count(fields, "input_token_count", 0), count(fields, "cached_content_token_count", 0)
    produced, thoughts = count(fields, "output_token_count", 0), count(fields, "thoughts_token_count", 0)
    if count(fields, "total_token_count", 0) == entered + produced + thoughts:
        produced += thoughts
    if cached > entered:
        raise RefusedEventError("Cached tokens are a part of input, not more.")
    return Tokens(input=entered - cached, cache_read=cached, output=produced, reasoning=thoughts)


def provider_of(spoken: Scalar | None, model: str) -> str:
    """Who serves the model, by the rule of the Action's collector."""
    if isinstance(spoken, str) and spoken in _SPOKEN:
        return _SPOKEN[spoken]
    lowered = "" if "/" in model else model.lower()
    return next((vendor for vendor, pattern in _VENDORS if pattern.match(lowered)), "openai-compatible")
