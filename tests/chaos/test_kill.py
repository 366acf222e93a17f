"""Real processes on both databases, struck at random moments while work comes in. `bench/kill.py` is the large one."""

import shutil
from pathlib import Path
from typing import Any

from tests.chaos.campaign import SPLIT, TWO, Outcome, Plan, campaign

LEASE_S = 3.0
SIZE: dict[str, Any] = {"deliveries": 120, "agent_runs": 30, "pace_s": 0.07, "calm_s": (0.5, 3.0), "lease_s": LEASE_S}


def check(outcome: Outcome) -> None:
    print(outcome.figures)  # noqa: T201 (shown when this fails)
    assert outcome.findings == [], outcome.logs[-20_000:]


def test_killed_processes_on_sqlite_lose_nothing_and_double_nothing(sqlite_template: Path, tmp_path: Path) -> None:
    database = tmp_path / "mergemeter.sqlite3"
    shutil.copyfile(sqlite_template, database)
    check(campaign(f"sqlite:///{database}", Plan(SPLIT, kills=3, **SIZE)))


def test_replicas_that_are_killed_frozen_or_gone_for_good_lose_nothing_and_double_nothing(postgres_url: str) -> None:
    plan = Plan(TWO, kills=2, freezes=1, deaths=1, frozen_s=LEASE_S * 1.5, **SIZE)
    check(campaign(postgres_url, plan))
