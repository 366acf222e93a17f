"""gh-aw's firewall: each call once, and never beside the log of the agent inside."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from collect import FORMATS, collect, gh_aw_firewall
from collect.calls import LIFETIME_UNKNOWN, AgentRun, instant
from collect.files import tail_digest
from collect.gh_aw_firewall import (
    CACHE_UNCLEAR,
    LAST_ONLY,
    NO_AUDIT,
    NO_CACHE_WRITES,
    NO_THINKING,
    NOT_SEEN,
    SAW_MORE,
)
from collect.places import Surroundings
from collect.sources import BROKEN, CUT
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import LOGS, around, copy_home, expected, home_of, usage
from tests.action.test_hostile_logs import jsonl
from tests.action.test_known_truth import look

SCENARIO = LOGS / "gh-aw-firewall-0.28.7" / "anthropic"
ANTHROPIC = "gh-aw-firewall-0.28.7/anthropic"
MIXED = "gh-aw-firewall-0.28.7/mixed"
INSIDE = "claude-code-2.1.330/basic-json"
LOG = "gh-aw/sandbox/firewall/logs/api-proxy-logs/token-usage.jsonl"
LINES = (SCENARIO / LOG).read_bytes()


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    record = {
        "_schema": "token-usage/v0.28.7", "timestamp": f"2026-11-23T10:00:{number:02d}.000Z", "event": "token_usage",
        "request_id": f"r-{number}", "provider": "anthropic", "model": "my-model", "path": "/v1/messages",
        "status": 200, "streaming": True, "input_tokens": 10, "output_tokens": 7, "cache_read_tokens": 100,
        "cache_write_tokens": 20, "duration_ms": 900, **changes,
    }  # fmt: skip
    return {name: value for name, value in record.items() if value is not ...}


def track(number: int, event: str = "TRACK_START", **more: Any) -> dict[str, Any]:
    return {"ts": 1795428000000 + number * 1000, "event": event, "rid": f"r-{number}", "path": "/v1/messages", **more}


def write(temp: Path, *records: object, name: str = LOG) -> Path:
    path = temp / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonl(*records))
    return path


def audit(temp: Path, *records: object) -> None:
    write(temp, *records, name=LOG.replace("token-usage", "token-tracker-audit"))


def read(temp: Path, window: Window | None = None, home: Path | None = None, **variables: list[str]) -> list[AgentRun]:
    return collect(Surroundings([str(home)] if home else [], variables, str(temp)), window or Window())[0]


def only(temp: Path) -> AgentRun:
    (run,) = read(temp)
    return run


def firewall_lines(home: Path, **changes: Any) -> list[dict[str, Any]]:
    """What the firewall would have logged of the calls that the agent's own log holds."""
    return [
        line(
            number, timestamp=instant(call.at_us), model=call.model, input_tokens=call.input, output_tokens=call.output,
            cache_read_tokens=call.cache_read, cache_write_tokens=call.cache_write_5m + call.cache_write_1h, **changes,
        )
        for number, call in enumerate(call for run in read(home, home=home) for call in run.calls)
    ]  # fmt: skip


def test_anthropics_answers_give_the_true_usage_but_for_the_lifetime_of_cache_writes() -> None:
    (run,) = look(home_of(ANTHROPIC), *around(ANTHROPIC))["agent_runs"]
    assert usage([run]) == expected(ANTHROPIC)
    assert (run["completeness"], run["completeness_reason"]) == ("lower_bound", LIFETIME_UNKNOWN)


def test_vendors_whose_classes_the_firewall_does_not_tell_apart_are_at_least() -> None:
    (run,) = look(home_of(MIXED), *around(MIXED))["agent_runs"]
    found, truth = usage([run]), expected(MIXED)
    assert run["completeness"] == "lower_bound"
    for model in truth:
        assert sum(found[model].values()) <= sum(truth[model].values())
    assert found["claude-sonnet-4.5"] == truth["claude-sonnet-4.5"]  # only Copilot's precise split has cache writes


@pytest.mark.parametrize("machine", [True, False])
@pytest.mark.parametrize(
    "folder",
    ["sandbox/firewall/logs", "sandbox/firewall/audit", "sandbox/firewall-audit-logs",
     "threat-detection/sandbox/firewall/logs"],
)  # fmt: skip
def test_all_places_of_gh_aw_are_read(tmp_path: Path, folder: str, machine: bool) -> None:
    write(tmp_path, line(), name=f"gh-aw/{folder}/api-proxy-logs/token-usage.jsonl")
    where = Surroundings([], machine=str(tmp_path)) if machine else Surroundings([], temporary=str(tmp_path))
    assert [run.agent for run in collect(where, Window())[0]] == ["gh-aw"]


def test_the_file_that_the_firewalls_variable_names_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, line(), name="anywhere/token-usage.jsonl")
    assert len(read(tmp_path, AWF_TOKEN_USAGE_LOG=[str(path)])) == 1


def test_the_agents_own_log_counts_and_the_firewalls_does_not(tmp_path: Path) -> None:
    home = copy_home(INSIDE, tmp_path / "home")
    write(tmp_path / "temp", *firewall_lines(home))
    runs = read(tmp_path / "temp", home=home)
    assert usage([run.as_json() for run in runs]) == expected(INSIDE)
    assert {(run.agent, run.completeness) for run in runs} == {("claude-code", "complete")}


def test_when_the_firewall_saw_more_the_agents_run_is_at_least(tmp_path: Path) -> None:
    home = copy_home(INSIDE, tmp_path / "home")
    lines = firewall_lines(home)
    write(tmp_path / "temp", *lines, {**lines[-1], "request_id": "title", "output_tokens": 5})
    runs = read(tmp_path / "temp", home=home)
    assert usage([run.as_json() for run in runs]) == expected(INSIDE)
    assert [(run.completeness, run.reasons) for run in runs] == [("lower_bound", [SAW_MORE])]


def test_calls_of_the_firewalls_own_count_beside_the_agents_log(tmp_path: Path) -> None:
    home = copy_home(INSIDE, tmp_path / "home")
    lines = firewall_lines(home)
    own = {**lines[0], "request_id": "own", "purpose": "routing_classification"}
    write(tmp_path / "temp", *lines, own)
    assert sorted((run.agent, len(run.calls)) for run in read(tmp_path / "temp", home=home)) == [
        ("claude-code", len(lines)), ("gh-aw", 1),
    ]  # fmt: skip


def test_another_agents_log_of_another_time_changes_nothing(tmp_path: Path) -> None:
    home = copy_home(INSIDE, tmp_path / "home")
    write(tmp_path / "temp", line(1), line(2))
    assert sorted(run.agent for run in read(tmp_path / "temp", home=home)) == ["claude-code", "gh-aw"]


def test_an_agent_that_was_not_to_be_read_leaves_the_call_to_the_firewall(tmp_path: Path) -> None:
    home = copy_home(INSIDE, tmp_path / "home")
    lines = firewall_lines(home)
    write(tmp_path / "temp", *lines)
    where = Surroundings([str(home)], {}, str(tmp_path / "temp"))
    (run,) = collect(where, Window(), ["gh-aw"])[0]
    assert (run.agent, len(run.calls)) == ("gh-aw", len(lines))


def test_copies_count_once_and_have_one_session(tmp_path: Path) -> None:
    write(tmp_path, line(1), line(2))
    write(tmp_path, line(1), line(2), line(3), name=LOG.replace("/logs/", "/audit/"))
    run = only(tmp_path)
    assert (run.session, [call.id for call in run.calls]) == ("r-1", ["r-1", "r-2", "r-3"])


def test_a_request_id_that_a_client_used_twice_is_two_calls(tmp_path: Path) -> None:
    write(tmp_path, line(1), line(2, request_id="r-1"))
    first, second = only(tmp_path).calls
    assert (first.id, second.id[:7]) == ("r-1", "sha256:")


def test_requests_that_all_have_their_answer_are_complete(tmp_path: Path) -> None:
    write(tmp_path, line(1))
    audit(
        tmp_path, track(1), track(1, "TRACK_END", result="ok"), track(2, path="/v1/models?limit=5"),
        track(3), track(3, "TRACK_END", result="skip_status", status=529),
    )  # fmt: skip
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("complete", [])


@pytest.mark.parametrize("end", [[], [track(2, "TRACK_END", result="no_usage")], [track(2, "TRACK_SKIP_ENCODING")]])
def test_an_answer_without_usage_is_told(tmp_path: Path, end: list[dict[str, Any]]) -> None:
    write(tmp_path, line(1))
    audit(tmp_path, track(1), track(1, "TRACK_END", result="ok"), track(2), *end)
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("lower_bound", [NOT_SEEN])


def test_a_firewall_that_wrote_no_usage_at_all_is_missing_unless_the_agent_tells(tmp_path: Path) -> None:
    audit(tmp_path, track(1), track(2))
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("missing", [NOT_SEEN])
    home = copy_home(INSIDE, tmp_path / "home")
    assert [run.agent for run in read(tmp_path, home=home)] == ["claude-code"]


def test_without_the_audit_trail_a_run_is_at_least(tmp_path: Path) -> None:
    write(tmp_path, line(1))
    assert (only(tmp_path).completeness, only(tmp_path).reasons) == ("lower_bound", [NO_AUDIT])


OPENAI = {"provider": "openai", "cache_write_tokens": 0, "input_tokens": 150, "path": "/v1/responses"}
COPILOT = {"provider": "copilot", "cache_write_tokens": 0, "input_tokens": 150, "path": "/chat/completions"}
GEMINI = {"provider": "gemini", "cache_write_tokens": 0, "input_tokens": 150}


@pytest.mark.parametrize(
    ("changes", "entered", "output", "doubt"),
    [
        ({}, 10, 7, None),
        ({"input_tokens": 500}, 500, 7, None),
        (OPENAI, 50, 7, NO_CACHE_WRITES),
        ({**OPENAI, "status": 101}, 50, 7, LAST_ONLY),
        (COPILOT, 50, 7, CACHE_UNCLEAR),
        ({**COPILOT, "path": "/v1/messages"}, 150, 7, None),
        ({**COPILOT, "input_tokens": 99}, 99, 7, None),
        ({**COPILOT, "cache_write_tokens": 5}, 150, 7, None),
        ({**COPILOT, "cache_read_tokens": 0}, 150, 7, None),
        ({**COPILOT, "input_tokens_include_cache": True}, 50, 7, None),
        ({**COPILOT, "input_tokens_include_cache": False}, 150, 7, None),
        ({**OPENAI, "input_tokens_include_cache": False}, 150, 7, NO_CACHE_WRITES),
        (GEMINI, 50, 7, NO_THINKING),
        ({**GEMINI, "reasoning_tokens": 30}, 50, 37, None),
    ],
)  # fmt: skip
def test_what_the_input_includes_is_the_vendors_own(
    tmp_path: Path, changes: dict[str, Any], entered: int, output: int, doubt: str | None
) -> None:
    write(tmp_path, line(1, **changes))
    audit(tmp_path, track(1))
    run = only(tmp_path)
    (call,) = run.calls
    assert (call.input, call.output) == (entered, output)
    assert (doubt in run.reasons) if doubt else (run.reasons == [])


@pytest.mark.parametrize(
    ("provider", "name"),
    [("anthropic", "anthropic"), ("openai", "openai"), ("copilot", "github-copilot"), ("gemini", "google"),
     ("opencode", "opencode"), ("", "unknown")],
)  # fmt: skip
def test_providers_have_the_price_lists_names(tmp_path: Path, provider: str, name: str) -> None:
    write(tmp_path, line(1, provider=provider))
    assert only(tmp_path).calls[0].provider == name


@pytest.mark.parametrize("model", ["unknown", "anthropic"])
def test_a_model_that_the_firewall_does_not_know_is_empty(tmp_path: Path, model: str) -> None:
    write(tmp_path, line(1, model=model))
    assert only(tmp_path).calls[0].model == ""


@pytest.mark.parametrize(
    "wrong",
    [line(2, input_tokens=-1), line(2, output_tokens=10**13), line(2, timestamp="now"), line(2, request_id=7),
     line(2, output_tokens=...), line(2, event="else"), line(2, cache_read_tokens=1.5), [1], "x",
     line(2, reasoning_tokens=8)],
)  # fmt: skip
def test_a_broken_line_does_not_count_and_is_told(tmp_path: Path, wrong: object) -> None:
    write(tmp_path, line(1), wrong, line(3))
    run = only(tmp_path)
    assert [call.id for call in run.calls] == ["r-1", "r-3"]
    assert BROKEN in run.reasons


@pytest.mark.parametrize("duration", [..., -1, "x", 1e300, float("nan"), True])
def test_an_absurd_duration_does_no_harm(tmp_path: Path, duration: object) -> None:
    write(tmp_path, line(1, duration_ms=duration))
    assert len(only(tmp_path).calls) == 1


def test_only_what_the_firewall_saw_in_this_job_counts(tmp_path: Path) -> None:
    us = time.time_ns() // 1000
    path = write(tmp_path, line(1, timestamp=instant(us)))
    known = {str(path.resolve()): (path.stat().st_size, tail_digest(str(path), path.stat().st_size))}
    with path.open("ab") as file:
        file.write(jsonl(line(2, timestamp=instant(us)), line(3)))
    (run,) = read(tmp_path, Window(us - 30_000_000, us, known))
    assert (run.session, [call.id for call in run.calls]) == ("r-1", ["r-2"])
    os.utime(path, (1_795_000_000, 1_795_000_000))
    assert read(tmp_path, Window(us - 30_000_000, us)) == []


def test_a_log_cut_anywhere_never_counts_more_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "whole").write_bytes(LINES)
    whole = [call.as_json() for run in read(tmp_path / "whole") for call in run.calls]
    path = write(tmp_path / "cut")
    for end in range(0, len(LINES), 3):
        path.write_bytes(LINES[:end])
        runs = read(tmp_path / "cut")
        found = [call.as_json() for run in runs for call in run.calls]
        assert found == whole[: len(found)]
        half = LINES[:end].rpartition(b"\n")[2]
        assert not runs or (CUT in runs[0].reasons) == (bool(half) and half + b"\n" not in LINES)


@given(st.lists(st.dictionaries(
    st.sampled_from([*line(), "purpose", "reasoning_tokens", "rid", "ts", "input_tokens_include_cache"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.integers(), max_size=2),
), max_size=5))  # fmt: skip
def test_no_json_makes_reading_crash(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("wild")
    write(folder, line(1), *records, *({**line(2), **record} for record in records))
    audit(folder, track(1), *records, *({**track(2), **record} for record in records))
    runs = read(folder)
    assert all(call.input >= 0 <= call.output for run in runs for call in run.calls)
    assert json.dumps([run.as_json() for run in runs], allow_nan=False)


def test_the_firewall_is_read_after_all_others() -> None:
    assert FORMATS[-1] is gh_aw_firewall
