"""Claude Code's telemetry. Read with versions 2.1.197, 2.1.330 and 2.1.332.

The log event `api_request` (in the body, and in old versions in `event.name` too: `claude_code.api_request`) is one
response of the API, of sub-agents and side calls such as a title too:

* `input_tokens` excludes cache reads and cache writes. `output_tokens` includes thinking, which is not told apart.
* `cache_creation_tokens` is all cache writes; `cache_creation_5m_tokens` and `cache_creation_1h_tokens` split it. Old
  versions lack the split: then the writes have no known lifetime.
* `request_id` is the transcript's `requestId`. `cost_usd` is Claude Code's own estimate; `cost_usd_micros` rounds it.
* `query_source` begins with `agent:` for a sub-agent. `speed` is `normal` for the standard one.

The log events `user_prompt` and `tool_result` come before a request to the model. One that no response follows tells
that the process was killed while an answer was on its way.

The metric `claude_code.token.usage` counts the same tokens as deltas: a cross-check. `claude_code.cost.usage` and the
spans `claude_code.llm_request` repeat the events, `assistant_response` and others hold texts: all ignored.
"""

import re
from decimal import Decimal
from functools import lru_cache

from app.core.money import NanoUsd, nano_usd
from app.core.telemetry.fields import Fields, RefusedEventError, count, label, name, response_id, session_of
from app.core.telemetry.told import Told
from app.core.telemetry.usage_event import Count, UsageEvent
from app.core.usage import Tokens

AGENT = "claude-code"
EVENTS = ("api_request", "claude_code.api_request")
ASKS = ("user_prompt", "tool_result", "claude_code.user_prompt", "claude_code.tool_result")
COUNTER = "claude_code.token.usage"
KEYS = (
    "session.id", "app.version", "service.version", "event.timestamp", "model", "request_id", "speed", "query_source",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "cache_creation_5m_tokens",
    "cache_creation_1h_tokens", "cost_usd", "cost_usd_micros", "type",
)  # fmt: skip
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,25})?(e[+-]?[0-9]{1,2})?\Z")
_LARGEST_COST = 10**9  # in USD, as in a record
_SCOPE = "com.anthropic.claude_code"
_KINDS = {
    "input": ("input",),
    "output": ("output",),
    "cacheRead": ("cache_read",),
    "cacheCreation": ("cache_write",),
}


def read(told: Told) -> UsageEvent | None:
    """One response; None for another program's event that has the same short name."""
    if told.name == "api_request" and not told.scope.startswith(_SCOPE):
        return None
    fields = told.attributes
    session, model, tokens = session_of(fields, "session.id"), label(fields, "model"), _tokens(fields)
    when = fields.get("event.timestamp", told.at_us)
    speed = name(fields, "speed")
    return UsageEvent(
        session=session,
        version=_version(told),
        provider=provider_of(model),
        response_id=response_id(fields, "request_id", AGENT, session, when, model, *tokens),
        model=model,
        at_us=told.at_us,
        tokens=tokens,
        speed="standard" if speed in {"", "normal"} else speed,
        subagent=label(fields, "query_source").startswith("agent:"),
        reported_cost=_cost(fields),
    )


def asks(told: Told) -> str:
    """The session in which the model is asked now; empty for another program's event of that name."""
    if not told.scope.startswith(_SCOPE) or "session.id" not in told.attributes:
        return ""
    return session_of(told.attributes, "session.id")


def read_count(told: Told) -> Count | None:
    fields = told.attributes
    kinds = _KINDS.get(label(fields, "type"))
    if kinds is None or "session.id" not in fields:  # which a setting leaves out
        return None
    return Count(session_of(fields, "session.id"), _version(told), label(fields, "model"), kinds)


def _version(told: Told) -> str:
    return name(told.attributes, "app.version") or name(told.resource, "service.version")


def _tokens(fields: Fields) -> Tokens:
    written = count(fields, "cache_creation_tokens", 0)
    short = count(fields, "cache_creation_5m_tokens", 0)
    long = count(fields, "cache_creation_1h_tokens", 0)
    if short + long > written and "cache_creation_tokens" in fields:
        raise RefusedEventError("Cache writes by lifetime are more than all cache writes.")
    return Tokens(
        input=count(fields, "input_tokens"),
        cache_read=count(fields, "cache_read_tokens", 0),
        cache_write_5m=short,
        cache_write_1h=long,
        cache_write_other=max(0, written - short - long),
        output=count(fields, "output_tokens"),
    )


@lru_cache(maxsize=100)
def provider_of(model: str) -> str:
    """Who serves a model, as far as its name tells, by the rule of the Action's collector."""
    if model.startswith("arn:aws") or re.match(r"([a-z]{2,6}\.)?anthropic\.", model):
        return "aws"
    return "google" if re.match(r"claude-[\w.-]+@", model) else "anthropic"


def _cost(fields: Fields) -> NanoUsd | None:
    """The exact figure, else the rounded one, as a number or a text; None for what is no amount."""
    for key, unit in (("cost_usd", Decimal(1)), ("cost_usd_micros", Decimal("0.000001"))):
        value = fields.get(key)
        if isinstance(value, bool) or value is None or not _AMOUNT.match(str(value)):
            continue
        amount = Decimal(str(value)) * unit
        if 0 <= amount < _LARGEST_COST:
            return nano_usd(amount)
    return None
