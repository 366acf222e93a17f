"""Check runs and their annotations as JSON."""

from typing import Any

from app.sandbox.clock import iso, iso_or_none
from app.sandbox.shapes.accounts import app, node_id
from app.sandbox.shapes.pull_links import open_pulls
from app.sandbox.shapes.repositories import api_url
from app.sandbox.state import CheckRun, Hub, Repository


def check_run(hub: Hub, repository: Repository, check: CheckRun) -> dict[str, Any]:
    api = f"{api_url(hub, repository)}/check-runs/{check.check_run_id}"
    html = f"{hub.url}/{repository.full_name}/runs/{check.check_run_id}"
    return {
        "id": check.check_run_id,
        "name": check.name,
        "node_id": node_id("CR", check.check_run_id),
        "head_sha": check.head_sha,
        "external_id": check.external_id,
        "url": api,
        "html_url": html,
        "details_url": check.details_url or html,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": iso(check.started_at),
        "completed_at": iso_or_none(check.completed_at),
        "output": {
            "title": check.title,
            "summary": check.summary,
            "text": check.text,
            "annotations_count": len(check.annotations),
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": check.suite_id},
        "app": app(hub, hub.apps[check.app_id]),
        "pull_requests": _pulls_of(hub, repository, check),
    }


def _pulls_of(hub: Hub, repository: Repository, check: CheckRun) -> list[dict[str, Any]]:
    """Open pulls from this same repository whose head is the check's commit; a fork's pulls are never listed."""
    own = [pull for pull in repository.pulls.values() if pull.head_sha == check.head_sha]
    return open_pulls(hub, repository, own)


def annotation(hub: Hub, repository: Repository, check: CheckRun, given: dict[str, Any]) -> dict[str, Any]:
    names = ("path", "start_line", "end_line", "start_column", "end_column", "annotation_level", "title", "message")
    blob = f"{hub.url}/{repository.full_name}/blob/{check.head_sha}/{given['path']}"
    return {name: given.get(name) for name in names} | {"raw_details": given.get("raw_details"), "blob_href": blob}
