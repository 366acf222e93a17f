"""How long a month's metrics take: 1,000 repositories, 100,000 pulls, 1,000,000 agent runs with six model calls each.

Half of the agent runs are of the asked month, the others of the two before; each has two models, and the ledger entries
that recording and attribution make. SQLite, written as fast as it goes. The sums are rebuilt on all processors, then
each figure is read some times; and what they replace is timed at a twentieth of the size: reading the books each time.
"""

import json
import os
import random
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app.commands.rollups import rebuilt
from app.core.chargeback.ownership import Owners, Ownership
from app.core.config import Config
from app.core.month import Month
from app.core.period import Period
from app.core.pricing import PriceList
from app.core.scope_metrics import measure_scopes
from app.core.shares import Dimension
from app.core.waste import RunCalls, waste_of
from app.settings import Settings
from app.store.database import Database
from app.store.keys import new_keys, us
from app.store.migrations import migrate
from app.store.rolled_up import compute_and_keep, differences
from app.store.run_calls import calls_by_run
from app.store.shares import SharesOf, read_shares
from app.store.tables import AgentRun, Installation, LedgerEntry, ModelCallRow, Pull, Repository, Tie, WorkflowJob
from app.stories.measure import metrics_by, metrics_of, trend_of
from app.stories.summarize import month_report
from app.world import World

ACCOUNT, CALLS = 1, 6
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5")
WHOLE = int(os.environ.get("BENCH_REPOSITORIES", "1000"))  # each with 100 pulls and 1,000 agent runs
OCTOBER = Month(2026, 10)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
AUGUST = datetime(2026, 8, 1, tzinfo=UTC)
AT_ONCE = 5_000
READ = 7
CONFIG = Config()


def measure() -> dict[str, Any]:
    """Seconds, medians of the reads, and the memory at the end."""
    with tempfile.TemporaryDirectory() as folder:
        return {"rollups": _rolled_up(filled(folder, WHOLE)), "books": _from_books(filled(folder, WHOLE // 20 or 1))}


def _rolled_up(database: Database) -> dict[str, Any]:
    began = time.perf_counter()
    wanted, kept = rebuilt(database, ACCOUNT, NOW)
    rebuild_s = round(time.perf_counter() - began, 1)
    if wanted != kept:
        raise AssertionError("not every repository was kept")
    world = World(Settings(), database, None, PriceList.load(), lambda: NOW)  # type: ignore[arg-type]  # not asked here
    month = Period.of(OCTOBER)
    found = {f"by_{each.value}_s": _median(partial(metrics_by, world, ACCOUNT, month, each)) for each in Dimension}
    found["trend_s"] = _median(lambda: trend_of(world, ACCOUNT, OCTOBER))
    found["report_s"] = _median(lambda: month_report(world, ACCOUNT, OCTOBER, public_issue=False))
    one_s, _ = _timed(lambda: compute_and_keep(database, ACCOUNT, [1], NOW))
    differing = differences(database, ACCOUNT, NOW) if WHOLE <= MOST_COMPARED else []
    if differing or metrics_of(world, ACCOUNT, month).cost.cost != _ledger(database):
        raise AssertionError(f"the sums are not the ledger's: {differing[:3]}")
    database.close()
    return {"rebuild_s": rebuild_s, "one_repository_s": one_s, **found, "memory_mb": _memory_mb()}


MOST_COMPARED = 100


def _ledger(database: Database) -> int:
    """What the month cost by the ledger itself."""
    with sqlite3.connect(database.url.removeprefix("sqlite:///")) as connection:
        query = "SELECT SUM(amount_nano_usd) FROM ledger_entry WHERE book <> 'usage' AND month = 202610"
        return int(connection.execute(query).fetchone()[0])


def _from_books(database: Database) -> dict[str, Any]:
    month = Period.of(OCTOBER)

    def read() -> Any:
        with database.reading() as session:
            return read_shares(
                session, SharesOf(ACCOUNT, [month], CONFIG.tracks, CONFIG.names_a_team, Owners({}, Ownership(CONFIG)))
            )

    read_s, (shares, pulls) = _timed(read)
    scopes_s, _ = _timed(lambda: measure_scopes(Dimension.REPOSITORY, month, shares, pulls, NOW))
    waste_s, _ = _timed(lambda: _waste(database, month))
    database.close()
    return {"shares": len(shares), "read_s": read_s, "by_repository_s": scopes_s, "waste_s": waste_s}


def _median(work: Callable[[], Any]) -> float:
    return round(statistics.median(_timed(work)[0] for _ in range(READ)), 3)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return round(time.perf_counter() - began, 3), result


def _memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _waste(database: Database, month: Period) -> None:
    prices = PriceList.load()
    with database.reading() as session:
        runs = (RunCalls(calls) for _, calls in calls_by_run(session, ACCOUNT, month))
        waste_of(1, "a.yml", runs, lambda call: prices.unit_prices(call.provider, call.model, NOW))


def filled(folder: str, repositories: int, october: int = 1, of: int = 2) -> Database:
    """A database with so many repositories; `october` of every `of` agent runs are surely of that month."""
    path = Path(folder) / f"bench-{repositories}.sqlite3"
    write(path, _rows(random.Random(4), repositories, october, of))
    return Database(f"sqlite:///{path}")


def write(path: Path, made: Iterable[tuple[type, dict[str, Any]]]) -> None:
    """A SQLite file with these rows of tables, and the balances of its ledger."""
    migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    rows: dict[type, list[dict[str, Any]]] = {}
    for table, row in made:
        rows.setdefault(table, []).append(row)
        if len(rows[table]) >= AT_ONCE:
            _insert(connection, table, rows.pop(table))
    for table, rest in rows.items():
        _insert(connection, table, rest)
    connection.execute(BALANCES)
    connection.execute("ANALYZE")
    connection.commit()
    connection.close()


BALANCES = """
    INSERT INTO balance (account_id, repository_id, book, number, month, amount_nano_usd)
    SELECT account_id, repository_id, book, number, month, SUM(amount_nano_usd) FROM ledger_entry GROUP BY 1, 2, 3, 4, 5
"""


def _insert(connection: sqlite3.Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    values = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO {table.__table__.name} ({', '.join(names)}) VALUES ({values})", rows)


def _rows(chance: random.Random, repositories: int, october: int, of: int) -> Iterator[tuple[type, dict[str, Any]]]:
    yield Installation, plain(
        Installation, account_id=ACCOUNT, installation_id=1, account_login="acme", account_type="Organization",
        state="active", updated_at_us=0,
    )  # fmt: skip
    for number in range(1, repositories + 1):
        yield Repository, plain(
            Repository, account_id=ACCOUNT, repository_id=number, owner="acme", name=f"r{number}",
            default_branch="main", visibility="private", updated_at_us=0,
        )  # fmt: skip
    pulls = repositories * 100
    for number in range(pulls):
        opened = AUGUST + timedelta(minutes=chance.randrange(60 * 24 * 91))
        end = us(opened + timedelta(hours=chance.randrange(1, 200))) if chance.random() < 0.9 else None
        merged = end if chance.random() < 0.85 else None
        yield Pull, plain(
            Pull, account_id=ACCOUNT, repository_id=number % repositories + 1, number=number + 1, state="open",
            head_ref=f"b{number}", head_sha="", base_ref="main", author_id=1, created_at_us=us(opened),
            closed_at_us=end, merged_at_us=merged, read_at_us=0, lines_changed=chance.randrange(2_000),
        )  # fmt: skip
    for number in range(repositories * 1_000):
        yield from _run(number, chance, repositories, pulls, number % of < october)


def _run(
    number: int, chance: random.Random, repositories: int, pulls: int, october: bool
) -> Iterator[tuple[type, dict[str, Any]]]:
    job, run, entered, moved = new_keys(4)
    pull = chance.randrange(pulls)
    repository, tied = pull % repositories + 1, chance.random() < 0.8
    started = _in_october(chance) if october else AUGUST + timedelta(minutes=chance.randrange(60 * 24 * 91))
    at = us(started)
    cost, by_model = 0, dict.fromkeys(MODELS, 0)
    for position in range(CALLS):
        used = chance.randrange(10**6)
        model = MODELS[position % 2]
        cost += used
        by_model[model] += used
        yield ModelCallRow, plain(
            ModelCallRow, agent_run_id=run, position=position, account_id=ACCOUNT,
            identity=number.to_bytes(8) + position.to_bytes(8), provider="anthropic", response_id="",
            model=model, at_us=at + position * 10**7,
            input_tokens=used // 100, cache_read_tokens=used // 10, cache_write_5m_tokens=used // 50,
            cache_write_1h_tokens=0, cache_write_other_tokens=0, output_tokens=used // 200, reasoning_tokens=0,
            web_searches=0, service_tier="standard", speed="standard", subagent=False, cost_nano_usd=used,
            list_cost_nano_usd=used, price_list="p",
        )  # fmt: skip
    yield WorkflowJob, plain(
        WorkflowJob, id=job, account_id=ACCOUNT, issuer="i", repository_id=repository, run_id=number + 1, run_attempt=1,
        job_key="j", event_name="pull_request", ref="", head_ref="", base_ref="", actor_id=1, workflow="Agent",
        workflow_ref=f"acme/r{repository}/.github/workflows/agent.yml@refs/heads/main", job_workflow_ref="",
        started_at_us=at, run_conclusion="success", state="closed", opened_at_us=at,
    )  # fmt: skip
    yield AgentRun, plain(
        AgentRun, id=run, account_id=ACCOUNT, repository_id=repository, workflow_job_id=job, record_id="r",
        agent="claude-code", provenance="job", session=str(number), completeness="complete", started_at_us=at,
        ended_at_us=at + CALLS * 10**7, model_calls=CALLS, models=json.dumps(by_model),
        input_tokens=cost // 100, cache_read_tokens=cost // 10, cache_write_5m_tokens=cost // 50,
        cache_write_1h_tokens=0, cache_write_other_tokens=0, output_tokens=cost // 200, reasoning_tokens=0,
        evidence="E1" if tied else "",
        cost_nano_usd=cost, list_cost_nano_usd=cost, unlisted_calls=0, price_list="p", body_sha256="",
    )  # fmt: skip
    if tied:
        yield (
            Tie,
            plain(Tie, account_id=ACCOUNT, agent_run_id=run, repository_id=repository, number=pull + 1, evidence="E1"),
        )
    moves = [("usage", 0, -cost), ("unattributed", 0, cost)]
    moves += [("unattributed", 0, -cost), ("pull", pull + 1, cost)] if tied else []
    for at_entry, (book, place, amount) in enumerate(moves):
        yield LedgerEntry, plain(
            LedgerEntry, account_id=ACCOUNT, transaction_id=moved if at_entry > 1 else entered, book=book,
            repository_id=repository, number=place, agent_run_id=run, month=int(Month.of(started)),
            amount_nano_usd=amount, reason="", posted_at_us=at,
        )  # fmt: skip


def _in_october(chance: random.Random) -> datetime:
    return OCTOBER.start + timedelta(minutes=chance.randrange(60 * 24 * 31))


DEFAULTS: dict[Any, dict[str, Any]] = {}


def plain(table: Any, **values: Any) -> dict[str, Any]:
    """A row with the defaults of its table."""
    if table not in DEFAULTS:
        DEFAULTS[table] = table(**values).model_dump()
        if table is LedgerEntry:
            del DEFAULTS[table]["id"]  # counted by the database
    return DEFAULTS[table] | values
