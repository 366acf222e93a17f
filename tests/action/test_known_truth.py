"""Every sample log gives the usage that the API served, in every class, for every model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for

from tests.action.logs import ACTION, LOGS, ROOT, Usage, around, expected, expected_steps, home_of, scenarios, usage

SCHEMA = validator_for(json.loads((ROOT / "app" / "web" / "agent-runs-1.schema.json").read_text(encoding="utf-8")))
OLD_CODEX = "this version of Codex does not log cache writes; they are counted as input"
KILLED = "the log ends before the model's last answer"


def look(home: Path, *more: str, python: str = sys.executable) -> dict[str, Any]:
    """The record that `collect` prints of a home."""
    command = [python, "-I", "-S", str(ACTION / "main.py"), "collect", "--home", str(home), *more]
    record: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    SCHEMA.validate(record)
    return record


NOT_IN_THE_LOG = {
    "aider-0.86.2/basic",  # rounded, and estimated by aider itself
    "claude-code-2.1.330/errors",  # killed with responses in flight
    "codex-0.63.0/basic",  # cache writes are not logged
    "codex-0.118.0/basic",
    "codex-0.169.0/resume",  # one step was --ephemeral
    "gemini-cli-0.61.0/basic-json",  # a chat lacks side calls: exact with the run's totals, in test_gemini
    "gemini-cli-0.61.0/otel-http",
    "gemini-cli-0.61.0/subagent",
    "cline-3.0.65/basic",  # reasoning is not told apart; see test_cline.py
    "copilot-cli-1.0.102/basic",  # the lifetime of cache writes is not told; see test_copilot.py
    "copilot-cli-1.0.102/resume",
    "opencode-1.18.33/basic",  # nor in opencode, which does not record the call for the title; see test_opencode.py
    "pi-0.73.1/basic",  # nor in pi, which does not log OpenAI's cache writes and reasoning; see test_pi.py
    "gh-aw-firewall-0.28.7/anthropic",  # exact, but for the lifetime of cache writes; see test_gh_aw.py
    "gh-aw-firewall-0.28.7/mixed",  # vendors whose classes the firewall does not tell apart
}


@pytest.mark.parametrize("scenario", [name for name in scenarios() if name not in NOT_IN_THE_LOG])
def test_a_log_gives_the_true_usage(scenario: str) -> None:
    record = look(home_of(scenario), *around(scenario))
    assert usage(record["agent_runs"]) == expected(scenario)
    assert {run["completeness"] for run in record["agent_runs"]} == {"complete"}


@pytest.mark.parametrize("version", ["0.63.0", "0.118.0"])
def test_old_codex_counts_its_cache_writes_as_input_and_says_so(version: str) -> None:
    record = look(home_of(f"codex-{version}/basic"))
    (run,) = record["agent_runs"]
    truth = expected(f"codex-{version}/basic")["gpt-5.1-codex"]
    moved = {"input": truth["input"] + truth["cache_write_other"], "cache_write_other": 0}
    assert usage([run]) == {"gpt-5.1-codex": {**truth, **moved}}
    assert (run["completeness"], run["completeness_reason"]) == ("lower_bound", OLD_CODEX)


def test_an_ephemeral_codex_run_leaves_nothing_but_all_others_are_exact() -> None:
    steps = ("a", "b-resume", "c-resume-model", "d-fork", "e-plain")
    runs = look(home_of("codex-0.169.0/resume"))["agent_runs"]
    assert usage(runs) == expected_steps("codex-0.169.0/resume", *steps)
    assert len(runs) == 3


def test_a_killed_claude_lacks_the_responses_in_flight_and_says_so() -> None:
    by_session = {run["session"][:8]: run for run in look(home_of("claude-code-2.1.330/errors"))["agent_runs"]}
    truth = [expected_steps("claude-code-2.1.330/errors", name) for name in ("d-sigterm", "e-sigkill")]
    for session, whole, in_flight in (("d05bf289", truth[0], 1), ("a5897b38", truth[1], 2)):
        run = by_session.pop(session)
        (served,) = whole.values()
        assert len(run["calls"]) == served["responses"] - in_flight
        assert (run["completeness"], run["completeness_reason"]) == ("lower_bound", KILLED)
    assert {run["completeness"] for run in by_session.values()} == {"complete"}
    survivors = expected_steps("claude-code-2.1.330/errors", "a-overloaded-retry", "b-auth", "c-400")
    assert usage(by_session.values()) == survivors


def test_a_resumed_and_forked_claude_session_counts_each_call_where_it_was_made() -> None:
    for version in ("2.1.197", "2.1.330"):
        scenario = f"claude-code-{version}/resume"
        runs = look(home_of(scenario))["agent_runs"]
        by_usage = [usage([run]) for run in runs]
        assert expected_steps(scenario, "a", "b-resume-haiku", "c-continue") in by_usage
        assert expected_steps(scenario, "d-fork") in by_usage
        assert expected_steps(scenario, "e-fresh") in by_usage


def test_the_reported_cost_of_a_fork_leaves_out_its_parents_cost() -> None:
    reported = {
        run["session"][:8]: run["reported_cost_usd"]
        for run in look(home_of("claude-code-2.1.330/resume"))["agent_runs"]
    }
    assert reported == {"976e8f6f": "0.0227432", "f0e0f25b": "0.01733825", "839b5302": "0.01200885"}


@pytest.mark.parametrize(("scenario", "children"), [("claude-code-2.1.330/subagent", 4), ("codex-0.169.0/subagent", 2)])
def test_calls_of_sub_agents_belong_to_their_session_and_are_marked(scenario: str, children: int) -> None:
    runs = look(home_of(scenario))["agent_runs"]
    truth = json.loads((LOGS / scenario / "EXPECTED.json").read_text(encoding="utf-8"))
    marked = [call for run in runs for call in run["calls"] if call.get("subagent")]
    assert len(marked) == children
    assert sum(call["output_tokens"] for call in marked) == truth["per_kind"]["child"]["output"]


SDK = "claude-agent-sdk-0.3.330/action-like"


def test_an_execution_file_adds_nothing_to_a_session_that_has_a_transcript() -> None:
    record = look(home_of(SDK), "--temp", str(LOGS / SDK))
    assert usage(record["agent_runs"]) == expected(SDK)
    assert {run["completeness"] for run in record["agent_runs"]} == {"complete"}


def test_an_execution_file_alone_gives_true_sums_marked_as_estimated(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    content = (LOGS / SDK / "claude-execution-output.json").read_bytes()
    (temp / "claude-execution-output.json").write_bytes(content)
    (run,) = look(tmp_path, "--temp", str(temp))["agent_runs"]
    assert sums_without_responses(usage([run])) == sums_without_responses(expected_steps(SDK, "a"))
    assert (run["completeness"], run["reported_cost_usd"]) == ("estimated", "0.0105216")


def test_an_execution_file_of_a_resumed_session_counts_its_own_run_alone(tmp_path: Path) -> None:
    (tmp_path / "claude-execution-output.json").write_bytes(
        (LOGS / SDK / "claude-execution-output-resume.json").read_bytes()
    )
    (run,) = look(tmp_path, "--temp", str(tmp_path))["agent_runs"]
    assert sums_without_responses(usage([run])) == sums_without_responses(expected_steps(SDK, "b-resume"))


def test_an_execution_file_that_was_cut_is_a_lower_bound_without_placeholder_output(tmp_path: Path) -> None:
    content = (LOGS / SDK / "claude-execution-output.json").read_bytes()
    (tmp_path / "claude-execution-output.json").write_bytes(content[: len(content) * 3 // 4])
    (run,) = look(tmp_path, "--temp", str(tmp_path))["agent_runs"]
    assert run["completeness"] == "lower_bound"
    assert {call["output_tokens"] for call in run["calls"]} == {0}


def sums_without_responses(sums: Usage) -> Usage:
    return {model: {k: v for k, v in each.items() if k != "responses"} for model, each in sums.items()}


def other_pythons() -> list[str]:
    found = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    new_enough = [path for path in found if int(path.parts[-3].split(".")[1]) >= 9]
    return [str(path) for path in new_enough] or [sys.executable]


@pytest.mark.parametrize("python", other_pythons(), ids=lambda path: Path(path).parts[-3])
def test_every_python_from_3_9_reads_the_same(python: str) -> None:
    scenario = "claude-code-2.1.330/subagent"
    assert usage(look(home_of(scenario), python=python)["agent_runs"]) == expected(scenario)
    assert usage(look(home_of("codex-0.169.0/subagent"), python=python)["agent_runs"]) == expected(
        "codex-0.169.0/subagent"
    )
