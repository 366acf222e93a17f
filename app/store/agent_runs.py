"""Workflow jobs, what was sent for them, their agent runs and model calls. Owns the identity of each of them.

All functions work within the caller's transaction. `lock_job` takes the job's row, so that two records of one job
never interleave; model calls are written in one order, so that two jobs that send the same calls cannot deadlock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlmodel import Session, col, delete, select

from app.core.facts import Claims
from app.core.matching import queued_pull
from app.core.reported import JobReport
from app.store.keys import new_key, us
from app.store.raw import Raw, execute, insert, mark_of, one
from app.store.run_rows import CALL_COLUMNS, MISSING_AGENT, missing_session
from app.store.tables import AgentRun, ModelCallRow, Record, Tie, UsedToken, WorkflowJob

ADD_TOKEN = insert("used_token", ("issuer", "jti", "account_id", "body_sha256", "expires_at_us"))
ADD_COMMIT = insert("commit_made", ("account_id", "repository_id", "sha", "workflow_job_id"))
ADD_RECORD = insert("record", list(Record.model_fields), rest="")
ADD_RUN = insert("agent_run", list(AgentRun.model_fields), rest="")
JOB_COLUMNS = (
    "id", "account_id", "issuer", "repository_id", "run_id", "run_attempt", "job_key", "check_run_id", "event_name",
    "ref", "head_ref", "base_ref", "actor_id", "workflow", "workflow_ref", "job_workflow_ref",
    "repository_properties", "job_name", "matrix", "pull_number", "issue_number", "commits_made", "started_at_us",
    "run_state", "state", "opened_at_us", "closed_at_us",
)  # fmt: skip
KEPT_CLAIMS = [field.name for field in fields(Claims)]
CLAIMED = [field.name for field in fields(Claims) if field.name in JOB_COLUMNS]
# The update changes nothing: it locks the row, whoever wrote it first.
LOCK_JOB = insert(
    "workflow_job",
    JOB_COLUMNS,
    "ON CONFLICT (account_id, issuer, repository_id, run_id, run_attempt, job_key)"
    " DO UPDATE SET job_key = excluded.job_key RETURNING id, state, pull_number, commits_made",
)
CLOSE_JOB = Raw("""
    UPDATE workflow_job SET state = 'closed', closed_at_us = COALESCE(closed_at_us, :now_us),
        pull_number = :pull_number, commits_made = :commits_made
    WHERE account_id = :account_id AND id = :id
""")
RECORDS = Raw("""
    SELECT COUNT(*) AS records, MAX(CASE WHEN body_sha256 = :body_sha256 THEN id END) AS same, MAX(id) AS latest
    FROM record WHERE account_id = :account_id AND workflow_job_id = :workflow_job_id
""")
REVISED = Raw("UPDATE agent_run SET revisions = revisions + 1 WHERE account_id = :account_id AND id = :id")


def job_key(claims: Claims, report: JobReport) -> str:
    """What tells jobs of one run attempt apart: signed where the token has it, else as claimed."""
    if report.relayed:
        return f"relayed:{report.job_name}:{report.matrix}"
    if claims.check_run_id is not None:
        return f"check_run:{claims.check_run_id}"
    return f"job:{report.job_name}:{report.matrix}"


def remember_token(session: Session, claims: Claims, body_sha256: str) -> str:
    """Remember that a token came with this body; returns the hash of the body that it first came with."""
    row = {
        "issuer": claims.issuer,
        "jti": claims.jti,
        "account_id": claims.account_id,
        "body_sha256": body_sha256,
        "expires_at_us": us(claims.expires_at),
    }
    if ADD_TOKEN.run(session, row).rowcount == 1:
        return body_sha256
    query = select(UsedToken.body_sha256).where(
        UsedToken.issuer == claims.issuer, UsedToken.jti == claims.jti, UsedToken.account_id == claims.account_id
    )
    return session.exec(query).first() or ""


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job's row, held until the transaction ends. `before` is its state until now, "" for a new one.

    `changed`: the report says something new of the job itself.
    """

    id: str
    before: str
    changed: bool


def lock_job(session: Session, claims: Claims, report: JobReport, now: datetime) -> HeldJob:
    """Find or make the job that a token names, and hold it.

    A closing record closes it. Later ones add to what is claimed of it, and replace nothing.
    """
    mine = _job_row(claims, report, now)
    job_id, before, pull_number, commits_made = one(LOCK_JOB.run(session, mine))
    new = job_id == mine["id"]
    if report.commits_made:
        _add_commits(session, claims, report, job_id)
    if new or not report.closed:
        return HeldJob(job_id, "" if new else before, changed=new)
    values = {
        "now_us": us(now),
        "pull_number": report.pull_number if pull_number is None else pull_number,
        "commits_made": json.dumps(sorted({*json.loads(commits_made), *report.commits_made})),
        "account_id": claims.account_id,
        "id": job_id,
    }
    known = before == "closed" and (values["pull_number"], values["commits_made"]) == (pull_number, commits_made)
    if not known:
        CLOSE_JOB.run(session, values)
    return HeldJob(job_id, before, changed=not known)


def _job_row(claims: Claims, report: JobReport, now: datetime) -> dict[str, Any]:
    return {
        **{name: getattr(claims, name) for name in CLAIMED},
        # These two are of the job that sends, not of the one that the record is about.
        **({"check_run_id": None, "job_workflow_ref": ""} if report.relayed else {}),
        "id": new_key(),
        "job_key": job_key(claims, report),
        "repository_properties": json.dumps(claims.repository_properties, sort_keys=True),
        "job_name": report.job_name,
        "matrix": report.matrix,
        # A merge queue's branch names the pull too; the job is found by this when the pull becomes known.
        "pull_number": report.pull_number or queued_pull(claims.ref),
        "issue_number": report.issue_number,
        "commits_made": json.dumps(sorted(report.commits_made)),
        "started_at_us": us(report.started_at),
        "run_state": "unread",
        "state": "closed" if report.closed else "opened",
        "opened_at_us": us(now),
        "closed_at_us": us(now) if report.closed else None,
    }


def _add_commits(session: Session, claims: Claims, report: JobReport, job_id: str) -> None:
    place = {"account_id": claims.account_id, "repository_id": claims.repository_id, "workflow_job_id": job_id}
    for sha in sorted(report.commits_made):
        ADD_COMMIT.run(session, {**place, "sha": sha})


def records_of(session: Session, account_id: int, job_id: str, body_sha256: str) -> tuple[int, str | None, str | None]:
    """How many records a job has, the id of the one with this very body, and that of the latest."""
    values = {"account_id": account_id, "workflow_job_id": job_id, "body_sha256": body_sha256}
    records, same, latest = one(RECORDS.run(session, values))
    return records, same, latest


def add_record(
    session: Session, claims: Claims, job_id: str, phase: str, state: str, body: bytes, body_sha256: str, now: datetime
) -> str:
    """Keep a record as it came (`body` is zlib); returns its id."""
    row = {
        "id": new_key(),
        "account_id": claims.account_id,
        "workflow_job_id": job_id,
        "phase": phase,
        "state": state,
        "claims": json.dumps({name: getattr(claims, name) for name in KEPT_CLAIMS}, default=str),
        "body": body,
        "body_sha256": body_sha256,
        "received_at_us": us(now),
    }
    ADD_RECORD.run(session, row)
    return str(row["id"])


def opening_of(session: Session, account_id: int, job_id: str) -> tuple[str, bytes]:
    """The id of the record that opened a job, and its body, compressed as it was kept."""
    query = select(Record.id, Record.body).where(
        Record.account_id == account_id, Record.workflow_job_id == job_id, Record.phase == "opened"
    )
    return session.exec(query.order_by(col(Record.id))).one()


def agent_runs_of(session: Session, account_id: int, job_id: str) -> list[dict[str, Any]]:
    """The agent runs of one job as rows, the stand-in for a missing one included."""
    query = select(AgentRun).where(AgentRun.account_id == account_id, AgentRun.workflow_job_id == job_id)
    return [row.model_dump() for row in session.exec(query.order_by(AgentRun.id))]


def add_agent_run(session: Session, row: Mapping[str, Any]) -> None:
    ADD_RUN.run(session, row)


def flag_revision(session: Session, account_id: int, agent_run_id: str) -> None:
    """Count that another body came under an agent run's identity."""
    REVISED.run(session, {"account_id": account_id, "id": agent_run_id})


def add_calls(session: Session, account_id: int, rows: Sequence[tuple[Any, ...]]) -> set[tuple[str, int]] | None:
    """Write model calls (tuples in the order of CALL_COLUMNS); returns which were not counted before (agent run and
    position), None: all.

    A call is known by provider and response id within the account, whoever sent it first.
    """
    mark = mark_of(session)
    ordered = sorted(rows, key=itemgetter(3))
    written = 0
    for done in range(0, len(ordered), MOST_CALLS_A_STEP):
        step = ordered[done : done + MOST_CALLS_A_STEP]
        written += execute(session, _add_calls(mark, len(step)), list(chain.from_iterable(step))).rowcount
    if written == len(rows):
        return None
    query = select(ModelCallRow.agent_run_id, ModelCallRow.position).where(
        ModelCallRow.account_id == account_id, col(ModelCallRow.agent_run_id).in_({row[0] for row in rows})
    )
    return set(session.exec(query))


# Few statements with many rows each: `executemany` would hand Python's lock to and fro for every row, and
# SQLAlchemy's own inserts cost more than SQLite's work (bench/record.py).
MOST_CALLS_A_STEP = 100


@cache
def _add_calls(mark: str, rows: int) -> str:
    row = f"({', '.join([mark] * len(CALL_COLUMNS))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO model_call ({', '.join(CALL_COLUMNS)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def unpriced_models(session: Session, account_id: int, agent_run_id: str) -> list[str]:
    query = select(ModelCallRow.model).where(
        ModelCallRow.account_id == account_id,
        ModelCallRow.agent_run_id == agent_run_id,
        col(ModelCallRow.cost_nano_usd).is_(None),
    )
    return sorted(set(session.exec(query)))


def remove_missing(session: Session, account_id: int, job_id: str) -> list[int]:
    """Take back the stand-in for a job's missing record; returns the pulls it was tied to.

    It never had a cost, so the books do not change.
    """
    query = select(AgentRun.id).where(
        AgentRun.account_id == account_id,
        AgentRun.workflow_job_id == job_id,
        AgentRun.agent == MISSING_AGENT,
        AgentRun.session == missing_session(job_id),
    )
    found = session.exec(query).all()
    ties = select(Tie.number).where(Tie.account_id == account_id, col(Tie.agent_run_id).in_(found))
    numbers = list(session.exec(ties))
    session.exec(delete(Tie).where(col(Tie.account_id) == account_id, col(Tie.agent_run_id).in_(found)))
    session.exec(delete(AgentRun).where(col(AgentRun.account_id) == account_id, col(AgentRun.id).in_(found)))
    return numbers


def mark_missing(session: Session, job: WorkflowJob) -> None:
    job.state = "missing"
    session.add(job)
    session.flush()
