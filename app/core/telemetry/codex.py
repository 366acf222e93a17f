"""OpenAI Codex's telemetry. Read with version 0.169.0. Some counts are texts, some are numbers.

The log event `codex.sse_event` with `event.kind` `response.completed` comes twice for each response: once when it is
received, and once with the usage, which alone has `input_token_count` and counts.

* `input_token_count` includes `cached_token_count` (cache reads) and `cache_write_token_count`; both are taken out.
  The lifetime of a cache write is not told.
* `output_token_count` includes `reasoning_token_count`. `tool_token_count` is the total in spite of its name: ignored.
* `conversation.id` is the session, a sub-agent's its own. No event says that it is one of a sub-agent.
* The API's response id is not told, so that a retry of the exporter is known by its content alone. Nor is who serves
  the model: OpenAI is taken, as for a rollout that names no provider.

The metric `codex.turn.token_usage` names no session, and its types overlap: ignored. Events of tools hold commands and
their output, traces hold everything: ignored.
"""

from app.core.telemetry.fields import Fields, RefusedEventError, content_id, count, label, name, session_of
from app.core.telemetry.told import Told
from app.core.telemetry.usage_event import UsageEvent
from app.core.usage import Tokens

AGENT = "codex"
EVENTS = ("codex.sse_event",)
KEYS = (
    "conversation.id", "app.version", "service.version", "event.timestamp", "event.kind", "model",
    "input_token_count", "cached_token_count", "cache_write_token_count", "output_token_count",
    "reasoning_token_count",
)  # fmt: skip


def read(told: Told) -> UsageEvent | None:
    """One response; None for all other events of its stream."""
    fields = told.attributes
    if fields.get("event.kind") != "response.completed" or "input_token_count" not in fields:
        return None
    session, model, tokens = session_of(fields, "conversation.id"), label(fields, "model"), _tokens(fields)
    when = fields.get("event.timestamp", told.at_us)
    return UsageEvent(
        session=session,
        version=name(fields, "app.version") or name(told.resource, "service.version"),
        provider="openai",
        response_id=content_id(AGENT, session, when, model, *tokens),
        model=model,
        at_us=told.at_us,
        tokens=tokens,
    )


def _tokens(fields: Fields) -> Tokens:
    entered, produced = count(fields, "input_token_count"), count(fields, "output_token_count")
    cached, written = count(fields, "cached_token_count", 0), count(fields, "cache_write_token_count", 0)
    if cached + written > entered:
        raise RefusedEventError("Cached tokens are a part of input, not more.")
    return Tokens(
        input=entered - cached - written,
        cache_read=cached,
        cache_write_other=written,
        output=produced,
        reasoning=count(fields, "reasoning_token_count", 0),
    )
