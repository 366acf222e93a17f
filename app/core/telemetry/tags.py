"""Where a session says that it worked, from OpenTelemetry's attributes for version control and a few of our own.

Resource attributes count; where an agent repeats or puts them on its events instead, those do. All of it is claimed:
what does not look like what it should be is left out.
"""

import re
from functools import lru_cache

from app.core.telemetry.parts import Tags
from app.core.telemetry.told import Scalar, Told
from app.core.usage import Purpose

KEYS = (
    "vcs.owner.name", "vcs.repository.name", "vcs.repository.url.full", "repository",
    "vcs.ref.head.name", "branch", "vcs.change.id", "pull", "team", "purpose",
)  # fmt: skip
_OWNER = r"(?P<owner>[A-Za-z0-9][A-Za-z0-9_-]{0,99})"
_NAME = r"(?P<name>(?!\.{1,2}(?:\.git)?/?$)[A-Za-z0-9._-]{1,100}?)"
_REPOSITORY = re.compile(rf"{_OWNER}/{_NAME}\Z")
_URL = re.compile(
    rf"(?:(?:https?|ssh)://(?:[^@/\s]+@)?[A-Za-z0-9.-]+(?::\d+)?/|[^@/:\s]+@[A-Za-z0-9.-]+:){_OWNER}/{_NAME}(?:\.git)?/?\Z"
)
_NO_BRANCH = re.compile(r"[\x00-\x20\x7f-\x9f~^:?*\[\\\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\.\.|//|/\Z|\A/")
_PULL = re.compile(r"[1-9][0-9]{0,9}\Z")
_PURPOSES = {purpose.value: purpose for purpose in Purpose}


def tags_of(told: Told) -> Tags:
    """The tags of a record, a point or a span."""
    resource, attributes = told.resource, told.attributes
    return _tags(*(resource.get(key, attributes.get(key)) for key in KEYS))


@lru_cache(maxsize=1_000, typed=True)  # a sender has the same ones on everything
def _tags(
    owner: Scalar | None,
    name: Scalar | None,
    url: Scalar | None,
    repository: Scalar | None,
    head: Scalar | None,
    branch: Scalar | None,
    change: Scalar | None,
    pull: Scalar | None,
    team: Scalar | None,
    purpose: Scalar | None,
) -> Tags:
    found = (
        _REPOSITORY.match(f"{_text(owner)}/{_text(name)}")
        or _URL.match(_text(url))
        or _REPOSITORY.match(_text(repository))
    )
    return Tags(
        owner=found["owner"] if found else "",
        repository=found["name"] if found else "",
        branch=_branch(head) or _branch(branch),
        pull_number=_pull(change) or _pull(pull),
        team=_text(team) if len(_text(team)) <= 256 else "",
        purpose=_PURPOSES.get(_text(purpose), Purpose.OTHER),
    )


def _text(value: Scalar | None) -> str:
    return value if isinstance(value, str) else ""


def _branch(value: Scalar | None) -> str:
    name = _text(value).removeprefix("refs/heads/")
    return "" if len(name) > 255 or _NO_BRANCH.search(name) else name


def _pull(value: Scalar | None) -> int | None:
    number = int(value) if isinstance(value, str) and _PULL.match(value) else value
    return number if type(number) is int and 1 <= number < 2**31 else None
