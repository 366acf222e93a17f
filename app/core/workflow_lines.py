"""Which line of a workflow file ran an agent. Reads the file's text only; a guess is never shown as a fact.

Looked for in the job with the given id, in this order: a step that uses the agent's known action, a `run:` line
that calls the agent, the step of the Mergemeter action, the job itself. Broken, huge or unknown files give None.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import yaml

from app.core.yaml_nodes import Unreadable, compose, entry_of, line_at, line_of, value_of

MOST_CHARACTERS = 500_000
MOST_STEPS = 500

ACTIONS = {
    "claude-code": (
        "anthropics/claude-code-action",
        "anthropics/claude-code-action/base-action",
        "anthropics/claude-code-base-action",
    ),
    "codex": ("openai/codex-action",),
    "gemini-cli": ("google-github-actions/run-gemini-cli", "google-gemini/gemini-cli-action"),
    "opencode": ("sst/opencode/github", "anomalyco/opencode/github"),
    "qwen-code": ("qwenlm/qwen-code-action",),
}
COMMANDS = {
    "claude-code": ("claude", "@anthropic-ai/claude-code"),
    "codex": ("codex", "@openai/codex"),
    "gemini-cli": ("gemini", "@google/gemini-cli"),
    "copilot-cli": ("copilot", "@github/copilot"),
    "qwen-code": ("qwen", "@qwen-code/qwen-code"),
    "opencode": ("opencode", "opencode-ai"),
    "pi": ("pi", "@mariozechner/pi-coding-agent", "@earendil-works/pi-coding-agent"),
    "cline": ("cline",),
    "aider": ("aider", "aider-chat"),
    "gh-aw": ("awf",),  # the firewall, in which a compiled workflow (*.lock.yml) runs its agent
}
INSTALLERS = re.compile(r"\b(npm|pnpm|yarn|bun|pip3?|pipx|uv|apt-get|apt|brew)\b")
INSTALLS = re.compile(r"\b(i|ci|install|add|upgrade)\b")
OWN_ACTION = re.compile(r"(^|[/-])mergemeter(-action)?([/@]|$)|^\./action$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the file (from 1). `step`: it is the agent's own step; False: only its job is known."""

    line: int
    step: bool


def agent_line(text: str, job: str, agent: str) -> Place | None:
    """Where the job with this id runs this agent (an id as in records, e.g. "claude-code")."""
    try:
        jobs = value_of(compose(text, MOST_CHARACTERS), "jobs")
    except Unreadable:
        return None
    found = entry_of(jobs, job)
    if found is None:
        return None
    key, body = found
    steps = list(islice(steps_of(body), MOST_STEPS))
    for line in (_using(steps, agent), _running(steps, agent, text.splitlines())):
        if line is not None:
            return Place(line, step=True)
    own = next((line_of(uses) for uses in _uses(steps) if OWN_ACTION.search(uses.value)), None)
    return Place(own if own is not None else line_of(key), step=False)


def own_workflow(workflow_ref: str, repository: str) -> str:
    """The path in `owner/name/.github/workflows/x.yml@ref` when the file is this repository's own, else "".

    Give it the token's `job_workflow_ref`: the file that holds the job. A reusable or required workflow of another
    repository gives "", since its file is not in the pull's repository.
    """
    place = workflow_ref.split("@", 1)[0]
    path = place[len(repository) + 1 :]
    mine = place.lower().startswith(f"{repository.lower()}/") and re.fullmatch(r"\.github/workflows/[^/]+\.ya?ml", path)
    return path if mine else ""


@lru_cache(maxsize=4096)
def workflow_file(workflow_ref: str) -> str:
    """The file's name in `owner/name/.github/workflows/x.yml@ref`, whatever the repository was called then, or ""."""
    found = re.match(r"[^/@]+/[^/@]+/\.github/workflows/([^/@]+\.ya?ml)@", workflow_ref)
    return found[1] if found else ""


def _using(steps: list[yaml.Node], agent: str) -> int | None:
    known = ACTIONS.get(agent, ())
    return next((line_of(uses) for uses in _uses(steps) if uses.value.split("@", 1)[0].lower() in known), None)


def _running(steps: list[yaml.Node], agent: str, lines: list[str]) -> int | None:
    names = "|".join(map(re.escape, COMMANDS.get(agent, (agent,))))
    # The name as a word of its own: behind a path, after `npx` or `&&`, in quotes; with or without a version.
    calls = re.compile(rf"""(?:^|[\s;&|(`"'/=])(?:{names})(?:@[\w.^~-]+)?(?=$|[\s;&|)`"'])""") if agent else None
    for step in steps:
        run = value_of(step, "run")
        if calls is None or not isinstance(run, yaml.ScalarNode):
            continue
        first, last = line_at(run.start_mark) - 1, line_at(run.end_mark) - 1
        for number, line in enumerate(lines[first : last + 1], first + 1):
            command = re.sub(r"(^|\s)#.*", "", line.partition("run:")[2] if number == first + 1 else line)
            if calls.search(command) and not _installs(command):
                return number
    return None


def _installs(command: str) -> bool:
    """Whether a line brings a tool instead of calling it. Two searches: one pattern for both backtracks for minutes."""
    installer = INSTALLERS.search(command)
    return installer is not None and INSTALLS.search(command, installer.end()) is not None


def _uses(steps: list[yaml.Node]) -> Iterator[yaml.ScalarNode]:
    for step in steps:
        uses = value_of(step, "uses")
        if isinstance(uses, yaml.ScalarNode):
            yield uses


def steps_of(job: yaml.Node) -> Iterator[yaml.Node]:
    """The steps of a job's node, as they stand there."""
    steps = value_of(job, "steps")
    if isinstance(steps, yaml.SequenceNode):
        yield from steps.value
