"""What the triggering event says of the pull and the repository. Read before any agent could change its file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

EVENT_LIMIT = 32 << 20


def pull_number(environ: Mapping[str, str]) -> int | None:
    """The pull's number from the ref or the event, or None when the event names none or several."""
    ref = re.match(r"refs/pull/(\d{1,9})/", environ.get("GITHUB_REF", ""))
    return _number(int(ref.group(1))) if ref else _named(_event(environ))


def issue_number(environ: Mapping[str, str]) -> int | None:
    """The number of the issue on which the workflow run was started, or None when the event is of none."""
    issue = _event(environ).get("issue")
    return _number(issue.get("number")) if isinstance(issue, dict) and not issue.get("pull_request") else None


def is_fork(environ: Mapping[str, str]) -> bool:
    """True when the event is of a pull whose head lies in another repository."""
    try:
        pull: Any = _event(environ)["pull_request"]
        return bool(pull["head"]["repo"]["id"] != pull["base"]["repo"]["id"])
    except (KeyError, TypeError):
        return False


def is_public(environ: Mapping[str, str]) -> bool:
    """Whether everybody can read the repository. One of which the event does not say is, as far as we know."""
    repository = _event(environ).get("repository")
    told = repository if isinstance(repository, dict) else {}
    if "visibility" in told:
        return told["visibility"] not in ("private", "internal")
    return told.get("private") is not True


def _event(environ: Mapping[str, str]) -> dict[str, object]:
    try:
        with open(environ.get("GITHUB_EVENT_PATH", ""), "rb") as file:
            event = json.loads(file.read(EVENT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _named(event: dict[str, object]) -> int | None:
    pull, issue = event.get("pull_request"), event.get("issue")
    if isinstance(pull, dict):
        return _number(pull.get("number"))
    if isinstance(issue, dict) and isinstance(issue.get("pull_request"), dict):
        return _number(issue.get("number"))
    for name in ("workflow_run", "check_run", "check_suite"):
        found = event.get(name)
        pulls = found.get("pull_requests") if isinstance(found, dict) else None
        if isinstance(pulls, list) and len(pulls) == 1 and isinstance(pulls[0], dict):
            return _number(pulls[0].get("number"))
    return None


def _number(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 2**31 else None
