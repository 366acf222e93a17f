"""GitHub's JSON → our facts. Tolerant: reads the few fields we use and needs no other to be there."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from app.core.facts import (
    AccountId,
    CommentFact,
    CommitFact,
    DeliveryAttempt,
    FileFact,
    InstallationFact,
    JobEnd,
    ListedPull,
    PullFact,
    PullNumber,
    PullState,
    RepositoryFact,
    RepositoryId,
    TeamRole,
    WorkflowRunFact,
)
from app.core.reverts import reverted_shas

NOBODY = 0  # the author of a pull whose account is gone
EPOCH = datetime.fromtimestamp(0, UTC)
TEAM_ROLES = {"admin": TeamRole.ADMIN, "maintain": TeamRole.MAINTAIN, "push": TeamRole.WRITE}  # the strongest first
LONGEST_VALUE = 1_024  # of a custom property, as in signed tokens


def installation(body: dict[str, Any]) -> InstallationFact:
    """An installation from GET /app/installations/{id}."""
    account = body["account"]
    return InstallationFact(
        installation_id=body["id"],
        account_id=AccountId(account["id"]),
        account_login=account.get("login") or account.get("slug", ""),
        account_type=account.get("type", "Organization"),
        suspended=body.get("suspended_at") is not None,
        permissions=body.get("permissions") or {},
    )


def delivery_attempt(body: dict[str, Any]) -> DeliveryAttempt:
    """An attempt from GET /app/hook/deliveries. One that got no HTTP answer is no failure to GitHub: only OK is OK."""
    return DeliveryAttempt(
        delivery_id=body["id"],
        guid=body["guid"],
        delivered_at=instant(body["delivered_at"]),
        ok=body["status"] == "OK",
        event=body["event"],
        action=body.get("action") or "",
    )


def repository(body: dict[str, Any]) -> RepositoryFact:
    return RepositoryFact(
        repository_id=RepositoryId(body["id"]),
        owner=body["owner"]["login"],
        name=body["name"],
        default_branch=body.get("default_branch") or "",
        visibility=body.get("visibility") or ("private" if body.get("private", True) else "public"),
        archived=body.get("archived", False),
        has_issues=body.get("has_issues", True),
    )


def property_value(body: dict[str, Any], name: str) -> str:
    """A custom property's value from an item of /orgs/{org}/properties/values; "" for none, or for several at once."""
    for told in body.get("properties") or ():
        if str(told.get("property_name", "")).lower() == name.lower():
            value = told.get("value")
            if isinstance(value, list):
                value = value[0] if len(value) == 1 else ""
            return str(value or "").encode(errors="ignore").decode().replace("\x00", "").strip()[:LONGEST_VALUE]
    return ""


def team_role(body: dict[str, Any]) -> TeamRole | None:
    """A team's role in an item of its list of repositories; None: it may not write."""
    rights = body.get("permissions") or {}
    return next((role for right, role in TEAM_ROLES.items() if rights.get(right)), None)


def pull(body: dict[str, Any]) -> PullFact:
    head_repository = body["head"].get("repo")
    return PullFact(
        number=PullNumber(body["number"]),
        title=body["title"],
        body=body.get("body") or "",
        state=_pull_state(body),
        draft=body.get("draft") or False,
        locked=body.get("locked") or False,
        head_ref=body["head"]["ref"],
        head_sha=body["head"]["sha"],
        head_repository_id=RepositoryId(head_repository["id"]) if head_repository else None,
        base_ref=body["base"]["ref"],
        author_id=(body.get("user") or {}).get("id", NOBODY),
        created_at=instant(body["created_at"]),
        closed_at=_instant_or_none(body.get("closed_at")),
        merged_at=_instant_or_none(body.get("merged_at")),
        merge_commit_sha=body.get("merge_commit_sha"),
        lines_changed=_lines_changed(body),
        github_id=body.get("id"),
    )


def listed_pull(body: dict[str, Any]) -> ListedPull:
    """A pull from a list of its repository's."""
    return ListedPull(pull(body), RepositoryId(body["base"]["repo"]["id"]), instant(body["updated_at"]))


def _lines_changed(body: dict[str, Any]) -> int | None:
    """Lists of pulls and some events do not tell it."""
    added, deleted = body.get("additions"), body.get("deletions")
    return None if added is None or deleted is None else int(added + deleted)


def _pull_state(body: dict[str, Any]) -> PullState:
    if body.get("merged_at"):
        return PullState.MERGED
    return PullState.OPEN if body["state"] == "open" else PullState.CLOSED


def commit(body: dict[str, Any]) -> CommitFact:
    people = (body["commit"].get("committer") or {}, body["commit"].get("author") or {})
    dates = [person["date"] for person in people if person.get("date")]
    message = body["commit"].get("message") or ""
    return CommitFact(body["sha"], instant(dates[0]) if dates else EPOCH, reverted_shas(message))


def comment(body: dict[str, Any]) -> CommentFact:
    user = body.get("user") or {}
    return CommentFact(
        comment_id=body["id"],
        body=body.get("body") or "",
        user_id=user.get("id", NOBODY),
        login=user.get("login") or "",
        by_person=user.get("type") == "User" and not body.get("performed_via_github_app"),
        created_at=instant(body["created_at"]),
    )


def may_write(body: dict[str, Any], user_id: int) -> bool:
    """Whether a collaborator's permission is write or more, and is that of this very account: logins change hands."""
    return body.get("permission") in ("admin", "write") and (body.get("user") or {}).get("id") == user_id


def workflow_run(body: dict[str, Any]) -> WorkflowRunFact:
    created_at = instant(body["created_at"])
    return WorkflowRunFact(
        run_id=body["id"],
        run_attempt=body.get("run_attempt") or 1,
        head_sha=body["head_sha"],
        head_branch=body.get("head_branch"),
        event=body["event"],
        status=body.get("status") or "",
        conclusion=body.get("conclusion"),
        actor_id=(body.get("actor") or {}).get("id"),
        created_at=created_at,
        started_at=_instant_or_none(body.get("run_started_at")) or created_at,
        updated_at=_instant_or_none(body.get("updated_at")) or created_at,
        path=_workflow_path(body.get("path") or ""),
        triggering_actor_id=(body.get("triggering_actor") or {}).get("id"),
    )


def job_end(body: dict[str, Any]) -> JobEnd:
    """A job from the list of an attempt's; its check run's id stands at the end of an address."""
    last = (body.get("check_run_url") or "").rpartition("/")[2]
    check_run_id = int(last) if last.isascii() and last.isdigit() else body["id"]
    return JobEnd(check_run_id, body.get("conclusion"), _instant_or_none(body.get("completed_at")))


def _workflow_path(path: str) -> str:
    # Of the repository itself: sometimes with "@ref", sometimes without. Elsewhere the ref tells it apart.
    return path.partition("@")[0] if path.startswith(".github/") else path


def file_text(body: object) -> str | None:
    """A file's text; None for a folder, a submodule, or a file over 1 MB, which GitHub sends without content."""
    if not isinstance(body, dict) or body.get("type") != "file" or body.get("encoding") != "base64":
        return None
    try:
        return base64.b64decode(body["content"]).decode("utf-8", errors="replace")
    except (binascii.Error, KeyError):
        return None


def folder(body: object) -> list[FileFact]:
    """The files in a folder's listing: no folders, links and submodules; nothing for what is no folder."""
    entries = body if isinstance(body, list) else []
    return [FileFact(each["name"], each.get("size") or 0) for each in entries if each.get("type") == "file"]


def instant(text: str) -> datetime:
    """An ISO 8601 instant as aware UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _instant_or_none(text: str | None) -> datetime | None:
    return instant(text) if text else None
