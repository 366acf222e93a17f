"""Agent runs with each of their calls in a period, for what looks at calls one by one. Reads only."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from app.core.money import NanoUsd
from app.core.period import Period
from app.core.usage import ModelCall, Tokens
from app.store.keys import instant, us

AT_ONCE = 10_000  # rows held


def calls_by_run(
    session: Session, account_id: int, period: Period
) -> Iterator[tuple[str, list[tuple[ModelCall, NanoUsd | None]]]]:
    """Each agent run's id with its calls of a period in order of time, and what each cost; one run at a time."""
    bounds = {"account_id": account_id, "start": us(period.start), "end": us(period.end)}
    rows = session.connection().execution_options(yield_per=AT_ONCE).execute(CALLS, bounds)
    for agent_run_id, own in groupby(rows, key=lambda row: row[0]):
        yield str(agent_run_id), [_call(*row[1:]) for row in own]


def _call(
    provider: str, response_id: str, model: str, at_us: int, service_tier: str, speed: str, web_searches: int,
    subagent: bool, cost: NanoUsd | None, *tokens: int,
) -> tuple[ModelCall, NanoUsd | None]:  # fmt: skip
    used = Tokens(*tokens)
    at = instant(at_us)
    call = ModelCall(provider, response_id, model, at, used, service_tier, speed, web_searches, bool(subagent))
    return call, cost


def tool_calls_of(session: Session, account_id: int, period: Period) -> dict[str, tuple[int, int]]:
    """Tool calls and repeated ones of each agent run at work in a period whose log tells them, by id."""
    bounds = {"account_id": account_id, "start": us(period.start), "end": us(period.end)}
    found = {}
    for agent_run_id, shape in session.connection().execute(SHAPES, bounds):
        told: dict[str, Any] = json.loads(shape)
        if "tool_calls" in told and "repeated_requests" in told:
            found[str(agent_run_id)] = (sum(told["tool_calls"].values()), int(told["repeated_requests"]))
    return found


SHAPES = text("""
    SELECT id, shape FROM agent_run
    WHERE account_id = :account_id AND shape IS NOT NULL AND ended_at_us >= :start AND started_at_us < :end
""")
CALLS = text("""
    SELECT model_call.agent_run_id, provider, response_id, model, at_us, service_tier, speed, web_searches, subagent,
           model_call.cost_nano_usd, model_call.input_tokens, model_call.cache_read_tokens,
           model_call.cache_write_5m_tokens, model_call.cache_write_1h_tokens, model_call.cache_write_other_tokens,
           model_call.output_tokens, model_call.reasoning_tokens
    FROM agent_run JOIN model_call ON model_call.agent_run_id = agent_run.id
    WHERE agent_run.account_id = :account_id AND model_call.account_id = :account_id
        AND agent_run.ended_at_us >= :start AND agent_run.started_at_us < :end
        AND at_us >= :start AND at_us < :end
    ORDER BY model_call.agent_run_id, at_us, position
""")
