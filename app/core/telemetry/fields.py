"""The fields of usage events as checked values. Bounds are those of the record's schema.

Ids are made as the Action's collectors make them, so that a call that both tell of has one id. Refuses, with a sentence
that echoes nothing, what cannot be: it is never mended by a guess.
"""

import hashlib
import re
from collections.abc import Mapping

from app.core.telemetry.told import Scalar

Fields = Mapping[str, Scalar]

COUNT_LIMIT = 10**12
CONTENT_ID = "sha256:"
_DIGITS = re.compile(r"[0-9]{1,13}\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+=-]{0,127}\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class RefusedEventError(ValueError):
    """A usage event that says something impossible: one sentence."""


def count(fields: Fields, key: str, default: int | None = None) -> int:
    """A token count, also out of a text or a float, as some agents send it. Absent gives the default, if any."""
    value = fields.get(key)
    if value is None and default is not None:
        return default
    if (isinstance(value, str) and _DIGITS.match(value)) or (isinstance(value, float) and value.is_integer()):
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_LIMIT:
        raise RefusedEventError(f"{key} is not a token count.")
    return value


def label(fields: Fields, key: str, limit: int = 256) -> str:
    """A text on one line, cut; empty where there is none."""
    value = fields.get(key)
    if not isinstance(value, str):
        return ""
    plain = value.isascii() and value.isprintable()
    return value[:limit] if plain else _UNPRINTABLE.sub("", value)[:limit]


def name(fields: Fields, key: str) -> str:
    """A short word such as a version or a speed; empty where it does not look like one."""
    value = fields.get(key)
    return value[:64] if isinstance(value, str) and _WORD.match(value) else ""


def word(value: Scalar) -> str:
    """An id: kept when it looks like one, else replaced with its hash, so that no other text can travel in it."""
    if isinstance(value, str) and _WORD.match(value):
        return value
    return content_id(value)


def session_of(fields: Fields, key: str) -> str:
    session = fields.get(key)
    if session is None or session == "":
        raise RefusedEventError(f"{key} is missing: it names the session.")
    return word(session)


def response_id(fields: Fields, key: str, *content: object) -> str:
    """The API's own id of the response, or for an event without it a hash of what tells the call apart."""
    value = fields.get(key)
    return word(value) if isinstance(value, str) and value else content_id(*content)


def content_id(*parts: object) -> str:
    """A stable id for what has none: what is sent again gets the same one."""
    joined = "\0".join(map(str, parts))
    return CONTENT_ID + hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()


def is_content_id(response_id: str) -> bool:
    """True for an id that is made of content, here or by the Action: it tells nothing about other sources' calls."""
    return response_id.startswith(CONTENT_ID)
