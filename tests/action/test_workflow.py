"""The Action in a real workflow engine, with real agents' logs and a server on loopback."""

import subprocess
from pathlib import Path

import pytest

from app.sandbox import Sandbox
from tests.action import workflow_engine
from tests.action.logs import expected, usage
from tests.action.packages import index
from tests.action.server import Server

pytestmark = [pytest.mark.optional("act"), pytest.mark.optional("node"), pytest.mark.optional("git")]

WORKFLOW = """
on: [push, issue_comment]
permissions:
  contents: read
  id-token: write
jobs:
  agent:
    runs-on: ubuntu-latest
    steps:
      - uses: {action}
        with:
          server-url: {url}
          team: payments
          purpose: author
      - uses: actions/checkout@v5
      - run: {drop}
      - run: |
          git -c user.name=a -c user.email=a@example.com commit --quiet --allow-empty --message "made by an agent"
          test -n "$OTEL_RESOURCE_ATTRIBUTES"
      - run: {last}
"""
SCENARIO = "claude-code-2.1.330/subagent"
NUMBERED = {"action": "created", "issue": {"number": 42, "pull_request": {"url": "x"}}, "comment": {"body": "@agent"}}


def workflow(server: Server, last: str = "true", scenario: str = SCENARIO) -> str:
    return WORKFLOW.format(
        action=workflow_engine.ACTION_NAME, url=server.url, drop=workflow_engine.drop(scenario), last=last
    )


def test_a_workflow_that_runs_an_agent_is_recorded_to_the_token(tmp_path: Path) -> None:
    with Server() as server:
        text = workflow(server)
        run = workflow_engine.run(text, tmp_path, event="issue_comment", payload=NUMBERED, environ=server.environ())
    assert run.succeeded, run.output
    opened, closed = server.bodies
    assert (opened["phase"], closed["phase"]) == ("opened", "closed")
    assert server.tokens == ["Bearer token-1", "Bearer token-2"]
    assert server.audiences == [server.url, server.url]
    assert usage(closed["agent_runs"]) == expected(SCENARIO)
    assert closed["tags"] == {"team": "payments", "purpose": "author"}
    assert closed["job"]["name"] == "agent"
    assert closed["job"]["pull_number"] == 42
    assert run.notices() == []
    assert "AI agents in this job" in run.summary


def test_a_failing_job_is_recorded_all_the_same(tmp_path: Path) -> None:
    with Server() as server:
        run = workflow_engine.run(workflow(server, "exit 3"), tmp_path, environ=server.environ())
    assert run.code != 0
    assert usage(server.closed["agent_runs"]) == expected(SCENARIO)


def test_commits_of_the_job_are_claimed_and_what_was_checked_out_is_not(tmp_path: Path) -> None:
    with Server() as server:
        text = workflow(server, 'git rev-parse HEAD > "$HOME/tip"')
        run = workflow_engine.run(text, tmp_path, environ=server.environ())
    assert run.succeeded, run.output
    assert server.closed["job"]["commits_made"] == [(run.home / "tip").read_text(encoding="utf-8").strip()]
    checked_out = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path / "repository", check=True, capture_output=True, text=True
    ).stdout.strip()
    assert checked_out not in server.closed["job"]["commits_made"]


def test_without_a_token_the_workflow_goes_on_with_one_notice(tmp_path: Path) -> None:
    with Server() as server:
        run = workflow_engine.run(workflow(server), tmp_path)
    assert run.succeeded, run.output
    assert len(run.notices()) == 1
    assert "permissions: id-token: write" in run.notices()[0]
    assert server.bodies == []


ALONE = """
on: [pull_request]
permissions:
  pull-requests: write
jobs:
  agent:
    runs-on: ubuntu-latest
    steps:
      - uses: {action}
      - run: {drop}
"""


def test_a_workflow_without_a_server_comments_on_its_pull(tmp_path: Path, gh: Sandbox, packages: Path) -> None:
    gh.create_repository("acme/widgets", files={"a.py": "one\n"})
    gh.open_pull("acme/widgets", "feature", files={"b.py": "1\n"})
    token = gh.job_token("acme/widgets", {"pull_requests": "write"})
    text = ALONE.format(action=workflow_engine.ACTION_NAME, drop=workflow_engine.drop(SCENARIO))
    payload = {"number": 1, "pull_request": {"number": 1}, "repository": {"visibility": "private"}}
    with index() as url:
        environ = {"GITHUB_API_URL": gh.url, "PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}
        run = workflow_engine.run(text, tmp_path, event="pull_request", payload=payload, environ=environ, token=token)
    assert run.succeeded, run.output
    assert run.notices() == []
    (comment,) = gh.comments("acme/widgets", 1)
    assert "It is this run alone" in comment["body"]
    assert "Cost of this job: $" in run.summary
    assert token not in run.output
