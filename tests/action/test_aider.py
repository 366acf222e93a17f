"""aider's history and analytics log: always estimates, never of another job, never twice."""

import json
import os
import time
from pathlib import Path

import pytest
from collect import collect
from collect.aider_analytics import rounded
from collect.aider_history import OWN_FIGURES, TWO_MODELS, UNANSWERED, tokens_of, vendor_of
from collect.calls import AgentRun
from collect.files import tail_digest
from collect.places import Surroundings
from collect.window import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.action.logs import LOGS, around, expected, home_of, usage
from tests.action.test_known_truth import look

SCENARIO = "aider-0.86.2/basic"
NAME = ".aider.chat.history.md"
HISTORY = (LOGS / SCENARIO / "workspace" / NAME).read_bytes()
ANALYTICS = (LOGS / SCENARIO / "analytics.jsonl").read_bytes()


def read(workspace: Path, window: Window | None = None, **variables: list[str]) -> list[AgentRun]:
    return collect(Surroundings([], variables, "", str(workspace)), window or Window())[0]


def figures(runs: list[AgentRun]) -> list[tuple[str, int, int]]:
    return [(call.model, call.prompt, call.output) for run in runs for call in run.calls]


def write(folder: Path, content: bytes, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def chat(
    at_s: float, *lines: str, utc: bool = False, model: str = "Main model: openai/gpt-4.1 with diff edit format"
) -> bytes:
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_s) if utc else time.localtime(at_s))
    head = ["", f"# aider chat started at {clock}", "", "> Aider v0.86.2  ", f"> {model}  ", ""]
    return "\n".join([*head, *lines, ""]).encode()


TOKENS = "> Tokens: 5.4k sent, 99 received. Cost: $0.0067 message, $0.0067 session.  "
MORE = "> Tokens: 2.5k sent, 15 received.  "


def job_since(start_s: float, **known: tuple[int, str]) -> Window:
    return Window(int(start_s * 1e6), time.time_ns() // 1000, known)


def test_the_sample_gives_aiders_own_rounded_figures_marked_as_estimated() -> None:
    record = look(home_of(SCENARIO), *around(SCENARIO))
    found, truth = usage(record["agent_runs"]), expected(SCENARIO)
    assert {model: (sums["responses"], sums["input"], sums["output"]) for model, sums in found.items()} == {
        "gpt-4.1": (5, 24_900, 489),
        "claude-sonnet-4-5-20250929": (1, 2500, 3),
    }
    assert truth["gpt-4.1"]["responses"] == 5
    assert "gpt-4.1-mini" not in found  # the commit message
    assert {(run["completeness"], run["completeness_reason"]) for run in record["agent_runs"]} == {
        ("estimated", OWN_FIGURES)
    }
    assert {run["agent_version"] for run in record["agent_runs"]} == {"0.86.2"}


def test_without_streaming_the_figures_are_the_apis_once_rounded() -> None:
    runs = look(home_of(SCENARIO), *around(SCENARIO))["agent_runs"]
    (unstreamed,) = [run for run in runs if len(run["calls"]) == 4]
    served = [5411, 5548, 5685, 5822]
    assert [call["input_tokens"] for call in unstreamed["calls"]] == [tokens_of(rounded(each)) for each in served]
    assert [call["output_tokens"] for call in unstreamed["calls"]] == [99, 112, 125, 138]


def test_the_analytics_log_makes_the_same_calls_exact_and_adds_none(tmp_path: Path) -> None:
    write(tmp_path, HISTORY)
    write(tmp_path, ANALYTICS, ".aider.analytics.jsonl")
    runs = read(tmp_path)
    assert sorted(figures(runs)) == sorted(
        [("gpt-4.1", 2478, 15), ("gpt-4.1", 5411, 99), ("gpt-4.1", 5548, 112), ("gpt-4.1", 5685, 125),
         ("gpt-4.1", 5822, 138), ("claude-sonnet-4-5-20250929", 2471, 3)]
    )  # fmt: skip
    assert {run.completeness for run in runs} == {"estimated"}
    assert {call.at_us for run in runs for call in run.calls} == {
        1795457921_000000, 1795457929_000000, 1795457937_000000,
    }  # fmt: skip


def test_the_analytics_log_alone_counts_without_model_names(tmp_path: Path) -> None:
    path = write(tmp_path / "elsewhere", ANALYTICS, "log.jsonl")
    runs = read(tmp_path, AIDER_ANALYTICS_LOG=[str(path)])
    assert [(len(run.calls), run.completeness) for run in runs] == [
        (1, "estimated"),
        (4, "estimated"),
        (1, "estimated"),
    ]
    assert {call.model for run in runs for call in run.calls} == {""}
    assert {call.provider for run in runs for call in run.calls} == {"openai", "anthropic"}


def test_a_copy_of_the_analytics_log_adds_nothing(tmp_path: Path) -> None:
    for name in (".aider.one.jsonl", ".aider.two.jsonl"):
        write(tmp_path, ANALYTICS, name)
    write(tmp_path, HISTORY)
    assert len(figures(read(tmp_path))) == 6


@pytest.mark.parametrize("folder", ["", "widgets"])
def test_a_history_is_found_in_the_workspace_and_in_its_folders(tmp_path: Path, folder: str) -> None:
    write(tmp_path / folder, HISTORY)
    assert len(figures(read(tmp_path))) == 6


def test_a_history_that_a_variable_names_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "deep" / "er", HISTORY, "talk.md")
    assert len(figures(read(tmp_path, AIDER_CHAT_HISTORY_FILE=[str(path)]))) == 6


def test_a_link_to_a_history_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "outside", HISTORY)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / NAME).symlink_to(tmp_path / "outside" / NAME)
    (tmp_path / "workspace" / "sub").symlink_to(tmp_path / "outside")
    assert read(tmp_path / "workspace") == []


@pytest.mark.parametrize("utc", [False, True])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_chat_of_this_job_counts_in_local_time_and_in_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str, utc: bool
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = time.time()
        write(tmp_path, chat(now - 20, "#### go  ", "", TOKENS, utc=utc))
        (run,) = read(tmp_path, job_since(now - 60))
        assert abs(run.calls[0].at_us / 1e6 - (now - 20)) <= 1
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_history_that_the_checkout_brought_does_not_count(tmp_path: Path) -> None:
    """The repository holds the history of others; its file is new in this job, its chats are not."""
    now = time.time()
    write(tmp_path, HISTORY + chat(now - 4000, "#### go  ", "", TOKENS) + chat(now - 5, "#### go  ", "", MORE))
    assert figures(read(tmp_path, job_since(now - 60))) == [("gpt-4.1", 2500, 15)]


def test_what_stood_in_the_file_at_the_jobs_start_does_not_count(tmp_path: Path) -> None:
    now = time.time()
    path = write(tmp_path, chat(now - 3, "#### go  ", "", TOKENS))
    known = {str(path.resolve()): (path.stat().st_size, tail_digest(str(path), path.stat().st_size))}
    path.write_bytes(path.read_bytes() + chat(now - 1, "#### go  ", "", MORE))
    assert figures(read(tmp_path, job_since(now - 4, **known))) == [("gpt-4.1", 2500, 15)]


def test_an_untouched_history_adds_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, HISTORY)
    os.utime(path, (1_795_000_000, 1_795_000_000))
    assert read(tmp_path, job_since(time.time())) == []


def test_the_same_history_elsewhere_has_the_same_ids_and_its_copy_counts_once(tmp_path: Path) -> None:
    write(tmp_path / "one", HISTORY)
    write(tmp_path / "two" / "a", HISTORY)
    write(tmp_path / "two" / "b", HISTORY)
    one, two = (sorted(call.id for run in read(tmp_path / name) for call in run.calls) for name in ("one", "two"))
    assert one == two
    assert len(set(one)) == 6


def test_two_chats_of_the_same_second_with_the_same_figures_are_two(tmp_path: Path) -> None:
    now = time.time()
    write(tmp_path, chat(now, "#### one  ", "", TOKENS) + chat(now, "#### two  ", "", TOKENS))
    assert len(read(tmp_path)) == 2
    assert len(figures(read(tmp_path))) == 2


def test_cache_figures_are_taken_out_of_the_input(tmp_path: Path) -> None:
    line = "> Tokens: 12k sent, 1.5k cache write, 8.2k cache hit, 1,234 received. Cost: $0.01 message, $0.02 session.  "
    write(
        tmp_path, chat(time.time(), "#### go  ", line, model="Model: anthropic/claude-sonnet-4-5 with diff edit format")
    )
    (run,) = read(tmp_path)
    (call,) = run.calls
    assert (call.input, call.cache_write_other, call.cache_read, call.output) == (2300, 1500, 8200, 1234)
    assert (call.provider, call.model) == ("anthropic", "claude-sonnet-4-5")


def test_more_cache_hits_than_input_stand_beside_it(tmp_path: Path) -> None:
    write(tmp_path, chat(time.time(), "#### go  ", "> Tokens: 100 sent, 50 cache write, 9k cache hit, 5 received.  "))
    (call,) = read(tmp_path)[0].calls
    assert (call.input, call.cache_write_other, call.cache_read) == (50, 50, 9000)


def test_a_model_that_was_changed_in_the_chat_counts_from_there(tmp_path: Path) -> None:
    other = "> Main model: gemini/gemini-2.5-pro with diff-fenced edit format  "
    write(tmp_path, chat(time.time(), "#### go  ", TOKENS, "#### /model gemini  ", other, "#### on  ", MORE))
    (run,) = read(tmp_path)
    assert [(call.provider, call.model) for call in run.calls] == [("openai", "gpt-4.1"), ("google", "gemini-2.5-pro")]


def test_architect_mode_tells_that_two_models_answered(tmp_path: Path) -> None:
    model = "Model: o3 with architect edit format"
    write(
        tmp_path,
        chat(time.time(), "> Editor model: gpt-4.1 with editor-diff edit format  ", "#### go  ", TOKENS, model=model),
    )
    assert TWO_MODELS in read(tmp_path)[0].reasons


@pytest.mark.parametrize(
    ("lines", "calls", "completeness"),
    [
        (["#### go  ", "", "an answer that ends"], 0, "missing"),
        (["#### go  ", TOKENS, "#### on  ", "", "an answer that ends"], 1, "estimated"),
        (["#### /add x.py  "], 0, None),
        ([], 0, None),
    ],
)  # fmt: skip
def test_a_chat_that_was_killed_is_told(tmp_path: Path, lines: list[str], calls: int, completeness: str | None) -> None:
    write(tmp_path, chat(time.time(), *lines))
    runs = read(tmp_path)
    assert [run.completeness for run in runs] == ([completeness] if completeness else [])
    assert len(figures(runs)) == calls
    assert all(UNANSWERED in run.reasons for run in runs)


@pytest.mark.parametrize(
    "line",
    [
        "> Tokens: many sent, 99 received.  ", "> Tokens: -5 sent, 9 received.  ", "> Tokens: 5.4k sent  ",
        "> Tokens: 999999999999999 sent, 1 received.  ", "> Tokens: 5.4k sent, 1e9 received.  ",
    ],
)  # fmt: skip
def test_a_broken_line_does_not_count_and_is_told(tmp_path: Path, line: str) -> None:
    write(tmp_path, chat(time.time(), "#### go  ", line, "#### go  ", MORE))
    (run,) = read(tmp_path)
    assert len(run.calls) == 1
    assert "a line of a log could not be read" in run.reasons


def test_windows_line_ends_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    write(tmp_path, HISTORY.replace(b"\n", b"\r\n") + b"\xff\xfe\x00> Tokens\n")
    assert len(figures(read(tmp_path))) == 6


def test_a_history_cut_anywhere_never_counts_more(tmp_path: Path) -> None:
    whole = figures(read(write(tmp_path / "whole", HISTORY).parent))
    for end in range(0, len(HISTORY), 7):
        path = write(tmp_path / "cut", HISTORY[:end])
        assert all(each in whole for each in figures(read(path.parent)))
        assert len(figures(read(path.parent))) <= len(whole)


def test_an_analytics_log_cut_anywhere_never_counts_more(tmp_path: Path) -> None:
    write(tmp_path, HISTORY)
    for end in range(0, len(ANALYTICS), 13):
        write(tmp_path, ANALYTICS[:end], ".aider.analytics.jsonl")
        assert len(figures(read(tmp_path))) == 6


@given(st.integers(min_value=0, max_value=2_000_000))
def test_a_figure_reads_back_within_its_rounding(tokens: int) -> None:
    assert abs(tokens_of(rounded(tokens)) - tokens) <= (0 if tokens < 1000 else 50 if tokens < 10_000 else 500)


@given(st.lists(st.dictionaries(
    st.sampled_from(["event", "properties", "user_id", "time"]),
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["message_send", "launched"])
    | st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "main_model"]), st.integers() | st.text()),
)))  # fmt: skip
def test_no_analytics_make_reading_crash(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.mktemp("wild")
    lines = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    write(folder, ANALYTICS + lines, ".aider.analytics.jsonl")
    runs = read(folder)
    assert all(call.input >= 0 <= call.output for run in runs for call in run.calls)
    assert json.dumps([run.as_json() for run in runs], allow_nan=False)


@pytest.mark.parametrize(
    ("name", "vendor", "model"),
    [
        ("openai/gpt-4.1", "openai", "gpt-4.1"), ("bedrock/anthropic.claude-3", "aws", "anthropic.claude-3"),
        ("openrouter/anthropic/claude", "openrouter", "anthropic/claude"), ("gpt-4o", "litellm", "gpt-4o"),
        ("ollama_chat/qwen", "litellm", "ollama_chat/qwen"), ("", "litellm", ""),
    ],
)  # fmt: skip
def test_litellms_name_of_a_model_tells_its_vendor(name: str, vendor: str, model: str) -> None:
    assert vendor_of(name) == (vendor, model)
