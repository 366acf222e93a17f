"""How long an organisation's metrics take from its books: 200 repositories, 20,000 pulls, 60,000 agent runs.

Half of the agent runs are of the asked month, the others of the two before; each has eight model calls, two models and
the ledger entries that recording and attribution make. The database is SQLite, written as fast as it goes.
"""

import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from app.core import scope_metrics
from app.core.config import Config
from app.core.month import Month
from app.core.period import Period
from app.core.pricing import PriceList
from app.core.scope_metrics import measure_scopes, trend, trend_months
from app.core.shares import Dimension
from app.core.waste import RunCalls, waste_of
from app.store.database import Database
from app.store.keys import new_keys, us
from app.store.migrations import migrate
from app.store.run_calls import calls_by_run
from app.store.shares import SharesOf, read_shares
from app.store.tables import AgentRun, LedgerEntry, ModelCallRow, Pull, Repository, Tie, WorkflowJob

ACCOUNT, REPOSITORIES, PULLS, RUNS, CALLS = 1, 200, 20_000, 60_000, 8
OCTOBER = Month(2026, 10)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
AUGUST = datetime(2026, 8, 1, tzinfo=UTC)
AT_ONCE = 2_000
CONFIG = Config()


def measure() -> dict[str, Any]:
    """Seconds of each reading and computation, on one processor, and the memory at the end."""
    with tempfile.TemporaryDirectory() as folder:
        return _measured_in(folder)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return round(time.perf_counter() - began, 2), result


def _measure_all(database: Database) -> dict[str, Any]:
    month = Period.of(OCTOBER)
    months = [Period.of(each) for each in trend_months(OCTOBER)]

    def read(periods: list[Period], by_model: bool = False) -> Any:
        with database.reading() as session:
            return read_shares(session, SharesOf(ACCOUNT, periods, CONFIG.tracks, CONFIG.names_a_team, by_model))

    read_s, (shares, pulls) = _timed(lambda: read([month]))
    whole_s, whole = _timed(lambda: scope_metrics.measure(month, shares, pulls, NOW))
    scopes_s, scopes = _timed(lambda: measure_scopes(Dimension.REPOSITORY, month, shares, pulls, NOW))
    if sum(each.cost.cost for each in scopes.values()) != whole.cost.cost:
        raise AssertionError("the repositories do not add up to the organisation")
    workflows_s, _ = _timed(lambda: measure_scopes(Dimension.WORKFLOW, month, shares, pulls, NOW))
    six_s, (half_a_year, _) = _timed(lambda: read(months))
    trend_s, _ = _timed(lambda: trend(OCTOBER, half_a_year, pulls, NOW))
    models_s, _ = _timed(lambda: read([month], by_model=True))
    return {
        "shares": len(shares),
        "read_s": read_s,
        "organisation_s": whole_s,
        "by_repository_s": scopes_s,
        "by_workflow_s": workflows_s,
        "read_six_months_s": six_s,
        "trend_s": trend_s,
        "read_by_model_s": models_s,
        "waste_s": _timed(lambda: _waste(database, month))[0],
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _waste(database: Database, month: Period) -> None:
    prices = PriceList.load()
    with database.reading() as session:
        runs = (RunCalls(calls) for _, calls in calls_by_run(session, ACCOUNT, month))
        waste_of(1, "a.yml", runs, lambda call: prices.unit_prices(call.provider, call.model, NOW))


def _measured_in(folder: str) -> dict[str, Any]:
    url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
    migrate(url)
    database = Database(url)
    try:
        with database.transaction() as session:
            _fill(session)
        return _measure_all(database)
    finally:
        database.close()


def _fill(session: Session) -> None:
    chance = random.Random(4)
    rows: dict[type, list[dict[str, Any]]] = {}
    for table, row in _rows(chance):
        rows.setdefault(table, []).append(row)
        if len(rows[table]) >= AT_ONCE:
            _insert(session, table, rows.pop(table))
    for table, rest in rows.items():
        _insert(session, table, rest)


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    session.connection().execute(table.__table__.insert(), rows)


def _rows(chance: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    for number in range(1, REPOSITORIES + 1):
        yield Repository, _plain(
            Repository, account_id=ACCOUNT, repository_id=number, owner="acme", name=f"r{number}",
            default_branch="main", visibility="private", updated_at_us=0,
        )  # fmt: skip
    closed: list[int | None] = []
    for number in range(PULLS):
        opened = AUGUST + timedelta(minutes=chance.randrange(60 * 24 * 91))
        end = us(opened + timedelta(hours=chance.randrange(1, 200))) if chance.random() < 0.9 else None
        merged = end if chance.random() < 0.85 else None
        closed.append(end)
        yield Pull, _plain(
            Pull, account_id=ACCOUNT, repository_id=number % REPOSITORIES + 1, number=number + 1, state="open",
            head_ref=f"b{number}", head_sha="", base_ref="main", author_id=1, created_at_us=us(opened),
            closed_at_us=end, merged_at_us=merged, read_at_us=0, lines_changed=chance.randrange(2_000),
        )  # fmt: skip
    for number in range(RUNS):
        yield from _run(number, chance)


def _run(number: int, chance: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    job, run, *entries = new_keys(6)
    pull = chance.randrange(PULLS)
    repository, tied = pull % REPOSITORIES + 1, chance.random() < 0.8
    started = AUGUST + timedelta(minutes=chance.randrange(60 * 24 * 91)) if number % 2 else _in_october(chance)
    at = us(started)
    cost = 0
    for position in range(CALLS):
        used = chance.randrange(10**6)
        cost += used
        yield ModelCallRow, _plain(
            ModelCallRow, agent_run_id=run, position=position, account_id=ACCOUNT,
            identity=number.to_bytes(8) + position.to_bytes(8), provider="anthropic", response_id="",
            model=("claude-sonnet-4-5", "claude-haiku-4-5")[position % 2], at_us=at + position * 10**7,
            input_tokens=used // 100, cache_read_tokens=used // 10, cache_write_5m_tokens=used // 50,
            cache_write_1h_tokens=0, cache_write_other_tokens=0, output_tokens=used // 200, reasoning_tokens=0,
            web_searches=0, service_tier="standard", speed="standard", subagent=False, cost_nano_usd=used,
            list_cost_nano_usd=used, price_list="p",
        )  # fmt: skip
    yield WorkflowJob, _plain(
        WorkflowJob, id=job, account_id=ACCOUNT, issuer="i", repository_id=repository, run_id=number + 1, run_attempt=1,
        job_key="j", event_name="pull_request", ref="", head_ref="", base_ref="", actor_id=1, workflow="Agent",
        workflow_ref=f"acme/r{repository}/.github/workflows/agent.yml@refs/heads/main", job_workflow_ref="",
        started_at_us=at, run_conclusion="success", state="closed", opened_at_us=at,
    )  # fmt: skip
    yield AgentRun, _plain(
        AgentRun, id=run, account_id=ACCOUNT, repository_id=repository, workflow_job_id=job, record_id="r",
        agent="claude-code", provenance="job", session=str(number), completeness="complete", started_at_us=at,
        ended_at_us=at + CALLS * 10**7, model_calls=CALLS, models='["claude-sonnet-4-5", "claude-haiku-4-5"]',
        input_tokens=cost // 100, cache_read_tokens=cost // 10, cache_write_5m_tokens=cost // 50,
        cache_write_1h_tokens=0, cache_write_other_tokens=0, output_tokens=cost // 200, reasoning_tokens=0,
        cost_nano_usd=cost, list_cost_nano_usd=cost, unlisted_calls=0, price_list="p", body_sha256="",
    )  # fmt: skip
    if tied:
        yield (
            Tie,
            _plain(Tie, account_id=ACCOUNT, agent_run_id=run, repository_id=repository, number=pull + 1, evidence="E1"),
        )
    moves = [("usage", 0, -cost), ("unattributed", 0, cost)]
    moves += [("unattributed", 0, -cost), ("pull", pull + 1, cost)] if tied else []
    for key, (book, place, amount) in zip(entries, moves, strict=False):
        yield LedgerEntry, _plain(
            LedgerEntry, id=key, account_id=ACCOUNT, transaction_id=key, book=book, repository_id=repository,
            number=place, agent_run_id=run, month=int(Month.of(started)), amount_nano_usd=amount, reason="",
            posted_at_us=at,
        )  # fmt: skip


def _in_october(chance: random.Random) -> datetime:
    return OCTOBER.start + timedelta(minutes=chance.randrange(60 * 24 * 31))


def _plain(table: Any, **values: Any) -> dict[str, Any]:
    """A row with the defaults of its table."""
    made: dict[str, Any] = table(**values).model_dump()
    return made
