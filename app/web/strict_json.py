"""JSON as we accept it: UTF-8, one meaning, no fractions. Refuses what parsers and databases do not agree on."""

import json
import re
from typing import Any, NoReturn

# NUL and lone surrogates are valid escapes in JSON and stored by no PostgreSQL.
SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class RefusedValueError(ValueError):
    """A sentence of ours."""


def parse(body: bytes) -> Any:
    """The value of a JSON text without fractions; raises ValueError with a sentence that echoes nothing of it."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("The body is not UTF-8.") from error
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_fraction, parse_constant=_fraction)
    except json.JSONDecodeError as error:
        raise ValueError(f"The body is not JSON: line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise ValueError("The body is nested too deeply.") from error
    except RefusedValueError:
        raise
    except ValueError as error:  # Python's own bound on digits
        raise ValueError("The body has a number that is too long.") from error
    if SUSPECT.search(text):
        _refuse_unstorable(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedValueError("The body has an object with the same key twice.")
    return found


def _fraction(_text: str) -> NoReturn:
    raise RefusedValueError("The body has a number that is not a whole one.")


def _refuse_unstorable(value: Any) -> None:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str) and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in one):
            raise ValueError("The body has a text with NUL or half a character.")
