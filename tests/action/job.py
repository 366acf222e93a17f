"""A job around the Action, as the runner runs it: node starts the shims, files carry environment, state and outputs."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.action.logs import ACTION

NODE = shutil.which("node") or "node"
_VALUE = re.compile(r"^(.+?)<<(\S+)\n(.*?)\n\2\n", re.DOTALL | re.MULTILINE)


@dataclass
class Job:
    """One job's folders. `main()` and `post()` run the Action's two steps and give (exit code, output)."""

    folder: Path
    inputs: dict[str, str]
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("home", "temp", "workspace"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def variables(self) -> dict[str, str]:
        """What the runner gives to every step."""
        event = self.folder / "event.json"
        if not event.exists():
            event.write_text("{}", encoding="utf-8")
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "RUNNER_TEMP": str(self.folder / "temp"),
            "GITHUB_WORKSPACE": str(self.folder / "workspace"), "GITHUB_EVENT_PATH": str(event),
            "GITHUB_ENV": str(self.folder / "env"), "GITHUB_STATE": str(self.folder / "state"),
            "GITHUB_OUTPUT": str(self.folder / "output"), "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_REPOSITORY": "acme/widgets", "GITHUB_WORKFLOW": "Agents", "GITHUB_RUN_ID": "77",
            "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "agent", "GITHUB_REF": "refs/heads/main",
            **{f"INPUT_{name.upper()}": value for name, value in self.inputs.items()},
            **self.environ,
        }  # fmt: skip

    def main(self, **more: str) -> tuple[int, str]:
        return self._run("main.js", more)

    def post(self, **more: str) -> tuple[int, str]:
        state = {f"STATE_{name}": value for name, value in self.values("state").items()}
        return self._run("post.js", {**self.values("env"), **state, **more})

    def values(self, file: str) -> dict[str, str]:
        """What the Action wrote into one of the runner's files."""
        path = self.folder / file
        content = path.read_text(encoding="utf-8") if path.exists() else ""
        return {name: value for name, _, value in _VALUE.findall(content)}

    def set_event(self, event: object) -> None:
        (self.folder / "event.json").write_text(json.dumps(event), encoding="utf-8")

    def summary(self) -> str:
        return (self.folder / "summary.md").read_text(encoding="utf-8")

    def _run(self, shim: str, more: dict[str, str]) -> tuple[int, str]:
        done = subprocess.run(
            [NODE, str(ACTION / shim)],
            env={**self.variables(), **more}, cwd=self.folder / "workspace", capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr
