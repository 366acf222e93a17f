"""opencode's store: what it holds is counted exactly, what it lacks is told, and nothing of it is ever changed."""

import json
import os
import shutil
import sqlite3
import time as clock
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from collect import collect, opencode_store, sqlite_file
from collect.calls import LIFETIME_UNKNOWN, AgentRun, microseconds
from collect.places import Surroundings
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import copy_home, expected, home_of, lumped, usage
from tests.action.test_hostile_logs import json_values, only, read
from tests.action.test_known_truth import look

SCENARIO = "opencode-1.18.33/basic"
START_MS = 1_795_428_000_000  # 2026-11-23T10:00:00Z
UNRECORDED = "opencode does not record the model calls that make titles"
UNANSWERED = "an answer in the log has no end"
NO_USAGE = "an answer in the log has no usage"
LOST = "opencode counted more tokens than its log holds"
UNREAD = "a database could not be read"
BROKEN = "a line of a log could not be read"
TABLES = """
CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, version TEXT, time_created INTEGER,
 tokens_input INTEGER DEFAULT 0, tokens_output INTEGER DEFAULT 0, tokens_reasoning INTEGER DEFAULT 0);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);
"""


def answer(number: int, **changes: Any) -> dict[str, Any]:
    """An answer of `number` tokens and two of reasoning."""
    at = START_MS + number * 1000
    tokens = {"input": 30, "output": number, "reasoning": 2, "cache": {"read": 60, "write": 10}}
    return {
        "role": "assistant", "modelID": "my-model", "providerID": "anthropic", "cost": 0.25,
        "tokens": {**tokens, **changes.pop("tokens", {})}, "time": {"created": at, "completed": at + 500}, **changes,
    }  # fmt: skip


NOTHING = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}


class Writer:
    """opencode, as far as its database goes. Until it is closed, new rows stand in the write-ahead log."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.executescript(TABLES)

    def session(self, name: str, second: int = 0, parent: str | None = None, output: int = 0) -> None:
        row = (name, parent, "/w", "1.18.33", START_MS + second * 1000, output)
        names = "id, parent_id, directory, version, time_created, tokens_output"
        self.connection.execute(f"INSERT INTO session ({names}) VALUES (?, ?, ?, ?, ?, ?)", row)
        self.connection.commit()

    def message(self, session: str, data: object, updated: int = 0) -> None:
        self.rows += 1
        at = START_MS + updated * 1000
        content = data if isinstance(data, bytes) else json.dumps(data)
        row = (f"msg_{self.rows}", session, at, at, content)
        self.connection.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)
        self.connection.commit()


def store(home: Path, name: str = "opencode.db") -> Path:
    return home / ".local" / "share" / "opencode" / name


@pytest.fixture
def opencode(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(store(tmp_path))
    with closing(writer.connection):
        yield writer


def outputs(run: AgentRun) -> list[int]:
    return [call.output for call in run.calls]


def told(run: AgentRun) -> tuple[list[int], str, list[str]]:
    return outputs(run), run.completeness, run.reasons


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_the_real_store_gives_the_true_usage_but_for_the_title_and_the_lifetime_of_cache_writes() -> None:
    (run,) = look(home_of(SCENARIO))["agent_runs"]
    truth = lumped(expected(SCENARIO))
    del truth["claude-haiku-4-5-20251001"]  # the call for the title
    assert usage([run]) == truth
    assert run["completeness_reason"] == f"{UNRECORDED}; {LIFETIME_UNKNOWN}"
    assert (run["agent_version"], run["reported_cost_usd"]) == ("1.18.33", "0.0112254")


def test_reasoning_is_added_to_the_output(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1")
    opencode.message("ses_1", answer(5))
    (call,) = only(tmp_path).calls
    assert (call.input, call.cache_read, call.cache_write_other, call.output, call.reasoning) == (30, 60, 10, 7, 2)


def test_rows_that_stand_in_the_write_ahead_log_alone_are_counted_and_nothing_is_changed(
    tmp_path: Path, opencode: Writer
) -> None:
    opencode.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opencode.session("ses_1")
    opencode.message("ses_1", answer(5))
    before = files(opencode.path.parent)
    assert set(before) == {"opencode.db", "opencode.db-shm", "opencode.db-wal"}
    assert told(only(tmp_path)) == ([7], "lower_bound", [UNRECORDED])
    assert files(opencode.path.parent) == before


@pytest.mark.parametrize("lost", ["", "-shm"])
def test_the_store_of_a_killed_opencode_is_read_and_not_changed(tmp_path: Path, opencode: Writer, lost: str) -> None:
    opencode.session("ses_1")
    opencode.message("ses_1", answer(5))
    home = tmp_path / "other"
    shutil.copytree(opencode.path.parent, store(home).parent)
    if lost:
        store(home, "opencode.db" + lost).unlink()
    before = files(store(home).parent)
    assert outputs(only(home)) == [7]
    assert files(store(home).parent) == before


def test_a_store_that_was_closed_in_good_order_is_read_where_it_lies(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1")
    opencode.message("ses_1", answer(5))
    opencode.connection.close()
    opencode.path.parent.chmod(0o500)
    before = files(opencode.path.parent)
    assert outputs(only(tmp_path)) == [7]
    assert set(before) == {"opencode.db"}
    assert files(opencode.path.parent) == before


def test_a_large_store_with_a_log_is_opened_in_place(
    tmp_path: Path, opencode: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "COPY_LIMIT", 10)
    opencode.session("ses_1")
    opencode.message("ses_1", answer(5))
    before = {name: content for name, (content, _) in files(opencode.path.parent).items() if name != "opencode.db-shm"}
    assert outputs(only(tmp_path)) == [7]
    after = {name: content for name, (content, _) in files(opencode.path.parent).items() if name != "opencode.db-shm"}
    assert after == before


def test_messages_that_a_fork_copied_count_in_the_session_that_made_them(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_2", second=9)
    opencode.session("ses_1")
    for number in (1, 2):
        opencode.message("ses_2", answer(number), updated=9)
        opencode.message("ses_1", answer(number))
    opencode.message("ses_2", answer(10), updated=10)
    assert {run.session: outputs(run) for run in read(tmp_path)[0]} == {"ses_1": [3, 4], "ses_2": [12]}


def test_calls_of_sub_agents_belong_to_the_session_at_the_root_and_are_marked(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1")
    opencode.session("ses_2", 1, "ses_1")
    opencode.session("ses_3", 2, "ses_2")
    for number in (1, 2, 3):
        opencode.message(f"ses_{number}", answer(number))
    run = only(tmp_path)
    assert [(call.output, call.subagent) for call in run.calls] == [(3, False), (4, True), (5, True)]
    assert (run.session, run.reported_cost_usd) == ("ses_1", "0.75")


def test_sessions_that_are_their_own_parents_do_no_harm(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1", parent="ses_2")
    opencode.session("ses_2", parent="ses_1")
    opencode.message("ses_1", answer(1))
    assert outputs(only(tmp_path)) == [3]


def test_a_job_with_a_restored_store_counts_its_own_calls_by_time(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1")
    opencode.session("ses_2", 61)
    opencode.message("ses_1", answer(1), updated=1)
    opencode.message("ses_1", answer(62), updated=62)
    opencode.message("ses_2", answer(1), updated=63)  # copied by a fork
    old, new = START_MS // 1000, START_MS // 1000 + 62
    os.utime(opencode.path, (old, old))
    os.utime(f"{opencode.path}-wal", (new, new))
    window = Window(microseconds("2026-11-23T10:01:00Z"), microseconds("2026-11-23T10:02:00Z"))
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert (run.session, outputs(run)) == ("ses_1", [64])
    later = Window(microseconds("2026-11-23T10:03:00Z"), microseconds("2026-11-23T10:04:00Z"))
    assert collect(Surroundings([str(tmp_path)]), later) == ([], [])


LOST_ANSWERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"time": {"created": START_MS + 2000}}, [UNANSWERED]),
    ({"error": {"name": "MessageAbortedError"}}, [UNANSWERED]),
    ({"error": {"name": "APIError"}}, []),
    ({}, [NO_USAGE]),
]


@pytest.mark.parametrize(("changes", "reasons"), LOST_ANSWERS, ids=str)
def test_an_answer_without_tokens_is_told_unless_the_api_refused_it(
    tmp_path: Path, opencode: Writer, changes: dict[str, Any], reasons: list[str]
) -> None:
    opencode.session("ses_1")
    opencode.message("ses_1", answer(1))
    opencode.message("ses_1", answer(2, tokens=NOTHING, **changes))
    assert told(only(tmp_path)) == ([3], "lower_bound", [UNRECORDED, *reasons])


def test_a_session_whose_answers_are_lost_is_missing(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1", output=9)
    assert told(only(tmp_path)) == ([], "missing", [UNRECORDED, LOST])


def test_totals_beyond_the_messages_are_told(tmp_path: Path, opencode: Writer) -> None:
    opencode.session("ses_1", output=9)
    opencode.message("ses_1", answer(1))
    assert told(only(tmp_path)) == ([3], "lower_bound", [UNRECORDED, LOST])


BAD: list[object] = [
    answer(2, tokens={"input": -1}), answer(2, tokens={"output": 10**13}), answer(2, tokens={"reasoning": "1"}),
    answer(2, tokens={"cache": {"read": 1.5}}), answer(2, time={}), answer(2, time={"created": 1e300}),
    b'{"role":"assistant"', b'"assistant"\xff', b'{"role":"assistant","x":' + b"[" * 90_000,
]  # fmt: skip


@pytest.mark.parametrize("data", BAD, ids=lambda data: str(data)[-60:])
def test_a_message_that_cannot_be_true_is_refused_and_told(tmp_path: Path, opencode: Writer, data: object) -> None:
    opencode.session("ses_1")
    for each in (answer(1), data, answer(3)):
        opencode.message("ses_1", each)
    assert told(only(tmp_path)) == ([3, 5], "lower_bound", [UNRECORDED, BROKEN])


def test_columns_that_are_not_there_do_no_harm(tmp_path: Path) -> None:
    store(tmp_path).parent.mkdir(parents=True)
    with closing(sqlite3.connect(store(tmp_path))) as connection:
        connection.execute("CREATE TABLE session (id)")
        connection.execute("CREATE TABLE message (session_id, data BLOB)")
        connection.execute("INSERT INTO message VALUES ('ses_1', ?)", [json.dumps(answer(1)).encode()])
        connection.commit()
    assert told(only(tmp_path)) == ([3], "lower_bound", [UNRECORDED])


@pytest.mark.parametrize("tables", ["CREATE TABLE other (id)", "CREATE TABLE session (id); CREATE TABLE message (id)"])
def test_a_database_of_another_format_is_missing(tmp_path: Path, tables: str) -> None:
    store(tmp_path).parent.mkdir(parents=True)
    with closing(sqlite3.connect(store(tmp_path))) as connection:
        connection.executescript(tables)
    run = only(tmp_path)
    assert told(run) == ([], "missing", ["a database could not be read, or its format is not known"])
    assert run.session.startswith("sha256:")


def test_a_query_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencode_store, "SECONDS", 0.3)
    store(tmp_path).parent.mkdir(parents=True)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS session_id, i AS data FROM n"
    with closing(sqlite3.connect(store(tmp_path))) as connection:
        connection.executescript(f"CREATE TABLE session (id); CREATE VIEW message AS {endless};")
    began = clock.monotonic()
    assert told(only(tmp_path)) == ([], "missing", [UNREAD])
    assert clock.monotonic() - began < 5


@pytest.mark.parametrize("name", ["opencode.db-wal", "opencode.db-journal"])
def test_a_pipe_or_link_beside_the_store_is_not_opened(tmp_path: Path, opencode: Writer, name: str) -> None:
    opencode.session("ses_1")
    opencode.connection.close()
    os.mkfifo(store(tmp_path, name))
    assert told(only(tmp_path)) == ([], "missing", [UNREAD])


def test_other_channels_and_the_file_that_the_variable_names_are_read(tmp_path: Path) -> None:
    paths = [
        store(tmp_path, "opencode-dev.db"),
        tmp_path / "x" / "mine.db",
        tmp_path / "data" / "opencode" / "opencode.db",
    ]
    for number, path in enumerate(paths, 1):
        writer = Writer(path)
        writer.session(f"ses_{number}")
        writer.message(f"ses_{number}", answer(number))
        writer.connection.close()
    (tmp_path / "x" / "other.db").write_bytes(b"")
    variables = {"OPENCODE_DB": [str(paths[1])], "XDG_DATA_HOME": [str(tmp_path / "data")]}
    runs, notices = collect(Surroundings([str(tmp_path)], variables), Window())
    assert {run.session: outputs(run) for run in runs} == {"ses_1": [3], "ses_2": [4], "ses_3": [5]}
    assert notices == []


def test_the_real_store_cut_or_broken_anywhere_never_counts_more(tmp_path: Path) -> None:
    home = copy_home(SCENARIO, tmp_path)
    content = store(home).read_bytes()
    for at in range(0, len(content), 257):
        for broken in (content[:at], content[:at] + b"\xff" * 64 + content[at + 64 :]):
            store(home).write_bytes(broken)
            runs, notices = read(home)
            counted = [output for run in runs for output in outputs(run)]
            assert len(counted) <= 3
            assert set(counted) <= {72, 83, 94} or b"\xff" in broken
            assert runs or notices or not broken


@given(st.lists(st.dictionaries(st.sampled_from(["role", "tokens", "time", "modelID", "error"]), json_values)))
def test_no_json_makes_reading_crash(tmp_path_factory: pytest.TempPathFactory, messages: list[dict[str, Any]]) -> None:
    home = tmp_path_factory.mktemp("wild")
    writer = Writer(store(home))
    writer.session("ses_1")
    for message in [answer(1), *messages, *(answer(2, tokens={"cache": message}) for message in messages)]:
        writer.message("ses_1", {"role": "assistant", **message})
    writer.connection.close()
    runs, _ = read(home)
    json.dumps([run.as_json() for run in runs], allow_nan=False)
    assert all(call.output >= 0 for run in runs for call in run.calls)
