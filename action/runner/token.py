"""Whether the job may ask for an OIDC token; when not, what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping

from runner import event

FORK = (
    "GitHub gives workflows of pulls from forks no OIDC token, so this job's agents are not recorded. "
    "That is as it should be; do not use pull_request_target to change it."
)
NO_PERMISSION = (
    "This job's agents are not recorded, because the job has no OIDC token. "
    "Add to the job, or to the workflow: permissions: id-token: write"
)


def lacking(environ: Mapping[str, str]) -> str:
    """Why the job cannot ask for a token, as a sentence; empty when it can."""
    if environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        return ""
    return FORK if event.is_fork(environ) else NO_PERMISSION
