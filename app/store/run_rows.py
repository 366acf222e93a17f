"""Rows of agent runs and model calls, from what was reported, signed and counted. Writes nothing."""

import json
from hashlib import sha256
from typing import Any

from app.core.facts import AgentRunKey
from app.core.money import NanoUsd
from app.core.reported import JobReport, ReportedRun
from app.core.tally import Tally
from app.core.usage import Completeness, ModelCall, Provenance
from app.store.keys import new_key, us
from app.store.tables import WorkflowJob

MISSING_AGENT = "unknown"
NEVER_CLOSED = "The job began and its closing record never came."
# No evidence was looked for yet.
UNPLACED = {"revisions": 0, "pulls_named": "{}", "evidence": "", "evidence_note": "", "tied_pulls": "[]"}
CALL_COLUMNS = (
    "agent_run_id", "position", "account_id", "identity", "provider", "response_id", "model", "at_us", "input_tokens",
    "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens",
    "output_tokens", "reasoning_tokens", "web_searches", "service_tier", "speed", "subagent", "cost_nano_usd",
    "list_cost_nano_usd", "price_list",
)  # fmt: skip


def call_row(
    agent_run_id: str,
    position: int,
    account_id: int,
    call: ModelCall,
    costs: tuple[NanoUsd | None, NanoUsd | None, str],
) -> tuple[Any, ...]:
    """A model call in the order of CALL_COLUMNS."""
    provider, response_id, model, at, tokens, service_tier, speed, web_searches, subagent = call
    identity = call_identity(account_id, provider, response_id)
    who = agent_run_id, position, account_id, identity, provider, response_id, model, us(at)
    return *who, *tokens, web_searches, service_tier, speed, subagent, *costs


def call_identity(account_id: int, provider: str, response_id: str) -> bytes:
    """What makes a model call count once in an account: 16 bytes of a hash. The texts would make the index, in which
    each call lies on another page, three times as large, and records a third slower (bench/record.py).
    """
    return sha256(f"{account_id}\0{provider}\0{response_id}".encode()).digest()[:16]


def agent_run_row(
    key: AgentRunKey, job_id: str, record_id: str, report: JobReport, run: ReportedRun, counted: Tally, price_list: str
) -> dict[str, Any]:
    """An agent run with what its counted calls add up to; the others of its calls were counted elsewhere."""
    at = [call.at for call in run.calls] or [report.started_at]
    return {
        **UNPLACED,
        "id": key.agent_run_id,
        "account_id": key.account_id,
        "repository_id": key.repository_id,
        "workflow_job_id": job_id,
        "record_id": record_id,
        "agent": run.agent,
        "agent_version": run.agent_version,
        "provenance": (Provenance.RELAYED if report.relayed else Provenance.JOB).value,
        "session": run.session,
        "team": report.team,
        "purpose": report.purpose.value,
        "labels": json.dumps(report.labels, sort_keys=True),
        "completeness": run.completeness.value,
        "completeness_reason": run.completeness_reason,
        "started_at_us": us(min(at)),
        "ended_at_us": us(max(at)),
        "model_calls": counted.calls,
        "calls_counted_elsewhere": len(run.calls) - counted.calls,
        "unpriced_calls": counted.unpriced_calls,
        "models": json.dumps(counted.models),
        "input_tokens": counted.tokens.input,
        "cache_read_tokens": counted.tokens.cache_read,
        "cache_write_5m_tokens": counted.tokens.cache_write_5m,
        "cache_write_1h_tokens": counted.tokens.cache_write_1h,
        "cache_write_other_tokens": counted.tokens.cache_write_other,
        "output_tokens": counted.tokens.output,
        "reasoning_tokens": counted.tokens.reasoning,
        "cost_nano_usd": counted.cost,
        "list_cost_nano_usd": counted.list_cost,
        "unlisted_calls": counted.unlisted_calls,
        "reported_cost_nano_usd": run.reported_cost,
        "price_list": price_list,
        "body_sha256": run.body_sha256,
        "shape": None if run.shape is None else json.dumps(run.shape, sort_keys=True),
        **({"pulls_named": json.dumps(run.named)} if run.named else {}),
    }


def missing_session(job_id: str) -> str:
    """The session that stands for whatever ran in a job that never closed its record."""
    return f"missing:{job_id}"


def stand_in_row(job: WorkflowJob, record_id: str, tags: dict[str, Any], price_list: str) -> dict[str, Any]:
    """What stands where a job's closing record is missing: no calls, no cost, and said to be missing.

    `tags` are those of the opening record.
    """
    return {
        **UNPLACED,
        "id": new_key(),
        "account_id": job.account_id,
        "repository_id": job.repository_id,
        "workflow_job_id": job.id,
        "record_id": record_id,
        "agent": MISSING_AGENT,
        "agent_version": "",
        "provenance": Provenance.JOB.value,
        "session": missing_session(job.id),
        "team": tags.get("team", ""),
        "purpose": tags.get("purpose", "other"),
        "labels": json.dumps(tags.get("labels", {}), sort_keys=True),
        "completeness": Completeness.MISSING.value,
        "completeness_reason": NEVER_CLOSED,
        "started_at_us": job.started_at_us,
        "ended_at_us": job.started_at_us,
        "model_calls": 0,
        "calls_counted_elsewhere": 0,
        "unpriced_calls": 0,
        "models": "{}",
        "input_tokens": 0,
        "cache_read_tokens": 0,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "cache_write_other_tokens": 0,
        "output_tokens": 0,
        "reasoning_tokens": 0,
        "cost_nano_usd": 0,
        "list_cost_nano_usd": 0,
        "unlisted_calls": 0,
        "reported_cost_nano_usd": None,
        "price_list": price_list,
        "body_sha256": "",
        "shape": None,
    }
