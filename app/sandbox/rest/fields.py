"""Request bodies: which keys are permitted, which are required, and of what type. Else 422 in GitHub's words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.sandbox.refusals import invalid_request

Check = Callable[[str, Any], None]


def text(max_length: int | None = None) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise invalid_request(f"For '{name}', {value!r} is not a string.")
        if max_length is not None and len(value) > max_length:
            raise invalid_request(f"Only {max_length} characters are allowed; {len(value)} were supplied.")

    return check


def integer(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_request(f"For '{name}', {value!r} is not an integer.")


def one_of(*allowed: str) -> Check:
    def check(name: str, value: Any) -> None:
        if value not in allowed:
            raise invalid_request(
                f"For '{name}', {value!r} is not a possible value. Must be one of: {', '.join(allowed)}."
            )

    return check


def instant(name: str, value: Any) -> None:
    text()(name, value)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise invalid_request(f"For '{name}', {value!r} is not a valid date-time.")


def nullable(check: Check) -> Check:
    def checked(name: str, value: Any) -> None:
        if value is not None:
            check(name, value)

    return checked


def each(check: Check, max_items: int | None = None) -> Check:
    def checked(name: str, value: Any) -> None:
        if not isinstance(value, list):
            raise invalid_request(f"For '{name}', {value!r} is not an array.")
        if max_items is not None and len(value) > max_items:
            raise invalid_request(f"No more than {max_items} items are allowed; {len(value)} were supplied.")
        for place, item in enumerate(value):
            check(f"{name}/{place}", item)

    return checked


def shape(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with no other keys than these."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise invalid_request(f"For '{name}', {value!r} is not an object.")
        for key in required:
            if key not in value:
                raise invalid_request(f'"{key}" wasn\'t supplied.')
        for key, item in value.items():
            if key not in fields:
                raise invalid_request(f'"{key}" is not a permitted key.')
            fields[key](key, item)

    return check
