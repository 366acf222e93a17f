"""Each agent's usage events, field by field: what they become, and what is refused rather than guessed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.telemetry.fields import is_content_id
from app.core.telemetry.parts import Reading, ToldCall
from app.core.telemetry.qwen_code import NO_CACHE_WRITES
from app.core.telemetry.read import (
    LIFETIME_UNKNOWN,
    LOGS,
    METRICS,
    NO_USAGE,
    SPANS,
    read_logs,
    read_metrics,
    read_spans,
)
from app.core.telemetry.told import Scalar, Told
from app.core.usage import Tokens
from tests.core.telemetry_samples import counted_by

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
AT_US = int(NOW.timestamp()) * 1_000_000
DAY_US = 86_400 * 1_000_000

CLAUDE: dict[str, Scalar] = {
    "session.id": "s-1", "app.version": "2.1.332", "model": "claude-haiku-5-5", "request_id": "req_1",
    "input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 30, "cache_creation_tokens": 9,
    "cache_creation_5m_tokens": 4, "cache_creation_1h_tokens": 5, "cost_usd": 0.5, "speed": "normal",
}  # fmt: skip
CODEX: dict[str, Scalar] = {
    "conversation.id": "s-1", "event.kind": "response.completed", "event.timestamp": "2026-11-26T12:00:00.000Z",
    "model": "gpt-5.1-codex", "input_token_count": "100", "cached_token_count": "60", "cache_write_token_count": "10",
    "output_token_count": "20", "reasoning_token_count": "5", "tool_token_count": "120",
}  # fmt: skip
GEMINI: dict[str, Scalar] = {
    "session.id": "s-1", "model": "gemini-2.5-pro", "input_token_count": 100, "cached_content_token_count": 60,
    "output_token_count": 20, "thoughts_token_count": 5, "tool_token_count": 7, "total_token_count": 132,
}  # fmt: skip
QWEN: dict[str, Scalar] = {
    "session.id": "s-1", "model": "qwen3-coder-plus", "auth_type": "openai", "response_id": "chatcmpl-1",
    "prompt_id": "s-1########0", "input_token_count": 100, "cached_content_token_count": 60, "output_token_count": 20,
    "thoughts_token_count": 5, "total_token_count": 120,
}  # fmt: skip
COPILOT: dict[str, Scalar] = {
    "gen_ai.conversation.id": "s-1", "gen_ai.response.id": "msg_1", "gen_ai.request.model": "claude-sonnet-4.5",
    "gen_ai.provider.name": "github", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.cache_write.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 5,
}  # fmt: skip
EVENTS = {
    "claude-code": ("claude_code.api_request", CLAUDE),
    "codex": ("codex.sse_event", CODEX),
    "gemini-cli": ("gemini_cli.api_response", GEMINI),
    "qwen-code": ("qwen-code.api_response", QWEN),
    "copilot-cli": ("chat claude-sonnet-4.5", COPILOT),
}
GONE = object()


def reading(agent: str, at_us: int = AT_US, resource: dict[str, Scalar] | None = None, **changes: Any) -> Reading:
    """What is made of an agent's event with some fields changed (`__` stands for a dot), or gone."""
    name, fields = EVENTS[agent]
    changed = {**fields, **{key.replace("__", "."): value for key, value in changes.items()}}
    kept = {key: value for key, value in changed.items() if value is not GONE}
    if agent == "copilot-cli":
        told = Told(name, {"service.name": "github-copilot", **(resource or {})}, kept, "github.copilot", at_us)
        return read_spans([told], NOW)
    return read_logs([Told(name, resource or {}, kept, "", at_us)], NOW)


def only(made: Reading) -> ToldCall:
    ((told,),) = [part.calls for part in made.parts]
    assert (made.used, made.refused) == (1, 0)
    return told


@pytest.mark.parametrize(
    ("agent", "tokens"),
    [
        ("claude-code", Tokens(10, 30, 4, 5, 0, 20, 0)),
        ("codex", Tokens(30, 60, 0, 0, 10, 20, 5)),
        ("gemini-cli", Tokens(47, 60, 0, 0, 0, 25, 5)),
        ("qwen-code", Tokens(40, 60, 0, 0, 0, 20, 5)),
        ("copilot-cli", Tokens(30, 60, 0, 0, 10, 20, 5)),
    ],
)
def test_token_classes_never_overlap(agent: str, tokens: Tokens) -> None:
    assert only(reading(agent)).call.tokens == tokens


@pytest.mark.parametrize(
    ("agent", "identity"),
    [
        ("claude-code", ("anthropic", "req_1")),
        ("qwen-code", ("alibaba", "chatcmpl-1")),
        ("copilot-cli", ("github-copilot", "msg_1")),
    ],
)
def test_a_call_has_the_id_that_the_api_gave_it(agent: str, identity: tuple[str, str]) -> None:
    call = only(reading(agent)).call
    assert (call.provider, call.response_id) == identity
    assert not is_content_id(call.response_id)


WITHOUT_ID: dict[str, dict[str, Any]] = {
    "claude-code": {"request_id": GONE},
    "codex": {},
    "gemini-cli": {},
    "qwen-code": {"response_id": GONE},
    "copilot-cli": {"gen_ai__response__id": GONE},
}
OUTPUT = {
    "claude-code": "output_tokens",
    "copilot-cli": "gen_ai__usage__output_tokens",
    **dict.fromkeys(("codex", "gemini-cli", "qwen-code"), "output_token_count"),
}


@pytest.mark.parametrize("agent", EVENTS)
def test_a_call_without_an_id_is_known_by_its_content(agent: str) -> None:
    def identity(**changes: Any) -> str:
        return only(reading(agent, **WITHOUT_ID[agent], **changes)).call.response_id

    assert is_content_id(identity())
    assert identity() == identity()  # sent again
    assert (
        identity(event__timestamp="2026-11-26T12:00:00.001Z" if agent != "copilot-cli" else GONE, at_us=AT_US + 1)
        != identity()
    )
    assert identity(**{OUTPUT[agent]: "21" if agent == "codex" else 21}) != identity()


@pytest.mark.parametrize(
    ("agent", "changes", "sentence"),
    [
        ("claude-code", {"session__id": GONE}, "session.id is missing: it names the session."),
        ("claude-code", {"session__id": ""}, "session.id is missing: it names the session."),
        ("claude-code", {"input_tokens": GONE}, "input_tokens is not a token count."),
        ("claude-code", {"output_tokens": -1}, "output_tokens is not a token count."),
        ("claude-code", {"output_tokens": True}, "output_tokens is not a token count."),
        ("claude-code", {"output_tokens": 10**12 + 1}, "output_tokens is not a token count."),
        ("claude-code", {"output_tokens": 1.5}, "output_tokens is not a token count."),
        ("claude-code", {"output_tokens": "1e3"}, "output_tokens is not a token count."),
        ("claude-code", {"output_tokens": "٣"}, "output_tokens is not a token count."),
        ("claude-code", {"cache_creation_tokens": 8}, "Cache writes by lifetime are more than all cache writes."),
        ("codex", {"conversation__id": GONE}, "conversation.id is missing: it names the session."),
        ("codex", {"cached_token_count": "91"}, "Cached tokens are a part of input, not more."),
        ("codex", {"reasoning_token_count": "21"}, "Reasoning is a part of output, not more."),
        ("gemini-cli", {"cached_content_token_count": 101}, "Cached tokens are a part of input, not more."),
        ("gemini-cli", {"output_token_count": GONE}, "output_token_count is not a token count."),
        ("qwen-code", {"cached_content_token_count": 101}, "Cached tokens are a part of input, not more."),
        ("qwen-code", {"thoughts_token_count": 21}, "Reasoning is a part of output, not more."),
        ("copilot-cli", {"gen_ai__conversation__id": GONE}, "gen_ai.conversation.id is missing: it names the session."),
        ("copilot-cli", {"gen_ai__usage__input_tokens": 69}, "Cached tokens are a part of input, not more."),
        ("copilot-cli", {"gen_ai__usage__reasoning__output_tokens": 21}, "Reasoning is a part of output, not more."),
        *((agent, {"at_us": at_us}, "The time is more than 400 days ago, or in the future.")
          for agent in EVENTS for at_us in (0, AT_US - 401 * DAY_US, AT_US + 2 * DAY_US, 2**64)),
    ],
)  # fmt: skip
def test_an_impossible_event_is_refused_with_a_sentence(agent: str, changes: dict[str, Any], sentence: str) -> None:
    made = reading(agent, **changes)
    assert (made.used, made.refused, made.refusal) == (0, 1, sentence)
    assert [part.calls for part in made.parts if part.calls] == []


def test_refusing_one_event_keeps_the_others_and_the_first_reason() -> None:
    good, bad, worse = CLAUDE, {**CLAUDE, "input_tokens": -1}, {**CLAUDE, "output_tokens": -1}
    made = read_logs([Told("claude_code.api_request", {}, fields, "", AT_US) for fields in (bad, good, worse)], NOW)
    assert (made.used, made.refused, made.refusal) == (1, 2, "input_tokens is not a token count.")


@pytest.mark.parametrize("agent", EVENTS)
def test_numbers_may_come_as_texts_or_whole_floats(agent: str) -> None:
    _, fields = EVENTS[agent]
    numbers = {key: value for key, value in fields.items() if key.endswith(("tokens", "token_count"))}
    for spelled in (str, float):
        changes: dict[str, Any] = {key.replace(".", "__"): spelled(value) for key, value in numbers.items()}
        assert only(reading(agent, **changes)).call == only(reading(agent)).call


def test_claudes_short_event_name_counts_in_its_own_scope_only() -> None:
    def used(scope: str) -> int:
        return read_logs([Told("api_request", {}, CLAUDE, scope, AT_US)], NOW).used

    assert used("com.anthropic.claude_code.events") == 1
    assert used("gateway") == 0


def test_claudes_old_events_do_not_tell_the_lifetime_of_cache_writes() -> None:
    made = reading("claude-code", cache_creation_5m_tokens=GONE, cache_creation_1h_tokens=GONE)
    assert only(made).call.tokens == Tokens(10, 30, 0, 0, 9, 20, 0)
    assert [part.doubts for part in made.parts] == [[LIFETIME_UNKNOWN]]


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"speed": "fast"}, "speed", "fast"),
        ({"speed": GONE}, "speed", "standard"),
        ({"query_source": "agent:custom:checker"}, "subagent", True),
        ({"query_source": "generate_session_title"}, "subagent", False),
        ({"model": "anthropic.claude-sonnet-4-5-v1:0"}, "provider", "aws"),
        ({"model": "us.anthropic.claude-sonnet-4-5-v1:0"}, "provider", "aws"),
        ({"model": "claude-sonnet-4-5@20250929"}, "provider", "google"),
        ({"model": "x" * 300}, "model", "x" * 256),
        ({"model": GONE}, "model", ""),
    ],
)
def test_claudes_other_fields(changes: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(only(reading("claude-code", **changes)).call, field) == value


@pytest.mark.parametrize(
    ("changes", "nano_usd"),
    [
        ({"cost_usd": 0.0033838500000000003}, 3_383_850),
        ({"cost_usd": 0}, 0),
        ({"cost_usd": "0.25"}, 250_000_000),
        ({"cost_usd": 1.5e-07}, 150),
        ({"cost_usd": GONE, "cost_usd_micros": 3384}, 3_384_000),
        ({"cost_usd": -1.0, "cost_usd_micros": 5}, 5_000),
        ({"cost_usd": 1e12}, None),
        ({"cost_usd": True}, None),
        ({"cost_usd": "much"}, None),
        ({"cost_usd": GONE}, None),
    ],
)
def test_claudes_own_figure_is_taken_where_it_is_an_amount(changes: dict[str, Any], nano_usd: int | None) -> None:
    assert only(reading("claude-code", **changes)).reported_cost == nano_usd


@pytest.mark.parametrize(
    "changes", [{"input_token_count": GONE}, {"event__kind": "response.created"}, {"event__kind": GONE}]
)
def test_codex_events_without_usage_are_passed_over(changes: dict[str, Any]) -> None:
    assert reading("codex", **changes) == Reading([])


@pytest.mark.parametrize(
    ("changes", "provider"),
    [
        ({"auth_type": "gemini"}, "google"),
        ({"auth_type": "qwen-oauth", "model": "coder-model"}, "alibaba"),
        ({"model": "deepseek-v3"}, "deepseek"),
        ({"model": "host/qwen3"}, "openai-compatible"),
    ],
)
def test_qwen_is_served_by_whose_api_it_speaks_or_whose_model_it_is(changes: dict[str, Any], provider: str) -> None:
    assert only(reading("qwen-code", **changes)).call.provider == provider


def test_qwen_with_googles_api_has_thoughts_on_top_of_its_output() -> None:
    assert only(reading("qwen-code", total_token_count=125)).call.tokens == Tokens(40, 60, 0, 0, 0, 25, 5)


def test_qwen_with_anthropics_api_may_have_cost_more() -> None:
    assert [part.doubts for part in reading("qwen-code", auth_type="anthropic").parts] == [[NO_CACHE_WRITES]]


@pytest.mark.parametrize(
    ("changes", "subagent"),
    [
        ({}, False),
        ({"subagent_name": "general"}, True),
        ({"prompt_id": "s-1#general-x#0"}, True),
        ({"prompt_id": "#"}, False),
    ],
)
def test_qwens_subagents_are_named_or_seen_in_the_prompts_id(changes: dict[str, Any], subagent: bool) -> None:
    assert only(reading("qwen-code", **changes)).call.subagent is subagent


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("github", "claude-sonnet-4.5", "github-copilot"),
        (GONE, "claude-sonnet-4.5", "github-copilot"),
        ("anthropic", "claude-sonnet-4.5", "anthropic"),
        ("openai", "gpt-5.1", "openai"),
        ("openai", "claude-sonnet-4.5", "anthropic"),
        ("openai", "llama", "openai"),
        ("azure.ai.openai", "my-deployment", "azure"),
    ],
)
def test_copilots_calls_are_its_own_or_of_whom_was_set_up(provider: Any, model: str, expected: str) -> None:
    made = reading("copilot-cli", gen_ai__provider__name=provider, gen_ai__response__model=model)
    assert (only(made).call.provider, only(made).call.model) == (expected, model)


def test_copilots_earlier_name_for_cache_writes_counts_too() -> None:
    changes: dict[str, Any] = {
        "gen_ai__usage__cache_write__input_tokens": GONE,
        "gen_ai__usage__cache_creation__input_tokens": 10,
    }
    assert only(reading("copilot-cli", **changes)).call.tokens == Tokens(30, 60, 0, 0, 10, 20, 5)


def test_chat_spans_of_other_programs_are_passed_over() -> None:
    for service in ("copilot-chat", "my-app", "claude-code"):
        told = Told("chat gpt-5.1", {"service.name": service}, COPILOT, "x", AT_US)
        assert read_spans([told], NOW) == Reading([])


def test_a_failed_chat_without_usage_is_passed_over() -> None:
    gone: dict[str, Any] = {key.replace(".", "__"): GONE for key in COPILOT if ".usage." in key}
    assert reading("copilot-cli", **gone) == Reading([])


@pytest.mark.parametrize("name", ["invoke_agent", "execute_tool bash", "chat", "llm_call", ""])
def test_only_spans_of_chats_are_wanted(name: str) -> None:
    assert name not in SPANS.names
    assert "chat gpt-5.1" in SPANS.names


@pytest.mark.parametrize("agent", ["gemini-cli", "qwen-code"])
def test_an_answer_without_any_usage_is_a_doubt_and_no_call(agent: str) -> None:
    zero: dict[str, Any] = {key: 0 for key in EVENTS[agent][1] if key.endswith("token_count")}
    made = reading(agent, **zero)
    assert [(part.calls, part.doubts) for part in made.parts] == [([], [NO_USAGE])]
    assert (made.used, made.refused) == (0, 0)


def test_a_session_id_that_is_no_word_is_replaced_with_its_hash() -> None:
    (part,) = reading("claude-code", session__id="please fix my bug").parts
    assert is_content_id(part.session)
    assert "bug" not in repr(part)


def test_events_of_one_session_are_one_part_and_other_tags_another() -> None:
    def told(request: str, **resource: Scalar) -> Told:
        return Told("claude_code.api_request", resource, {**CLAUDE, "request_id": request}, "", AT_US)

    made = read_logs([told("1", team="a"), told("2", team="b"), told("3", team="a")], NOW)
    assert [(part.tags.team, len(part.calls)) for part in made.parts] == [("a", 2), ("b", 1)]


def gemini_point(value: Any, series: str = "one", start_us: int = AT_US, kind: str = "input") -> Told:
    fields: dict[str, Scalar] = {"session.id": "s-1", "model": "gemini-2.5-pro", "type": kind}
    return Told("gemini_cli.token.usage", {}, fields, "", start_us + 5, start_us, value, series)


def total(*points: Told) -> dict[tuple[str, str], int]:
    return counted_by(each for part in read_metrics(points, NOW).parts for each in part.totals)


def test_a_growing_counter_counts_once_and_again_after_a_restart() -> None:
    grown = [gemini_point(100), gemini_point(250), gemini_point(250)]
    restarted = [gemini_point(40, start_us=AT_US + 1_000)]
    beside = [gemini_point(7, series="of another process")]
    assert total(*grown) == {("gemini-2.5-pro", "prompt"): 250}
    assert total(*grown, *restarted, *beside) == {("gemini-2.5-pro", "prompt"): 297}


def test_thoughts_count_as_output_and_as_reasoning() -> None:
    points = gemini_point(20, kind="output", series="o"), gemini_point(5, kind="thought", series="t")
    assert total(*points) == {("gemini-2.5-pro", "output"): 25, ("gemini-2.5-pro", "reasoning"): 5}


@pytest.mark.parametrize(
    ("point", "sentence"),
    [
        (gemini_point(-1), "value is not a token count."),
        (gemini_point(None), "value is not a token count."),
        (gemini_point(0.5), "value is not a token count."),
        (gemini_point(1, start_us=0), "The time is more than 400 days ago, or in the future."),
        (gemini_point(1)._replace(start_us=0), "A data point does not tell since when it counts."),
        (gemini_point(1)._replace(start_us=AT_US + 9), "A data point does not tell since when it counts."),
    ],
)
def test_an_impossible_point_is_refused(point: Told, sentence: str) -> None:
    made = read_metrics([point], NOW)
    assert (made.used, made.refused, made.refusal) == (0, 1, sentence)


@pytest.mark.parametrize("kind", ["total", "", "cached_input"])
def test_points_of_a_type_that_we_do_not_know_are_passed_over(kind: str) -> None:
    assert read_metrics([gemini_point(5, kind=kind)], NOW) == Reading([])


NAMES = st.sampled_from([*(name for name, _ in EVENTS.values()), "gemini_cli.token.usage", "api_request", "other"])
FIELDS = st.sampled_from(sorted(LOGS.keys | METRICS.keys | SPANS.keys))
SCALARS = st.one_of(
    st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.just(1), st.just("response.completed")
)
MAPPINGS = st.dictionaries(FIELDS, SCALARS, max_size=8)


@given(
    base=st.sampled_from([{}, CLAUDE, CODEX, GEMINI, QWEN, COPILOT]),
    told=st.builds(
        Told,
        NAMES,
        MAPPINGS,
        MAPPINGS,
        st.just("github.copilot") | st.text(max_size=5),
        st.integers(0, 2**64) | st.just(AT_US),
        st.integers(0, 2**64) | st.just(AT_US),
        st.none() | st.integers() | st.floats(),
        st.text(max_size=5),
    ),
)
def test_nothing_that_can_be_told_raises(base: dict[str, Scalar], told: Told) -> None:
    told = told._replace(attributes={**base, **told.attributes})
    for read in (read_logs, read_metrics, read_spans):
        made = read([told], NOW)
        assert made.used + made.refused <= 1
        assert bool(made.refused) == bool(made.refusal)
        for part in made.parts:
            for each in part.calls:
                assert min(each.call.tokens) >= 0
                assert each.call.tokens.reasoning <= each.call.tokens.output
                assert NOW - timedelta(days=400) <= each.call.at <= NOW + timedelta(days=1)
                assert 1 <= len(each.call.response_id) <= 128
            assert 1 <= len(part.session) <= 128


def test_parts_are_values() -> None:
    (part,) = reading("claude-code").parts
    assert replace(part) == part
