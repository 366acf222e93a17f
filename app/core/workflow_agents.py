"""Which agents the jobs of workflow files run, and whether Mergemeter's own step stands there. Reads text only.

Stricter than `workflow_lines`, which is told that the agent ran: here the file alone says so. A `run:` line counts
where the agent's name is the command, not where it is mentioned, installed, or asked for its version. What a script
or a composite action calls is not seen.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

import yaml

from app.core.shell_words import commands
from app.core.workflow_lines import ACTIONS, COMMANDS, MOST_CHARACTERS, MOST_STEPS, OWN_ACTION, steps_of
from app.core.yaml_nodes import Unreadable, compose, value_of

MOST_JOBS = 500
AGENT_OF_ACTION = {action: agent for agent, actions in ACTIONS.items() for action in actions}
AGENT_OF_COMMAND = {command: agent for agent, names in COMMANDS.items() for command in names}
SHELLS = ("", "bash", "sh", "pwsh", "powershell", "cmd", "zsh")
OWN_FILE = re.compile(r"\./(\.github/workflows/[^/@]+\.ya?ml)")


@dataclass(frozen=True, slots=True)
class JobAgents:
    """One job: its id, the agents that its steps run (ids as in records), and whether it has our step.

    `calls`: the workflow file of the same repository that the job consists of, or "".
    """

    job: str
    agents: tuple[str, ...] = ()
    own_step: bool = False
    calls: str = ""


@dataclass(frozen=True, slots=True)
class FileAgents:
    """The agents of a whole file. `own_step`: each job that runs one has our step."""

    agents: tuple[str, ...]
    own_step: bool


def agents_of_jobs(text: str) -> tuple[JobAgents, ...] | None:
    """Every job of a workflow file, in its order; None for a file that cannot be read."""
    try:
        root = compose(text, MOST_CHARACTERS)
    except Unreadable:
        return None
    jobs = value_of(root, "jobs")
    if not isinstance(jobs, yaml.MappingNode):
        return ()
    known: dict[int, JobAgents] = {}
    steps: dict[int, Step] = {}
    return tuple(_job(key, body, known, steps) for key, body in jobs.value[:MOST_JOBS])


def agents_of_files(texts: Mapping[str, str | None]) -> dict[str, FileAgents | None]:
    """The agents of each workflow file of one repository, by path; None where that is not known.

    A file that calls another one runs that one's agents, and GitHub counts the run under the caller's name.
    """
    read = {path: None if text is None else agents_of_jobs(text) for path, text in texts.items()}
    return {path: _file(path, read) for path in read}


def _file(path: str, read: Mapping[str, tuple[JobAgents, ...] | None]) -> FileAgents | None:
    jobs: list[JobAgents] = []
    waiting, seen = [path], {path}
    while waiting:
        found = read[waiting.pop()]
        if found is None:
            return None
        jobs += found
        called = {job.calls for job in found if job.calls in read} - seen
        seen |= called
        waiting += sorted(called)
    with_agents = [job for job in jobs if job.agents]
    agents = {agent for job in with_agents for agent in job.agents}
    return FileAgents(tuple(sorted(agents)), bool(with_agents) and all(job.own_step for job in with_agents))


def _job(key: yaml.Node, body: yaml.Node, known: dict[int, JobAgents], steps: dict[int, "Step"]) -> JobAgents:
    """A job's agents. Nodes that aliases share are looked at once, or a small file could keep us for hours."""
    name = key.value if isinstance(key, yaml.ScalarNode) else ""
    if id(body) not in known:
        found = [_step(step, steps) for step in islice(steps_of(body), MOST_STEPS)]
        agents = tuple(dict.fromkeys(agent for step in found for agent in step.agents))
        called = OWN_FILE.fullmatch(_text(body, "uses"))
        known[id(body)] = JobAgents(name, agents, any(step.own for step in found), called[1] if called else "")
    return replace(known[id(body)], job=name)


@dataclass(frozen=True, slots=True)
class Step:
    """The agents that a step runs, and whether the step is ours."""

    agents: tuple[str, ...]
    own: bool


def _step(step: yaml.Node, known: dict[int, Step]) -> Step:
    if id(step) not in known:
        uses = _text(step, "uses")
        action = AGENT_OF_ACTION.get(uses.partition("@")[0].lower())
        known[id(step)] = Step((action,) if action else _run(step, known), bool(OWN_ACTION.search(uses)))
    return known[id(step)]


def _run(step: yaml.Node, known: dict[int, Step]) -> tuple[str, ...]:
    run = value_of(step, "run")
    if not isinstance(run, yaml.ScalarNode) or _text(step, "shell").partition(" ")[0] not in SHELLS:
        return ()
    if id(run) not in known:
        called = dict.fromkeys(AGENT_OF_COMMAND[name] for name in commands(run.value, AGENT_OF_COMMAND))
        known[id(run)] = Step(tuple(called), own=False)
    return known[id(run)].agents


def _text(node: yaml.Node, key: str) -> str:
    value = value_of(node, key)
    return str(value.value) if isinstance(value, yaml.ScalarNode) else ""
