"""What real agents sent by OpenTelemetry gives exactly the usage that the API served, and nothing else of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.core.telemetry.parts import ASKED, Tags, counted
from app.core.telemetry.read import LIFETIME_UNKNOWN, read_metrics
from tests.action.test_known_truth import look
from tests.core.telemetry_samples import (
    CANARY,
    LUMPED,
    NOW,
    SAMPLES,
    bodies,
    calls,
    counted_by,
    expected,
    parts,
    readings,
    samples,
    told_of,
    usage,
)

ROOT = SAMPLES.parents[2]
COUNTING = [name for name in samples() if name.startswith(("claude-code", "gemini-cli", "qwen-code"))]


@pytest.mark.parametrize("sample", samples())
def test_telemetry_gives_the_true_usage_of_every_model_and_class(sample: str) -> None:
    assert usage(calls(parts(sample))) == expected(sample)


@pytest.mark.parametrize("sample", COUNTING)
def test_an_agents_own_counters_agree_with_its_events(sample: str) -> None:
    own = counted_by(total for part in parts(sample) for total in part.totals if total.kind != ASKED)
    truth = expected(sample)
    assert own
    assert {(model, kind): counted(kind, truth[model][1]) for model, kind in own} == own


@pytest.mark.parametrize("sample", samples())
def test_nothing_that_a_real_agent_sends_is_refused(sample: str) -> None:
    assert [reading.refusal for reading in readings(sample) if reading.refused] == []


@pytest.mark.parametrize("sample", samples())
def test_texts_that_are_not_wanted_stay_in_the_body(sample: str) -> None:
    assert any(CANARY.encode() in body for _, body, _ in bodies(sample))
    told = [each for body in bodies(sample) for each in told_of(*body)]
    assert CANARY not in repr(told)
    assert CANARY not in repr(readings(sample))


@pytest.mark.parametrize("sample", samples())
def test_only_cache_writes_without_a_known_lifetime_are_a_doubt(sample: str) -> None:
    doubts = {doubt for part in parts(sample) for doubt in part.doubts}
    assert doubts == ({LIFETIME_UNKNOWN} if sample in LUMPED else set())


@pytest.mark.parametrize("sample", samples())
def test_each_call_has_an_id_of_its_own(sample: str) -> None:
    told = calls(parts(sample))
    assert len({(each.call.provider, each.call.response_id) for each in told}) == len(told)


def test_agents_have_the_names_that_the_action_gives_them() -> None:
    names = re.compile(r'^AGENT = "([\w-]+)"', re.MULTILINE)
    collected = {
        found for path in (ROOT / "action" / "collect").glob("*.py") for found in names.findall(path.read_text())
    }
    told = {part.agent for sample in samples() for part in parts(sample)}
    assert len(told) == 5
    assert told <= collected


def test_doubts_have_the_words_of_the_action() -> None:
    said = (ROOT / "action" / "collect" / "calls.py").read_text(encoding="utf-8")
    assert f'LIFETIME_UNKNOWN = "{LIFETIME_UNKNOWN}"' in said


ACME = Tags(owner="acme", repository="widgets", team="payments")


@pytest.mark.parametrize(
    ("sample", "version", "sessions", "subagent_calls", "tags"),
    [
        ("claude-code-2.1.330-json", "2.1.330", 2, 2, Tags(team="payments")),
        ("claude-code-2.1.332-protobuf", "2.1.332", 1, 2, ACME),
        ("codex-0.169.0-json", "0.169.0", 1, 0, ACME),
        ("codex-0.169.0-subagent-json", "0.169.0", 2, 0, ACME),
        ("copilot-cli-1.0.102-json", "1.0.102", 1, 2, ACME),
        ("gemini-cli-0.61.0-subagent-json", "", 1, 2, ACME),
        ("qwen-code-0.15.10-json", "0.15.10", 1, 2, Tags()),
    ],
)
def test_sessions_versions_subagents_and_tags_are_told(
    sample: str, version: str, sessions: int, subagent_calls: int, tags: Tags
) -> None:
    told = parts(sample)
    assert {part.agent_version for part in told} == {version}
    assert len({part.session for part in told}) == sessions
    assert sum(each.call.subagent for each in calls(told)) == subagent_calls
    assert {part.tags for part in told} == {tags}


def identities(sample: str) -> set[tuple[str, str]]:
    return {(each.call.provider, each.call.response_id) for each in calls(parts(sample))}


@pytest.mark.parametrize("sample", ["copilot-cli-1.0.102-json", "qwen-code-0.15.10-json"])
def test_a_call_in_both_the_agents_log_and_its_telemetry_is_one_call(sample: str) -> None:
    record = look(SAMPLES / sample / "home")
    logged = {(call["provider"], call["id"]) for run in record["agent_runs"] for call in run["calls"]}
    assert identities(sample) == logged


def test_claudes_request_ids_are_those_of_its_transcripts() -> None:
    home = ROOT / "tests" / "data" / "agent_logs" / "claude-code-2.1.330" / "otel-json" / "home"
    lines = [
        json.loads(line) for path in home.rglob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()
    ]
    answered = {line["requestId"] for line in lines if line.get("type") == "assistant"}
    (provider,) = {call["provider"] for run in look(home)["agent_runs"] for call in run["calls"]}
    assert identities("claude-code-2.1.330-json") == {(provider, request) for request in answered}


def test_claudes_own_figures_come_with_its_calls() -> None:
    told = calls(parts("claude-code-2.1.330-json"))
    body = (SAMPLES / "claude-code-2.1.330-json" / "0002-logs.json").read_text(encoding="utf-8")
    assert '"cost_usd","value":{"doubleValue":0.0033838500000000003}' in body
    assert min(told, key=lambda each: each.call.at).reported_cost == 3_383_850
    assert all(each.reported_cost for each in told)


def without(path: Path, key: str) -> dict[str, Any]:
    """A body as if a setting had left out an attribute."""
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    waiting: list[Any] = [body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "attributes" in one:
                one["attributes"] = [each for each in one["attributes"] if each["key"] != key]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return body


def test_counters_without_a_session_are_passed_over() -> None:
    path = SAMPLES / "claude-code-2.1.330-json" / "0004-metrics.json"
    told = told_of("metrics", json.dumps(without(path, "session.id")).encode(), False)
    assert told
    assert read_metrics(told, NOW).parts == []
