"""Gemini CLI: what its chats and its printed totals give, together and each alone, in any shape they may be left in."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from collect import collect
from collect.calls import AgentRun, microseconds
from collect.files import tail_digest
from collect.gemini_chat import SIDE_CALLS, UNANSWERED
from collect.gemini_stats import BY_MODEL, BY_MODEL_ALONE, NO_TOTALS
from collect.places import Surroundings
from collect.sources import BROKEN, NO_USAGE
from collect.window import Window

from tests.action.logs import LOGS, Usage, copy_home, expected, expected_steps, usage

GEMINI = "gemini-cli-0.61.0"
BASIC = f"{GEMINI}/basic-json"
SCENARIOS = [f"{GEMINI}/{name}" for name in ("basic-json", "otel-http", "subagent")]
SESSION = "1a55cd12-580c-4aa7-bd5c-26f6cbed21e7"
PRINTED = json.loads((LOGS / BASIC / "workspace" / "gemini-artifacts" / "stdout.log").read_text(encoding="utf-8"))
ROUTER = {"prompt": 700, "candidates": 20, "cached": 100, "thoughts": 5, "tool": 0, "total": 725}


def read(home: Path, workspace: Path | str = "", window: Window | None = None) -> tuple[list[AgentRun], list[str]]:
    return collect(Surroundings([str(home)], {}, "", str(workspace)), window or Window())


def only(home: Path, workspace: Path | str = "", window: Window | None = None) -> AgentRun:
    (run,) = read(home, workspace, window)[0]
    return run


def sums(*runs: AgentRun) -> Usage:
    return usage(run.as_json() for run in runs)


def chat(home: Path, lines: list[Any] | None = None, session: str = SESSION) -> Path:
    """The chat of the basic scenario, or these lines instead of it."""
    if lines is None:
        copy_home(BASIC, home)
        return next(home.rglob("session-*.jsonl"))
    path = home / ".gemini" / "tmp" / "p" / "chats" / f"session-2026-11-23T18-02-{session[:8]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def head(session: str = SESSION, **more: Any) -> dict[str, Any]:
    return {"sessionId": session, "projectHash": "a" * 64, "startTime": "2026-11-23T18:02:00.000Z", **more}


def answer(number: int, **tokens: Any) -> dict[str, Any]:
    counts = {"input": 100, "output": 10, "cached": 0, "thoughts": 0, "tool": 0, "total": 110, **tokens}
    return {"id": f"{number:08d}-0000-4000-8000-000000000000", "timestamp": f"2026-11-23T18:02:{number:02d}.000Z",
            "type": "gemini", "content": "x", "tokens": counts, "model": "gemini-2.5-pro"}  # fmt: skip


def prints(workspace: Path, printed: dict[str, Any] = PRINTED, **models: dict[str, int]) -> Path:
    """run-gemini-cli's folder with what Gemini CLI printed, and further models in it."""
    folder = workspace / "gemini-artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    copy = json.loads(json.dumps(printed))
    for name, tokens in models.items():
        copy["stats"]["models"][name.replace("_", "-")] = {"api": {"totalRequests": 1}, "tokens": tokens}
    (folder / "stdout.log").write_text(json.dumps(copy, indent=2), encoding="utf-8")
    return workspace


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_chat_alone_has_every_answer_and_is_a_lower_bound(scenario: str) -> None:
    runs, notices = read(LOGS / scenario / "home")
    assert sums(*runs) == expected(scenario)
    assert {(run.completeness, *run.reasons) for run in runs} == {("lower_bound", SIDE_CALLS)}
    assert notices == []


@pytest.mark.parametrize("scenario", [BASIC, f"{GEMINI}/subagent"])
def test_a_chat_that_has_all_that_the_run_counted_is_complete(scenario: str) -> None:
    run = only(LOGS / scenario / "home", LOGS / scenario / "workspace")
    assert sums(run) == expected(scenario)
    assert (run.completeness, run.reasons) == ("complete", [])


def test_totals_settle_only_the_session_that_they_name() -> None:
    scenario = f"{GEMINI}/otel-http"
    runs = {run.session[:8]: run for run in read(LOGS / scenario / "home", LOGS / scenario / "workspace")[0]}
    assert (runs["34604e5b"].completeness, runs["9891d1fa"].completeness) == ("lower_bound", "complete")
    assert sums(runs["34604e5b"]) == expected_steps(scenario, "a")
    assert sums(runs["9891d1fa"]) == expected_steps(scenario, "b")


def test_calls_of_sub_agents_belong_to_the_session_that_began_them() -> None:
    run = only(LOGS / GEMINI / "subagent" / "home")
    marked = [call.output for call in run.calls if call.subagent]
    assert (run.session[:8], marked) == ("259be5a9", [86 + 26, 99 + 29, 112 + 32])


def test_sub_agents_of_sub_agents_belong_to_the_session_above_them_all(tmp_path: Path) -> None:
    path = chat(tmp_path, [head(), answer(1)])
    first, second = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"
    for parent, own, number in ((SESSION, first, 2), (first, second, 3)):
        below = path.parent / parent / f"{own}.jsonl"
        below.parent.mkdir()
        below.write_text(f"{json.dumps(head(own, kind='subagent'))}\n{json.dumps(answer(number))}\n", encoding="utf-8")
    assert [call.subagent for call in only(tmp_path).calls] == [False, True, True]


def test_side_calls_that_only_the_totals_have_are_added_for_each_model(tmp_path: Path) -> None:
    chat(tmp_path)
    run = only(tmp_path, prints(tmp_path / "w", gemini_2_5_flash_lite=ROUTER))
    assert (run.completeness, run.reasons) == ("estimated", [BY_MODEL])
    added = {"responses": 1, "input": 600, "cache_read": 100, "output": 25, "reasoning": 5}
    nothing = {"cache_write_5m": 0, "cache_write_1h": 0, "cache_write_other": 0}
    assert sums(run) == {**expected(BASIC), "gemini-2-5-flash-lite": {**added, **nothing}}


def test_side_calls_of_the_same_model_are_what_the_totals_have_beyond_the_chat(tmp_path: Path) -> None:
    path = chat(tmp_path)
    kept = [line for line in lines_of(path) if line.get("tokens", {}).get("output") != 86]
    chat(tmp_path, kept)
    path.unlink()
    run = only(tmp_path, prints(tmp_path / "w"))
    assert run.completeness == "estimated"
    assert sums(run) == expected(BASIC)


def test_totals_of_another_process_add_nothing(tmp_path: Path) -> None:
    chat(tmp_path)
    fewer = json.loads(json.dumps(PRINTED))
    fewer["stats"]["models"]["gemini-2.5-pro"]["tokens"]["candidates"] -= 1
    run = only(tmp_path, prints(tmp_path / "w", fewer, gemini_2_5_flash_lite=ROUTER))
    assert (sums(run), run.reasons) == (expected(BASIC), [SIDE_CALLS])


def test_totals_of_a_resumed_session_add_nothing(tmp_path: Path) -> None:
    path = chat(tmp_path)
    chat(tmp_path, [*lines_of(path), {"$set": {"sessionId": SESSION}}])
    path.unlink()
    run = only(tmp_path, prints(tmp_path / "w", gemini_2_5_flash_lite=ROUTER))
    assert (sums(run), run.reasons) == (expected(BASIC), [SIDE_CALLS])


def test_totals_without_a_chat_are_estimated_and_keep_their_ids(tmp_path: Path) -> None:
    workspace = prints(tmp_path, gemini_2_5_flash_lite=ROUTER)
    run = only(tmp_path / "home", workspace)
    assert (run.session, run.completeness, run.reasons) == (SESSION, "estimated", [BY_MODEL_ALONE])
    assert sums(run)["gemini-2.5-pro"] == {**expected(BASIC)["gemini-2.5-pro"], "responses": 1}
    os.utime(workspace / "gemini-artifacts" / "stdout.log", (1, 1))
    assert {call.id for call in only(tmp_path / "home", workspace).calls} == {call.id for call in run.calls}


def test_totals_without_a_session_count_only_where_there_is_no_chat(tmp_path: Path) -> None:
    older = {"response": "x", "stats": PRINTED["stats"]}
    workspace = prints(tmp_path / "w", older)
    assert sums(only(tmp_path / "none", workspace))["gemini-2.5-pro"]["output"] == 336
    chat(tmp_path / "home")
    assert only(tmp_path / "home", workspace).reasons == [SIDE_CALLS]


BAD_TOTALS: list[dict[str, Any]] = [
    {"session_id": SESSION, "error": {"type": "Error", "message": "x", "code": 1}},
    {"session_id": SESSION, "stats": {"models": {"gemini-2.5-pro": {"tokens": {"prompt": -1, "candidates": 1}}}}},
    {"session_id": SESSION, "stats": {"models": {"gemini-2.5-pro": {"tokens": {"prompt": 1, "candidates": True}}}}},
    {"session_id": SESSION, "stats": {"models": {"gemini-2.5-pro": {"tokens": {"prompt": 1, "cached": 2}}}}},
    {"session_id": SESSION, "stats": {"models": {"gemini-2.5-pro": []}}},
    {"session_id": SESSION, "stats": {"models": {}}},
]


@pytest.mark.parametrize("printed", BAD_TOTALS, ids=str)
def test_a_run_without_totals_is_missing_or_what_its_chat_has(tmp_path: Path, printed: dict[str, Any]) -> None:
    workspace = prints(tmp_path / "w", printed)
    assert [(run.completeness, run.reasons) for run in read(tmp_path, workspace)[0]] == [("missing", [NO_TOTALS])]
    chat(tmp_path)
    assert (sums(only(tmp_path, workspace)), only(tmp_path, workspace).reasons) == (expected(BASIC), [SIDE_CALLS])


def test_totals_that_were_there_before_the_job_do_not_count(tmp_path: Path) -> None:
    workspace = prints(tmp_path)
    now_us = time.time_ns() // 1000 + 10**7
    assert read(tmp_path / "home", workspace, Window(now_us, now_us)) == ([], [])


def test_output_that_is_not_json_is_told(tmp_path: Path) -> None:
    (prints(tmp_path) / "gemini-artifacts" / "stdout.log").write_text("a\nb\n", encoding="utf-8")
    assert read(tmp_path / "home", tmp_path) == (
        [],
        ["gemini-cli: a log could not be read, or its format is not known"],
    )


def legacy(home: Path) -> Path:
    """The basic scenario as older versions wrote it: one object, each message once."""
    path = chat(home)
    messages = {line["id"]: line for line in lines_of(path) if "id" in line}
    whole = {**lines_of(path)[0], "messages": list(messages.values())}
    path.with_suffix(".json").write_text(json.dumps(whole, indent=2), encoding="utf-8")
    return path


def test_the_older_layout_gives_the_same_calls(tmp_path: Path) -> None:
    path = legacy(tmp_path)
    both = only(tmp_path)
    path.unlink()
    alone = only(tmp_path)
    assert sums(alone) == sums(both) == expected(BASIC)
    assert [call.id for call in alone.calls] == [call.id for call in both.calls]


def test_an_older_layouts_earlier_messages_belong_to_the_earlier_job(tmp_path: Path) -> None:
    legacy(tmp_path).unlink()
    start = microseconds("2026-11-23T18:03:00.000Z")
    path = next(tmp_path.rglob("*.json"))
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["messages"].append({**answer(1), "timestamp": "2026-11-23T18:03:30.000Z"})
    path.write_text(json.dumps(whole, indent=2), encoding="utf-8")
    os.utime(path, (start / 1e6 + 60,) * 2)
    assert [call.output for call in only(tmp_path, window=Window(start, start + 10**8)).calls] == [10]


def test_a_session_resumed_in_a_later_job_counts_what_that_job_added(tmp_path: Path) -> None:
    path = chat(tmp_path)
    size = path.stat().st_size
    window = Window(microseconds("2026-11-23T18:02:50.000Z"), microseconds("2026-11-23T19:00:00.000Z"))
    window.known = {str(path): (size, tail_digest(str(path), size))}
    history = [line for line in lines_of(path) if line.get("tokens")]
    added = [{"$set": {"sessionId": SESSION}}, {"$set": {"messages": [*history, answer(59)]}}, answer(59)]
    with path.open("a", encoding="utf-8") as opened:
        opened.writelines(json.dumps(line) + "\n" for line in added)
    run = only(tmp_path, prints(tmp_path / "w", gemini_2_5_flash_lite=ROUTER), window)
    assert [call.output for call in run.calls] == [10]
    assert run.reasons == [SIDE_CALLS]


def test_history_copied_into_another_session_counts_where_it_was_made(tmp_path: Path) -> None:
    other = "99999999-0000-4000-8000-000000000000"
    chat(tmp_path, [head(), answer(1), answer(2)])
    later = head(other, startTime="2026-11-23T18:02:30.000Z")
    chat(tmp_path, [later, {"$set": {"messages": [answer(1), answer(2)]}}, answer(31)], other)
    assert {run.session: len(run.calls) for run in read(tmp_path)[0]} == {SESSION: 2, other: 1}


def test_a_message_counts_as_it_was_written_last_and_what_was_rewound_counts(tmp_path: Path) -> None:
    chat(tmp_path, [head(), {**answer(1), "tokens": None}, answer(1, output=5), answer(1, output=7), answer(2),
                    {"$rewindTo": answer(2)["id"]}, answer(3)])  # fmt: skip
    assert [call.output for call in only(tmp_path).calls] == [7, 10, 10]


def test_thoughts_and_prompts_of_googles_tools_are_added(tmp_path: Path) -> None:
    chat(tmp_path, [head(), answer(1, input=100, cached=40, tool=7, output=10, thoughts=3)])
    (call,) = only(tmp_path).calls
    assert (call.input, call.cache_read, call.output, call.reasoning) == (67, 40, 13, 3)


def test_a_chat_without_an_answer_is_told(tmp_path: Path) -> None:
    chat(tmp_path, [head(), {"id": "x", "timestamp": "2026-11-23T18:02:01.000Z", "type": "user", "content": "x"}])
    run = only(tmp_path)
    assert (run.calls, run.completeness, run.reasons) == ([], "lower_bound", [UNANSWERED, SIDE_CALLS])


def test_an_answer_without_usage_is_told(tmp_path: Path) -> None:
    chat(tmp_path, [head(), answer(1, input=0, output=0), {**answer(2), "tokens": None}])
    assert (only(tmp_path).calls, only(tmp_path).reasons) == ([], [NO_USAGE, SIDE_CALLS])


BAD: dict[str, Any] = {
    "negative": answer(2, input=-1), "a bool": answer(2, output=True), "absurd": answer(2, output=10**13),
    "a string": answer(2, thoughts="5"), "more cached than sent": answer(2, cached=101),
    "no time": {**answer(2), "timestamp": None}, "no id": {**answer(2), "id": ""},
    "tokens are a list": {**answer(2), "tokens": [1]},
}  # fmt: skip


@pytest.mark.parametrize("line", BAD.values(), ids=list(BAD))
def test_an_answer_that_cannot_be_counted_is_refused_and_told(tmp_path: Path, line: dict[str, Any]) -> None:
    chat(tmp_path, [head(), answer(1), line, answer(3)])
    run = only(tmp_path)
    assert (len(run.calls), run.reasons) == (2, [BROKEN, SIDE_CALLS])


@pytest.mark.parametrize("line", [b'{"tokens":"\xff"', b"\xff\xfe\n", b'{"id":"x","type":"gemini","tokens":{"input":1'])
def test_broken_bytes_do_no_harm(tmp_path: Path, line: bytes) -> None:
    path = chat(tmp_path, [head(), answer(1)])
    path.write_bytes(path.read_bytes() + line)
    assert [call.output for call in only(tmp_path).calls] == [10]


@pytest.mark.parametrize("of", [chat, legacy])
def test_a_chat_cut_anywhere_never_counts_more_and_never_crashes(tmp_path: Path, of: Callable[[Path], Path]) -> None:
    path = of(tmp_path)
    path = path.with_suffix(".json") if of is legacy else path
    content, before = path.read_bytes(), 0
    for other in set(tmp_path.rglob("session-*")) - {path}:
        other.unlink()
    for size in range(0, len(content), 11):
        path.write_bytes(content[:size])
        output = sum(call.output for run in read(tmp_path)[0] for call in run.calls)
        assert before <= output <= 336
        before = output


def test_the_home_that_the_agents_variable_names_is_read(tmp_path: Path) -> None:
    chat(tmp_path)
    where = Surroundings([], {"GEMINI_CLI_HOME": [str(tmp_path)]})
    assert sums(*collect(where, Window())[0]) == expected(BASIC)


def test_what_lies_beside_the_chats_is_not_looked_at(tmp_path: Path) -> None:
    project = chat(tmp_path).parents[1]
    (project / "logs.json").write_text('[{"sessionId":"x","type":"user","message":"x"}]', encoding="utf-8")
    (project / "checkpoint-x.json").write_text("{}", encoding="utf-8")
    assert read(tmp_path)[1] == []
