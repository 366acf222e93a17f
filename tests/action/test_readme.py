"""The Action's README tells the truth: its examples run, its tables are those of action.yml, its notices exist."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from collect import AGENTS, FORMATS, VARIABLES
from runner import inputs

from app.sandbox import Sandbox
from tests.action import workflow_engine
from tests.action.logs import ACTION, ROOT, copy_home, expected, usage
from tests.action.packages import index
from tests.action.server import Server

README = (ACTION / "README.md").read_text(encoding="utf-8")
METADATA = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
QUOTED = (
    "the job has no OIDC token",
    "could not be reached",
    "redirects elsewhere",
    "a log could not be read",
    "Python 3.9 or newer was not found",
    "No agent run was found",
    "workflows of pulls from forks",
    "This job's cost is not shown on its pull: ",
    "the job may not comment",
    "names no pull",
    "its packages could not be installed",
    "Python 3.11 or newer is needed for that",
    "there is no token to comment with",
)
OURS = workflow_engine.ACTION_NAME


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def names_in_table(heading: str) -> list[str]:
    section = README.split(heading)[1].split("\n## ")[0].split("\n### ")[0]
    cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_the_tables_name_every_input_and_output_of_the_action() -> None:
    assert names_in_table("### Inputs") == list(METADATA["inputs"])
    assert sorted(names_in_table("### Outputs")) == sorted(METADATA["outputs"])


def test_the_input_agents_names_every_agent() -> None:
    (row,) = re.findall(r"^\| `agents` \|.*$", README, re.MULTILINE)
    assert sorted(re.findall(r"`([a-z-]+)`", row.split("|")[3])) == sorted(AGENTS)


def test_the_action_runs_on_a_supported_node_before_and_after_the_job() -> None:
    assert METADATA["runs"] == {"using": "node24", "main": "main.js", "post": "post.js", "post-if": "always()"}


IN_ONE_JOB = [text for text in examples("yaml") if "mode: watch" not in text]
IN_TWO_JOBS = [text for text in examples("yaml") if "mode: watch" in text]


@pytest.mark.parametrize("text", IN_ONE_JOB)
def test_an_example_puts_the_action_first_with_valid_inputs_and_its_permission(text: str) -> None:
    workflow: dict[str, Any] = yaml.safe_load(text)
    needed = "id-token" if "server-url" in text else "pull-requests"
    assert workflow["permissions"][needed] == "write"
    for job in workflow["jobs"].values():
        first, *others = job["steps"]
        assert first["uses"] == OURS
        given = {name: value.replace("${{ vars.METER_URL }}", "https://x") for name, value in first["with"].items()}
        assert set(given) <= set(METADATA["inputs"])
        inputs.read({f"INPUT_{name.upper()}": value for name, value in given.items()}, ("claude-code", "codex"))
        assert all(step.get("uses") != OURS for step in others)


@pytest.mark.parametrize("text", IN_TWO_JOBS)
def test_an_example_in_two_jobs_gives_the_permission_to_the_sending_job_alone(text: str) -> None:
    workflow: dict[str, Any] = yaml.safe_load(text)
    agent, sender = workflow["jobs"]["agent"], workflow["jobs"]["record"]
    assert workflow["permissions"] == {}
    assert "id-token" not in agent["permissions"]
    assert sender["permissions"] == {"id-token": "write"}
    assert sender["needs"] == ["agent"]
    watch, *_, collect, upload = agent["steps"]
    assert (watch["uses"], watch["with"]["mode"]) == (OURS, "watch")
    assert (collect["uses"], collect["with"]["mode"]) == (OURS, "collect")
    assert collect["if"] == upload["if"] == "always()"
    called = yaml.safe_load((ROOT / workflow_engine.SENDING).read_text(encoding="utf-8"))
    if "uses" in sender:
        assert set(sender["with"]) <= set(called[True]["workflow_call"]["inputs"])
    else:  # what is written out is what the called workflow does
        pairs = zip(sender["steps"], called["jobs"]["send"]["steps"], strict=True)
        for mine, theirs in pairs:
            assert mine["with"].items() <= {**theirs["with"], "server-url": mine["with"].get("server-url")}.items()


@pytest.mark.optional("act")
@pytest.mark.optional("node")
@pytest.mark.parametrize(
    ("number", "scenario"), [(0, "codex-0.169.0/basic"), (1, "claude-code-2.1.330/subagent")], ids=["called", "written"]
)
def test_an_example_in_two_jobs_runs(tmp_path: Path, number: int, scenario: str) -> None:
    """As it stands, but for the server, the agent, whose logs are placed, and GitHub's artifacts, which are folders."""
    with Server() as server:
        text = with_logs(IN_TWO_JOBS[number].replace("https://mergemeter.example.com", server.url), scenario)
        run = workflow_engine.run(
            workflow_engine.on_this_machine(text, server.environ()),
            tmp_path,
            event="pull_request",
            payload={"pull_request": {"number": 5, "head": {"ref": "x"}}},
            files=workflow_engine.sending_workflow(server.environ()),
        )
    assert run.succeeded, run.output
    assert run.notices() == []
    (body,) = server.bodies
    assert (body["relayed"], body["job"]["name"], body["job"]["pull_number"]) == (True, "agent", 5)
    assert usage(body["agent_runs"]) == expected(scenario)
    assert server.tokens == ["Bearer token-1"]


def with_logs(text: str, scenario: str) -> str:
    """An example whose agent is a step that places an agent's logs."""
    text = re.sub(r"run: npx .*", f"run: {workflow_engine.drop(scenario)}", text)
    return re.sub(r"uses: anthropics/.*\n( +)with:\n(?:\1  .*\n)+", f"run: {workflow_engine.drop(scenario)}\n", text)


@pytest.mark.optional("act")
@pytest.mark.optional("node")
@pytest.mark.parametrize(
    ("number", "event", "payload", "scenario"),
    [
        (
            1,
            "issue_comment",
            {"comment": {"body": "@claude go"}, "issue": {"number": 4}},
            "claude-code-2.1.330/basic-json",
        ),
        (2, "pull_request", {"pull_request": {"number": 5, "head": {"ref": "x"}}}, "codex-0.169.0/basic"),
    ],
)
def test_an_example_runs(tmp_path: Path, number: int, event: str, payload: dict[str, object], scenario: str) -> None:
    """As it stands, but for what is not on this machine: the server, and the agent, whose logs are placed."""
    with Server() as server:
        text = IN_ONE_JOB[number].replace("https://mergemeter.example.com", server.url)
        text = text.replace("${{ vars.METER_URL }}", server.url)
        text = re.sub(r"run: npx .*", f"run: {workflow_engine.drop(scenario)}", text)
        text = re.sub(r"uses: anthropics/.*\n( +)with:\n.*", rf"run: {workflow_engine.drop(scenario)}", text)
        run = workflow_engine.run(text, tmp_path, event=event, payload=payload, environ=server.environ())
    assert run.succeeded, run.output
    assert usage(server.closed["agent_runs"]) == expected(scenario)


@pytest.mark.optional("act")
@pytest.mark.optional("node")
def test_the_example_without_a_server_runs(tmp_path: Path, gh: Sandbox, packages: Path) -> None:
    gh.create_repository("acme/widgets", files={"a.py": "one\n"})
    gh.open_pull("acme/widgets", "feature", files={"b.py": "1\n"})
    text = re.sub(r"run: npx .*", f"run: {workflow_engine.drop('codex-0.169.0/basic')}", examples("yaml")[0])
    token = gh.job_token("acme/widgets", {"contents": "read", "pull_requests": "write"})
    payload = {"pull_request": {"number": 1, "head": {"ref": "feature"}}, "repository": {"private": True}}
    with index() as url:
        environ = {"GITHUB_API_URL": gh.url, "PIP_INDEX_URL": url, "UV_DEFAULT_INDEX": url}
        run = workflow_engine.run(text, tmp_path, event="pull_request", payload=payload, environ=environ, token=token)
    assert run.succeeded, run.output
    (comment,) = gh.comments("acme/widgets", 1)
    assert "It is this run alone" in comment["body"]


def test_the_command_line_example_prints_a_record_and_sends_nothing(tmp_path: Path) -> None:
    (line,) = [text for text in examples("sh") if "collect" in text]
    command = shlex.split(line.replace('"$HOME"', str(copy_home("codex-0.169.0/basic", tmp_path))))
    command[0] = shutil.which(command[0]) or command[0]
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert usage(yaml.safe_load(done.stdout)["agent_runs"]) == expected("codex-0.169.0/basic")


def test_the_list_of_formats_is_the_registrys() -> None:
    page = (ACTION / "collect" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)\.py`", page, re.MULTILINE) == [
        getattr(format_, "__name__", "").rpartition(".")[2] for format_ in FORMATS
    ]


def test_the_shim_lets_through_the_variables_of_all_formats() -> None:
    (listed,) = re.findall(r"const PLACES = \[(.*?)\]", (ACTION / "python.js").read_text(encoding="utf-8"), re.DOTALL)
    assert re.findall(r'"(\w+)"', listed) == sorted(VARIABLES)


def test_what_the_troubleshooting_table_quotes_is_what_the_action_says() -> None:
    said = "".join(path.read_text(encoding="utf-8") for path in [*ACTION.rglob("*.py"), *ACTION.glob("*.js")])
    for sentence in QUOTED:
        assert sentence in README
        assert sentence in said
