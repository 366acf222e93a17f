"""`attribute`, `detach` and `links` as processes: what they write down, and what they refuse."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.store.database import Database
from app.store.tables import AgentRun, Pull, WorkflowJob
from tests.engine.play import rows
from tests.engine.test_command import run

RUN = "0198f0c2a1b27000800000000000abcd"
AMOUNTS: dict[str, Any] = {name: 0 for name in AgentRun.model_fields if name.endswith(("_tokens", "_usd", "_calls"))}


@pytest.fixture
def known(sqlite_url: str) -> Iterator[Database]:
    """acme with a pull, and an agent run that is tied to none."""
    database = Database(sqlite_url)
    with database.transaction() as session:
        execute = session.connection().exec_driver_sql
        execute("INSERT INTO installation VALUES (100, 1, 'acme', 'Organization', 'active', '{}', 0)")
        execute("INSERT INTO repository VALUES (100, 2, 'acme', 'r', 'main', 'private', 0, 1, 'installed', 0)")
        session.add(
            Pull(
                account_id=100, repository_id=2, number=7, title="t", state="open", head_ref="f", head_sha="a",
                base_ref="main", author_id=1, created_at_us=0, read_at_us=0,
            )
        )  # fmt: skip
        names = ("issuer", "job_key", "head_ref", "base_ref", "workflow", "workflow_ref", "job_workflow_ref")
        texts: dict[str, Any] = dict.fromkeys(names, "")
        session.add(
            WorkflowJob(
                **texts, id="j", account_id=100, repository_id=2, run_id=5, run_attempt=1,
                event_name="schedule", ref="refs/heads/main", actor_id=1, started_at_us=0, run_state="read",
                state="closed", opened_at_us=0,
            )
        )  # fmt: skip
        session.add(
            AgentRun(
                **AMOUNTS, id=RUN, account_id=100, repository_id=2, workflow_job_id="j", record_id="r", agent="codex",
                provenance="job", session="s", completeness="complete", started_at_us=0, ended_at_us=0, price_list="p",
                body_sha256="b",
            )
        )  # fmt: skip
        session.commit()
    yield database
    database.close()


def test_a_decision_is_written_down_listed_and_left_to_a_worker(known: Database, sqlite_url: str) -> None:
    done = run(sqlite_url, "attribute", RUN, "--to", "acme/r#7", "--because", "it \x1b[31mdid", "--by", "root")
    assert (done.returncode, done.stderr.partition(";")[0]) == (0, "agent runs attributed to acme/r#7: 1")
    address = "https://github.com/acme/r/actions/runs/5"
    assert run(sqlite_url, "detach", address, "--because", "it did not", "--by", "root").returncode == 0
    assert rows(known, "SELECT number, reason, login, source FROM manual_link ORDER BY id") == [
        (7, "it  [31mdid", "root", "command line"),
        (None, "it did not", "root", "command line"),
    ]
    assert rows(known, "SELECT lane, kind, state FROM job") == [("100/2/run/5", "place", 0)]
    listed = run(sqlite_url, "links", RUN).stdout.splitlines()
    assert listed[0].startswith(RUN)
    assert "repository 2 #7  manual, on the command line by root: it  [31mdid" in listed[1]
    assert "no pull  detached, on the command line by root: it did not" in listed[2]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["attribute", "12", "--to", "acme/r#7", "--because", "x"], 2, "neither an agent run's id"),
        (["attribute", RUN, "--to", "7", "--because", "x"], 2, "write it as acme/widgets#12"),
        (["attribute", RUN, "--to", "acme/r#8", "--because", "x"], 1, "no pull acme/r#8"),
        (["attribute", RUN, "--to", "acme/r#7", "--because", " "], 2, "a reason"),
        (["attribute", RUN, "--to", "acme/r#7", "--because", "x" * 301], 2, "at most 300"),
        (["detach", "f" * 32, "--because", "x"], 1, "No account here knows"),
        (["detach", RUN, "--because", "x", "--account", "globex"], 1, "No account here knows"),
        (["links", "f" * 32], 1, "No account here knows"),
        (["detach", RUN], 2, "--because"),
    ],
)
def test_what_cannot_be_followed_is_refused_and_nothing_written(
    known: Database, sqlite_url: str, arguments: list[str], code: int, told: str
) -> None:
    done = run(sqlite_url, *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert rows(known, "SELECT COUNT(*) FROM manual_link") == [(0,)]
