"""The body of a record, as app/web/agent-runs-1.schema.json describes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from collect.calls import LOWER_BOUND, AgentRun, instant

SCHEMA = "mergemeter.agent-runs/1"
VERSION = "0.1.0"
BODY_LIMIT = 15 << 20  # the server takes 16 MB


def opened(job: Mapping[str, object], inputs: Mapping[str, object]) -> bytes:
    """The record that a job began."""
    return _encoded(_record("opened", dict(job), inputs, [], []))


def whole(
    job: Mapping[str, object],
    inputs: Mapping[str, object],
    runs: Sequence[AgentRun],
    notices: Sequence[str],
    commits: Sequence[str],
    ended_us: int,
    relayed: bool = False,
) -> dict[str, object]:
    """The same record before it is encoded, however large it is."""
    ended: dict[str, object] = {**job, "ended_at": instant(ended_us)}
    if commits:
        ended["commits_made"] = list(commits)
    return _record("closed", ended, inputs, [run.as_json() for run in runs], notices, relayed)


def closed(
    job: Mapping[str, object],
    inputs: Mapping[str, object],
    runs: Sequence[AgentRun],
    notices: Sequence[str],
    commits: Sequence[str],
    ended_us: int,
    relayed: bool = False,
) -> bytes:
    """The record of what the job's agents did. When it is too large for the server, runs lose calls and say so."""
    while True:
        body = _encoded(whole(job, inputs, runs, notices, commits, ended_us, relayed))
        largest = max(runs, key=lambda run: len(run.calls), default=None)
        if len(body) <= BODY_LIMIT or largest is None or not largest.calls:
            return body
        del largest.calls[len(largest.calls) // 2 :]
        largest.doubt(LOWER_BOUND, "too many model calls for one record")


def job_of(
    environ: Mapping[str, str], matrix: str, started_us: int, pull: int | None, issue: int | None = None
) -> dict[str, object]:
    """Which job this is, as far as the token does not say so itself."""
    job: dict[str, object] = {
        "name": environ.get("GITHUB_JOB", "")[:256],
        "matrix": hashlib.sha256(matrix.encode()).hexdigest() if matrix else "",
        "started_at": instant(started_us),
    }
    if pull:
        job["pull_number"] = pull
    if issue:
        job["issue_number"] = issue
    return job


def run_of(environ: Mapping[str, str]) -> dict[str, int]:
    """Which workflow run and attempt this is: a record that another job sends must be of the sender's."""
    return {"run_id": int(environ["GITHUB_RUN_ID"]), "run_attempt": int(environ["GITHUB_RUN_ATTEMPT"])}


def _record(
    phase: str,
    job: dict[str, object],
    inputs: Mapping[str, object],
    runs: list[dict[str, object]],
    notices: Sequence[str],
    relayed: bool = False,
) -> dict[str, object]:
    tags: dict[str, object] = {"purpose": inputs["purpose"]}
    if inputs["team"]:
        tags["team"] = inputs["team"]
    if inputs["tags"]:
        tags["labels"] = inputs["tags"]
    made: dict[str, object] = {
        "schema": SCHEMA,
        "phase": phase,
        "action_version": VERSION,
        "job": job,
        "tags": tags,
        "agent_runs": runs,
    }
    if relayed:
        made["relayed"] = True
    if notices:
        made["notices"] = [notice[:256] for notice in notices[:20]]
    return made


def _encoded(made: dict[str, object]) -> bytes:
    return json.dumps(made, separators=(",", ":"), ensure_ascii=True).encode()
