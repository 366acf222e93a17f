"""What one job reports, from a body that already fits its schema: claims of a runner as checked values.

Owns the checks that a schema cannot express. Identity is not in here: who and where come from the signed token.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from jsonschema_rs.canonical.json import to_string

from app.core.money import NanoUsd, nano_usd
from app.core.named_pulls import Named, read_named
from app.core.reported_calls import ReportRefusedError, instant, read_call
from app.core.usage import Completeness, ModelCall, Purpose

OLDEST = timedelta(days=400)
CLOCK_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One agent session; `body_sha256` is of its canonical JSON, so that a repeat is known whatever its spacing."""

    agent: str
    agent_version: str
    session: str
    completeness: Completeness
    completeness_reason: str
    reported_cost: NanoUsd | None
    calls: Sequence[ModelCall]
    shape: Mapping[str, Any] | None  # counts of what the agent did, as the schema has them; None: not told
    named: Named  # the pulls that it says it served
    body_sha256: str


@dataclass(frozen=True, slots=True)
class JobReport:
    """What a job's opening or closing record says."""

    closed: bool
    relayed: bool  # sent by another job of the same workflow run
    run: tuple[int | None, int | None]  # id and attempt of the workflow run that the record says it was made in
    job_name: str
    matrix: str
    started_at: datetime
    pull_number: int | None
    issue_number: int | None
    commits_made: Sequence[str]
    team: str
    purpose: Purpose
    labels: Mapping[str, str]
    agent_runs: Sequence[ReportedRun]


def read_report(body: Mapping[str, Any], now: datetime) -> JobReport:
    """The report of a body that fits `agent-runs-1.schema.json`; raises ReportRefusedError."""
    job, tags = body["job"], body.get("tags", {})
    closed = body["phase"] == "closed"
    if body["agent_runs"] and not closed:
        raise ReportRefusedError("/agent_runs", "An opening record has no agent runs yet.")
    if "relayed" in body:
        _check_relayed(job, closed)
    return JobReport(
        closed=closed,
        relayed="relayed" in body,
        run=(job.get("run_id"), job.get("run_attempt")),
        job_name=job["name"],
        matrix=job.get("matrix", ""),
        started_at=instant(job["started_at"], (now - OLDEST, now + CLOCK_SKEW), "/job/started_at"),
        pull_number=job.get("pull_number"),
        issue_number=job.get("issue_number"),
        commits_made=job.get("commits_made", ()),
        team=tags.get("team", ""),
        purpose=Purpose(tags.get("purpose", "other")),
        labels=tags.get("labels", {}),
        agent_runs=_agent_runs(body["agent_runs"], now),
    )


def _check_relayed(job: Mapping[str, Any], closed: bool) -> None:
    """What is sent for another job must say which one, and of which run."""
    if not closed:
        raise ReportRefusedError("/phase", "Only a closing record can be sent for another job.")
    for name in ("name", "run_id", "run_attempt"):
        if not job.get(name):
            raise ReportRefusedError(f"/job/{name}", "A record sent for another job must say it.")


def _agent_runs(listed: Sequence[Mapping[str, Any]], now: datetime) -> list[ReportedRun]:
    seen: set[tuple[str, str]] = set()
    for number, run in enumerate(listed):
        if (run["agent"], run["session"]) in seen:
            raise ReportRefusedError(f"/agent_runs/{number}/session", "The same agent session is reported twice.")
        seen.add((run["agent"], run["session"]))
    return [_agent_run(run, now, f"/agent_runs/{number}") for number, run in enumerate(listed)]


def _agent_run(run: Mapping[str, Any], now: datetime, path: str) -> ReportedRun:
    cost = run.get("reported_cost_usd")
    canonical = to_string(run)
    bounds = now - OLDEST, now + CLOCK_SKEW
    return ReportedRun(
        agent=run["agent"],
        agent_version=run.get("agent_version", ""),
        session=run["session"],
        completeness=Completeness(run["completeness"]),
        completeness_reason=run.get("completeness_reason", ""),
        reported_cost=None if cost is None else nano_usd(Decimal(cost)),
        calls=[read_call(call, bounds, path, number) for number, call in enumerate(run["calls"])],
        shape=_shape(run.get("shape"), path),
        named=read_named(run, path),
        body_sha256=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _shape(shape: Mapping[str, Any] | None, path: str) -> Mapping[str, Any] | None:
    """The shape as it came, unless a part is more than its whole."""
    calls = (shape or {}).get("tool_calls")
    if shape is None or calls is None:
        return shape
    most = {name: sum(calls.values()) for name in ("repeated_requests", "failed_tool_calls")}
    for name, whole in {**most, "repeated_reads": calls["read"]}.items():
        if shape.get(name, 0) > whole:
            raise ReportRefusedError(f"{path}/shape/{name}", "There are more of these than tool calls of their kind.")
    return shape
