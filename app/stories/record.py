"""A job reports its agents: keep the report, count each model call once, price it, enter it in the books.

Who and where come from the signed claims alone; how much comes from the report and stays a claim of the runner. The
same report again changes nothing. Another one under a known identity is kept and flagged, and never counted.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from typing import Any

from sqlmodel import Session

from app.core.config import Config, in_force
from app.core.costing import LARGEST_COST, Costs, costs_of
from app.core.facts import AgentRunKey, Claims
from app.core.outcomes import CallerRefused, Later
from app.core.reported import JobReport, ReportedRun, read_report
from app.core.tally import tally
from app.store import agent_runs as store
from app.store.accounts import repository_of
from app.store.admission import admission_of
from app.store.books import post_usage
from app.store.compressed import compressed, decompressed
from app.store.jobs import pull_job, run_job
from app.store.keys import new_keys
from app.store.named_pulls import add_named
from app.store.overlap import take_over
from app.store.pulls import PullKey
from app.store.queue import Job, enqueue, enqueue_all
from app.store.rollups import mark
from app.store.run_rows import agent_run_row, call_row, stand_in_row
from app.store.savepoint import savepoint
from app.store.tables import WorkflowJob
from app.store.told_runs import lock_telemetry
from app.world import World

log = logging.getLogger(__name__)

EXPECTED_WITHIN = timedelta(hours=6)  # GitHub ends a hosted runner's job then
LOOK_AGAIN = timedelta(hours=1)
MOST_RECORDS = 200  # of one job

Row = Mapping[str, Any]  # of agent_run


class RecordRefusedError(CallerRefused):
    """The caller may not record this."""


@dataclass(frozen=True, slots=True)
class Costed:
    """An agent run with what its calls cost."""

    run: ReportedRun
    costs: Costs


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms an account's job may record: its configuration, and whether everybody can read its repository."""

    config: Config
    public: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """One report, read and priced, on its way into the tables. `compressed` is the whole body (zlib)."""

    claims: Claims
    report: JobReport
    costed: Sequence[Costed]
    compressed: bytes
    body_sha256: str
    show_money: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A reported agent run as it stands now, and what the report was to it: "recorded", "repeat" or "revision"."""

    row: Row
    status: str
    unpriced_models: list[str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report: "opened", "recorded" or "repeat". Amounts are for `show_money` only."""

    status: str
    record_id: str
    agent_runs: Sequence[KeptRun]
    price_list: str
    show_money: bool


# ---- the report comes in ------------------------------------------------------------------------------------------


def admit(session: Session, claims: Claims) -> Terms:
    """The terms for a job; raises RecordRefusedError for an account or repository that we do not serve."""
    found = admission_of(session, claims.account_id, claims.repository_id)
    if found.installation == "suspended":
        raise RecordRefusedError(403, "suspended", "The App is suspended on this account.")
    if found.installation != "active" or found.repository == "removed":
        raise RecordRefusedError(403, "not-installed", "The App is not installed on this account or repository.")
    # The token is newer than any event. A host that says nothing has public repositories, as far as we know.
    public = (claims.visibility or found.visibility) not in ("private", "internal")
    return Terms(in_force(found.config, found.config_public), public)


def prepare(world: World, claims: Claims, terms: Terms, body: bytes, parsed: Mapping[str, Any]) -> Prepared:
    """Read and price what an admitted job sent: `body`, and the same parsed and fitting its schema. Writes nothing.

    Raises RecordRefusedError, and ReportRefusedError for an impossible report.
    """
    now = world.now()
    report = read_report(parsed, now)
    _check_run(claims, report)
    costed = [Costed(run, costs_of(world.prices, terms.config, run.calls)) for run in report.agent_runs]
    if _too_much([each.costs for each in costed]):
        raise RecordRefusedError(422, "counts-implausible", "The counts amount to more than a million dollars.")
    show_money = terms.config.shows_money(terms.public)
    body_sha256 = hashlib.sha256(body).hexdigest()
    return Prepared(claims, report, costed, compressed(body), body_sha256, show_money, now)


def _check_run(claims: Claims, report: JobReport) -> None:
    """A record can speak for the run and the attempt that the token is of, and for no other."""
    signed = (claims.run_id, claims.run_attempt)
    if any(told not in (None, ours) for told, ours in zip(report.run, signed, strict=True)):
        sentence = "The record was made in another workflow run, or another attempt of it, than the job that sends it."
        raise RecordRefusedError(409, "other-run", sentence)


def record(world: World, prepared: Sequence[Prepared]) -> list[Recorded | Exception]:
    """Write records that came together in one transaction; gives for each what became of it, or what it raised.

    A commit costs as much as half a record, and none can refuse or undo another one.
    """
    try:
        with world.db.transaction() as session:
            for account_id in sorted({each.claims.account_id for each in prepared}):
                lock_telemetry(session, account_id, shared=True)
            return [_record_one(session, world, each) for each in prepared]
    except Exception as error:
        if len(prepared) == 1:
            log.exception("a record could not be written")
            return [error]
    return [outcome for each in prepared for outcome in record(world, [each])]


def _record_one(session: Session, world: World, sent: Prepared) -> Recorded | Exception:
    with savepoint(session) as undo:
        if store.remember_token(session, sent.claims, sent.body_sha256) != sent.body_sha256:
            return RecordRefusedError(409, "token-reused", "This token has already come with another record.")
        try:
            status, record_id, kept = _keep(session, world, sent)
        except RecordRefusedError as refused:
            undo()
            return refused
    return Recorded(status, record_id, kept, world.prices.version, sent.show_money)


def _too_much(costs: Sequence[Costs]) -> bool:
    contracted = sum(cost or 0 for each in costs for cost in each.contracted)
    if all(each.listed is each.contracted for each in costs):
        return contracted > LARGEST_COST
    return max(contracted, sum(cost or 0 for each in costs for cost in each.listed)) > LARGEST_COST


def _keep(session: Session, world: World, sent: Prepared) -> tuple[str, str, list[KeptRun]]:
    """Write what is new; returns what the report was, its record's id, and its agent runs as they stand now."""
    account_id, closed, costed = sent.claims.account_id, sent.report.closed, sent.costed
    job = store.lock_job(session, sent.claims, sent.report, sent.now)
    records, same, latest = (0, None, None)
    known: dict[tuple[str, str], Row] = {}
    untied: list[int] = []
    if job.before:
        records, same, latest = store.records_of(session, account_id, job.id, sent.body_sha256)
        untied = store.remove_missing(session, account_id, job.id) if closed and job.before == "missing" else []
        known = {(row["agent"], row["session"]): row for row in store.agent_runs_of(session, account_id, job.id)}
    unknown = [each for each in costed if (each.run.agent, each.run.session) not in known]
    revised = [each for each in costed if _is_revision(each.run, known)]
    if same or (latest and not (unknown or revised or job.changed)):
        return "repeat", same or latest or "", _standing(session, costed, known, {})
    if records >= MOST_RECORDS:
        raise RecordRefusedError(422, "too-many-records", f"This job has sent {MOST_RECORDS} records already.")
    mark(session, account_id, sent.claims.repository_id)
    state = "revision" if revised and not unknown else "accepted"
    phase = "closed" if closed else "opened"
    record_id = store.add_record(
        session, sent.claims, job.id, phase, state, sent.compressed, sent.body_sha256, sent.now
    )
    for each in revised:
        store.flag_revision(session, account_id, known[each.run.agent, each.run.session]["id"])
    changed = take_over(session, account_id, [each.run for each in unknown], sent.now)
    added = _add(session, world, sent, job.id, record_id, unknown)
    repository_id = sent.claims.repository_id
    _ask(session, sent, job.id, [*((repository_id, number) for number in untied), *changed])
    return ("recorded" if closed else "opened"), record_id, _standing(session, costed, known, added)


def _is_revision(run: ReportedRun, known: Mapping[tuple[str, str], Row]) -> bool:
    counted = known.get((run.agent, run.session))
    return counted is not None and counted["body_sha256"] != run.body_sha256


def _add(
    session: Session, world: World, sent: Prepared, job_id: str, record_id: str, costed: Sequence[Costed]
) -> dict[tuple[str, str], KeptRun]:
    """Add agent runs with those of their calls that nobody sent before, and enter their cost in the books."""
    ids = new_keys(len(costed))
    rows = [
        call_row(agent_run_id, position, sent.claims.account_id, call, costs)
        for agent_run_id, each in zip(ids, costed, strict=True)
        for position, (call, costs) in enumerate(zip(each.run.calls, zip(*each.costs, strict=True), strict=True))
    ]
    fresh = store.add_calls(session, sent.claims.account_id, rows)
    flags = iter([True] * len(rows) if fresh is None else [row[:2] in fresh for row in rows])
    added = {}
    for agent_run_id, each in zip(ids, costed, strict=True):
        counts = [next(flags) for _ in each.run.calls]
        counted = tally(list(compress(each.run.calls, counts)), each.costs.of(counts))
        key = AgentRunKey(sent.claims.account_id, sent.claims.repository_id, agent_run_id)
        row = agent_run_row(key, job_id, record_id, sent.report, each.run, counted, world.prices.version)
        added[each.run.agent, each.run.session] = KeptRun(row, "recorded", counted.unpriced_models)
        store.add_agent_run(session, row)
        add_named(session, key, job_id, each.run.named)
        post_usage(session, key, counted.by_month, sent.now)
    return added


def _ask(session: Session, sent: Prepared, job_id: str, untied: Sequence[tuple[int, int]]) -> None:
    """Have the rest done by the worker: place what came, wait for what must come, renew pulls that lost a run."""
    claims, now = sent.claims, sent.now
    kind, due = ("place", now) if sent.report.closed else ("expect", now + EXPECTED_WITHIN)
    jobs = [run_job(claims.account_id, claims.repository_id, claims.run_id, kind, job_id, due)]
    jobs += [pull_job(PullKey(claims.account_id, *pull), "publish", now) for pull in sorted(set(untied))]
    enqueue_all(session, jobs, now)


def _standing(
    session: Session,
    costed: Sequence[Costed],
    known: Mapping[tuple[str, str], Row],
    added: Mapping[tuple[str, str], KeptRun],
) -> list[KeptRun]:
    """Each reported agent run as it stands now, in the order of the report."""
    kept = []
    for each in costed:
        key = each.run.agent, each.run.session
        if key in added:
            kept.append(added[key])
        else:
            row = known[key]
            status = "revision" if _is_revision(each.run, known) else "repeat"
            models = store.unpriced_models(session, row["account_id"], row["id"]) if row["unpriced_calls"] else []
            kept.append(KeptRun(row, status, models))
    return kept


# ---- the report never comes ---------------------------------------------------------------------------------------


def expect(job: Job, world: World) -> None:
    """A job opened a record hours ago: if it has ended without a closing one, its agents' cost is missing, not zero.

    Raises Later while GitHub says that the workflow run still goes on.
    """
    job_id = str(job.args["workflow_job_id"])
    with world.db.reading() as session:
        opened = session.get(WorkflowJob, job_id)
        repository = repository_of(session, job.account_id, opened.repository_id) if opened else None
    github = world.client(job.account_id)
    if opened is None or opened.account_id != job.account_id or opened.state != "opened" or github is None:
        return
    if repository is None:
        raise Later(world.now() + LOOK_AGAIN, "The repository is not known yet.")
    run = github.read_workflow_run(repository.owner, repository.name, opened.run_id, opened.run_attempt)
    if run is not None and run.status != "completed":
        raise Later(world.now() + LOOK_AGAIN, "The workflow run still goes on.")
    with world.db.transaction() as session:
        _miss(session, world, job.account_id, job_id)


def _miss(session: Session, world: World, account_id: int, job_id: str) -> None:
    """Put a stand-in without cost where the record should be, unless it came meanwhile."""
    opened = session.get(WorkflowJob, job_id, with_for_update=True)
    if opened is None or opened.state != "opened":
        return
    store.mark_missing(session, opened)
    mark(session, account_id, opened.repository_id)
    record_id, body = store.opening_of(session, account_id, job_id)
    tags = json.loads(decompressed(body)).get("tags", {})
    store.add_agent_run(session, stand_in_row(opened, record_id, tags, world.prices.version))
    due = world.now()
    enqueue(session, run_job(account_id, opened.repository_id, opened.run_id, "place", job_id, due), due)
