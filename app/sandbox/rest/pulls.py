"""/repos/…/pulls: read only, as the App needs it."""

from typing import Any

from app.sandbox import commits, diffs
from app.sandbox.rest.door import Answer, Call, Operation
from app.sandbox.shapes import conversations, repositories
from app.sandbox.state import Pull

MOST_COMMITS = 250
MOST_FILES = 3000


def _versioned(call: Call, shape: dict[str, Any]) -> dict[str, Any]:
    """The pull as the asked API version writes it."""
    if call.newer:
        del shape["merge_commit_sha"]
    return shape


def get_pulls(call: Call) -> Answer:
    state = call.query.get("state", "open")
    wanted = [pull for pull in call.repository.pulls.values() if state in {"all", pull.issue.state}]
    if "base" in call.query:
        wanted = [pull for pull in wanted if pull.base_ref == call.query["base"]]
    if "head" in call.query:
        wanted = [pull for pull in wanted if pull.head_label == call.query["head"]]
    updated = call.query.get("sort") == "updated"

    def order(pull: Pull) -> tuple[object, int]:
        return (pull.issue.updated_at if updated else pull.issue.created_at, pull.number)

    wanted.sort(key=order, reverse=call.query.get("direction", "desc" if not updated else "asc") == "desc")
    page, headers = call.paged(wanted)
    return Answer(
        body=[_versioned(call, conversations.pull_simple(call.hub, call.repository, pull)) for pull in page],
        headers=headers,
    )


def get_pull(call: Call) -> Answer:
    return Answer(body=_versioned(call, conversations.pull_full(call.hub, call.repository, call.pull())))


def get_pull_commits(call: Call) -> Answer:
    shas = diffs.pull_commits(call.hub, call.repository, call.pull())[:MOST_COMMITS]
    page, headers = call.paged(list(shas))
    return Answer(
        body=[repositories.commit(call.hub, call.repository, call.hub.commits[sha]) for sha in page], headers=headers
    )


def get_pull_files(call: Call) -> Answer:
    pull = call.pull()
    tree = commits.tree_of(call.hub, pull.head_sha)
    page, headers = call.paged(diffs.pull_changes(call.hub, call.repository, pull)[:MOST_FILES])
    return Answer(
        body=[
            repositories.diff_entry(call.hub, call.repository, change, pull.head_sha, tree.get(change.path, ""))
            for change in page
        ],
        headers=headers,
    )


OPERATIONS = (
    Operation("GET", "/repos/{owner}/{repo}/pulls", ("pull_requests:read",), get_pulls),
    Operation("GET", "/repos/{owner}/{repo}/pulls/{pull_number}", ("pull_requests:read",), get_pull),
    Operation("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/commits", ("pull_requests:read",), get_pull_commits),
    Operation("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/files", ("pull_requests:read",), get_pull_files),
)
