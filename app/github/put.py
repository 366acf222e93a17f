"""What putting a text on GitHub came to, and how a text there is compared with the one we want."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["created", "updated", "unchanged", "adopted", "deleted_by_hand"]


@dataclass(frozen=True, slots=True)
class Put:
    """Where our text stands: a comment's id or an issue's number.

    "adopted": another writer's copy was there first when ours was created, so ours was withdrawn; its words may
    differ from ours until the next put. "deleted_by_hand": a person removed it, and it stays removed (id None).
    """

    id: int | None
    state: State
    url: str = ""


def same_text(left: str | None, right: str | None) -> bool:
    """Whether two texts are one to a reader: GitHub and browsers change line ends and outer white space."""
    return _plain(left) == _plain(right)


def _plain(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").strip()


class Authorship:
    """Tells what our App wrote from what anybody else wrote, marker or not.

    GitHub itself names the App that wrote a comment or an issue (`performed_via_github_app`); no one can plant
    that. A bot account is asked for as well, because a person acting through our App is a person. Where GitHub
    leaves the field empty, the id of our bot account decides, learned from the answers to our own creations
    (`bots`, shared by all clients of the App): so a second copy made for want of that knowledge is found and
    withdrawn right after it was made. Logins decide nothing: they follow the App's name, which can change.
    """

    def __init__(self, app_id: int, bots: set[int]) -> None:
        self._app_id = app_id
        self._bots = bots

    def learn(self, created: dict[str, Any]) -> None:
        """Note whose name GitHub put on something that we have just created."""
        user = created.get("user") or {}
        if user.get("type") == "Bot":
            self._bots.add(user["id"])

    def is_ours(self, item: dict[str, Any]) -> bool:
        user = item.get("user") or {}
        via = item.get("performed_via_github_app") or {}
        return user.get("type") == "Bot" and (via.get("id") == self._app_id or user.get("id") in self._bots)

    def may_be_ours(self, item: dict[str, Any]) -> bool:
        """Whether some App wrote it, and GitHub does not say that it was another one."""
        via = item.get("performed_via_github_app") or {}
        return (item.get("user") or {}).get("type") == "Bot" and via.get("id") in (None, self._app_id)

    def marked(self, marker: str) -> Callable[[dict[str, Any]], bool]:
        """A test for items that are ours and bear the marker."""
        return lambda item: marker in (item.get("body") or "") and self.is_ours(item)
