"""What a pull's event or a record asks of the database is found by narrow keys, however much an account has.

SQLite's plans of what was really asked: it has no statistics, so a small database shows the plan of a large one.
"""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import event

from app.sandbox import Sandbox
from app.store.database import Database
from tests.stories.conftest import START
from tests.stories.stage import REPOSITORY, Stage

# One row of each for every pull, job, agent run, entry … of an account.
LARGE = (
    "agent_run|balance|commit_made|ledger_entry|manual_link|model_call|pull|pull_commit|pull_head|pull_issue|tie"
    "|workflow_job"
)
NARROW = "ix_pull_reverting|ix_agent_run_tied"  # hold a few rows of each repository
OF_MONTHS = ("summary", "survey", "rollup")  # read a whole month
TOO_WIDE = re.compile(
    rf"SCAN ({LARGE})\b"
    rf"|SEARCH ({LARGE}) USING (?!INDEX ({NARROW})\b).*\((account_id=\?|account_id=\? AND repository_id=\?)\)"
)


@pytest.fixture
def plain(sqlite: Database) -> Iterator[Stage]:
    with Sandbox() as gh:
        gh.set_time(START)
        made = Stage(gh, sqlite)
        made.worker.stories = dict(made.worker.stories) | dict.fromkeys(OF_MONTHS, lambda _job, _world: None)
        with closing(made):
            yield made


def hear(stage: Stage) -> None:
    """As `settle`, without the sums of months, which are no part of it."""
    stage.deliver()
    stage.worker.drain()


def lived_through(stage: Stage, branch: str) -> None:
    """Evidence of every kind around one pull, in both orders."""
    issue = stage.gh.create_issue(REPOSITORY, "Do it")
    asked = stage.gh.start_workflow_run(REPOSITORY, "issues", pull=issue)
    stage.report(asked, 1, f"issue-{branch}", job={"issue_number": issue})
    made = stage.gh.start_workflow_run(REPOSITORY, "schedule")
    stage.tick()
    sha = stage.gh.push(REPOSITORY, branch, {f"{branch}.py": "1"})
    stage.agent(event="push", branch=branch, session=f"push-{branch}")
    hear(stage)
    number = stage.gh.open_pull(REPOSITORY, branch, body=f"Fixes #{issue}")
    stage.report(made, 1, f"made-{branch}", job={"commits_made": [sha]})
    hear(stage)
    stage.agent(pull=number, session=f"pull-{branch}")
    hear(stage)
    stage.gh.finish_run(asked["run_id"])
    stage.tick(3600)
    stage.gh.merge(REPOSITORY, number)
    hear(stage)


def test_nothing_reads_all_of_an_account_or_of_a_repository(plain: Stage) -> None:
    plain.install()
    lived_through(plain, "one")
    asked: dict[str, object] = {}

    @event.listens_for(plain.world.db.engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, values: object, *_more: object) -> None:
        asked.setdefault(statement, values)

    lived_through(plain, "two")
    event.remove(plain.world.db.engine, "before_cursor_execute", _note)
    wide = set()
    with plain.world.db.reading() as session:
        connection = session.connection()
        for statement, values in asked.items():
            if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
                wide |= {f"{row[3]}: {statement[:500]}" for row in plan if TOO_WIDE.search(row[3])}
    assert len(asked) > 50
    assert not wide, "\n".join(wide)
