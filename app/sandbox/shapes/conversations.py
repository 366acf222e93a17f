"""Pulls, issues and their comments as JSON."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from app.sandbox.clock import iso, iso_or_none
from app.sandbox.diffs import pull_changes, pull_commits, test_merge_sha
from app.sandbox.shapes.accounts import app, node_id, simple_user
from app.sandbox.shapes.repositories import api_url, full_repository
from app.sandbox.state import Comment, Hub, Issue, Pull, Reaction, Repository


def labels(hub: Hub, repository: Repository, names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "id": repository.labels[name],
            "node_id": node_id("LA", repository.labels[name]),
            "url": f"{api_url(hub, repository)}/labels/{quote(name)}",
            "name": name,
            "description": None,
            "color": "ededed",
            "default": False,
        }
        for name in names
    ]


def _shared(hub: Hub, repository: Repository, record: Issue) -> dict[str, Any]:
    """The fields that issues and pulls write alike."""
    return {
        "number": record.number,
        "state": record.state,
        "locked": record.locked,
        "title": record.title,
        "user": simple_user(hub, record.author),
        "body": record.body,
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "closed_at": iso_or_none(record.closed_at),
        "assignee": simple_user(hub, record.assignees[0]) if record.assignees else None,
        "assignees": [simple_user(hub, account) for account in record.assignees],
        "labels": labels(hub, repository, record.labels),
        "milestone": None,
        "author_association": "MEMBER",
        "active_lock_reason": record.lock_reason,
    }


def issue(hub: Hub, repository: Repository, record: Issue) -> dict[str, Any]:
    api = f"{api_url(hub, repository)}/issues/{record.number}"
    html = f"{hub.url}/{repository.full_name}/issues/{record.number}"
    comments = sum(comment.number == record.number for comment in repository.comments.values())
    made_by = hub.apps.get(record.app_id or 0)
    shape = _shared(hub, repository, record) | {
        "url": api,
        "repository_url": api_url(hub, repository),
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "html_url": html,
        "id": record.issue_id,
        "node_id": node_id("I", record.issue_id),
        "comments": comments,
        "closed_by": simple_user(hub, record.closed_by) if record.closed_by else None,
        "reactions": reactions(api),
        "timeline_url": f"{api}/timeline",
        "performed_via_github_app": app(hub, made_by) if made_by else None,
        "state_reason": record.state_reason,
    }
    pull = repository.pulls.get(record.number)
    return shape if pull is None else shape | {"draft": pull.draft, "pull_request": _pull_link(hub, repository, pull)}


def _pull_link(hub: Hub, repository: Repository, pull: Pull) -> dict[str, Any]:
    html = f"{hub.url}/{repository.full_name}/pull/{pull.number}"
    return {
        "url": f"{api_url(hub, repository)}/pulls/{pull.number}",
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "merged_at": iso_or_none(pull.merged_at),
    }


KINDS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def reactions(api: str, given: Sequence[Reaction] = ()) -> dict[str, Any]:
    counts = {kind: sum(one.content == kind for one in given) for kind in KINDS}
    return {"url": f"{api}/reactions", "total_count": len(given)} | counts


def reaction(hub: Hub, record: Reaction) -> dict[str, Any]:
    return {
        "id": record.reaction_id,
        "node_id": node_id("REA", record.reaction_id),
        "user": simple_user(hub, record.author),
        "content": record.content,
        "created_at": iso(record.created_at),
    }


def comment(hub: Hub, repository: Repository, record: Comment) -> dict[str, Any]:
    api = f"{api_url(hub, repository)}/issues"
    kind = "pull" if record.number in repository.pulls else "issues"
    made_by = hub.apps.get(record.app_id or 0)
    return {
        "url": f"{api}/comments/{record.comment_id}",
        "html_url": f"{hub.url}/{repository.full_name}/{kind}/{record.number}#issuecomment-{record.comment_id}",
        "issue_url": f"{api}/{record.number}",
        "id": record.comment_id,
        "node_id": node_id("IC", record.comment_id),
        "user": simple_user(hub, record.author),
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
        "body": record.body,
        "author_association": "NONE",
        "reactions": reactions(f"{api}/comments/{record.comment_id}", record.reactions),
        "performed_via_github_app": app(hub, made_by) if made_by else None,
    }


def _end(hub: Hub, repository: Repository | None, label: str, ref: str, sha: str) -> dict[str, Any]:
    """The `head` or `base` of a pull; the repository is null once a fork is deleted."""
    login = label.partition(":")[0]
    account = repository.owner if repository else hub.accounts.get(login.lower())
    return {
        "label": label,
        "ref": ref,
        "sha": sha,
        "user": simple_user(hub, account) if account else None,
        "repo": full_repository(hub, repository) if repository else None,
    }


def pull_simple(hub: Hub, repository: Repository, pull: Pull) -> dict[str, Any]:
    """What the list of pulls gives."""
    api = f"{api_url(hub, repository)}/pulls/{pull.number}"
    issues = f"{api_url(hub, repository)}/issues/{pull.number}"
    statuses = f"{api_url(hub, repository)}/statuses/{pull.head_sha}"
    head = hub.repositories.get(pull.head_repository_id)
    links = {
        "self": api,
        "html": f"{hub.url}/{repository.full_name}/pull/{pull.number}",
        "issue": issues,
        "comments": f"{issues}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{api_url(hub, repository)}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": statuses,
    }
    base_label = f"{repository.owner.login}:{pull.base_ref}"
    return {
        **_shared(hub, repository, pull.issue),
        "url": api,
        "id": pull.pull_id,
        "node_id": node_id("PR", pull.pull_id),
        **{f"{name}_url": link for name, link in links.items() if name != "self"},
        "diff_url": f"{links['html']}.diff",
        "patch_url": f"{links['html']}.patch",
        "draft": pull.draft,
        "merged_at": iso_or_none(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha or test_merge_sha(hub, repository, pull),
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _end(
            hub, None if head is None or head.deleted else head, pull.head_label, pull.head_ref, pull.head_sha
        ),
        "base": _end(hub, repository, base_label, pull.base_ref, pull.base_sha),
        "_links": {name: {"href": link} for name, link in links.items()},
        "auto_merge": None,
    }


def pull_full(hub: Hub, repository: Repository, pull: Pull) -> dict[str, Any]:
    """What GET of one pull and the webhooks give."""
    diff = pull_changes(hub, repository, pull)
    opened = pull.issue.state == "open"
    comments = sum(comment.number == pull.number for comment in repository.comments.values())
    return pull_simple(hub, repository, pull) | {
        "merged": pull.merged_at is not None,
        "mergeable": True if opened else None,
        "rebaseable": True if opened else None,
        "mergeable_state": "clean" if opened else "unknown",
        "merged_by": simple_user(hub, pull.merged_by) if pull.merged_by else None,
        "comments": comments,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": len(pull_commits(hub, repository, pull)),
        "additions": sum(change.additions for change in diff),
        "deletions": sum(change.deletions for change in diff),
        "changed_files": len(diff),
    }
