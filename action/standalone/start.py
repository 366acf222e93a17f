"""Asks for the job's comment: a clean environment, the program in it, and a sentence for each way that this can fail.

The job's token comes in memory and goes on through a pipe: never to a file, a log or another program's arguments.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from runner import event

from standalone import install

COMMENTING_S = 30.0
NEEDED = (3, 11)  # of app/core
TOKEN = "INPUT_GITHUB-TOKEN"  # noqa: S105 - the name of the variable
LEAD = "This job's cost is not shown on its pull: "
FORK = "GitHub gives workflows of pulls from forks no token that may write. That is as it should be"
SENTENCES = {
    "forbidden": "the job may not comment. Add to the job, or to the workflow: permissions: pull-requests: write",
    "locked": "its conversation is locked",
    "refused": "GitHub refused the job's token",
    "limited": "GitHub's rate limit for this repository is used up",
    "foreign": "the input github-token is not the job's own token; leave it as it is",
    "unreachable": "GitHub could not be reached or did not answer as it should",
    "broken": "the program that writes it ended without an answer",
    "impossible": "the agents' logs hold numbers or times that cannot be",
}


def remembered(environ: Mapping[str, str], show_money: bool) -> dict[str, Any]:
    """What `post` needs and an agent could change: all but the token, which is in no file."""
    workflow = environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0] or environ.get("GITHUB_WORKFLOW", "")
    return {
        "api_url": environ.get("GITHUB_API_URL", ""),
        "repository": environ.get("GITHUB_REPOSITORY", ""),
        "repository_id": _number(environ.get("GITHUB_REPOSITORY_ID")),
        "workflow": environ.get("GITHUB_WORKFLOW", ""),
        "workflow_file": workflow,
        "run_id": _number(environ.get("GITHUB_RUN_ID")),
        "run_attempt": _number(environ.get("GITHUB_RUN_ATTEMPT")),
        "run_url": f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/"
        f"{environ.get('GITHUB_RUN_ID', '')}",
        "money": show_money or not event.is_public(environ),
        "fork": event.is_fork(environ),
        "uv": shutil.which("uv", path=environ.get("PATH", "")) or "",
    }


def report(
    environ: Mapping[str, str], about: Mapping[str, Any], job: Mapping[str, Any], body: bytes
) -> tuple[dict[str, Any] | None, str]:
    """Price a closing record and put the job's comment: the prices, and what went wrong or nothing."""
    token = environ.get(TOKEN, "").strip()
    lacking = _lacking(job, token)
    if lacking:
        return None, LEAD + lacking + "."
    asked = {**about, "token": token, "job": job, "record": json.loads(body), "key": _key(about, job)}
    try:
        with _folder(environ.get("RUNNER_TEMP") or None) as folder:
            around = install.surroundings(environ, folder)
            python = install.environment(folder, str(about["uv"]), around)
            return _told(_ask(python, around, asked), about)
    except install.Uninstalled as problem:
        return None, f"{LEAD}{problem}."
    except OSError as problem:
        return None, f"{LEAD}the runner's temporary folder cannot be used ({type(problem).__name__})."


def _folder(below: str | None) -> tempfile.TemporaryDirectory[str]:
    """A folder for this alone. What cannot be removed is the runner's to remove, and no reason to complain."""
    return tempfile.TemporaryDirectory(prefix="mergemeter-", dir=below, ignore_cleanup_errors=True)


def _lacking(job: Mapping[str, Any], token: str) -> str:
    if sys.version_info < NEEDED:
        return "Python 3.11 or newer is needed for that. Put actions/setup-python before this step"
    if not os.path.isfile(os.path.join(install.ROOT, "app", "core", "pricing.py")):
        return "this copy of the Action is not a whole copy of Mergemeter's repository, which has the prices' code"
    if not job.get("pull_number"):
        return "the event that started the workflow names no pull"
    if not token:
        return "there is no token to comment with. The input github-token is the job's own unless you set another"
    return ""


def _ask(python: str, environ: Mapping[str, str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The program's answer, or the problem that there is none."""
    program = os.path.join(install.HERE, "program.py")
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing from outside in the command
            [python, "-I", program],
            input=json.dumps(asked).encode(),
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMENTING_S,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {"problem": "unreachable"}
    except (OSError, ValueError):
        return {"problem": "broken"}
    return answer


def _told(answer: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    problem = str(answer.get("problem", ""))
    sentence = FORK if problem == "forbidden" and about["fork"] else SENTENCES.get(problem, problem)
    prices = answer.get("prices")
    return prices if isinstance(prices, dict) else None, f"{LEAD}{sentence}." if sentence else ""


def _key(about: Mapping[str, Any], job: Mapping[str, Any]) -> int:
    """A number that stands for the workflow file, the job and its leg of a matrix: one comment for each."""
    named = "\0".join([str(about["workflow_file"]), str(job["name"]), str(job["matrix"])])
    return int(hashlib.sha256(named.encode()).hexdigest()[:12], 16)


def _number(value: str | None) -> int:
    return int(value) if value and value.isdigit() else 0
