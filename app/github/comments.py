"""Our one comment on a pull: found by id, else by marker and author; written only when it differs.

What a comment says is never read as data. The oldest of several copies stays. Creating one mails every
subscriber and editing mails nobody, so a copy that stands is edited and one that a person deleted stays away.
"""

from typing import Any

from app.github.connection import Place
from app.github.put import Authorship, Put, same_text


def put_comment(
    place: Place,
    authorship: Authorship,
    number: int,
    body: str,
    marker: str,
    known_id: int | None,
    *,
    anew: bool = False,
) -> Put:
    """Make the pull's comment say `body`, which holds `marker`. At most one comment of ours bears the marker after.

    `anew` looks for copies even where the id is known.
    """
    if marker not in body:
        raise ValueError("the body must hold its marker, or it will not be found again")
    standing = None if anew else _by_id(place, known_id)
    standing = standing or _oldest(place, authorship, number, marker)
    if standing is not None:
        return _update(place, standing, body)
    if known_id is not None:
        return Put(None, "deleted_by_hand")
    path = place.path("issues", number, "comments")
    created = place.github.write("POST", path, {"body": body}, creating=True)
    authorship.learn(created)
    # Two writers can both have seen nothing. Whoever looks last leaves only the oldest.
    kept = _oldest(place, authorship, number, marker) or created
    return _put(kept, "created" if kept["id"] == created["id"] else "adopted")


def _by_id(place: Place, known_id: int | None) -> dict[str, Any] | None:
    if known_id is None:
        return None
    return place.github.find(place.path("issues", "comments", known_id))


def _oldest(place: Place, authorship: Authorship, number: int, marker: str) -> dict[str, Any] | None:
    """Our oldest marked comment on the pull; younger ones are deleted. Refused(404) when the pull is not there."""
    path = place.path("issues", number, "comments")
    ours = sorted(filter(authorship.marked(marker), place.github.pages(path)), key=lambda comment: comment["id"])
    for younger in ours[1:]:
        place.github.write("DELETE", place.path("issues", "comments", younger["id"]))
    return ours[0] if ours else None


def _update(place: Place, standing: dict[str, Any], body: str) -> Put:
    if same_text(standing.get("body"), body):
        return _put(standing, "unchanged")
    place.github.write("PATCH", place.path("issues", "comments", standing["id"]), {"body": body})
    return _put(standing, "updated")


def _put(comment: dict[str, Any], state: Any) -> Put:
    return Put(comment["id"], state, comment.get("html_url", ""))
