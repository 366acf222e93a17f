"""A client's run as a job: a workflow with the Action first, played by act, with what GitHub gives to a job."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.action import workflow_engine
from tests.clients.agents import Client, Telemetry
from tests.clients.script import CANARIES
from tests.clients.stand_in import StandIn
from tests.e2e.stage import PATH, Organisation

TIMEOUT_S = 600
PLAIN = '{command} < /dev/null || echo "the client ended with $?"\n'
# The client's whole process group is struck, as nothing of it may go on: some are a shim around a native program.
# Who does not go within ten seconds is killed, as GitHub's runner does with a job that is cancelled.
STRUCK = """\
setsid {command} < /dev/null &
victim=$!
for _ in $(seq 600); do test -e {flag} && break; sleep 0.1; done
sleep 0.3
kill -{signal} -- -$victim
for _ in $(seq 100); do kill -0 $victim 2> /dev/null || break; sleep 0.1; done
kill -9 -- -$victim 2> /dev/null || true
"""
# The checkout lies elsewhere in each job of this engine, and clients know a session by its folder; on GitHub it is the
# same in all jobs. A folder in the home stands for it.
FOLDER = """\
export PATH="{programs}:$PATH"
mkdir -p "$HOME/widgets" && cd "$HOME/widgets"
test -d .git || git init --quiet --initial-branch {branch}
git remote get-url origin > /dev/null 2>&1 || git remote add origin https://github.com/{repository}.git
"""


@dataclass(frozen=True)
class Step:
    """One start of the client. `signal`: strike it with this one ("KILL", "TERM") once an answer is in flight."""

    scenario: str
    again: bool = False
    more: Sequence[str] = ()
    signal: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What a job is played in: whose it is, the API, the programs' folder, and where telemetry goes, if anywhere."""

    org: Organisation
    client: Client
    api: StandIn
    programs: Path
    told: Telemetry | None = None
    action: bool = True


@dataclass(frozen=True)
class Played:
    """How a job went: the workflow run's number and what the engine printed."""

    run_id: int
    output: str


def play(around: Surroundings, steps: Sequence[Step], folder: Path) -> Played:
    """Open a pull, run its workflow in `folder`, whose `home` is the job's, and tell GitHub how it ended."""
    org, api = around.org, around.api
    for path, content in around.client.files(api.url, around.told).items():
        (folder / "home" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "home" / path).write_text(content, encoding="utf-8")
    text = _workflow(around, steps)
    org.stage.gh.push(org.repository, "main", {PATH: text})
    pull = org.open(branch=folder.name)
    run = org.stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
    token = {name: value for name, value in run["env"].items() if name.startswith("ACTIONS_ID_TOKEN_")}
    ended = workflow_engine.run(
        text, folder, event="pull_request", payload=run["event"], environ=token, repository=org.repository,
        timeout_s=TIMEOUT_S,
    )  # fmt: skip
    org.stage.gh.finish_run(run["run_id"], "success" if ended.succeeded else "failure")
    return Played(int(run["run_id"]), ended.output)


def _workflow(around: Surroundings, steps: Sequence[Step]) -> str:
    """The text of a workflow: the Action, the checkout, and a step for each start of the client."""
    given = {"server-url": around.org.stage.server.url, "team": "payments"}
    jobs: list[dict[str, Any]] = [{"uses": workflow_engine.ACTION_NAME, "with": given}] if around.action else []
    jobs.append({"uses": "actions/checkout@v5"})
    jobs += [{"name": around.client.name, "env": _environ(around), "run": run} for run in _commands(around, steps)]
    permissions = {"contents": "read", "id-token": "write"}
    agent = {"runs-on": "ubuntu-latest", "steps": jobs}
    content = {"name": "Agent", "on": ["pull_request"], "permissions": permissions, "jobs": {"agent": agent}}
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def _environ(around: Surroundings) -> dict[str, str]:
    told, telemetry = around.told, around.client.telemetry
    return {
        "TERM": "dumb",
        "NO_COLOR": "1",
        **around.client.environ(around.api.url),
        **(telemetry(told) if told and telemetry else {}),
    }


def _commands(around: Surroundings, steps: Sequence[Step]) -> list[str]:
    """The scripts of the client's steps."""
    client, flag = around.client, shlex.quote(str(around.api.flag))
    repository, branch = around.org.repository, CANARIES["branch"]
    start = FOLDER.format(programs=around.programs, repository=repository, branch=branch)
    before = [PLAIN.format(command=shlex.join(client.before(around.api.url)))] if client.before else []
    started = [
        (STRUCK if step.signal else PLAIN).format(
            command=shlex.join(_words(client, step)), flag=flag, signal=step.signal
        )
        for step in steps
    ]
    return [start + script for script in (*before, *started)]


def _words(client: Client, step: Step) -> list[str]:
    """The command line of a step."""
    prompt = f"Please check {CANARIES['prompt']} SCN:{step.scenario}"
    words = client.again if step.again and client.again else client.first
    return [*words(prompt), *step.more]
