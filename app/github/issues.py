"""Our issues (the monthly summary, statements): found by number, else by label, author and marker; edited in place.

The label narrows the list on GitHub's side. The author is checked here and not there: GitHub's own filter by
creator has been seen to miss bots on some hosts (https://github.com/renovatebot/renovate/issues/44730).
"""

from collections.abc import Sequence
from typing import Any

from app.core.outcomes import Refused
from app.github.connection import Place
from app.github.failures import GitHubFailed
from app.github.put import Authorship, Put, same_text

MOST_ASSIGNED = 10


def put_issue(
    place: Place,
    authorship: Authorship,
    title: str,
    body: str,
    marker: str,
    known_id: int | None,
    label: str,
    *,
    anew: bool = False,
) -> Put:
    """Make our issue say `title` and `body`, which holds `marker`. `known_id` and Put.id are its number.

    Closed stays closed, and one that a person deleted stays away. Refused when GitHub keeps the old text.
    `anew` looks for copies even where the number is known.
    """
    if marker not in body:
        raise ValueError("the body must hold its marker, or it will not be found again")
    standing = None if anew else _by_number(place, authorship, known_id, marker)
    standing = standing or _oldest(place, authorship, marker, label)
    if standing is not None:
        return _update(place, standing, title, body)
    if known_id is not None:
        return _removed(place)
    wanted = {"title": title, "body": body, "labels": [label]}
    created = place.github.write("POST", place.path("issues"), wanted, creating=True)
    authorship.learn(created)
    kept = _oldest(place, authorship, marker, label) or created
    return _put(kept, "created" if kept["number"] == created["number"] else "adopted")


def set_open(place: Place, number: int, is_open: bool) -> None:
    """Close an issue as completed, or open it again. Repeating it changes nothing."""
    reason = "reopened" if is_open else "completed"
    state = "open" if is_open else "closed"
    place.github.write("PATCH", place.path("issues", number), {"state": state, "state_reason": reason})


def assign(place: Place, number: int, logins: Sequence[str]) -> list[str]:
    """Assign those of the people who may read the repository, and whom GitHub takes; who they are."""
    able = [login for login in logins if _may_read(place, login)][:MOST_ASSIGNED]
    if not able:
        return []
    try:
        place.github.write("PATCH", place.path("issues", number), {"assignees": able})
    except GitHubFailed as failed:
        if failed.status != 422:  # one of them is not to be assigned: that is not worth a failure
            raise
        return []
    return able


def _may_read(place: Place, login: str) -> bool:
    found = place.github.find(place.path("collaborators", login, "permission"))
    return found is not None and found.get("permission") not in (None, "none")


def _by_number(place: Place, authorship: Authorship, number: int | None, marker: str) -> dict[str, Any] | None:
    """Ours of that number. In another repository than it was, or moved away, that is somebody else's."""
    found = None if number is None else place.github.find(place.path("issues", number))
    if found is None or found["number"] != number:
        return None
    is_ours = authorship.is_ours(found) or (marker in (found.get("body") or "") and authorship.may_be_ours(found))
    return found if is_ours else None


def _oldest(place: Place, authorship: Authorship, marker: str, label: str) -> dict[str, Any] | None:
    """Our oldest marked issue; younger ones are closed, since an App cannot delete issues."""
    found = place.github.pages(place.path("issues"), {"labels": label, "state": "all"})
    is_marked = authorship.marked(marker)
    ours = sorted((item for item in found if "pull_request" not in item and is_marked(item)), key=lambda i: i["number"])
    for younger in ours[1:]:
        if younger["state"] == "open":
            path = place.path("issues", younger["number"])
            place.github.write("PATCH", path, {"state": "closed", "state_reason": "not_planned"})
    return ours[0] if ours else None


def _removed(place: Place) -> Put:
    """Not there: because a person deleted it, unless the repository has no issues at all for now."""
    if place.github.get(place.path()).get("has_issues", True):
        return Put(None, "deleted_by_hand")
    raise Refused(410, "Issues are disabled in this repository: enable them or name another repository.")


def _update(place: Place, standing: dict[str, Any], title: str, body: str) -> Put:
    if same_text(standing["title"], title) and same_text(standing.get("body"), body):
        return _put(standing, "unchanged")
    path = place.path("issues", standing["number"])
    place.github.write("PATCH", path, {"title": title, "body": body})
    # Over its size limit GitHub answers 200 and keeps the old body: only reading it back tells.
    if not same_text(place.github.get(path).get("body"), body):
        size = len(body.encode())
        raise Refused(422, f"GitHub kept the issue's old text: {size} bytes are probably over its limit.")
    return _put(standing, "updated")


def _put(issue: dict[str, Any], state: Any) -> Put:
    return Put(issue["number"], state, issue.get("html_url", ""))
