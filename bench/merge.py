"""From a merge's delivery to the check and the comment on GitHub: how long, pull by pull, on a warm App.

The App's own stories on SQLite against the sandbox over HTTP, with no debounce and no spacing of writes. The sandbox
answers from a thread of the same process, so its own work (and that of merging, which is not measured) is in the time:
the figure is an upper bound.
"""

import statistics
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.sandbox import Sandbox
from app.store.database import Database
from app.store.migrations import migrate
from tests.stories.stage import REPOSITORY, Stage

PULLS = 200
WARM_UP = 10
AGENT_RUNS = 3
START = datetime(2026, 10, 5, 9, tzinfo=UTC)


def measure(pulls: int = PULLS) -> dict[str, Any]:
    """Milliseconds for each of `pulls` merged pulls with three agent runs of four calls."""
    with tempfile.TemporaryDirectory() as folder, Sandbox() as gh:
        url = f"sqlite:///{Path(folder) / 'bench.sqlite3'}"
        migrate(url)
        gh.set_time(START)
        database = Database(url)
        with closing(Stage(gh, database)) as stage:
            stage.install()
            took = [_merge(stage, number) for number in range(pulls + WARM_UP)][WARM_UP:]
        database.close()
    return {
        "pulls": len(took),
        "p50_ms": round(statistics.median(took) * 1e3, 1),
        "p99_ms": round(statistics.quantiles(took, n=100)[98] * 1e3, 1),
    }


def _merge(stage: Stage, number: int) -> float:
    pull = stage.gh.open_pull(REPOSITORY, f"branch-{number}", files={f"{number}.py": "1"})
    stage.tick()
    for _ in range(AGENT_RUNS):
        stage.agent(pull=pull, calls=4)
    stage.work()
    stage.tick()
    stage.gh.merge(REPOSITORY, pull, "squash")
    began = time.perf_counter()
    stage.work()
    took = time.perf_counter() - began
    comment = stage.comment(pull)
    if comment is None or not stage.gh.checks(REPOSITORY, pull):
        raise AssertionError(f"#{pull} has no comment or no check")
    return took


if __name__ == "__main__":
    print(measure())
