"""The short form in which check runs and workflow runs name pulls."""

from collections.abc import Iterable
from typing import Any

from app.sandbox.shapes.repositories import api_url
from app.sandbox.state import Hub, Pull, Repository


def open_pulls(hub: Hub, repository: Repository, pulls: Iterable[Pull]) -> list[dict[str, Any]]:
    """Those of the pulls that are open and come from this same repository: a fork's are never named."""
    here = {"id": repository.repository_id, "url": api_url(hub, repository), "name": repository.name}
    return [
        {
            "url": f"{api_url(hub, repository)}/pulls/{pull.number}",
            "id": pull.pull_id,
            "number": pull.number,
            "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": here},
            "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": here},
        }
        for pull in pulls
        if pull.issue.state == "open" and pull.head_repository_id == repository.repository_id
    ]
