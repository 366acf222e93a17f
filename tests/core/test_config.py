"""What `mergemeter.yml` may say, what it means, and what is told about its mistakes."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.config import CommentMode, Config, Team, read
from app.core.config_file import SCHEMA
from app.core.money import NanoUsd
from app.core.vendors.accounts import AgentSpend
from tests.core.test_escape import hostile

MISTAKES = Path(__file__).parents[1] / "data" / "config_mistakes.txt"
DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
WHOLE = """\
comment: live
comment_threshold_usd: 0.10
annotations: 3
summary:
  repository: finance
public_repositories:
  show_money: true
tracked_branches: [develop, "release/*"]
teams:
  payments:
    label: Payments
    repositories: [widgets, "pay-*"]
discounts:
  - {provider: anthropic, percent: 12.5, from: 2026-01-01, until: 2026-07-01}
  - {provider: anthropic, percent: "20", from: 2026-07-01}
  - {provider: openai, percent: 5, from: 2026-01-01}
prices:
  - {provider: anthropic, model: claude-opus-4-8, from: 2026-01-01, until: 2026-07-01, input: 4.25, output: "20.1"}
  - {provider: anthropic, model: Claude-Opus-4-8*, from: 2026-07-01, input: 4, output: 20, web_search: 9}
"""
VENDORS = """\
vendors:
  tolerance_percent: 2.5
  tolerance_usd: "0.50"
  residuals: proportional
  agent_spend:
    - {vendor: anthropic, workspaces: [wrkspc_ci, default], api_keys: [apikey_01]}
    - {vendor: claude-enterprise, products: [claude_code]}
    - {vendor: openai, projects: [proj_ci]}
    - {vendor: github, organizations: [Acme], skus: ["coding_agent_*"]}
    - {vendor: aws, accounts: [123456789012]}
"""


def good(text: str, public: bool = False) -> Config:
    config, problems = read(text, public)
    assert problems == []
    assert config is not None
    return config


def told(text: str, public: bool = False) -> list[str]:
    config, problems = read(text, public)
    assert config is None
    return [str(problem) for problem in problems]


def test_a_whole_file_is_read() -> None:
    config = good(WHOLE)
    assert config.comment is CommentMode.LIVE
    assert config.comment_threshold == NanoUsd(100_000_000)
    assert (config.annotations, config.summary_repository, config.show_money_in_public) == (3, "finance", True)
    assert config.tracked_branches == ("develop", "release/*")
    assert config.teams == (Team("payments", "Payments", ("widgets", "pay-*")),)
    assert [each.share for each in config.discounts] == [Decimal("0.125"), Decimal("0.2"), Decimal("0.05")]


def test_what_of_vendors_is_agent_spend_is_read() -> None:
    rules = good(VENDORS).vendors
    assert (rules.tolerance_percent, rules.tolerance, rules.residuals) == (Decimal("2.5"), 500_000_000, "proportional")
    assert rules.of("anthropic") == AgentSpend(
        "anthropic", frozenset({"wrkspc_ci", "default"}), frozenset({"apikey_01"})
    )
    github, aws = rules.of("github"), rules.of("aws")
    assert github is not None
    assert [github.takes(name) for name in ("ACME", "globex")] == [True, False]
    assert [github.takes_sku(sku) for sku in ("Coding_Agent_AI_Credit", "copilot_ai_credit")] == [True, False]
    assert aws == AgentSpend("aws", frozenset({"123456789012"}))
    assert rules.of("mistral") is None


def test_vendors_are_for_private_files_alone() -> None:
    assert told(VENDORS, public=True)[0].startswith("line 1: vendors is confidential")


@pytest.mark.parametrize("team", ["0", "00", "7"])
def test_a_name_that_is_a_number_is_a_name_where_a_mistake_is_told(team: str) -> None:
    (problem,) = told(f'teams:\n  "{team}":\n    repositories:\n      - 5\n')
    assert problem.startswith("line 4: ")
    assert f"teams.{team}.repositories[0]" in problem


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "~"])
def test_an_empty_file_means_the_defaults(text: str) -> None:
    assert good(text) == Config()


def test_off_is_a_word_and_not_a_boolean() -> None:
    assert good("comment: off").comment is CommentMode.OFF


@pytest.mark.parametrize("written", ["0.1", '"0.1"', "0.10", "'0.100'"])
def test_an_amount_is_exact(written: str) -> None:
    assert good(f"comment_threshold_usd: {written}").comment_threshold == NanoUsd(100_000_000)


CASES = [case.split("\n----\n") for case in MISTAKES.read_text(encoding="utf-8").split("====\n")]


@pytest.mark.parametrize(("text", "sentences"), CASES, ids=[text for text, _ in CASES])
def test_a_mistake_is_told_with_its_line(text: str, sentences: str) -> None:
    assert told(text) == sentences.splitlines()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\x00", "is not YAML: it holds a character that YAML does not allow"),
        ("[" * 1000, "is nested too deep or has too many parts"),
        ("#" * 70_000, "is longer than 65,536 characters"),
    ],
    ids=["binary", "deep", "long"],
)
def test_a_file_that_is_none_is_told(text: str, sentence: str) -> None:
    assert told(text) == [f"line 1: the file {sentence}"]


def test_all_mistakes_are_told_at_once() -> None:
    discount = "discounts:\n- {provider: a, percent: 5, from: 2026-13-01}"
    text = f"comment: x\nannotations: 9\nannotations: 8\nprices: 1\nnope: 1\n{discount}"
    assert [sentence.split(":")[0] for sentence in told(text)] == [
        "line 1",
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 7",
    ]


@pytest.mark.parametrize("key", ["discounts", "prices"])
def test_a_public_file_holds_no_prices(key: str) -> None:
    sentence = "is confidential, and everybody can read this file: keep mergemeter.yml in a private .github-private"
    assert told(f"comment: live\n{key}: []", public=True) == [f"line 2: {key} {sentence}"]


def test_without_discounts_a_file_may_be_public() -> None:
    assert good(WHOLE.split("discounts", maxsplit=1)[0], public=True).annotations == 3


@pytest.mark.parametrize(
    ("provider", "at", "share"),
    [
        ("anthropic", datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "0"),
        ("anthropic", datetime(2026, 1, 1, tzinfo=UTC), "0.125"),
        ("anthropic", datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC), "0.125"),
        ("anthropic", datetime(2026, 7, 1, tzinfo=UTC), "0.2"),
        ("anthropic", datetime(2026, 7, 1, 1, tzinfo=timezone(timedelta(hours=2))), "0.125"),
        ("openai", datetime(2030, 1, 1, tzinfo=UTC), "0.05"),
        ("google", datetime(2026, 2, 1, tzinfo=UTC), "0"),
    ],
)
def test_a_discount_holds_in_its_days(provider: str, at: datetime, share: str) -> None:
    assert good(WHOLE).discount(provider, at) == Decimal(share)


@pytest.mark.parametrize(
    ("provider", "model", "day", "input_nano_usd"),
    [
        ("anthropic", "claude-opus-4-8", "2026-06-30", 4_250),
        ("anthropic", "CLAUDE-OPUS-4-8", "2026-07-01", 4_000),
        ("anthropic", "claude-opus-4-8-20260101", "2026-07-01", 4_000),
        ("anthropic", "claude-opus-4-8-20260101", "2026-06-30", None),
        ("anthropic", "claude-opus-4-8", "2025-12-31", None),
        ("anthropic", "claude-opus-4", "2026-07-01", None),
        ("aws", "claude-opus-4-8", "2026-07-01", None),
    ],
)
def test_an_own_price_holds_for_its_models_in_its_days(
    provider: str, model: str, day: str, input_nano_usd: int | None
) -> None:
    own = good(WHOLE).own_price(provider, model, datetime.fromisoformat(f"{day}T23:59:59+00:00"))
    assert (own and own.unit_prices.rows[0][0].numerator) == input_nano_usd


def test_an_own_price_is_named_by_what_it_says() -> None:
    entry = "{provider: a, model: m, from: 2026-01-01, input: %s, output: 1}"
    texts = ["0.30", "'0.3'", "0.31"]
    one, same, other = (good(f"prices:\n- {entry % amount}").prices[0].version for amount in texts)
    assert one == same != other
    assert re.fullmatch(r"mergemeter\.yml [0-9a-f]{8}", one)


@pytest.mark.parametrize(
    ("branch", "counts"),
    [
        ("main", True),
        ("develop", True),
        ("release/1.2", True),
        ("feature/x", False),
        ("DEVELOP", False),
        ("xdevelop", False),
    ],
)
def test_a_merge_counts_on_the_default_and_the_tracked_branches(branch: str, counts: bool) -> None:
    assert good(WHOLE).tracks(branch, "main") is counts


@pytest.mark.parametrize(
    ("tag", "repository", "text"),
    [
        ("payments", "widgets", "Payments"),
        ("payments", "gadgets", "payments (not a team of this repository)"),
        ("", "widgets", ""),
    ],
)
def test_a_team_is_shown_by_its_label_where_it_is_listed(tag: str, repository: str, text: str) -> None:
    config, _ = read("teams:\n  payments: {label: Payments, repositories: [widgets]}\n", public=False)
    assert config is not None
    assert config.team_text(tag, repository) == text


@pytest.mark.parametrize(
    ("tag", "repository", "configured", "named"),
    [
        ("payments", "widgets", True, True),
        ("payments", "gadgets", True, False),
        ("platform", "widgets", True, False),
        ("", "widgets", True, False),
        ("platform", "widgets", False, True),
        ("", "widgets", False, False),
    ],
)
def test_a_tag_names_a_team_where_the_repository_may_use_it(
    tag: str, repository: str, configured: bool, named: bool
) -> None:
    config = Config(teams=(Team("payments", "Payments", ("widgets",)),) if configured else ())
    assert config.names_a_team(tag, repository) is named


def test_without_teams_a_tag_is_shown_as_it_is() -> None:
    assert Config().team_text("any", "widgets") == "any"


def test_a_team_may_be_used_where_it_is_listed() -> None:
    config = good(WHOLE)
    assert config.team("payments", "pay-core") == config.teams[0]
    assert config.team("payments", "Widgets") == config.teams[0]
    assert config.team("payments", "secrets") is None
    assert config.team("nobody", "widgets") is None


def test_public_repositories_show_money_only_when_told() -> None:
    assert [Config().shows_money(public) for public in (False, True)] == [True, False]
    assert good(WHOLE).shows_money(public=True)


@given(hostile, st.booleans())
def test_any_text_is_a_configuration_or_has_problems_in_its_lines(text: str, public: bool) -> None:
    for whole in (text, f"comment: {text}", f"teams:\n  {text}:\n    repositories: [{text}]"):
        config, problems = read(whole, public)
        assert (config is None) == bool(problems)
        assert all(1 <= each.line <= len(whole.splitlines()) + 1 for each in problems)


def test_the_documented_example_is_valid_and_names_every_setting() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    settings = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]
    assert good(examples[0]).summary_repository == "finance"
    assert set(re.findall(r"^(\w+):", examples[0], re.MULTILINE)) == set(settings)


def test_the_documented_defaults_are_those_of_the_schema() -> None:
    settings = json.loads(SCHEMA.read_text(encoding="utf-8"))["properties"]
    assert settings["comment"]["default"] == Config().comment
    assert settings["annotations"]["default"] == Config().annotations
    assert settings["comment_threshold_usd"]["default"] == Config().comment_threshold


def test_the_schema_is_one() -> None:
    assert jsonschema_rs.meta.is_valid(json.loads(SCHEMA.read_text(encoding="utf-8")))
