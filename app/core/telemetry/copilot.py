"""GitHub Copilot CLI's telemetry. Read with version 1.0.102, served by other providers than Copilot's own.

A span `chat <model>` is one response, of sub-agents too:

* `gen_ai.usage.input_tokens` includes `….cache_read.input_tokens` and `….cache_write.input_tokens`
  (`cache_creation` in earlier versions); both are taken out. The lifetime of a cache write is not told.
* `gen_ai.usage.output_tokens` includes `….reasoning.output_tokens`.
* `gen_ai.response.id` is the event log's `accounting.usageId`, `gen_ai.conversation.id` the session.
* `github.copilot.initiator` is `sub-agent` for a sub-agent. `github.copilot.cost` counts credits, not money: ignored.

Spans `invoke_agent` repeat the sums of the chats below them, metrics `gen_ai.*` name no session: ignored. So are all
spans of anything else than Copilot CLI: other programs use the same names, and may be agents that report already.
"""

import re

from app.core.telemetry.fields import Fields, RefusedEventError, count, label, name, response_id, session_of
from app.core.telemetry.told import Told
from app.core.telemetry.usage_event import UsageEvent
from app.core.usage import Tokens

AGENT = "copilot-cli"
BEGINNING = "chat "
_USAGE = "gen_ai.usage."
_INPUT, _OUTPUT = f"{_USAGE}input_tokens", f"{_USAGE}output_tokens"
_READ, _REASONING = f"{_USAGE}cache_read.input_tokens", f"{_USAGE}reasoning.output_tokens"
_WRITTEN, _CREATED = f"{_USAGE}cache_write.input_tokens", f"{_USAGE}cache_creation.input_tokens"
KEYS = (
    "service.name", "service.version", "gen_ai.conversation.id", "gen_ai.response.id", "gen_ai.response.model",
    "gen_ai.request.model", "gen_ai.provider.name", "github.copilot.initiator",
    _INPUT, _OUTPUT, _READ, _REASONING, _WRITTEN, _CREATED,
)  # fmt: skip
_OWN = {"", "github", "github-copilot", "github_copilot", "copilot"}
_IDS = {"azure": "azure", "azure.ai.openai": "azure", "azure.ai.inference": "azure"}
_MAKERS = (
    (re.compile(r"claude[-.\d]", re.IGNORECASE), "anthropic"),
    (re.compile(r"(gpt|chatgpt|codex|o[1-9])([-.\d]|$)", re.IGNORECASE), "openai"),
    (re.compile(r"gemini[-.\d]", re.IGNORECASE), "google"),
)


def read(told: Told) -> UsageEvent | None:
    """One response; None for a span that is not Copilot CLI's, or that has no usage because the request failed."""
    fields = told.attributes
    if told.resource.get("service.name") != "github-copilot" and told.scope != "github.copilot":
        return None
    if _INPUT not in fields and _OUTPUT not in fields:
        return None
    session, tokens = session_of(fields, "gen_ai.conversation.id"), _tokens(fields)
    model = label(fields, "gen_ai.response.model") or label(fields, "gen_ai.request.model")
    return UsageEvent(
        session=session,
        version=name(told.resource, "service.version"),
        provider=provider_of(name(fields, "gen_ai.provider.name"), model),
        response_id=response_id(fields, "gen_ai.response.id", AGENT, session, told.at_us, model, *tokens),
        model=model,
        at_us=told.at_us,
        tokens=tokens,
        subagent=fields.get("github.copilot.initiator") == "sub-agent",
    )


def provider_of(told: str, model: str) -> str:
    """Copilot, or who was set up instead: `openai` is any API that is compatible, there the model tells its maker."""
    if told.lower() in _OWN:
        return "github-copilot"
    if told.lower() != "openai":
        return _IDS.get(told.lower(), told)
    return next((maker for pattern, maker in _MAKERS if pattern.match(model)), told)


def _tokens(fields: Fields) -> Tokens:
    entered, cached = count(fields, _INPUT), count(fields, _READ, 0)
    written = count(fields, _WRITTEN if _WRITTEN in fields else _CREATED, 0)
    if cached + written > entered:
        raise RefusedEventError("Cached tokens are a part of input, not more.")
    return Tokens(
        input=entered - cached - written,
        cache_read=cached,
        cache_write_other=written,
        output=count(fields, _OUTPUT),
        reasoning=count(fields, _REASONING, 0),
    )
