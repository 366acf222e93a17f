"""Gemini CLI's telemetry. Read with version 0.61.0.

The log event `gemini_cli.api_response` is one response, of sub-agents and the model router too:

* `input_token_count` includes `cached_content_token_count` (cache reads). `tool_token_count` is input on top of it.
* `output_token_count` excludes `thoughts_token_count`, which is added to it: reasoning is a part of output here.
* The API's response id is not told, so that a retry of the exporter is known by its content alone.

The metric `gemini_cli.token.usage` counts the same tokens since the process began, by the same rules: a cross-check.
`gen_ai.*` logs, metrics and spans are the same data again, and hold prompts: ignored. `service.version` is that of
Node.js: ignored.
"""

from app.core.telemetry.fields import Fields, RefusedEventError, content_id, count, label, session_of
from app.core.telemetry.told import Told
from app.core.telemetry.usage_event import Count, UsageEvent
from app.core.usage import Tokens

AGENT = "gemini-cli"
EVENTS = ("gemini_cli.api_response",)
COUNTER = "gemini_cli.token.usage"
KEYS = (
    "session.id", "event.timestamp", "model", "role", "type", "input_token_count", "cached_content_token_count",
    "tool_token_count", "output_token_count", "thoughts_token_count",
)  # fmt: skip
_KINDS = {
    "input": ("prompt",),
    "tool": ("prompt",),
    "cache": ("cache_read",),
    "output": ("output",),
    "thought": ("output", "reasoning"),
}


def read(told: Told) -> UsageEvent:
    """One response."""
    fields = told.attributes
    session, model, tokens = session_of(fields, "session.id"), label(fields, "model"), _tokens(fields)
    when = fields.get("event.timestamp", told.at_us)
    return UsageEvent(
        session=session,
        version="",
        provider="google",
        response_id=content_id(AGENT, session, when, model, *tokens),
        model=model,
        at_us=told.at_us,
        tokens=tokens,
        subagent=fields.get("role") == "subagent",
    )


def read_count(told: Told) -> Count | None:
    fields = told.attributes
    kinds = _KINDS.get(label(fields, "type"))
    if kinds is None or "session.id" not in fields:
        return None
    return Count(session_of(fields, "session.id"), "", label(fields, "model"), kinds)


def _tokens(fields: Fields) -> Tokens:
    entered, cached = count(fields, "input_token_count"), count(fields, "cached_content_token_count", 0)
    if cached > entered:
        raise RefusedEventError("Cached tokens are a part of input, not more.")
    thoughts = count(fields, "thoughts_token_count", 0)
    return Tokens(
        input=entered - cached + count(fields, "tool_token_count", 0),
        cache_read=cached,
        output=count(fields, "output_token_count") + thoughts,
        reasoning=thoughts,
    )
