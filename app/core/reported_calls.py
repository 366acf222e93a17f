"""One model call of a report, as a checked value. Apart from the rest of a report, as a job prices its calls alone.

Needs nothing but Python: the Action's standalone mode reads its own record with it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.core.usage import ModelCall, Tokens


class ReportRefusedError(Exception):
    """The report says something impossible; `path` is where, as a JSON pointer, and `reason` one sentence."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def read_call(call: Mapping[str, Any], bounds: tuple[datetime, datetime], path: str, number: int) -> ModelCall:
    """The number-th call of the agent run at `path`, made within `bounds`; raises ReportRefusedError."""
    get = call.get
    output, reasoning = call["output_tokens"], get("reasoning_tokens", 0)
    if reasoning > output:
        raise ReportRefusedError(f"{path}/calls/{number}/reasoning_tokens", "Reasoning is a part of output, not more.")
    tokens = Tokens(
        get("input_tokens", 0),
        get("cache_read_tokens", 0),
        get("cache_write_5m_tokens", 0),
        get("cache_write_1h_tokens", 0),
        get("cache_write_other_tokens", 0),
        output,
        reasoning,
    )
    return ModelCall(
        call["provider"],
        call["id"],
        call["model"],
        instant(call["at"], bounds, path, "calls", number, "at"),
        tokens,
        get("service_tier", "standard"),
        get("speed", "standard"),
        get("web_searches", 0),
        get("subagent", False),
    )


def instant(text: str, bounds: tuple[datetime, datetime], *path: object) -> datetime:
    """An instant within bounds; raises ReportRefusedError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ReportRefusedError("/".join(map(str, path)), "There is no such instant.") from error
    if not bounds[0] <= at <= bounds[1]:
        raise ReportRefusedError("/".join(map(str, path)), "The instant is more than 400 days ago, or in the future.")
    return at
