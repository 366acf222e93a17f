"""The pull that the triggering event names. A claim for the server to check, read before any agent could change it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

EVENT_LIMIT = 32 << 20


def pull_number(environ: Mapping[str, str]) -> int | None:
    """The pull's number from the ref or the event, or None when the event names none or several."""
    ref = re.match(r"refs/pull/(\d{1,9})/", environ.get("GITHUB_REF", ""))
    if ref:
        return _number(int(ref.group(1)))
    try:
        with open(environ.get("GITHUB_EVENT_PATH", ""), "rb") as file:
            event = json.loads(file.read(EVENT_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return _named(event) if isinstance(event, dict) else None


def is_fork(environ: Mapping[str, str]) -> bool:
    """True when the event is of a pull whose head lies in another repository."""
    try:
        with open(environ.get("GITHUB_EVENT_PATH", ""), "rb") as file:
            pull = json.loads(file.read(EVENT_LIMIT))["pull_request"]
        return bool(pull["head"]["repo"]["id"] != pull["base"]["repo"]["id"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return False


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
