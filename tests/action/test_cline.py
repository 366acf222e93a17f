"""Cline's sessions: what they hold is counted exactly, what they lack is told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.calls import AgentRun, microseconds
from collect.files import LINE_LIMIT
from collect.places import Surroundings
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import copy_home, expected, home_of, usage
from tests.action.test_hostile_logs import json_values, only, read
from tests.action.test_known_truth import look

SCENARIO = "cline-3.0.65/basic"
SESSION = "1795458498521_twr9i"
START_MS = 1_795_428_000_000  # 2026-11-23T10:00:00Z
UNANSWERED = "the log ends before the model's last answer"
LOST = "Cline counted more tokens than its log holds"
BROKEN = "a line of a log could not be read"


def question(second: int) -> dict[str, Any]:
    return {
        "id": f"q{second}",
        "role": "user",
        "content": [{"type": "text", "text": "?"}],
        "ts": START_MS + second * 1000,
    }


def answer(number: int, tool: bool = False, **changes: Any) -> dict[str, Any]:
    """An answer of `number` tokens, to 100 tokens of which 60 were cached and 10 written to a cache."""
    metrics = {"inputTokens": 100, "outputTokens": number, "cacheReadTokens": 60, "cacheWriteTokens": 10, "cost": 0.5}
    return {
        "id": f"a{number}", "role": "assistant", "content": [{"type": "tool_use" if tool else "text"}],
        "ts": START_MS + number * 1000, "modelInfo": {"id": "my-model", "provider": "anthropic"},
        "metrics": {**metrics, **changes.pop("metrics", {})}, **changes,
    }  # fmt: skip


def manifest(status: str = "completed", calls: int = 0, output: int = 0, **more: Any) -> dict[str, Any]:
    metadata = {"aggregateUsage": {"inputTokens": 100 * calls, "outputTokens": output}}
    return {"session_id": SESSION, "status": status, "cwd": "/w", "started_at": "2026-11-23T10:00:00.000Z",
            "metadata": metadata, **more}  # fmt: skip


def cline(home: Path, *messages: object, agent: str = "lead", session: str = SESSION, name: str = "",
          beside: dict[str, Any] | None = None) -> Path:  # fmt: skip
    folder = home / ".cline" / "data" / "sessions" / session
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or session}.messages.json"
    record = {"version": 1, "updated_at": "2026-11-23T10:00:00Z", "agent": agent, "sessionId": session}
    path.write_text(json.dumps({**record, "origin": {"version": "3.0.65"}, "messages": messages}, indent=1))
    if beside is not None:
        (folder / f"{session}.json").write_text(json.dumps(beside, indent=1))
    return path


def outputs(run: AgentRun) -> list[int]:
    return [call.output for call in run.calls]


def told(run: AgentRun) -> tuple[list[int], str, list[str]]:
    return outputs(run), run.completeness, run.reasons


def test_the_real_log_gives_the_true_usage_but_for_reasoning() -> None:
    (run,) = look(home_of(SCENARIO))["agent_runs"]
    truth = expected(SCENARIO)["my-model"]
    assert usage([run]) == {"my-model": {**truth, "reasoning": 0}}
    assert (run["session"], run["completeness"], run["agent_version"]) == (SESSION, "complete", "3.0.65")
    assert len({call["id"] for call in run["calls"]}) == 3


def test_cached_tokens_are_taken_out_of_the_input(tmp_path: Path) -> None:
    cline(tmp_path, question(1), answer(2))
    run = only(tmp_path)
    assert [(c.input, c.cache_read, c.cache_write_other) for c in run.calls] == [(30, 60, 10)]
    assert (run.reported_cost_usd, run.completeness) == ("0.5", "complete")


def test_messages_of_sub_agents_belong_to_their_session_and_are_marked(tmp_path: Path) -> None:
    cline(tmp_path, question(1), answer(2), beside=manifest(calls=3, output=9))
    cline(tmp_path, question(1), answer(3), agent="subagent", name="agent_1")
    cline(tmp_path, question(1), answer(4), agent="teammate", name="coder__x1")
    run = only(tmp_path)
    assert [(call.output, call.subagent) for call in run.calls] == [(2, False), (3, True), (4, True)]
    assert (run.session, run.completeness) == (SESSION, "complete")


def test_a_sub_agent_that_did_not_come_to_its_end_makes_a_lower_bound(tmp_path: Path) -> None:
    cline(tmp_path, question(1), answer(2), beside=manifest())
    cline(tmp_path, agent="subagent", name="agent_1")
    assert told(only(tmp_path)) == ([2], "lower_bound", [UNANSWERED])


def test_a_session_written_anew_counts_by_time_alone(tmp_path: Path) -> None:
    path = cline(tmp_path, question(1), answer(2), question(61), answer(62), beside=manifest(calls=2, output=64))
    changed = START_MS // 1000 + 63
    os.utime(path, (changed, changed))
    window = Window(microseconds("2026-11-23T10:01:00Z"), microseconds("2026-11-23T10:02:00Z"), {str(path): (9, "x")})
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert told(run) == ([62], "complete", [])


def test_messages_that_a_fork_copied_count_in_the_oldest_session(tmp_path: Path) -> None:
    child = "1795459999999_abcde"
    cline(tmp_path, question(1), answer(2), session=child + "_", beside=manifest(started_at="2026-11-23T10:05:00Z"))
    cline(tmp_path, question(1), answer(2), beside=manifest())
    assert [(run.session, outputs(run)) for run in read(tmp_path)[0]] == [(SESSION, [2])]


@pytest.mark.parametrize("last", [question(3), answer(3, tool=True)], ids=["question", "tool"])
@pytest.mark.parametrize("beside", [None, manifest("running"), manifest("failed")], ids=["none", "running", "failed"])
def test_a_killed_session_is_a_lower_bound(tmp_path: Path, last: dict[str, Any], beside: dict[str, Any] | None) -> None:
    cline(tmp_path, question(1), answer(2), last, beside=beside)
    assert told(only(tmp_path))[1:] == ("lower_bound", [UNANSWERED])


def test_a_session_without_an_answer_is_missing(tmp_path: Path) -> None:
    cline(tmp_path, question(1), beside=manifest("running", calls=1, output=5))
    assert told(only(tmp_path)) == ([], "missing", [UNANSWERED, LOST])


def test_sums_beyond_the_messages_make_a_lower_bound(tmp_path: Path) -> None:
    cline(tmp_path, question(1), answer(2), beside=manifest(calls=2, output=9))
    assert told(only(tmp_path)) == ([2], "lower_bound", [LOST])


BAD = [
    {"inputTokens": 69},
    {"inputTokens": None},
    {"outputTokens": -1},
    {"cacheReadTokens": 10**13},
    {"outputTokens": 1.5},
]


@pytest.mark.parametrize("metrics", BAD, ids=str)
def test_a_message_with_impossible_counts_is_refused_and_told(tmp_path: Path, metrics: dict[str, Any]) -> None:
    cline(tmp_path, question(1), answer(2), answer(3, metrics=metrics), answer(4))
    assert told(only(tmp_path)) == ([2, 4], "lower_bound", [BROKEN])


def test_messages_without_metrics_are_no_calls(tmp_path: Path) -> None:
    cline(tmp_path, question(1), answer(2), {**answer(3), "metrics": None})
    assert told(only(tmp_path)) == ([2], "complete", [])


def test_a_file_too_long_to_be_recognised_whole_is_read(tmp_path: Path) -> None:
    long = {**question(3), "content": "x" * (2 * LINE_LIMIT + 100_000)}
    cline(tmp_path, question(1), answer(2), long, answer(4))
    assert told(only(tmp_path)) == ([2, 4], "complete", [])


@pytest.mark.parametrize(
    ("variable", "folder"),
    [("CLINE_DIR", ".cline"), ("CLINE_DATA_DIR", ".cline/data"), ("CLINE_SESSION_DATA_DIR", ".cline/data/sessions")],
)
def test_the_variables_name_the_folders(tmp_path: Path, variable: str, folder: str) -> None:
    cline(tmp_path, question(1), answer(2))
    where = Surroundings([], {variable: [str(tmp_path / folder)]})
    assert [outputs(run) for run in collect(where, Window())[0]] == [[2]]


def test_the_real_log_cut_anywhere_never_counts_more_and_never_seems_whole(tmp_path: Path) -> None:
    home = copy_home(SCENARIO, tmp_path)
    (path,) = home.rglob("*.messages.json")
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        runs, notices = read(home)
        counted = [output for run in runs for output in outputs(run)]
        assert counted == [73, 86, 99][: len(counted)]
        if len(counted) < 3:
            assert "complete" not in {run.completeness for run in runs}
            assert runs or notices or not length


@given(st.lists(st.dictionaries(st.sampled_from(["role", "ts", "metrics", "modelInfo", "content"]), json_values)))
def test_no_json_makes_reading_crash(tmp_path_factory: pytest.TempPathFactory, messages: list[dict[str, Any]]) -> None:
    home = tmp_path_factory.mktemp("wild")
    several = [answer(9, **{**message, "metrics": {"inputTokens": message.get("ts")}}) for message in messages]
    cline(home, answer(1), *messages, *several, beside={"metadata": messages, "cwd": messages})
    runs, _ = read(home)
    json.dumps([run.as_json() for run in runs], allow_nan=False)
    assert all(call.output >= 0 for run in runs for call in run.calls)
