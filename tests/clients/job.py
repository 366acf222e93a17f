"""A client's run as a job: a workflow with the Action first, played by act, with what GitHub gives to a job."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.action import workflow_engine
from tests.clients.agents import Client
from tests.clients.script import CANARIES
from tests.clients.stand_in import StandIn
from tests.e2e.stage import PATH, Organisation

# What a client is killed by when its last answer is in flight: its whole process group, as nothing of it may go on.
KILLED = """\
setsid {command} < /dev/null &
victim=$!
for _ in $(seq 600); do test -e {flag} && break; sleep 0.1; done
sleep 0.3
kill -9 -- -$victim
"""
PLAIN = '{command} < /dev/null || echo "the client ended with $?"\n'
# The checkout lies elsewhere in each job of this engine, and clients know a session by its folder; on GitHub it is the
# same in all jobs. A folder in the home stands for it.
FOLDER = """\
mkdir -p "$HOME/widgets" && cd "$HOME/widgets"
test -d .git || {{ git init --quiet --initial-branch {branch}; git remote add origin https://github.com/acme/widgets.git; }}
"""


@dataclass(frozen=True)
class Step:
    """One start of the client. `killed`: end it with SIGKILL once an answer is in flight."""

    scenario: str
    again: bool = False
    more: Sequence[str] = ()
    killed: bool = False


@dataclass(frozen=True)
class Played:
    """How a job went: what the engine printed, and the workflow run's number."""

    run_id: int
    pull: int
    code: int
    output: str
    home: Path = field(repr=False)


def words(client: Client, step: Step) -> list[str]:
    """The command line of a step."""
    prompt = f"Please check {CANARIES['prompt']} SCN:{step.scenario}"
    if step.again and client.again:
        return [*client.again(prompt), *step.more]
    return [*client.first(prompt), *step.more]


def workflow(
    org: Organisation, client: Client, steps: Sequence[Step], programs: Path, flag: Path, environ: Mapping[str, str],
    url: str,
) -> str:  # fmt: skip
    """The text of a workflow: the Action, the checkout, and a step for each start of the client."""
    start = f'export PATH="{programs}:$PATH"\n' + FOLDER.format(branch=CANARIES["branch"])
    jobs: list[dict[str, Any]] = [
        {"uses": workflow_engine.ACTION_NAME, "with": {"server-url": org.stage.server.url, "team": "payments"}},
        {"uses": "actions/checkout@v5"},
    ]
    commands = [(PLAIN, list(client.before(url)))] if client.before else []
    commands += [(KILLED if step.killed else PLAIN, words(client, step)) for step in steps]
    for shape, command in commands:
        text = shape.format(command=shlex.join(command), flag=shlex.quote(str(flag)))
        jobs.append({"name": client.name, "env": dict(environ), "run": start + text})
    job = {"runs-on": "ubuntu-latest", "steps": jobs}
    permissions = {"contents": "read", "id-token": "write"}
    content = {"name": "Agent", "on": ["pull_request"], "permissions": permissions, "jobs": {"agent": job}}
    return yaml.safe_dump(content, sort_keys=False, width=1000)


def play(
    org: Organisation, client: Client, steps: Sequence[Step], api: StandIn, programs: Path, folder: Path,
    telemetry: tuple[str, str] | None = None,
) -> Played:  # fmt: skip
    """Open a pull, run its workflow and give what GitHub would know. `telemetry`: an address and its token."""
    home = folder / "home"
    for path, text in client.files(api.url, telemetry[0] if telemetry else "").items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, encoding="utf-8")
    environ = {"TERM": "dumb", "NO_COLOR": "1", **client.environ(api.url)}
    if telemetry and client.telemetry:
        environ |= client.telemetry(*telemetry)
    text = workflow(org, client, steps, programs, api.flag, environ, api.url)
    org.stage.gh.push(org.repository, "main", {PATH: text})
    pull = org.open(branch=f"change-{folder.name}")
    run = org.stage.gh.start_workflow_run(org.repository, pull=pull, path=PATH)
    token = {name: value for name, value in run["env"].items() if name.startswith("ACTIONS_ID_TOKEN_")}
    ended = workflow_engine.run(
        text, folder, event="pull_request", payload=run["event"], environ=token, repository=org.repository,
        timeout_s=600,
    )  # fmt: skip
    org.stage.gh.finish_run(run["run_id"], "success" if ended.succeeded else "failure")
    return Played(int(run["run_id"]), pull, ended.code, ended.output, home)
