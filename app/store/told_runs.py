"""Agent runs that an access token told of: they grow with what arrives, and shrink when a job's own record comes.

Owns that such a session stands in `workflow_job` without a workflow run. All functions work within the caller's
transaction, which holds `lock_telemetry` first: then a record and telemetry of the same calls see each other.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, func, select

from app.core.facts import AgentRunKey
from app.core.matching import CLAIMED_BRANCH, TELEMETRY
from app.core.money import NanoUsd
from app.core.tally import Tally
from app.core.telemetry.judged import Known, judged, lasting
from app.core.telemetry.parts import ASKED, SessionPart, Tags, Total
from app.core.usage import Completeness, Provenance, Tokens
from app.store.agent_runs import add_agent_run
from app.store.keys import new_key, us
from app.store.raw import Raw, execute, insert, mark_of, one
from app.store.rollups import mark
from app.store.run_rows import UNPLACED
from app.store.tables import AgentRun, ModelCallRow, Repository, TelemetryTotal, Tie, WorkflowJob

ISSUER = "telemetry"
NO_REPOSITORY = 0
LOCK_JOB = insert(
    "workflow_job",
    (
        "id", "account_id", "issuer", "repository_id", "run_id", "run_attempt", "job_key", "event_name", "ref",
        "head_ref", "base_ref", "actor_id", "workflow", "workflow_ref", "job_workflow_ref", "repository_properties",
        "job_name", "matrix", "pull_number", "commits_made", "started_at_us", "run_state", "state", "opened_at_us",
        "closed_at_us",
    ),
    "ON CONFLICT (account_id, issuer, repository_id, run_id, run_attempt, job_key)"
    " DO UPDATE SET job_key = excluded.job_key RETURNING id",
)  # fmt: skip
ADD_TO_RUN = Raw("""
    UPDATE agent_run SET model_calls = model_calls + :calls,
        calls_counted_elsewhere = calls_counted_elsewhere + :elsewhere,
        unpriced_calls = unpriced_calls + :unpriced_calls, unlisted_calls = unlisted_calls + :unlisted_calls,
        input_tokens = input_tokens + :input, cache_read_tokens = cache_read_tokens + :cache_read,
        cache_write_5m_tokens = cache_write_5m_tokens + :cache_write_5m,
        cache_write_1h_tokens = cache_write_1h_tokens + :cache_write_1h,
        cache_write_other_tokens = cache_write_other_tokens + :cache_write_other,
        output_tokens = output_tokens + :output, reasoning_tokens = reasoning_tokens + :reasoning,
        cost_nano_usd = cost_nano_usd + :cost, list_cost_nano_usd = list_cost_nano_usd + :list_cost,
        reported_cost_nano_usd = reported_cost_nano_usd + :reported_cost, models = :models,
        started_at_us = CASE WHEN model_calls > 0 AND started_at_us < :first_us THEN started_at_us ELSE :first_us END,
        ended_at_us = CASE WHEN model_calls > 0 AND ended_at_us > :last_us THEN ended_at_us ELSE :last_us END
    WHERE account_id = :account_id AND id = :id
""")
ADD_TOTAL = Raw("""
    INSERT INTO telemetry_total (account_id, agent, session, series, start_us, kind, value)
    VALUES (:account_id, :agent, :session, :series, :start_us, :kind, :value)
    ON CONFLICT (account_id, agent, session, series, start_us) DO UPDATE SET
        value = CASE WHEN telemetry_total.value > excluded.value THEN telemetry_total.value ELSE excluded.value END
""")
DELETE_CALLS = "DELETE FROM model_call WHERE account_id = {mark} AND agent_run_id = {mark} AND position IN ({marks})"
SUMS = ("calls", "unpriced_calls", "unlisted_calls", "cost", "list_cost")
EMPTY = ("head_ref", "base_ref", "workflow", "workflow_ref", "job_workflow_ref", "job_name", "matrix")
COUNTED_FROM_ZERO = (
    "model_calls", "calls_counted_elsewhere", "unpriced_calls", "unlisted_calls", "cost_nano_usd",
    "list_cost_nano_usd", "reported_cost_nano_usd",
)  # fmt: skip
MOST_VALUES = 500


def lock_telemetry(session: Session, account_id: int, *, shared: bool) -> None:
    """Until the transaction ends: telemetry of an account comes one by one, and never while one of its records does.

    SQLite has one writer anyway.
    """
    if mark_of(session) != "?":
        kind = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        execute(session, f"SELECT {kind}(hashtextextended('telemetry', %s))", [account_id])


def repository_named(session: Session, account_id: int, tags: Tags) -> int:
    """The account's repository with a claimed name, or NO_REPOSITORY."""
    if not tags.repository:
        return NO_REPOSITORY
    query = select(Repository.repository_id).where(
        Repository.account_id == account_id,
        func.lower(Repository.owner) == tags.owner.lower(),
        func.lower(Repository.name) == tags.repository.lower(),
    )
    return session.exec(query.order_by(col(Repository.updated_at_us).desc())).first() or NO_REPOSITORY


def hold_session(session: Session, account_id: int, repository_id: int, part: SessionPart, now: datetime) -> str:
    """The id of the row that stands for a session as a job does for others, held until the transaction ends."""
    held = {
        "account_id": account_id,
        "issuer": ISSUER,
        "repository_id": repository_id,
        "job_key": f"telemetry:{part.agent}:{part.session}",
        "event_name": TELEMETRY,
        "ref": CLAIMED_BRANCH + part.tags.branch if part.tags.branch else "",
        "pull_number": part.tags.pull_number,
        "started_at_us": us(now),
    }
    return hold_row(session, held, now)


def hold_row(session: Session, held: Mapping[str, Any], now: datetime) -> str:
    """The id of such a row, by what is known of what it stands for."""
    row = {
        **dict.fromkeys(EMPTY, ""),
        "id": new_key(),
        "run_id": 0,
        "run_attempt": 0,
        "actor_id": 0,
        "repository_properties": "{}",
        "commits_made": "[]",
        **held,
        "run_state": "gone",
        "state": "closed",
        "opened_at_us": us(now),
        "closed_at_us": us(now),
    }
    return str(one(LOCK_JOB.run(session, row))[0])


def told_run(session: Session, account_id: int, job_id: str) -> AgentRun | None:
    """The agent run of a held session, if it has one already."""
    query = select(AgentRun).where(AgentRun.account_id == account_id, AgentRun.workflow_job_id == job_id)
    return session.exec(query).first()


def next_position(session: Session, agent_run_id: str) -> int:
    query = select(func.max(ModelCallRow.position)).where(ModelCallRow.agent_run_id == agent_run_id)
    last = session.exec(query).one()
    return 0 if last is None else int(last) + 1


def add_told_run(
    session: Session, key: AgentRunKey, job_id: str, part: SessionPart, at: datetime, price_list: str, **more: str
) -> AgentRun:
    """An agent run without any call yet, which `grow` adds. `more`: columns that are otherwise than telemetry's."""
    row = {
        **UNPLACED,
        **dict.fromkeys((f"{name}_tokens" for name in Tokens._fields), 0),
        **dict.fromkeys(COUNTED_FROM_ZERO, 0),
        "id": key.agent_run_id,
        "account_id": key.account_id,
        "repository_id": key.repository_id,
        "workflow_job_id": job_id,
        "record_id": "",
        "agent": part.agent,
        "agent_version": part.agent_version,
        "provenance": Provenance.TOKEN.value,
        "session": part.session,
        "team": part.tags.team,
        "purpose": part.tags.purpose.value,
        "labels": "{}",
        "completeness": Completeness.MISSING.value,
        "completeness_reason": "",
        "started_at_us": us(at),
        "ended_at_us": us(at),
        "models": "{}",
        "price_list": price_list,
        "body_sha256": "",
        "shape": None,
        **more,
    }
    add_agent_run(session, row)
    mark(session, key.account_id, key.repository_id)
    return session.get_one(AgentRun, key.agent_run_id)


@dataclass(frozen=True, slots=True)
class Growth:
    """By how much an agent run changes. `reported_cost` None: what the agent itself said is no longer known.

    `models`: all that it then has, and what their priced calls cost.
    """

    by: Tally
    first_us: int
    last_us: int
    models: Mapping[str, NanoUsd]
    reported_cost: NanoUsd | None
    elsewhere: int = 0


def grow(session: Session, account_id: int, agent_run_id: str, growth: Growth, sign: int = 1) -> None:
    """Add what calls amount to, or take it away with `sign` -1."""
    by = growth.by
    ADD_TO_RUN.run(
        session,
        {
            **{name: sign * getattr(by, name) for name in SUMS},
            **{name: sign * count for name, count in by.tokens._asdict().items()},
            "elsewhere": growth.elsewhere,
            "reported_cost": growth.reported_cost,
            "models": json.dumps(dict(growth.models)),
            "first_us": growth.first_us,
            "last_us": growth.last_us,
            "account_id": account_id,
            "id": agent_run_id,
        },
    )


def judge(session: Session, run: AgentRun, doubts: Iterable[str] = ()) -> None:
    """Look how complete an agent run is now held to be; `doubts` are new ones."""
    tokens = Tokens(*(getattr(run, f"{name}_tokens") for name in Tokens._fields))
    known = Known(tokens, run.model_calls, run.ended_at_us, run.calls_counted_elsewhere > 0)
    totals = totals_of(session, run.account_id, run.agent, run.session)
    completeness, reason = judged(known, totals, [*lasting(run.completeness_reason), *doubts])
    if (run.completeness, run.completeness_reason) != (completeness.value, reason):
        run.completeness, run.completeness_reason = completeness.value, reason
        session.add(run)
        mark(session, run.account_id, run.repository_id)
    session.flush()


def add_totals(session: Session, account_id: int, part: SessionPart) -> None:
    """Keep what metrics counted for a session."""
    for total in _merged(part.totals):
        ADD_TOTAL.run(session, {"account_id": account_id, "agent": part.agent, "session": part.session, **total})


def _merged(totals: Iterable[Total]) -> list[Mapping[str, Any]]:
    """In one order, so that none waits for another. A series counts for several kinds where one includes the other."""
    rows = {
        (f"{total.kind}:{total.series}", total.start_us, total.value): {
            "series": f"{total.kind}:{total.series}",
            "start_us": total.start_us,
            "kind": total.kind,
            "value": total.value,
        }
        for total in totals
    }
    return [rows[key] for key in sorted(rows)]


def totals_of(session: Session, account_id: int, agent: str, name: str) -> dict[str, int]:
    """What metrics counted for a session, by kind; of ASKED the latest."""
    query = (
        select(TelemetryTotal.kind, func.sum(TelemetryTotal.value), func.max(TelemetryTotal.value))
        .where(TelemetryTotal.account_id == account_id, TelemetryTotal.agent == agent, TelemetryTotal.session == name)
        .group_by(TelemetryTotal.kind)
    )
    return {kind: int(latest if kind == ASKED else total) for kind, total, latest in session.exec(query)}


def remove_calls(session: Session, run: AgentRun, positions: Sequence[int]) -> None:
    sign = mark_of(session)
    for done in range(0, len(positions), MOST_VALUES):
        step = positions[done : done + MOST_VALUES]
        statement = DELETE_CALLS.format(mark=sign, marks=", ".join([sign] * len(step)))
        execute(session, statement, [run.account_id, run.id, *step])


def what_is_left(session: Session, run: AgentRun) -> tuple[dict[str, NanoUsd], int, int]:
    """What the calls that an agent run still has cost by model, most calls first; when the first and last were."""
    at = col(ModelCallRow.at_us)
    query = (
        select(ModelCallRow.model, func.sum(ModelCallRow.cost_nano_usd), func.min(at), func.max(at))
        .where(ModelCallRow.agent_run_id == run.id)
        .group_by(ModelCallRow.model)
        .order_by(func.count().desc(), ModelCallRow.model)
    )
    models, costs, first, last = zip(*session.exec(query), strict=True)
    return {model: NanoUsd(int(cost or 0)) for model, cost in zip(models, costs, strict=True)}, min(first), max(last)


def pulls_of(session: Session, run: AgentRun) -> list[tuple[int, int]]:
    """The (repository, pull)s that an agent run is tied to: telemetry alone ties none, people may."""
    query = select(Tie.repository_id, Tie.number).where(Tie.account_id == run.account_id, Tie.agent_run_id == run.id)
    return list(session.exec(query))


def remove_told_run(session: Session, run: AgentRun) -> None:
    """Take away an agent run that has nothing left of its own. Its entries stay."""
    session.exec(delete(Tie).where(col(Tie.account_id) == run.account_id, col(Tie.agent_run_id) == run.id))
    session.exec(delete(AgentRun).where(col(AgentRun.account_id) == run.account_id, col(AgentRun.id) == run.id))
    session.exec(
        delete(WorkflowJob).where(
            col(WorkflowJob.account_id) == run.account_id, col(WorkflowJob.id) == run.workflow_job_id
        )
    )
