"""How long a FOCUS export of a million rows takes, from the database to the file, and how much memory.

A month of 125,000 agent runs: two models each, three calls of each model, four token classes; 80 % tied to pulls,
200 cost centers. SQLite, written as fast as it goes; the export is the command itself, in a process of its own.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from app.core.config import read
from app.core.month import Month
from app.core.pricing import PriceList
from app.core.usage import ModelCall, Tokens
from app.store.keys import new_keys, us
from app.store.tables import (
    AgentRun,
    ConfigVersion,
    Installation,
    LedgerEntry,
    ModelCallRow,
    Pull,
    Repository,
    Tie,
    WorkflowJob,
)
from bench.metrics import plain, write

ACCOUNT, REPOSITORIES, CENTERS = 1, 1_000, 200
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
MODELS, CALLS_OF_EACH, CLASSES = ("claude-sonnet-4-5", "claude-haiku-4-5"), 3, 4
RUNS = ROWS // (len(MODELS) * CLASSES)
OCTOBER = Month(2026, 10)
AT_ONCE = 5_000
MEASURED = """
import resource, sys, time
from app.__main__ import main
began = time.perf_counter()
code = main(sys.argv[1:])
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(code, round(time.perf_counter() - began, 1), round(time.process_time(), 1), memory)
"""


def measure() -> dict[str, Any]:
    """Seconds, megabytes and rows for each format."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{_filled(Path(folder))}"
        return {kind: _exported(url, folder, kind) for kind in ("parquet", "csv")}


def _exported(url: str, folder: str, kind: str) -> dict[str, Any]:
    command = ["export", str(OCTOBER), "--to", f"{folder}/{kind}", "--format", kind]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], env=os.environ | {"MERGEMETER_DATABASE_URL": url},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    whole_s = round(time.perf_counter() - began, 1)
    code, seconds, cpu, memory = done.stdout.splitlines()[-1].split()
    if code != "0":
        raise AssertionError(done.stderr)
    place = Path(folder, kind, "acme", "focus-1.4", str(OCTOBER))
    files = json.loads((place / "metadata.json").read_text())["x_Delivery"]["Files"]
    found = files[f"cost-and-usage.{kind}"]
    if kind == "parquet" and pq.read_metadata(place / "cost-and-usage.parquet").num_rows != found["Rows"]:
        raise AssertionError("the file has other rows than were written")
    return {
        "rows": found["Rows"],
        "export_s": float(seconds),
        "process_s": whole_s,
        "cpu_s": float(cpu),
        "memory_mb": int(memory),
        "file_mb": found["Bytes"] // 2**20,
    }


def _filled(folder: Path) -> Path:
    path = folder / "bench.sqlite3"
    write(path, _rows(random.Random(5)))
    return path


def _rows(chance: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    yield Installation, plain(
        Installation, account_id=ACCOUNT, installation_id=1, account_login="acme", account_type="Organization",
        state="active", updated_at_us=0,
    )  # fmt: skip
    centers = "".join(
        f"    c{number}: {{repositories: [r{number}-*], label: Center {number}}}\n" for number in range(CENTERS)
    )
    rules = f"cost_centers:\n  centers:\n{centers}"
    if problems := read(rules, public=False)[1]:
        raise AssertionError(f"the configuration is wrong, so nothing would be anybody's: {problems[:3]}")
    yield ConfigVersion, plain(
        ConfigVersion, account_id=ACCOUNT, source="acme/.github-private", good_text=rules,
        read_text="", read_at_us=0,
    )  # fmt: skip
    for number in range(1, REPOSITORIES + 1):
        yield Repository, plain(
            Repository, account_id=ACCOUNT, repository_id=number, owner="acme", name=f"r{number % CENTERS}-{number}",
            default_branch="main", visibility="private", updated_at_us=0,
        )  # fmt: skip
    pulls = max(1, RUNS // 10)
    for number in range(pulls):
        opened = OCTOBER.start + timedelta(minutes=chance.randrange(60 * 24 * 31))
        merged = us(opened + timedelta(hours=chance.randrange(1, 200))) if chance.random() < 0.8 else None
        yield Pull, plain(
            Pull, account_id=ACCOUNT, repository_id=number % REPOSITORIES + 1, number=number + 1, state="open",
            head_ref=f"b{number}", head_sha="", base_ref="main", author_id=1, created_at_us=us(opened),
            closed_at_us=merged, merged_at_us=merged, read_at_us=0, lines_changed=10,
        )  # fmt: skip
    prices = PriceList.load()
    for number in range(RUNS):
        yield from _run(number, chance, pulls, prices)


def _run(number: int, chance: random.Random, pulls: int, prices: PriceList) -> Iterator[tuple[type, dict[str, Any]]]:
    job, run = new_keys(2)
    pull = chance.randrange(pulls)
    repository, tied = pull % REPOSITORIES + 1, chance.random() < 0.8
    # Within one hour, so that the rows are as many as was meant.
    hour = OCTOBER.start + timedelta(hours=chance.randrange(24 * 31))
    cost, by_model = 0, dict.fromkeys(MODELS, 0)
    for position in range(len(MODELS) * CALLS_OF_EACH):
        uncached, read, written, output = (chance.randrange(1, top) for top in (20_000, 140_000, 30_000, 9_000))
        used = Tokens(uncached, read, written, output=output)
        call = ModelCall("anthropic", "", MODELS[position % 2], hour + timedelta(minutes=position), used)
        amount = prices.cost(call) or 0
        cost += amount
        by_model[call.model] += amount
        yield ModelCallRow, plain(
            ModelCallRow, agent_run_id=run, position=position, account_id=ACCOUNT,
            identity=number.to_bytes(8) + position.to_bytes(8), provider=call.provider, response_id="",
            model=call.model, at_us=us(call.at), input_tokens=used.input, cache_read_tokens=used.cache_read,
            cache_write_5m_tokens=used.cache_write_5m, cache_write_1h_tokens=0, cache_write_other_tokens=0,
            output_tokens=used.output, reasoning_tokens=0, web_searches=0, service_tier="standard", speed="standard",
            subagent=False, cost_nano_usd=amount, list_cost_nano_usd=amount, price_list=prices.version,
        )  # fmt: skip
    at = us(hour)
    yield WorkflowJob, plain(
        WorkflowJob, id=job, account_id=ACCOUNT, issuer="i", repository_id=repository, run_id=number + 1, run_attempt=1,
        job_key="j", event_name="pull_request", ref="", head_ref="", base_ref="", actor_id=1, workflow="Agent",
        workflow_ref=f"acme/r{repository % CENTERS}-{repository}/.github/workflows/agent.yml@refs/heads/main",
        job_workflow_ref="", started_at_us=at, run_conclusion="success", state="closed", opened_at_us=at,
    )  # fmt: skip
    yield AgentRun, plain(
        AgentRun, id=run, account_id=ACCOUNT, repository_id=repository, workflow_job_id=job, record_id="r",
        agent="claude-code", provenance="job", session=str(number), completeness="complete", started_at_us=at,
        ended_at_us=at + 10**7, model_calls=6, models=json.dumps(by_model), input_tokens=0, cache_read_tokens=0,
        cache_write_5m_tokens=0, cache_write_1h_tokens=0, cache_write_other_tokens=0, output_tokens=0,
        reasoning_tokens=0, evidence="E1" if tied else "", cost_nano_usd=cost, list_cost_nano_usd=cost,
        unlisted_calls=0, price_list=prices.version, body_sha256="",
    )  # fmt: skip
    if tied:
        yield Tie, plain(
            Tie, account_id=ACCOUNT, agent_run_id=run, repository_id=repository, number=pull + 1, evidence="E1"
        )  # fmt: skip
    moves = [("usage", 0, -cost), ("unattributed", 0, cost)]
    moves += [("unattributed", 0, -cost), ("pull", pull + 1, cost)] if tied else []
    for book, place, amount in moves:
        yield LedgerEntry, plain(
            LedgerEntry, account_id=ACCOUNT, transaction_id=run, book=book, repository_id=repository, number=place,
            agent_run_id=run, month=int(OCTOBER), amount_nano_usd=amount, reason="recorded", posted_at_us=at,
        )  # fmt: skip
