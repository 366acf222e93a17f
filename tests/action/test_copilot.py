"""Copilot's event logs: what they hold is counted exactly, what they lack is told."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.calls import LIFETIME_UNKNOWN, AgentRun, microseconds
from collect.files import tail_digest
from collect.places import Surroundings
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import copy_home, expected, expected_steps, home_of, lumped, usage
from tests.action.test_hostile_logs import json_values, jsonl, only, read
from tests.action.test_known_truth import look

SESSION = "11111111-2222-4333-8444-555555555555"
CHILD = "22222222-2222-4333-8444-555555555555"


def time(second: int) -> str:
    return f"2026-11-23T10:{second // 60:02d}:{second % 60:02d}.000Z"


def event(kind: str, second: int, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "data": data, "id": "e", "timestamp": time(second), "parentId": None, **more}


def start(session: str = SESSION, second: int = 0) -> dict[str, Any]:
    return event("session.start", second, {"sessionId": session, "copilotVersion": "1.0.102", "context": {"cwd": "/w"}})


def turn(second: int) -> dict[str, Any]:
    return event("assistant.turn_start", second, {"turnId": "0"})


def answer(number: int, session: str = SESSION, agent: str = "", **changes: Any) -> dict[str, Any]:
    """A usage record: 100 tokens in, of which 60 cached and 10 written, and `number` tokens out."""
    accounting = {"sourceSessionId": session, "sequence": number, "usageId": f"resp_{number}"}
    counts = {"inputTokens": 100, "cacheReadTokens": 60, "cacheWriteTokens": 10, "outputTokens": number}
    record = {"model": "gpt-5.1", "isByok": True, "providerType": "openai", "accounting": accounting, **counts}
    return event(
        "session.usage_record", number, {"usage": {**record, **changes}}, **({"agentId": agent} if agent else {})
    )


def shutdown(second: int, *numbers: int, snapshot: bool = True) -> dict[str, Any]:
    """The end of a run, with the sums of these answers."""
    counts = {"inputTokens": 100 * len(numbers), "cacheReadTokens": 60 * len(numbers),
              "cacheWriteTokens": 10 * len(numbers), "outputTokens": sum(numbers)}  # fmt: skip
    data: dict[str, Any] = {"modelMetrics": {"gpt-5.1": {"requests": {"count": len(numbers)}, "usage": counts}}}
    return event("session.shutdown", second, {**data, **({"accountingSnapshot": {}} if snapshot else {})})


def copilot(home: Path, *events: object, session: str = SESSION, end: bytes = b"") -> Path:
    path = home / ".copilot" / "session-state" / session / "events.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonl(*events) + end)
    return path


def outputs(run: AgentRun) -> list[int]:
    return [call.output for call in run.calls]


def told(run: AgentRun) -> tuple[list[int], str, list[str]]:
    return outputs(run), run.completeness, run.reasons


NO_END = "the log has no end: Copilot was stopped, or still runs"
ABORTED = "Copilot was stopped before the model's answer ended"
BY_SUMS = "this version of Copilot logs sums by model, not calls"
LOST = "Copilot counted more tokens than its log holds"


@pytest.mark.parametrize("scenario", ["copilot-cli-1.0.102/basic", "copilot-cli-1.0.102/resume"])
def test_real_logs_give_the_true_usage_but_for_the_lifetime_of_cache_writes(scenario: str) -> None:
    runs = look(home_of(scenario))["agent_runs"]
    assert usage(runs) == lumped(expected(scenario))
    for run in runs:
        claude = any("claude" in call["model"] for call in run["calls"])
        doubt = ("lower_bound", LIFETIME_UNKNOWN) if claude else ("complete", None)
        assert (run["completeness"], run.get("completeness_reason")) == doubt
    assert {run["agent_version"] for run in runs} == {"1.0.102"}


def test_a_job_that_resumes_a_restored_session_counts_its_own_calls(tmp_path: Path) -> None:
    scenario = "copilot-cli-1.0.102/resume"
    (path,) = copy_home(scenario, tmp_path).rglob("events.jsonl")
    size = path.read_bytes().index(b'{"type": "session.resume"')
    window = Window(
        microseconds("2026-11-23T18:13:32.000Z"),
        microseconds("2026-11-23T19:00:00Z"),
        {str(path): (size, tail_digest(str(path), size))},
    )
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert usage([run.as_json()]) == lumped(expected_steps(scenario, "b-continue", "c-continue-gpt"))
    assert (run.completeness, run.reasons) == ("lower_bound", [LIFETIME_UNKNOWN])


def test_an_abort_before_an_answer_makes_a_lower_bound_also_with_a_shutdown(tmp_path: Path) -> None:
    abort = event("abort", 3, {"reason": "user_abort"})
    copilot(tmp_path, start(), turn(1), answer(1), turn(2), abort, shutdown(4, 1))
    assert told(only(tmp_path)) == ([1], "lower_bound", [ABORTED])


def test_an_abort_after_an_answer_lacks_nothing(tmp_path: Path) -> None:
    abort = event("abort", 3, {"reason": "user_abort"})
    copilot(tmp_path, start(), turn(1), answer(1), abort, shutdown(4, 1))
    assert told(only(tmp_path)) == ([1], "complete", [])


def test_calls_of_sub_agents_belong_to_their_session_and_are_marked(tmp_path: Path) -> None:
    child = answer(2, agent="a-1", session="22222222-2222-4333-8444-555555555555")  # which has no log
    copilot(tmp_path, start(), turn(1), answer(1), child, answer(3), shutdown(4, 1, 2, 3))
    run = only(tmp_path)
    assert [(call.output, call.subagent) for call in run.calls] == [(1, False), (2, True), (3, False)]
    assert (run.session, run.completeness) == (SESSION, "complete")
    assert [(c.input, c.cache_read, c.cache_write_other) for c in run.calls] == [(30, 60, 10)] * 3


def test_a_killed_copilot_is_a_lower_bound(tmp_path: Path) -> None:
    copilot(tmp_path, start(), turn(1), answer(1), turn(2))
    assert told(only(tmp_path)) == ([1], "lower_bound", [NO_END])


def test_a_copilot_that_was_killed_before_its_first_answer_is_missing(tmp_path: Path) -> None:
    copilot(tmp_path, start(), turn(1))
    assert told(only(tmp_path)) == ([], "missing", [NO_END])


def test_a_session_that_asked_nothing_is_no_run(tmp_path: Path) -> None:
    copilot(tmp_path, start())
    assert read(tmp_path) == ([], [])


def test_lines_that_a_fork_copied_belong_to_the_session_that_made_them(tmp_path: Path) -> None:
    copied = [start(), answer(1), answer(2)]
    copilot(tmp_path, *copied, start(CHILD, 9), answer(10, CHILD), shutdown(11, 1, 2, 10), session=CHILD)
    copilot(tmp_path, start(), answer(1), answer(2), shutdown(4, 1, 2))
    assert {run.session: (outputs(run), run.completeness) for run in read(tmp_path)[0]} == {
        SESSION: ([1, 2], "complete"), CHILD: ([10], "complete"),
    }  # fmt: skip


def test_sums_beyond_the_records_make_a_lower_bound(tmp_path: Path) -> None:
    copilot(tmp_path, start(), answer(1), answer(3), shutdown(4, 1, 2, 3))
    assert told(only(tmp_path)) == ([1, 3], "lower_bound", [LOST])


def test_sums_of_an_earlier_job_do_not_matter(tmp_path: Path) -> None:
    path = copilot(tmp_path, start(), answer(1), shutdown(4, 1, 2))
    size = path.stat().st_size
    known = {str(path): (size, tail_digest(str(path), size))}
    with path.open("ab") as log:
        log.write(jsonl(answer(61)))
    window = Window(microseconds(time(60)), microseconds(time(90)), known)
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert told(run) == ([61], "lower_bound", [NO_END])


def test_an_old_version_is_counted_from_its_sums_and_marked_as_estimated(tmp_path: Path) -> None:
    ends = [shutdown(5, 1, 2, snapshot=False), shutdown(9, 1, 2, 4, snapshot=False)]
    copilot(tmp_path, start(), turn(1), ends[0], ends[0], turn(6), ends[1])
    run = only(tmp_path)
    assert told(run) == ([3, 4], "estimated", [BY_SUMS])
    assert [(c.input, c.cache_read, c.cache_write_other, c.provider) for c in run.calls] == [
        (60, 120, 20, "github-copilot"), (30, 60, 10, "github-copilot"),
    ]  # fmt: skip


def test_sums_of_an_old_version_that_begin_anew_count_whole(tmp_path: Path) -> None:
    copilot(tmp_path, start(), shutdown(5, 1, 2, snapshot=False), shutdown(9, 2, snapshot=False))
    assert outputs(only(tmp_path)) == [3, 2]


def test_an_old_version_that_was_killed_is_missing(tmp_path: Path) -> None:
    copilot(tmp_path, start(), turn(1), event("assistant.message", 2, {"content": "Hello"}))
    assert told(only(tmp_path)) == ([], "missing", [NO_END])


BAD: list[dict[str, Any]] = [
    {"inputTokens": -1}, {"inputTokens": 69}, {"outputTokens": None}, {"outputTokens": 10**13}, {"outputTokens": 1.5},
    {"cacheReadTokens": True}, {"accounting": {"usageId": 7}}, {"accounting": None},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_a_record_that_cannot_be_true_is_refused_and_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    copilot(tmp_path, start(), answer(1), answer(2, **changes), answer(3), shutdown(4, 1, 3))
    assert told(only(tmp_path)) == ([1, 3], "lower_bound", ["a line of a log could not be read"])


@pytest.mark.parametrize(
    "end", [json.dumps(answer(3)).encode()[:-9], b'{"type":"session.usage_record","x":"\xff\xfe', b"\x00\x01"]
)
def test_a_log_that_ends_within_a_line_is_a_lower_bound(tmp_path: Path, end: bytes) -> None:
    copilot(tmp_path, start(), answer(1), shutdown(2, 1), end=end)
    assert told(only(tmp_path)) == ([1], "lower_bound", ["a log ends in the middle of a line"])


@pytest.mark.parametrize(
    ("changes", "provider"),
    [
        ({}, "openai"), ({"providerType": "anthropic"}, "anthropic"), ({"providerType": "azure"}, "azure"),
        ({"model": "claude-sonnet-4-5"}, "anthropic"), ({"model": "my-model"}, "openai"),
        ({"isByok": False}, "github-copilot"), ({"isByok": None, "model": "claude-sonnet-4-5"}, "github-copilot"),
    ],
)  # fmt: skip
def test_copilot_serves_what_is_not_served_with_a_key_of_ones_own(
    tmp_path: Path, changes: dict[str, Any], provider: str
) -> None:
    copilot(tmp_path, start(), answer(1, **changes), shutdown(2, 1))
    assert only(tmp_path).calls[0].provider == provider


def test_the_variable_names_copilots_home(tmp_path: Path) -> None:
    copilot(tmp_path, start(), answer(1), shutdown(2, 1))
    where = Surroundings([], {"COPILOT_HOME": [str(tmp_path / ".copilot")]})
    assert [outputs(run) for run in collect(where, Window())[0]] == [[1]]


@pytest.mark.parametrize("scenario", ["copilot-cli-1.0.102/basic", "copilot-cli-1.0.102/resume"])
def test_a_real_log_cut_anywhere_never_counts_more_and_never_seems_whole(tmp_path: Path, scenario: str) -> None:
    home = copy_home(scenario, tmp_path)
    path = max(home.rglob("events.jsonl"), key=lambda found: found.stat().st_size)
    whole = sum(sum(outputs(run)) for run in read(home)[0])
    content = path.read_bytes()
    for length in range(1, len(content), max(1, len(content) // 300)):
        path.write_bytes(content[:length])
        runs, _ = read(home)
        counted = sum(sum(outputs(run)) for run in runs)
        assert counted <= whole
        if counted < whole:
            assert "complete" not in {run.completeness for run in runs if run.session == path.parent.name}


wild = st.fixed_dictionaries(
    {"type": st.sampled_from(["session.start", "session.usage_record", "session.shutdown", "assistant.turn_start"])},
    optional={"data": json_values, "timestamp": st.just(time(3)) | json_values, "agentId": json_values},
)
shapes = st.dictionaries(st.sampled_from(["usage", "modelMetrics", "sessionId", "context"]), json_values)


@given(st.lists(wild, max_size=5), st.lists(shapes, max_size=5))
def test_no_json_makes_reading_crash(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], data: list[dict[str, Any]]
) -> None:
    home = tmp_path_factory.mktemp("wild")
    copilot(home, start(), answer(1), *records, *(event("session.shutdown", 4, each) for each in data))
    runs, _ = read(home)
    json.dumps([run.as_json() for run in runs], allow_nan=False)
    assert all(call.output >= 0 for run in runs for call in run.calls)


def test_a_log_that_is_a_pipe_is_passed_over(tmp_path: Path) -> None:
    path = copilot(tmp_path, start())
    path.unlink()
    os.mkfifo(path)
    assert read(tmp_path) == ([], [])
