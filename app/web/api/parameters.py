"""What a request may ask for: each parameter with its description and its reading. Refuses what it does not know.

What is wrong in a path is not found; what is wrong in a query is a mistake that is told.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.core.month import Month
from app.core.shares import Dimension

LARGEST_ID = 10**18 - 1
MOST_AT_ONCE = 200
USUAL = 100


class ParameterError(Exception):
    """A sentence for people."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`schema` and `about` are told in the description; `pattern` and `read` do what they say."""

    about: str
    schema: Mapping[str, Any]
    pattern: str
    read: Callable[[str], Any]
    required: bool = False


def _integer(about: str, least: int, most: int, **more: Any) -> Parameter:
    schema = {"type": "integer", "minimum": least, "maximum": most, **more}
    return Parameter(about, schema, r"0|[1-9][0-9]{0,17}", _between(least, most))


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return read


MONTH = {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}
DAY_PATTERN = r"20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
DAY = {"type": "string", "pattern": f"^{DAY_PATTERN}$"}
RUN_ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
PATH = {
    "month": Parameter("A month in UTC, as 2026-10", MONTH, r"20[0-9]{2}-(0[1-9]|1[0-2])", Month.parse),
    "first": Parameter("The first day, UTC, as 2026-10-05", DAY, DAY_PATTERN, date.fromisoformat),
    "last": Parameter("The last day, itself included, UTC, as 2026-10-11", DAY, DAY_PATTERN, date.fromisoformat),
    "repository_id": _integer("GitHub's id; 0: agent runs that name no repository", 0, LARGEST_ID),
    "number": _integer("The pull's number", 1, 2**31 - 1),
    "agent_run_id": Parameter("The agent run's id", RUN_ID, r"[0-9a-f]{32}", str),
}
CURSOR = "Where to go on: `next` of the page before. Its form may change"
QUERY = {
    "month": Parameter("A month in UTC, as 2026-10", MONTH, PATH["month"].pattern, Month.parse, required=True),
    "repository_id": _integer("One repository", 0, LARGEST_ID),
    "by": Parameter(
        "What scopes are told apart by", {"type": "string", "enum": [*Dimension], "default": "organisation"}, "[a-z-]+",
        Dimension,
    ),
    "limit": _integer("How many at most", 1, MOST_AT_ONCE, default=USUAL),
    "cursor": Parameter(CURSOR, {"type": "string", "pattern": "^[0-9]{1,18}$"}, r"[0-9]{1,18}", int),
    "run_cursor": Parameter(CURSOR, RUN_ID, r"[0-9a-f]{32}", str),
}  # fmt: skip


def wire_name(name: str) -> str:
    """A parameter's name in the query: both kinds of cursors are called so."""
    return "cursor" if name == "run_cursor" else name


def read_path(values: Mapping[str, str]) -> dict[str, Any] | None:
    """The values of a path; None where there can be no such thing."""
    found = {name: _read(PATH[name], text) for name, text in values.items()}
    return None if None in found.values() else found


def read_query(names: Sequence[str], sent: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The values of a query; raises ParameterError."""
    known = {wire_name(name): name for name in names}
    found: dict[str, Any] = {}
    for wire, text in sent:
        name = known.get(wire)
        if name is None:
            raise ParameterError(f"There is no parameter {_shown(wire)} here; known are: {', '.join(known) or 'none'}.")
        if name in found:
            raise ParameterError(f"The parameter {wire} was sent twice.")
        found[name] = _read(QUERY[name], text)
        if found[name] is None:
            raise ParameterError(f"The parameter {wire} is malformed: {QUERY[name].about}.")
    for name in names:
        if QUERY[name].required and name not in found:
            raise ParameterError(f"The parameter {wire_name(name)} is missing: {QUERY[name].about}.")
    return found


def _read(parameter: Parameter, text: str) -> Any:
    if not re.fullmatch(parameter.pattern, text, re.ASCII):
        return None
    try:
        return parameter.read(text)
    except ValueError:
        return None


def _shown(name: str) -> str:
    return repr("".join(letter for letter in name[:40] if letter.isascii() and letter.isprintable()))
