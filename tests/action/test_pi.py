"""pi's sessions: what they hold is counted exactly, what they lack is told."""

import json
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
SCENARIO = "pi-0.73.1/basic"
NO_CACHE_WRITES = "pi does not log the cache writes of OpenAI's APIs; they are counted as input"
UNANSWERED = "the log ends before the model's last answer"
SUMMARY = "the model call that made a summary is not in the log"
ABORTED = "an answer was aborted before its end"


def time(second: int) -> str:
    return f"2026-11-23T10:{second // 60:02d}:{second % 60:02d}.000Z"


def start(session: str = SESSION, second: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "session", "version": 3, "id": session, "timestamp": time(second), "cwd": "/w", **more}


def entry(kind: str, second: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{second:08x}", "parentId": None, "timestamp": time(second), **more}


def question(second: int, role: str = "user") -> dict[str, Any]:
    return entry("message", second, message={"role": role, "content": []})


def answer(number: int, stop: str = "stop", **changes: Any) -> dict[str, Any]:
    counts = {"input": 10, "output": number, "cacheRead": 20, "cacheWrite": 30, **changes.pop("usage", {})}
    message = {"role": "assistant", "api": "anthropic-messages", "provider": "anthropic", "model": "my-model",
               "responseId": f"msg_{number}", "stopReason": stop, "timestamp": number, "usage": counts}  # fmt: skip
    return entry("message", number, message={**message, **changes})


def pi(home: Path, *entries: object, session: str = SESSION, end: bytes = b"") -> Path:
    path = home / ".pi" / "agent" / "sessions" / "--w--" / f"2026-11-23T10-00-00-000Z_{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonl(*entries) + end)
    return path


def outputs(run: AgentRun) -> list[int]:
    return [call.output for call in run.calls]


def told(run: AgentRun) -> tuple[list[int], str, list[str]]:
    return outputs(run), run.completeness, run.reasons


def test_the_real_log_gives_the_true_usage_but_for_what_pi_does_not_log() -> None:
    runs = {run["session"][-12:]: run for run in look(home_of(SCENARIO))["agent_runs"]}
    parent, fork = runs["76db408803bc"], runs["c5d6c0ae3fd6"]
    truth = lumped(expected_steps(SCENARIO, "a", "b-continue-openai"))
    openai = truth["gpt-5.1"]
    truth["gpt-5.1"] = {**openai, "input": openai["input"] + 240, "cache_write_other": 0, "reasoning": 0}
    assert usage([parent]) == truth
    assert parent["completeness_reason"] == f"{NO_CACHE_WRITES}; {LIFETIME_UNKNOWN}"
    assert usage([fork]) == lumped(expected_steps(SCENARIO, "c-fork"))
    assert (fork["completeness_reason"], fork["reported_cost_usd"]) == (LIFETIME_UNKNOWN, "0.00916455")
    assert sum(len(run["calls"]) for run in runs.values()) == sum(m["responses"] for m in expected(SCENARIO).values())


def test_a_job_that_goes_on_with_a_restored_session_counts_its_own_calls(tmp_path: Path) -> None:
    path = pi(tmp_path, start(), question(1), answer(2))
    size = path.stat().st_size
    known = {str(path): (size, tail_digest(str(path), size))}
    with path.open("ab") as log:
        log.write(jsonl(question(61), answer(62)))
    window = Window(microseconds(time(60)), microseconds(time(90)), known)
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert told(run) == ([62], "complete", [])


def test_a_fork_in_a_later_job_counts_nothing_that_it_copied(tmp_path: Path) -> None:
    pi(tmp_path, start(), question(1), answer(2))
    pi(tmp_path, start(CHILD, 61), question(1), answer(2), question(62), answer(63), session=CHILD)
    window = Window(microseconds(time(60)), microseconds(time(90)))
    (run,) = collect(Surroundings([str(tmp_path)]), window)[0]
    assert (run.session, told(run)) == (CHILD, ([63], "complete", []))


def test_what_a_fork_copied_is_told_of_its_parent_alone(tmp_path: Path) -> None:
    lines = [
        question(1),
        entry("compaction", 2, summary="x"),
        answer(3, api="openai-responses", usage={"cacheWrite": 0}),
    ]
    pi(tmp_path, start(CHILD, 9, parentSession="x"), *lines, question(10), answer(11), session=CHILD)
    pi(tmp_path, start(), *lines)
    assert {run.session: told(run) for run in read(tmp_path)[0]} == {
        SESSION: ([3], "lower_bound", [SUMMARY, NO_CACHE_WRITES]), CHILD: ([11], "complete", []),
    }  # fmt: skip


def test_versions_without_response_ids_are_counted_once_as_well(tmp_path: Path) -> None:
    lines = [question(1), answer(2, responseId=None), question(3), answer(4, responseId=None)]
    pi(tmp_path, start(), *lines)
    pi(tmp_path, start(CHILD, 9), *lines, question(10), answer(11, responseId=None), session=CHILD)
    assert {run.session: outputs(run) for run in read(tmp_path)[0]} == {SESSION: [2, 4], CHILD: [11]}


@pytest.mark.parametrize("last", [question(3), question(3, "toolResult"), answer(3, "toolUse")], ids=str)
def test_a_log_that_ends_before_the_last_answer_is_a_lower_bound(tmp_path: Path, last: dict[str, Any]) -> None:
    pi(tmp_path, start(), question(1), answer(2), last)
    assert told(only(tmp_path))[1:] == ("lower_bound", [UNANSWERED])


def test_a_session_without_any_answer_is_missing(tmp_path: Path) -> None:
    pi(tmp_path, start(), question(1))
    assert told(only(tmp_path)) == ([], "missing", [UNANSWERED])


def test_an_aborted_answer_counts_as_a_lower_bound_and_a_refused_request_is_none(tmp_path: Path) -> None:
    nothing = dict.fromkeys(["input", "output", "cacheRead", "cacheWrite"], 0)
    pi(tmp_path, start(), question(1), answer(2, "error", usage=nothing), answer(3))
    pi(tmp_path, start(CHILD), question(1), answer(4, "aborted"), session=CHILD)
    assert [told(run) for run in read(tmp_path)[0]] == [([3], "complete", []), ([4], "lower_bound", [ABORTED])]


@pytest.mark.parametrize(
    "counts", [{"input": -1}, {"output": None}, {"cacheRead": 10**13}, {"cacheWrite": "1"}], ids=str
)
def test_an_answer_with_an_impossible_count_is_refused_and_told(tmp_path: Path, counts: dict[str, Any]) -> None:
    pi(tmp_path, start(), question(1), answer(2), answer(3, usage=counts), answer(4))
    assert told(only(tmp_path)) == ([2, 4], "lower_bound", ["a line of a log could not be read"])


@pytest.mark.parametrize("end", [b'{"type":"message","message":{"role":"assi', b"\xff\xfe", b"\x00"])
def test_a_log_that_ends_within_a_line_is_a_lower_bound(tmp_path: Path, end: bytes) -> None:
    pi(tmp_path, start(), question(1), answer(2), end=end)
    assert told(only(tmp_path)) == ([2], "lower_bound", ["a log ends in the middle of a line"])


@pytest.mark.parametrize(
    ("logged", "provider"),
    [("amazon-bedrock", "aws"), ("google-vertex", "google"), ("openai-codex", "openai"), ("openrouter", "openrouter"),
     ("xai", "x-ai"), ("mine", "mine"), (None, "unknown"), ("two words", "unknown")],
)  # fmt: skip
def test_a_provider_is_the_price_lists_or_what_the_log_says(tmp_path: Path, logged: object, provider: str) -> None:
    pi(tmp_path, start(), question(1), answer(2, provider=logged))
    assert only(tmp_path).calls[0].provider == provider


@pytest.mark.parametrize(
    ("variable", "folder"), [("PI_CODING_AGENT_DIR", "agent"), ("PI_CODING_AGENT_SESSION_DIR", "agent/sessions")]
)
def test_the_variables_name_the_folders(tmp_path: Path, variable: str, folder: str) -> None:
    pi(tmp_path, start(), question(1), answer(2))
    where = Surroundings([], {variable: [str(tmp_path / ".pi" / folder)]})
    assert [outputs(run) for run in collect(where, Window())[0]] == [[2]]


def test_the_real_log_cut_anywhere_never_counts_more_and_never_seems_whole(tmp_path: Path) -> None:
    home = copy_home(SCENARIO, tmp_path)
    for path in sorted(home.rglob("*.jsonl")):
        whole = sum(sum(outputs(run)) for run in read(home)[0])
        content = path.read_bytes()
        for length in range(1, len(content), max(1, len(content) // 150)):
            path.write_bytes(content[:length])
            runs, _ = read(home)
            counted = sum(sum(outputs(run)) for run in runs)
            assert counted <= whole
            if counted < whole:
                assert "complete" not in {run.completeness for run in runs if run.session in path.name}
        path.write_bytes(content)


wild = st.fixed_dictionaries(
    {"type": st.sampled_from(["session", "message", "compaction", "branch_summary"])},
    optional={
        "message": json_values,
        "timestamp": st.just(time(3)) | json_values,
        "id": json_values,
        "cwd": json_values,
    },
)


@given(st.lists(wild, max_size=5), st.lists(json_values, max_size=5))
def test_no_json_makes_reading_crash(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], values: list[Any]
) -> None:
    home = tmp_path_factory.mktemp("wild")
    pi(home, start(), answer(1), *records, *(answer(4, usage={"input": value}, model=value) for value in values))
    runs, _ = read(home)
    json.dumps([run.as_json() for run in runs], allow_nan=False)
    assert all(call.output >= 0 for run in runs for call in run.calls)
