"""Qwen Code: what its chats give in all their shapes, and what its totals tell about them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.calls import AgentRun, microseconds
from collect.files import tail_digest
from collect.places import Surroundings
from collect.qwen_chat import (
    MANAGED,
    MORE_THAN_LOGGED,
    NO_CACHE_WRITES,
    NO_CHAT,
    NO_TELEMETRY,
    UNANSWERED,
    provider_of,
)
from collect.sources import BROKEN, NO_USAGE
from collect.window import Window

from tests.action.logs import copy_home, expected, expected_steps, home_of, usage

ALL = "qwen-code-0.24.4/all"
CONTINUED, DELEGATING = "b5747e98-6553-4d5e-8180-5481daaa8322", "64c05af8-eede-43e2-8f44-1046b61bba91"
SESSION = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
NEW_IN_0_24 = {"provenance", "subagent_name", "subagent_id", "subagent_type", "subagent_task_name", "ttft_ms"}


def read(home: Path, window: Window | None = None) -> tuple[list[AgentRun], list[str]]:
    return collect(Surroundings([str(home)]), window or Window())


def only(home: Path, window: Window | None = None) -> AgentRun:
    (run,) = read(home, window)[0]
    return run


def real(home: Path, session: str) -> Path:
    """The real chats, and of them the path of this one."""
    copy_home(ALL, home)
    return next(home.rglob(f"chats/{session}.jsonl"))


def chat(home: Path, *rows: dict[str, Any], session: str = SESSION, folder: str = "chats") -> Path:
    path = home / ".qwen" / "projects" / "p" / folder / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(kind: str, second: int, session: str = SESSION, **more: Any) -> dict[str, Any]:
    return {"uuid": f"u{second}", "parentUuid": None, "sessionId": session, "type": kind, "cwd": "/c",
            "timestamp": f"2026-11-23T18:00:{second:02d}.000Z", "version": "0.24.4", **more}  # fmt: skip


def response(second: int, session: str = SESSION, **event: Any) -> dict[str, Any]:
    told = {"event.name": "qwen-code.api_response", "event.timestamp": f"2026-11-23T18:00:{second:02d}.000Z",
            "response_id": f"r{second}", "model": "qwen3-max", "input_token_count": 100, "output_token_count": 10,
            "cached_content_token_count": 40, "thoughts_token_count": 3, "total_token_count": 110,
            "prompt_id": f"{SESSION}########0", "auth_type": "openai", **event}  # fmt: skip
    return row("system", second, session, subtype="ui_telemetry", systemPayload={"uiEvent": told})


def said(second: int, *parts: Any, **more: Any) -> dict[str, Any]:
    return row("assistant", second, message={"role": "model", "parts": list(parts)}, **more)


ASKED = row("user", 0, message={"role": "user", "parts": [{"text": "x"}]})


def test_each_session_has_its_own_runs_also_a_continued_one_and_sub_agents_are_marked() -> None:
    runs = {run.session: run for run in read(home_of(ALL))[0]}
    assert usage([runs[CONTINUED].as_json()]) == expected_steps(ALL, "a", "b-continue")
    assert usage([runs[DELEGATING].as_json()]) == expected_steps(ALL, "c-sub")
    assert [call.output for call in runs[DELEGATING].calls if call.subagent] == [151, 164]
    assert {(run.version, run.completeness) for run in runs.values()} == {("0.24.4", "complete")}


def older(value: Any) -> Any:
    """A row without what older versions did not write."""
    if isinstance(value, dict):
        return {name: older(each) for name, each in value.items() if name not in NEW_IN_0_24}
    return value


def test_an_older_version_without_names_of_sub_agents_gives_the_same(tmp_path: Path) -> None:
    path = real(tmp_path, DELEGATING)
    (tmp_path / ".qwen" / "usage_record.jsonl").unlink()
    for each in path.parent.iterdir():
        rows = [older(json.loads(line)) for line in each.read_text(encoding="utf-8").splitlines()]
        each.write_text("".join(json.dumps({**row, "version": "0.15.10"}) + "\n" for row in rows), encoding="utf-8")
    runs, notices = read(tmp_path)
    assert usage(run.as_json() for run in runs) == expected(ALL)
    assert [call.output for run in runs for call in run.calls if call.subagent] == [151, 164]
    assert {(run.version, run.completeness) for run in runs} == {("0.15.10", "complete")}
    assert notices == []


def test_a_session_continued_in_a_later_job_counts_what_that_job_added(tmp_path: Path) -> None:
    path = real(tmp_path, CONTINUED)
    lines = path.read_bytes().splitlines(keepends=True)
    size = sum(len(line) for line in lines if b"qwen3-max" not in line and b"18:26:5" not in line)
    start = microseconds("2026-11-23T18:26:50.000Z")
    window = Window(start, start + 5 * 10**6, {str(path): (size, tail_digest(str(path), size))})
    runs = {run.session: run for run in read(tmp_path, window)[0]}
    assert usage([runs[CONTINUED].as_json()]) == expected_steps(ALL, "b-continue")
    assert runs[CONTINUED].completeness == "complete"


def test_a_fork_counts_only_what_it_made_itself(tmp_path: Path) -> None:
    mine = [ASKED, response(1), said(1)]
    chat(tmp_path, *mine)
    copied = [{**each, "sessionId": OTHER, "forkedFrom": {"sessionId": SESSION}} for each in mine]
    chat(tmp_path, *copied, response(5, OTHER, prompt_id=f"{OTHER}########1"), said(5), session=OTHER)
    chat(tmp_path, *copied, session="00000000-2222-4333-8444-555555555555")  # before its parent in the order of names
    runs = {run.session: [call.id for call in run.calls] for run in read(tmp_path)[0]}
    assert runs == {SESSION: ["r1"], OTHER: ["r5"]}


def test_a_fork_whose_parent_is_not_there_counts_what_it_holds(tmp_path: Path) -> None:
    chat(tmp_path, response(1, OTHER), said(1), session=OTHER)
    assert [call.id for call in only(tmp_path).calls] == ["r1"]


def test_a_response_that_is_logged_twice_counts_once(tmp_path: Path) -> None:
    chat(tmp_path, ASKED, response(1), response(1), said(1))
    assert len(only(tmp_path).calls) == 1


def test_a_response_without_an_id_gets_one_that_stays(tmp_path: Path) -> None:
    for home in ("one", "two"):
        chat(tmp_path / home, ASKED, response(1, response_id=None), response(2, response_id=""), said(2))
    ids = [[call.id for call in only(tmp_path / home).calls] for home in ("one", "two")]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


CALLS_TOOL = {"functionCall": {"id": "c", "name": "run_shell_command", "args": {}}}
RESULT = row("tool_result", 2, message={"role": "user", "parts": []})
KILLED: dict[str, list[dict[str, Any]]] = {
    "in the first answer": [ASKED],
    "in a tool": [ASKED, response(1), said(1, CALLS_TOOL)],
    "after a tool": [ASKED, response(1), said(1, CALLS_TOOL), RESULT],
    "in a later turn": [ASKED, response(1), said(1), {**ASKED, "timestamp": "2026-11-23T18:00:09.000Z"}],
}


@pytest.mark.parametrize("rows", KILLED.values(), ids=list(KILLED))
def test_a_killed_session_lacks_the_answer_in_flight_and_says_so(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    chat(tmp_path, *rows)
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("lower_bound", [UNANSWERED])


def test_a_session_that_ends_with_an_error_of_the_api_lacks_nothing(tmp_path: Path) -> None:
    failed = {"uiEvent": {"event.name": "qwen-code.api_error", "model": "qwen3-max", "status_code": 500}}
    chat(tmp_path, ASKED, response(1), said(1, CALLS_TOOL), RESULT, row("system", 3, systemPayload=failed))
    assert only(tmp_path).completeness == "complete"


def test_answers_count_as_a_lower_bound_where_a_chat_has_no_telemetry(tmp_path: Path) -> None:
    path = real(tmp_path, DELEGATING)
    (tmp_path / ".qwen" / "usage_record.jsonl").unlink()
    for each in path.parent.iterdir():
        kept = [line for line in each.read_text(encoding="utf-8").splitlines() if "ui_telemetry" not in line]
        each.write_text("\n".join(kept) + "\n", encoding="utf-8")
    runs = {run.session: run for run in read(tmp_path)[0]}
    assert usage([runs[CONTINUED].as_json()]) == expected_steps(ALL, "a", "b-continue")
    assert sum(call.output for call in runs[DELEGATING].calls) == 820 - 151 - 164
    assert {tuple(run.reasons) for run in runs.values()} == {(NO_TELEMETRY,)}


def test_a_managed_session_is_missing(tmp_path: Path) -> None:
    chat(tmp_path, row("system", 0, subtype="managed_session_header_v1", provenance="system", managedSession={}))
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("missing", [MANAGED])


def test_cache_writes_of_anthropic_make_a_lower_bound(tmp_path: Path) -> None:
    chat(tmp_path, ASKED, response(1, auth_type="anthropic", model="claude-sonnet-4-5"), said(1))
    assert (only(tmp_path).calls[0].provider, only(tmp_path).reasons) == ("anthropic", [NO_CACHE_WRITES])


def test_thoughts_are_added_where_the_total_shows_that_they_came_on_top(tmp_path: Path) -> None:
    chat(tmp_path, ASKED, response(1), response(2, auth_type="gemini", total_token_count=113), said(2))
    assert [(call.output, call.reasoning) for call in only(tmp_path).calls] == [(10, 3), (13, 3)]


@pytest.mark.parametrize(
    ("spoken", "model", "provider"),
    [
        ("openai", "qwen3-coder-plus", "alibaba"), ("qwen-oauth", "coder-model", "alibaba"),
        ("openai", "gpt-5", "openai"), ("openai", "o3-mini", "openai"), ("openai", "deepseek-chat", "deepseek"),
        ("openai", "GLM-4.6", "zhipuai"), ("openai", "kimi-k2", "moonshotai"),
        ("openai", "qwen/qwen3-coder:free", "openai-compatible"), ("openai", "my-model", "openai-compatible"),
        ("vertex-ai", "my-model", "google"), ("gemini", "gemini-2.5-pro", "google"), (None, "", "openai-compatible"),
        ({}, "claude-sonnet-4-5", "anthropic"), ("anthropic", "my-model", "anthropic"),
    ],
)  # fmt: skip
def test_the_provider_is_whose_api_is_spoken_or_the_models_vendor(spoken: object, model: str, provider: str) -> None:
    assert provider_of(spoken, model) == provider


def totals(home: Path, *records: dict[str, Any]) -> None:
    path = home / ".qwen" / "usage_record.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")


def total(session: str, second: int, entered: int, produced: int) -> dict[str, Any]:
    at_ms = microseconds(f"2026-11-23T18:00:{second:02d}.000Z") // 1000
    models = {"qwen3-max": {"requests": 1, "inputTokens": entered, "outputTokens": produced, "cachedTokens": 0}}
    return {"version": 1, "sessionId": session, "timestamp": at_ms, "startTime": at_ms, "models": models}


def test_totals_are_compared_and_never_added(tmp_path: Path) -> None:
    chat(tmp_path, ASKED, response(1), said(1))
    totals(tmp_path, total(SESSION, 1, 60, 5), total(SESSION, 2, 100, 10))
    assert (len(only(tmp_path).calls), only(tmp_path).completeness) == (1, "complete")
    totals(tmp_path, total(SESSION, 1, 100, 10), total(SESSION, 2, 130, 12))
    assert (len(only(tmp_path).calls), only(tmp_path).reasons) == (1, [MORE_THAN_LOGGED])


def test_totals_of_a_session_without_a_chat_make_a_missing_run(tmp_path: Path) -> None:
    totals(tmp_path, total(SESSION, 1, 100, 10), total(OTHER, 1, 0, 0))
    run = only(tmp_path)
    assert (run.session, run.calls, run.completeness, run.reasons) == (SESSION, [], "missing", [NO_CHAT])


def test_totals_of_an_earlier_job_tell_nothing(tmp_path: Path) -> None:
    totals(tmp_path, total(SESSION, 1, 100, 10))
    start = microseconds("2026-11-23T18:01:00.000Z")
    assert read(tmp_path, Window(start, start + 10**7)) == ([], [])


BAD: dict[str, Any] = {
    "negative": response(2, input_token_count=-1), "a bool": response(2, output_token_count=True),
    "absurd": response(2, output_token_count=10**13), "more cached": response(2, cached_content_token_count=101),
    "more thoughts": response(2, thoughts_token_count=11), "no time": response(2, **{"event.timestamp": "now"}),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_a_response_that_cannot_be_counted_is_refused_and_told(tmp_path: Path, bad: dict[str, Any]) -> None:
    chat(tmp_path, ASKED, response(1), bad, response(3), said(3))
    assert ([call.id for call in only(tmp_path).calls], only(tmp_path).reasons) == (["r1", "r3"], [BROKEN])


@pytest.mark.parametrize("nothing", [None, 0])
def test_a_response_without_usage_is_told_and_not_counted_as_nothing(tmp_path: Path, nothing: int | None) -> None:
    names = ("input", "output", "cached_content", "thoughts", "total")
    counts: dict[str, Any] = {f"{name}_token_count": nothing for name in names}
    empty = response(2, **counts)
    chat(tmp_path, ASKED, response(1), empty, said(2))
    assert ([call.id for call in only(tmp_path).calls], only(tmp_path).reasons) == (["r1"], [NO_USAGE])


def test_a_line_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = chat(tmp_path, ASKED, response(1), said(1))
    path.write_bytes(path.read_bytes() + b'{"x":"qwen-code.api_response \xff"}\n{"type":"system"}\n')
    assert (len(only(tmp_path).calls), only(tmp_path).reasons) == (1, [BROKEN])


@pytest.mark.parametrize("session", [CONTINUED, DELEGATING])
def test_a_chat_cut_anywhere_never_counts_more_and_is_never_complete_with_less(tmp_path: Path, session: str) -> None:
    path = real(tmp_path, session)
    (tmp_path / ".qwen" / "usage_record.jsonl").unlink()
    for other in set(path.parent.iterdir()) - {path}:
        other.unlink()
    content, whole, before = path.read_bytes(), only(tmp_path), 0
    total_output = sum(call.output for call in whole.calls)
    for size in range(1, len(content), 29):
        path.write_bytes(content[:size])
        runs, _ = read(tmp_path)
        output = sum(call.output for run in runs for call in run.calls)
        assert before <= output <= total_output
        before = output
        ended_between_turns = session == CONTINUED and output == 258
        assert output == total_output or ended_between_turns or "complete" not in {run.completeness for run in runs}


def test_archived_chats_are_read_and_what_lies_beside_chats_is_not(tmp_path: Path) -> None:
    path = chat(tmp_path, ASKED, response(1), said(1), folder="chats/archive")
    (path.parents[1] / f"{SESSION}.ledger.jsonl").write_text('{"prompt":"x"}\n', encoding="utf-8")
    (path.parents[2] / "subagents").mkdir()
    (path.parents[2] / "subagents" / "agent-x.jsonl").write_text("{}\n", encoding="utf-8")
    assert (len(only(tmp_path).calls), read(tmp_path)[1]) == (1, [])


@pytest.mark.parametrize("name", ["QWEN_HOME", "QWEN_RUNTIME_DIR"])
def test_the_folder_that_a_variable_names_is_read(tmp_path: Path, name: str) -> None:
    chat(tmp_path, ASKED, response(1), said(1))
    runs, _ = collect(Surroundings([], {name: [str(tmp_path / ".qwen")]}), Window())
    assert [len(run.calls) for run in runs] == [1]


def test_a_pipe_in_place_of_a_chat_blocks_nothing(tmp_path: Path) -> None:
    path = chat(tmp_path)
    path.unlink()
    os.mkfifo(path)
    assert read(tmp_path) == ([], [])
