"""How values look in JSON, where several answers have them. Money is exact twice: an integer and a decimal string.

What nobody knows is null, never 0. Each function's answer is the schema of its name in `schemas`.
"""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from app.core.known import Known
from app.core.money import NanoUsd
from app.core.month import Month
from app.core.report.shares import decimal_usd
from app.core.report.words import evidence_text
from app.core.usage import Tokens
from app.store.keys import instant
from app.store.tables import AgentRun, Repository, Tie

Json = dict[str, Any]
NO_REPOSITORY = 0


def money(amount: NanoUsd | None, known: bool = True) -> Json | None:
    """An amount; None for None, and for a 0 that nobody knows."""
    if amount is None or not (amount or known):
        return None
    return {"nano_usd": amount, "usd": decimal_usd(amount)}


def by_month(amounts: dict[Month, NanoUsd]) -> list[Json]:
    return [
        {"month": str(month), "cost": money(amount), "_links": {"month": link(f"/v1/months/{month}")}}
        for month, amount in sorted(amounts.items())
    ]


def at(instant_us: int | None) -> str | None:
    return None if instant_us is None else stamp(instant(instant_us))


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def tokens(used: Tokens) -> Json:
    return used._asdict()


def tokens_of_run(run: AgentRun) -> Json:
    return {name: getattr(run, f"{name}_tokens") for name in Tokens._fields}


def completeness(known: Known) -> Json:
    return {
        "complete": known.complete,
        "agent_runs": known.agent_runs,
        "incomplete_agent_runs": known.incomplete,
        "model_calls": known.model_calls,
        "unpriced_calls": known.unpriced_calls,
    }


def repository(repository_id: int, row: Repository | None) -> Json:
    return {
        "id": repository_id,
        "name": f"{row.owner}/{row.name}" if row else None,
        "visibility": row.visibility if row else None,
    }


def agent_run(run: AgentRun) -> Json:
    """An agent run in a list."""
    known = Known.of(run)
    return {
        "id": run.id,
        "agent": run.agent,
        "models": list(json.loads(run.models)),
        "purpose": run.purpose,
        "team": run.team or None,
        "provenance": run.provenance,
        "started_at": at(run.started_at_us),
        "cost": money(NanoUsd(run.cost_nano_usd), known.cost_known),
        "completeness": {**completeness(known), "record": run.completeness, "reason": run.completeness_reason or None},
        "_links": {"self": link(f"/v1/agent-runs/{run.id}"), "calls": link(f"/v1/agent-runs/{run.id}/calls")},
    }


def evidence(tie: Tie | None) -> Json | None:
    if tie is None:
        return None
    label, meaning = evidence_text(tie.evidence)
    return {"level": tie.evidence, "label": label, "meaning": meaning, "note": tie.note}


def link(path: str, **query: object) -> Json:
    sent = {name: value for name, value in query.items() if value is not None}
    return {"href": f"{path}?{urlencode(sent)}" if sent else path}


def next_link(cursor: str | None, path: str, **query: object) -> Json | None:
    return None if cursor is None else link(path, **query, cursor=cursor)
