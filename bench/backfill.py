"""How long the history of 10,000 pulls takes us: reading lists and commits, and finding the pulls of agent runs.

GitHub is the sandbox in a process of its own, on the same machine. Own time is the time of the process that reads, in
user and kernel; beside it stands what waiting there was. Limits are not waited for: their number of requests is told.
"""

import json
import multiprocessing
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from app.core.pricing import PriceList
from app.github.app import GitHubApp
from app.sandbox import Sandbox
from app.sandbox.commits import add_commit
from app.sandbox.state import Issue, Pull, Repository
from app.settings import Settings
from app.store.accounts import active_accounts
from app.store.database import Database
from app.store.keys import new_key, us
from app.store.migrations import migrate
from app.store.queue import NewJob, enqueue
from app.store.readings import progress
from app.store.tables import WorkflowJob
from app.timetable import stories
from app.worker import Worker
from app.world import World

PULLS = 10_000
REPOSITORY = "acme/widgets"
JOBS_EVERY = 5  # every fifth pull has a job with an agent, where there are any
OPEN_EVERY = 20
GIVEN_REQUESTS = 10**6


def measure(pulls: int = PULLS) -> dict[str, Any]:
    """Figures without any agent run, as when the App is installed, and with one on every fifth pull."""
    return {"at_installation": _measure(pulls, 0), "with_agent_runs": _measure(pulls, JOBS_EVERY)}


def _measure(pulls: int, jobs_every: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    stop, (ours, theirs) = context.Event(), context.Pipe()
    github = context.Process(target=serve, args=(theirs, stop, pulls))
    github.start()
    app = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        migrate(url)
        database = Database(url)
        world = _world(database, app)
        if jobs_every:
            _jobs(world, app, pulls, jobs_every)
        figures = _read(world)
        stop.set()
        asked = ours.recv()
        github.join()
        world.github.close()
        database.close()
    return figures | {"requests": asked}


def _read(world: World) -> dict[str, Any]:
    worker = Worker(world, stories())
    now = world.now()
    with world.db.transaction() as session:
        enqueue(session, NewJob(0, "0/discover", "discover", "discover", {}, now), now)
    began, cpu = time.perf_counter(), time.process_time()
    while worker.drain() or _waits(world):
        pass
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    with world.db.reading() as session:
        [account_id] = active_accounts(session)
        found = progress(session, account_id)
        connection = session.connection()
        rows, merged = connection.exec_driver_sql("SELECT COUNT(*), COUNT(merged_at_us) FROM pull").one()
        commits = connection.exec_driver_sql("SELECT COUNT(DISTINCT number) FROM pull_commit").scalar_one()
    return {
        "own_time_s": round(cpu, 1),
        "wall_s": round(took, 1),
        "pulls": rows,
        "merged": merged,
        "pulls_with_commits": commits,
        "read_again": found.read_again,
    }


def _waits(world: World) -> bool:
    """Whether something is due within seconds: what is read again is spaced. That is waited for, and no work."""
    soon_us = us(world.now() + timedelta(minutes=5))
    with world.db.reading() as session:
        query = f"SELECT COUNT(*) FROM job WHERE state < 2 AND kind IN ('read', 'publish') AND run_at_us < {soon_us}"
        waits = bool(session.connection().exec_driver_sql(query).scalar_one())
    if waits:
        time.sleep(0.05)
    return waits


def _world(database: Database, app: dict[str, Any]) -> World:
    settings = Settings(
        app_id=app["app_id"], github_api_url=app["url"], public_url="https://mergemeter.example",
        debounce_s=0, write_spacing_s=0, create_spacing_s=0,
    )  # fmt: skip
    github = GitHubApp(app["app_id"], app["private_key"], app["url"])
    return World(settings, database, github, PriceList.load(), lambda: datetime.now(UTC))


def _jobs(world: World, app: dict[str, Any], pulls: int, every: int) -> None:
    """Jobs that reported while nobody heard of their pulls."""
    with world.db.transaction() as session:
        session.add_all(
            WorkflowJob(
                id=new_key(), account_id=app["account_id"], issuer="bench", repository_id=app["repository_id"],
                run_id=number, run_attempt=1, job_key=f"check_run:{number}", event_name="pull_request",
                ref=f"refs/pull/{number}/merge", head_ref=f"b{number}", base_ref="main", actor_id=1, workflow="agent",
                workflow_ref="", job_workflow_ref="", started_at_us=us(world.now() - timedelta(days=80)),
                run_state="gone", state="closed", opened_at_us=us(world.now()),
            )
            for number in range(1, pulls + 1, every)
        )  # fmt: skip


def serve(ready: Any, stop: Event, pulls: int) -> None:
    """GitHub's process: one repository whose pulls were opened and closed in the last 80 days."""
    with Sandbox() as gh:
        app = gh.register_app()
        account_id = gh.create_account("acme")
        gh.create_repository(REPOSITORY, files={"a.py": "1\n"})
        gh.limit_requests(GIVEN_REQUESTS)
        place = gh.hub.repository(REPOSITORY)
        _fill(gh, place, pulls)
        gh.install("acme")
        ready.send({"url": gh.url, "account_id": account_id, "repository_id": place.repository_id, **app})
        stop.wait()
        ready.send(dict(_kinds(gh.requests)))


def _fill(gh: Sandbox, place: Repository, pulls: int) -> None:
    hub, ada = gh.hub, gh.hub.account("ada")
    base = place.branches["main"]
    heads = [add_commit(hub, (base,), {"a.py": f"{n}\n"}, f"Change {n}", ada) for n in range(50)]
    for count in range(pulls):
        number, at = next(place.numbers), hub.now() - timedelta(days=80) + timedelta(minutes=11 * count)
        closed_at = None if count % OPEN_EVERY == 0 else at + timedelta(hours=2)
        issue = Issue(
            hub.next_id("issue"), number, f"Change {number}", "Some words on what it does.\n" * 20, ada, None, at,
            closed_at or at, state="closed" if closed_at else "open", closed_at=closed_at,
        )  # fmt: skip
        head = heads[count % len(heads)]
        place.issues[number] = issue
        place.pulls[number] = Pull(
            hub.next_id("pull"), issue, place.repository_id, f"acme:b{number}", f"b{number}", head, "main", base,
            merged_at=closed_at if count % 3 else None, commits_at_merge=(head,),
        )  # fmt: skip


def _kinds(requests: list[tuple[str, str, int]]) -> Counter[str]:
    return Counter("commits" if path.endswith("/commits") else "lists" if path.endswith("/pulls") else "others"
                   for _, path, _ in requests)  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
