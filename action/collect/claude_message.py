"""What a message of Anthropic's API and Claude Code's own sums say of usage, for the readers of its logs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from .calls import Call, Refused, count, label, mapping, text, word


def call_of(message: dict[str, object], at_us: int) -> Call:
    """A call from an API message. Refused without an id, an input and an output count."""
    if not isinstance(message.get("id"), str):
        raise Refused("id")
    usage = mapping(message.get("usage"))
    model = text(message.get("model"))
    call = Call(word(message["id"]), provider_of(model), model, at_us)
    call.input = count(usage, "input_tokens")
    call.output = count(usage, "output_tokens")
    call.reasoning = min(call.output, count(mapping(usage.get("output_tokens_details")), "thinking_tokens", 0))
    call.cache_read = count(usage, "cache_read_input_tokens", 0)
    split = mapping(usage.get("cache_creation"))
    call.cache_write_5m = count(split, "ephemeral_5m_input_tokens", 0)
    call.cache_write_1h = count(split, "ephemeral_1h_input_tokens", 0)
    written = count(usage, "cache_creation_input_tokens", 0)
    call.cache_write_other = max(0, written - call.cache_write_5m - call.cache_write_1h)
    call.searches = count(mapping(usage.get("server_tool_use")), "web_search_requests", 0)
    call.tier = label(usage.get("service_tier"))
    call.speed = label(usage.get("speed"))
    return call


@lru_cache(maxsize=100)
def provider_of(model: str) -> str:
    """Who serves a model, as far as its name alone tells: Bedrock and Vertex have their own forms of Claude's names."""
    if model.startswith("arn:aws") or re.match(r"([a-z]{2,6}\.)?anthropic\.", model):
        return "aws"
    if re.match(r"claude-[\w.-]+@", model):
        return "google"
    return "anthropic"


def tokens_of(usage: object) -> list[int]:
    """Input, cache reads, cache writes and output of a `modelUsage` object, over all its models."""
    names = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "outputTokens")
    models = [mapping(model) for model in mapping(usage).values()]
    return [sum(count(model, name, 0) for model in models) for name in names]


def tokens_of_calls(calls: Iterable[Call]) -> list[int]:
    """The same four sums over calls."""
    sums = [0, 0, 0, 0]
    for call in calls:
        written = call.cache_write_5m + call.cache_write_1h + call.cache_write_other
        for index, tokens in enumerate((call.input, call.cache_read, written, call.output)):
            sums[index] += tokens
    return sums
