"""The main job: a workflow in a real engine with the Action first, a real agent's logs, a real App, a merged pull."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from tests.action import workflow_engine
from tests.action.logs import home_of
from tests.e2e.stage import PATH, Organisation

pytestmark = [
    pytest.mark.optional("act"),
    pytest.mark.optional("node"),
    pytest.mark.optional("git"),
]

WORKFLOW = """\
name: Agent
on: [pull_request]
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
      - name: The agent
        run: {drop}
      - run: {last}
"""
IN_TWO_JOBS = """\
name: Agent
on: [pull_request]
permissions: {{}}
jobs:
  agent:
    runs-on: ubuntu-latest
    permissions: {{}}
    steps:
      - uses: {action}
        id: mergemeter
        with:
          mode: watch
          team: payments
          purpose: author
      - name: The agent
        run: {drop}
      - run: test -z "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" && {last}
      - uses: {action}
        if: always()
        with:
          mode: collect
          start: ${{{{ steps.mergemeter.outputs.start }}}}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: mergemeter-${{{{ github.run_attempt }}}}-${{{{ github.job }}}}
          path: ${{{{ steps.mergemeter.outputs.records }}}}
  record:
    needs: [agent]
    if: always()
    permissions:
      id-token: write
    uses: mergemeter/mergemeter/.github/workflows/send-records.yml@v1
    with:
      server-url: {url}
"""
CLAUDE, CODEX = "claude-code-2.1.330/subagent", "codex-0.169.0/subagent"
TOKENS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other", "reasoning")
CALLS = (
    "SELECT provider, model, at_us, cost_nano_usd, "
    + ", ".join(f"{name}_tokens" for name in TOKENS)
    + " FROM model_call"
    " WHERE account_id = :account"
)


def workflow(org: Organisation, scenario: str, last: str = "true") -> str:
    drop = workflow_engine.drop(scenario)
    return WORKFLOW.format(action=workflow_engine.ACTION_NAME, url=org.stage.server.url, drop=drop, last=last)


def play(org: Organisation, folder: Path, scenario: str, last: str = "true") -> tuple[int, workflow_engine.WorkflowRun]:
    """Open a pull and run its workflow with what GitHub gives to a job; gives the pull's number too."""
    text = workflow(org, scenario, last)
    org.stage.gh.push(org.repository, "main", {PATH: text})
    pull = org.open()
    run = org.stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
    token = {name: value for name, value in run["env"].items() if name.startswith("ACTIONS_ID_TOKEN_")}
    ended = workflow_engine.run(
        text, folder, event="pull_request", payload=run["event"], environ=token, repository=org.repository
    )
    org.stage.gh.finish_run(run["run_id"], "success" if ended.succeeded else "failure")
    return pull, ended


def play_in_two_jobs(
    org: Organisation, folder: Path, last: str = "true", run_id: str = ""
) -> tuple[int, workflow_engine.WorkflowRun]:
    """The same where the agent's job has no token; with `run_id` its record is made in another workflow run."""
    drop, action = workflow_engine.drop(CLAUDE), workflow_engine.ACTION_NAME
    text = IN_TWO_JOBS.format(action=action, url=org.stage.server.url, drop=drop, last=last)
    org.stage.gh.push(org.repository, "main", {PATH: text})
    pull = org.open()
    run = org.stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
    token = {name: value for name, value in run["env"].items() if name.startswith("ACTIONS_ID_TOKEN_")}
    ended = workflow_engine.run(
        workflow_engine.on_this_machine(text, token), folder, event="pull_request", payload=run["event"],
        environ={"GITHUB_RUN_ID": run_id or str(run["run_id"]), "GITHUB_RUN_ATTEMPT": "1"},
        files=workflow_engine.sending_workflow(token), repository=org.repository,
    )  # fmt: skip
    org.stage.gh.finish_run(run["run_id"], "success" if ended.succeeded else "failure")
    return pull, ended


def claude_calls(home: Path) -> dict[str, dict[str, Any]]:
    """Each answer in Claude's transcripts by id, as its last line tells it: read here once more, not by the Action."""
    found: dict[str, dict[str, Any]] = {}
    for path in home.rglob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry.get("type") == "assistant" and entry["message"]["model"] != "<synthetic>":
                found[entry["message"]["id"]] = entry | entry["message"]
    return found


def library_nano_usd(model: str, provider: str, at: datetime, **usage: int) -> int:
    """What genai-prices says of one call, in nano-dollars."""
    price = genai_prices.calc_price(
        genai_prices.Usage(**usage), model, provider_id=provider, genai_request_timestamp=at
    )
    exact = price.total_price * Decimal(10**9)
    assert exact == exact.to_integral_value(), "the sample's prices are whole nano-dollars"
    return int(exact)


def claude_cost(call: Mapping[str, Any]) -> int:
    usage = call["usage"]
    written = usage["cache_creation"]
    five, hour = written["ephemeral_5m_input_tokens"], written["ephemeral_1h_input_tokens"]
    return library_nano_usd(
        call["model"],
        "anthropic",
        datetime.fromisoformat(call["timestamp"]),
        input_tokens=usage["input_tokens"] + usage["cache_read_input_tokens"] + five + hour,
        cache_read_tokens=usage["cache_read_input_tokens"],
        cache_write_tokens=five + hour,
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        output_tokens=usage["output_tokens"],
    )


def test_a_workflow_with_an_agent_ends_in_a_comment_and_a_check_on_its_pull(
    anywhere: Organisation, tmp_path: Path
) -> None:
    pull, ended = play(anywhere, tmp_path, CLAUDE)
    assert ended.succeeded, ended.output
    assert ended.notices() == []
    anywhere.stage.gh.merge(anywhere.repository, pull, "squash")
    anywhere.settle()

    calls = claude_calls(home_of(CLAUDE))
    assert len(calls) == 10
    cost = sum(claude_cost(call) for call in calls.values())
    assert anywhere.books() == {("usage", 0): -cost, ("pull", pull): cost}
    assert anywhere.rows("SELECT DISTINCT evidence FROM tie WHERE account_id = :account") == [("E1",)]
    assert f"Cost of this job: ${cost / 10**9:.4f}" in ended.summary
    comment, check = anywhere.comment(pull), anywhere.check(pull)
    assert comment is not None
    assert check is not None
    assert comment.lstrip().startswith(f"**${cost / 10**9:.2f}** · 2 agent runs")
    assert "`payments`" in comment
    assert check["conclusion"] == "success"
    (note,) = check["annotations"]
    line = workflow(anywhere, CLAUDE).splitlines()[note["start_line"] - 1]
    assert (note["path"], line.strip()) == (PATH, f"- uses: {workflow_engine.ACTION_NAME}")


def test_each_call_of_codex_costs_what_the_price_library_says(acme: Organisation, tmp_path: Path) -> None:
    pull, ended = play(acme, tmp_path, CODEX)
    assert ended.succeeded, ended.output
    acme.settle()
    rows = acme.rows(CALLS)
    truth = json.loads((home_of(CODEX).parent / "EXPECTED.json").read_text(encoding="utf-8"))["total"]
    assert len(rows) == truth["responses"]
    priced = 0
    for provider, model, at_us, cost, *tokens in rows:
        t = dict(zip(TOKENS, tokens, strict=True))
        theirs = library_nano_usd(
            model,
            provider,
            datetime.fromtimestamp(at_us / 10**6, UTC),
            input_tokens=t["input"] + t["cache_read"] + t["cache_write_other"],
            cache_read_tokens=t["cache_read"],
            cache_write_tokens=t["cache_write_other"],
            output_tokens=t["output"],
        )
        assert cost == theirs
        priced += theirs
    for name in TOKENS:
        assert sum(row[4 + TOKENS.index(name)] for row in rows) == truth.get(name, 0)
    assert acme.books() == {("usage", 0): -priced, ("pull", pull): priced}


def test_a_failing_job_is_recorded_all_the_same(acme: Organisation, tmp_path: Path) -> None:
    pull, ended = play(acme, tmp_path, CLAUDE, "exit 3")
    assert ended.code != 0
    acme.stage.gh.close(acme.repository, pull)
    acme.settle()
    cost = sum(map(claude_cost, claude_calls(home_of(CLAUDE)).values()))
    assert acme.books() == {("usage", 0): -cost, ("pull", pull): cost}
    assert acme.check(pull) is not None


def test_a_cancelled_job_is_recorded_all_the_same(acme: Organisation, tmp_path: Path) -> None:
    # The engine takes an interrupt as a person's "Cancel workflow", while the step after the agent still runs.
    pull, ended = play(acme, tmp_path, CLAUDE, "kill -INT $PPID; sleep 60")
    assert "due to cancellation" in ended.output
    acme.settle()
    cost = sum(map(claude_cost, claude_calls(home_of(CLAUDE)).values()))
    assert acme.books() == {("usage", 0): -cost, ("pull", pull): cost}


@pytest.mark.parametrize("last", ["true", "exit 3"], ids=["succeeding", "failing"])
def test_an_agents_job_without_a_token_is_recorded_by_another_job(
    anywhere: Organisation, tmp_path: Path, last: str
) -> None:
    pull, ended = play_in_two_jobs(anywhere, tmp_path, last)
    assert ended.succeeded == (last == "true"), ended.output
    assert ended.notices() == []
    anywhere.stage.gh.merge(anywhere.repository, pull, "squash")
    anywhere.settle()
    cost = sum(map(claude_cost, claude_calls(home_of(CLAUDE)).values()))
    assert anywhere.books() == {("usage", 0): -cost, ("pull", pull): cost}
    keys = "SELECT job_key FROM workflow_job WHERE account_id = :account"
    assert anywhere.rows(keys) == [("relayed:agent:",)]
    comment, check = anywhere.comment(pull), anywhere.check(pull)
    assert comment is not None
    assert check is not None
    assert comment.count("`agent`, relayed |") == 2
    assert "Relayed: another job of the workflow run sent the record of 2 agent runs" in check["output"]["text"]


def test_a_record_of_another_workflow_run_is_refused_and_the_job_goes_on(acme: Organisation, tmp_path: Path) -> None:
    _, ended = play_in_two_jobs(acme, tmp_path, run_id="1")
    assert ended.succeeded, ended.output
    (notice,) = ended.notices()
    assert "answered 409: The record was made in another workflow run" in notice
    assert "(other-run)" in notice
    acme.settle()
    assert acme.books() == {}
