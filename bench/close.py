"""How long a month takes to close: 1,000 repositories, 100,000 pulls, 1,000,000 agent runs of two models, 200 owners.

All of it is of the month. The sums of metrics are kept before, as a server keeps them; the close reads the ledger,
proves each line and writes 200 statements. Then the same on PostgreSQL with the same rows, where its programs are
installed.
"""

import os
import sqlite3
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg

from app.commands.rollups import rebuilt
from app.core.month import Month
from app.core.pricing import PriceList
from app.settings import Settings
from app.store.configs import config_of, save_config
from app.store.database import Database
from app.stories.close_period import close
from app.stories.verify_books import verify
from app.world import World
from bench.metrics import ACCOUNT, filled
from bench.processes import family_bytes
from tests.databases import SharedPostgres, find_binaries, new_home

REPOSITORIES = int(os.environ.get("BENCH_REPOSITORIES", "1000"))  # each with 100 pulls and 1,000 agent runs
CENTERS = 200
LOOK_S = 0.02
OCTOBER = Month(2026, 10)
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


def measure() -> dict[str, Any]:
    """Seconds of the close and of `verify`, and the most that the closing process and its helpers held at one time."""
    with tempfile.TemporaryDirectory() as folder:
        database = filled(folder, REPOSITORIES, 1, 1)
        _agree(database)
        rebuilt(database, ACCOUNT, NOW)
        database.engine.dispose()
        copy = _on_postgresql(Path(folder)) if find_binaries() else None
        found = {"sqlite": _apart(database)}
        if copy is not None:
            server, other = copy
            found["postgresql"] = _apart(other)
            server.stop()
        return found


def _apart(database: Database) -> dict[str, Any]:
    """Closed in a process of its own: what it and its helpers hold is what closing takes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pid = pool.submit(os.getpid).result()
        closing = pool.submit(_closed, database.url)
        most = 0
        while not closing.done():
            most = max(most, family_bytes(pid))
            time.sleep(LOOK_S)
        return {**closing.result(), "memory_mb": most // 2**20, **pool.submit(_verified, database.url).result()}


def _closed(url: str) -> dict[str, Any]:
    world = _world(url)
    began = time.perf_counter()
    closed = close(world, ACCOUNT, OCTOBER, "bench")
    close_s = round(time.perf_counter() - began, 1)
    world.db.close()
    return {"close_s": close_s, "statements": len(closed.statements)}


def _verified(url: str) -> dict[str, Any]:
    world = _world(url)
    began = time.perf_counter()
    verified = verify(world, ACCOUNT)
    verify_s = round(time.perf_counter() - began, 1)
    world.db.close()
    if verified.faults or verified.statements != min(CENTERS, REPOSITORIES):
        raise AssertionError(f"{verified.statements} statements, faults: {verified.faults[:3]}")
    return {"verify_s": verify_s}


def _world(url: str) -> World:
    return World(Settings(), Database(url), None, PriceList.load(), lambda: NOW)  # type: ignore[arg-type]  # not asked


def _agree(database: Database) -> None:
    """Each cost center has every 200th repository."""
    own = {n: [f"r{each}" for each in range(1, REPOSITORIES + 1) if each % CENTERS == n] for n in range(CENTERS)}
    rules = "".join(f"    c{n:03}: {{repositories: [{', '.join(names)}]}}\n" for n, names in own.items() if names)
    with database.transaction() as session:
        save_config(session, config_of(session, ACCOUNT), f"cost_centers:\n  centers:\n{rules}", [], NOW)


def _on_postgresql(folder: Path) -> tuple[SharedPostgres, Database]:
    """A server of this run's own with every row of the SQLite file."""
    server = SharedPostgres(new_home())
    server.ensure()
    server.create("bench")
    with (
        sqlite3.connect(folder / f"bench-{REPOSITORIES}.sqlite3") as source,
        psycopg.connect(server.admin_url.replace("/postgres", "/bench"), autocommit=True) as target,
    ):
        for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table != "alembic_version" and not table.startswith("sqlite_"):
                _copy(source, target, table)
        target.execute("SELECT setval(pg_get_serial_sequence('ledger_entry', 'id'), MAX(id)) FROM ledger_entry")
        target.execute("ANALYZE")
    return server, Database(server.url("bench"))


def _copy(source: sqlite3.Connection, target: psycopg.Connection, table: str) -> None:
    names = [row[1] for row in source.execute(f"PRAGMA table_info({table})")]
    kinds: dict[str, str] = dict(
        target.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", [table]
        ).fetchall()
    )
    flags = [kinds[name] == "boolean" for name in names]
    into = f"COPY {table} ({', '.join(names)}) FROM STDIN"
    with target.cursor() as cursor, cursor.copy(into.encode()) as copy:
        for row in source.execute(f"SELECT {', '.join(names)} FROM {table}"):
            copy.write_row([bool(value) if flag else value for value, flag in zip(row, flags, strict=True)])
