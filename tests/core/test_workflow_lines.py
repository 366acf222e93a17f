"""Which line of a workflow ran an agent."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.workflow_lines import MOST_CHARACTERS, Place, agent_line, own_workflow
from tests.core.test_escape import hostile

WORKFLOW = """\
name: Agent
on:
  pull_request:
env: &shared
  A: b
jobs:
  fix:
    runs-on: ubuntu-latest
    steps:
      - uses: acme/mergemeter@v1
      - uses: actions/checkout@v5
      - name: Fix
        uses: Anthropics/claude-code-action@0123456789abcdef0123456789abcdef01234567 # v1
        with:
          prompt: codex exec
  review:
    runs-on: ubuntu-latest
    env: *shared
    steps:
      - uses: ./.github/actions/prepare
      - name: Review
        run: |
          # codex exec is what we call here
          npm install -g @openai/codex

          git diff | codex exec "review"
      - run: npx --yes @anthropic-ai/claude-code@2.1.330 -p "hi"
      - {name: one line, run: gemini --yolo}
  folded:
    steps:
      - run: >-
          set -e;
          echo hi &&
          /usr/local/bin/claude -p "x"
  lonely:
    runs-on: ubuntu-latest
    steps:
      - run: make agents
      - name: cost
        uses: "acme/mergemeter/action@v1"
  elsewhere:
    uses: acme/shared/.github/workflows/agent.yml@main
"""


@pytest.mark.parametrize(
    ("job", "agent", "place"),
    [
        ("fix", "claude-code", Place(13, step=True)),
        ("review", "codex", Place(26, step=True)),
        ("review", "claude-code", Place(27, step=True)),
        ("review", "gemini-cli", Place(28, step=True)),
        ("folded", "claude-code", Place(34, step=True)),
        ("fix", "codex", Place(10, step=False)),
        ("review", "aider", Place(16, step=False)),
        ("lonely", "claude-code", Place(40, step=False)),
        ("lonely", "", Place(40, step=False)),
        ("elsewhere", "claude-code", Place(41, step=False)),
        ("unknown", "claude-code", None),
        ("", "claude-code", None),
    ],
)
def test_the_line_of_an_agent(job: str, agent: str, place: Place | None) -> None:
    assert agent_line(WORKFLOW, job, agent) == place


@pytest.mark.parametrize(
    "command",
    [
        "codex exec x",
        "npx @openai/codex@0.169.0 x",
        "cd a && codex",
        "OPENAI_API_KEY=x codex e",
        "sudo -u a ~/bin/codex x",
        '"codex" x',
        "(codex)",
    ],
)
def test_a_call_is_seen(command: str) -> None:
    assert agent_line(f"jobs:\n  a:\n    steps:\n      - run: |\n          {command}\n", "a", "codex") == Place(
        5, step=True
    )


@pytest.mark.parametrize(
    "command",
    ["npm i -g @openai/codex", "echo codex-is-fine", "ls .codex", "./mycodex", "# codex exec", "pip install codex"],
)
def test_what_is_no_call_is_not_taken_for_one(command: str) -> None:
    assert agent_line(f"jobs:\n  a:\n    steps:\n      - run: |\n          {command}\n", "a", "codex") == Place(
        2, step=False
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "jobs",
        "jobs: 3",
        "jobs:\n  - a",
        "jobs: {a",
        "\x00",
        "a: b\n---\nc: d",
        "[" * 50_000,
        "{a: " * 5_000,
        "jobs: {a: " + "x" * MOST_CHARACTERS + "}",
    ],
)
def test_a_file_that_is_no_workflow_gives_nothing(text: str) -> None:
    assert agent_line(text, "a", "codex") is None


@pytest.mark.parametrize("body", ["null", "[]", "{steps: 3}", "{steps: [1, null, [], {run: [codex]}, {uses: {}}]}"])
def test_an_odd_job_gives_its_own_line(body: str) -> None:
    assert agent_line(f"jobs:\n  a: {body}\n", "a", "codex") == Place(2, step=False)


def test_aliases_that_multiply_cost_nothing() -> None:
    bomb = "x0: &x0 [a, a]\n" + "".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]\n" for n in range(1, 60))
    started = time.process_time()
    assert agent_line(bomb + "jobs:\n  a:\n    steps: *x59\n", "a", "codex") == Place(62, step=False)
    assert time.process_time() - started < 2


def test_a_line_of_many_words_is_read_in_time() -> None:
    started = time.process_time()
    line = "npm " * 50_000 + "codex " * 20_000
    assert agent_line(f"jobs:\n  a:\n    steps:\n      - run: |\n          {line}\n", "a", "codex") == Place(
        5, step=True
    )
    assert time.process_time() - started < 2


def test_an_alias_to_itself_is_followed_nowhere() -> None:
    assert agent_line("jobs: &j\n  a: *j\n", "a", "codex") == Place(2, step=False)


@given(hostile, st.text(max_size=5), st.text(max_size=5))
def test_any_text_gives_a_line_of_the_file_or_nothing(text: str, job: str, agent: str) -> None:
    for whole in (text, f"jobs:\n  a:\n    steps:\n      - run: {text}\n      - uses: {text}\n"):
        place = agent_line(whole, job or "a", agent)
        assert place is None or 1 <= place.line <= len(whole.splitlines())


@pytest.mark.parametrize(
    ("ref", "path"),
    [
        ("acme/widgets/.github/workflows/agent.yml@refs/heads/main", ".github/workflows/agent.yml"),
        ("Acme/Widgets/.github/workflows/agent.yaml@0123abc", ".github/workflows/agent.yaml"),
        ("acme/shared/.github/workflows/agent.yml@refs/heads/main", ""),
        ("acme/widgets-2/.github/workflows/agent.yml@refs/heads/main", ""),
        ("acme/widgets/../other/.github/workflows/agent.yml@x", ""),
        ("acme/widgets/.github/workflows/../../README.md@x", ""),
        ("", ""),
    ],
)
def test_only_this_repositorys_workflow_is_its_own(ref: str, path: str) -> None:
    assert own_workflow(ref, "acme/widgets") == path
