"""Mergemeter's own lines: what the page says holds, and a slip never becomes a number that looks exact."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from collect import collect, generic_lines
from collect.calls import AgentRun, instant
from collect.files import tail_digest
from collect.generic_lines import NO_END, SAID, TOO_FEW, TWICE
from collect.places import Surroundings
from collect.sources import BROKEN, CUT
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.job import Job
from tests.action.logs import LOGS, ROOT
from tests.action.server import Server
from tests.action.test_hostile_logs import answer, claude, jsonl
from tests.action.test_known_truth import SCHEMA, look

PAGE = (ROOT / "docs" / "generic-format.md").read_text(encoding="utf-8")
SAMPLE = LOGS / "generic-1" / "basic"
LINES = (SAMPLE / "workspace" / "my-agent.mergemeter.jsonl").read_bytes()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    record = {"agent": "a", "session": "s", "id": f"r{number}", "provider": "openai", "model": "gpt-5",
              "at": f"2026-11-23T10:00:{number:02d}Z", "input_tokens": 5, "output_tokens": 7, **changes}  # fmt: skip
    return {name: value for name, value in record.items() if value is not ...}


END = {"agent": "a", "session": "s", "completeness": "complete"}


def write(folder: Path, *records: object, name: str = "x.mergemeter.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(jsonl(*records))
    return folder / name


def read(workspace: Path, window: Window | None = None) -> list[AgentRun]:
    return collect(Surroundings([str(workspace)], {}, "", str(workspace)), window or Window())[0]


def only(workspace: Path) -> tuple[list[str], str, list[str]]:
    (run,) = read(workspace)
    return [call.id for call in run.calls], run.completeness, run.reasons


def test_the_pages_lines_are_a_complete_session(tmp_path: Path) -> None:
    write(tmp_path, *map(json.loads, blocks("json")))
    record = look(tmp_path, "--workspace", str(tmp_path))
    (run,) = record["agent_runs"]
    assert (run["agent"], run["session"], run["completeness"]) == ("my-agent", "run-4711", "complete")
    (call,) = run["calls"]
    assert (call["input_tokens"], call["cache_read_tokens"], call["output_tokens"]) == (1200, 3000, 90)


def test_the_pages_table_names_the_fields_of_a_line_and_of_the_records_schema() -> None:
    table = PAGE.split("## A model call")[1].split("## A session's end")[0]
    cells = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| `")]
    named = {name: "required" in need for cell, need in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named.keys() == generic_lines._CALL
    assert {name for name, needed in named.items() if needed} == generic_lines._NEEDED
    schema = json.loads((ROOT / "app" / "web" / "agent-runs-1.schema.json").read_text(encoding="utf-8"))
    assert named.keys() - {"agent", "session"} == schema["$defs"]["call"]["properties"].keys()


def test_the_pages_program_writes_what_the_action_sends(tmp_path: Path) -> None:
    (program,) = blocks("python")
    logs = tmp_path / "logs"
    usage = {"input_tokens": 5000, "input_tokens_details": {"cached_tokens": 4000},
             "output_tokens": 80, "output_tokens_details": {"reasoning_tokens": 30}}  # fmt: skip
    answered = {"id": "resp_1", "model": "gpt-5.1", "usage": usage}
    inputs = {"purpose": "author", "team": "", "tags": "", "agents": "all", "fail-on-error": "true", "matrix": "null"}
    with Server() as server:
        job = Job(tmp_path, {**inputs, "server-url": server.url}, {**server.environ(), "MERGEMETER_LOG_DIR": str(logs)})
        assert job.main()[0] == 0
        logs.mkdir()
        subprocess.run(
            [sys.executable, "-c", f"{program}\nrecord({answered!r})\nend(1)\n"],
            check=True, env={**os.environ, "MERGEMETER_LOG_DIR": str(logs), "GITHUB_RUN_ID": "77"},
        )  # fmt: skip
        assert job.post()[0] == 0
    SCHEMA.validate(server.closed)
    (run,) = server.closed["agent_runs"]
    assert (run["agent"], run["completeness"]) == ("my-agent", "complete")
    (call,) = run["calls"]
    assert {name: call[name] for name in call if name.endswith("_tokens")} == {
        "input_tokens": 1000, "cache_read_tokens": 4000, "output_tokens": 80, "reasoning_tokens": 30,
    }  # fmt: skip


def test_the_pages_command_shows_the_lines(tmp_path: Path) -> None:
    (command,) = blocks("sh")
    write(tmp_path / "logs", line(), END)
    shown = subprocess.run(
        ["sh", "-c", command.replace("python3", sys.executable)], cwd=ROOT, check=True, capture_output=True, text=True,
        env={"HOME": str(tmp_path), "MERGEMETER_LOG_DIR": str(tmp_path / "logs")},
    )  # fmt: skip
    assert [run["agent"] for run in json.loads(shown.stdout)["agent_runs"]] == ["a"]


def test_a_call_tells_which_pull_it_served(tmp_path: Path) -> None:
    write(tmp_path, line(1, pull=12), line(2), line(3, pull=12), line(4, pull=13), END)
    (run,) = read(tmp_path)
    told = run.as_json()
    assert [call.get("pull") for call in told["calls"]] == [12, None, 12, 13]  # type: ignore[attr-defined]
    assert (run.completeness, "pulls" in told) == ("complete", False)


def test_the_first_twenty_pulls_that_a_session_names_are_kept(tmp_path: Path) -> None:
    write(tmp_path, *(line(number, pull=number) for number in range(1, 25)), END)
    (run,) = read(tmp_path)
    assert [call.pull for call in run.calls] == [*range(1, 21), 0, 0, 0, 0]


WRONG: dict[str, Any] = {
    "no pull": line(2, pull=0), "a pull as text": line(2, pull="12"), "a pull of null": line(2, pull=None),
    "a truth as a pull": line(2, pull=True), "a pull beyond all": line(2, pull=2**31),
    "an unknown field": line(2, total_tokens=12), "a negative count": line(2, input_tokens=-1),
    "a count as text": line(2, input_tokens="5"), "a fraction": line(2, output_tokens=1.5),
    "a count of null": line(2, cache_read_tokens=None), "an absurd count": line(2, output_tokens=10**13),
    "a truth as a count": line(2, output_tokens=True), "no output": line(2, output_tokens=...),
    "no model": line(2, model=...), "a model that is no text": line(2, model=5), "no id": line(2, id=...),
    "an id with spaces": line(2, id="a b"), "an empty id": line(2, id=""), "no provider": line(2, provider=""),
    "no zone": line(2, at="2026-11-23T10:00:00"), "seconds": line(2, at=1795456800),
    "more reasoning than output": line(2, reasoning_tokens=8), "a sub-agent by name": line(2, subagent="yes"),
    "a tier that is no text": line(2, service_tier=1), "a prompt": line(2, prompt="secret"),
    "an end with more": {**END, "reason": "because"}, "an unknown end": {**END, "completeness": "mostly"},
    "a negative number of calls": {**END, "calls": -1},
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG.values(), ids=list(WRONG))
def test_a_wrong_line_does_not_count_and_makes_the_session_a_lower_bound(tmp_path: Path, wrong: object) -> None:
    write(tmp_path, line(1), wrong, line(3), END)
    assert only(tmp_path) == (["r1", "r3"], "lower_bound", [BROKEN])


@pytest.mark.parametrize(
    "wrong", [{"agent": "a"}, line(2, session="no good"), line(2, agent="x" * 65), line(2, agent=None), [1], "text", 7]
)
def test_a_line_that_does_not_tell_its_session_makes_all_of_the_file_lower_bounds(
    tmp_path: Path, wrong: object
) -> None:
    write(tmp_path, line(1), wrong, END, line(3, session="t"), {**END, "session": "t"})
    assert [(run.completeness, run.reasons, len(run.calls)) for run in read(tmp_path)] == [
        ("lower_bound", [BROKEN], 1), ("lower_bound", [BROKEN], 1),
    ]  # fmt: skip


def test_a_session_whose_only_call_is_wrong_is_missing(tmp_path: Path) -> None:
    write(tmp_path, line(1, total=5))
    assert only(tmp_path)[:2] == ([], "missing")


def test_without_an_end_a_session_was_cut_off(tmp_path: Path) -> None:
    write(tmp_path, line(1), END, line(2))
    assert only(tmp_path) == (["r1", "r2"], "lower_bound", [NO_END])


@pytest.mark.parametrize("completeness", ["lower_bound", "estimated"])
def test_a_session_is_as_complete_as_its_end_says(tmp_path: Path, completeness: str) -> None:
    write(tmp_path, line(1), {**END, "completeness": completeness})
    assert only(tmp_path) == (["r1"], completeness, [SAID[completeness]])


def test_an_agent_that_ran_without_known_calls_is_missing(tmp_path: Path) -> None:
    write(tmp_path, {**END, "completeness": "missing"})
    assert only(tmp_path) == ([], "missing", [SAID["missing"]])


def test_an_end_that_tells_of_more_calls_than_there_are_makes_a_lower_bound(tmp_path: Path) -> None:
    write(tmp_path, line(1), {**END, "calls": 2})
    assert only(tmp_path) == (["r1"], "lower_bound", [TOO_FEW])


def test_a_last_line_without_a_line_end_counts_and_half_a_line_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, line(1), END)
    path.write_bytes(path.read_bytes().rstrip())
    assert only(tmp_path) == (["r1"], "complete", [])
    path.write_bytes(path.read_bytes() + b'\n{"agent": "a", "sess')
    assert only(tmp_path) == (["r1"], "lower_bound", [CUT])


def test_an_id_counts_once_in_all_files_and_a_different_call_under_it_is_told(tmp_path: Path) -> None:
    write(tmp_path, line(1), line(1), END)
    write(tmp_path, line(1), END, name="copy.mergemeter.jsonl")
    assert only(tmp_path) == (["r1"], "complete", [])
    write(tmp_path, line(1), line(1, output_tokens=9), line(2), END, name="copy.mergemeter.jsonl")
    assert only(tmp_path) == (["r1", "r2"], "lower_bound", [TWICE])


def test_a_call_that_the_agents_own_log_holds_counts_there(tmp_path: Path) -> None:
    claude(tmp_path, jsonl(answer(1), answer(2)))
    write(tmp_path, line(1, id="msg_1"), line(2, id="msg_9"), END)
    assert sorted((run.agent, [call.id for call in run.calls]) for run in read(tmp_path)) == [
        ("a", ["msg_9"]), ("claude-code", ["req_1", "req_2"]),
    ]  # fmt: skip


def test_only_what_this_job_appended_counts(tmp_path: Path) -> None:
    us = time.time_ns() // 1000
    path = write(tmp_path, line(1, at=instant(us)), {**END, "calls": 1})
    known = {str(path.resolve()): (path.stat().st_size, tail_digest(str(path), path.stat().st_size))}
    with path.open("ab") as file:
        file.write(jsonl(line(2, at=instant(us)), line(3), {**END, "calls": 3}))  # r3 is of another day
    (run,) = read(tmp_path, Window(us - 30_000_000, us, known))
    assert ([call.id for call in run.calls], run.completeness) == (["r2"], "complete")


def test_files_deeper_in_the_workspace_are_not_read(tmp_path: Path) -> None:
    write(tmp_path / "deep", line(1), END)
    assert read(tmp_path) == []


def test_every_prefix_of_the_sample_counts_no_more_than_it(tmp_path: Path) -> None:
    for end in range(len(LINES) + 1):
        (tmp_path / "x.mergemeter.jsonl").write_bytes(LINES[:end])
        runs = read(tmp_path)
        ids = [call.id for run in runs for call in run.calls]
        assert ids == ["resp_1", "msg_1"][: len(ids)]
        whole = end >= len(LINES) - 1
        assert all((run.completeness == "complete") == whole for run in runs)


@given(st.lists(st.dictionaries(
    st.sampled_from(sorted(generic_lines._CALL | generic_lines._END)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
), max_size=5))  # fmt: skip
def test_no_json_makes_reading_crash(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("wild")
    write(folder, line(1), *records, *({**line(2), **record} for record in records))
    runs = read(folder)
    assert all(call.input >= 0 <= call.output for run in runs for call in run.calls)
    assert json.dumps([run.as_json() for run in runs], allow_nan=False)
