"""The Action's inputs, read once and checked: what comes out is valid, or a sentence says what is not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

MODES = ("record", "watch", "collect", "send")
PURPOSES = ("author", "review", "triage", "ci-fix", "other")
LABEL_LIMIT = 256
TAGS_LIMIT = 20
_TAG = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


class Wrong(Exception):
    """An input that cannot be used. The message is for the person who wrote the workflow."""


def read(environ: Mapping[str, str], agents: tuple[str, ...]) -> dict[str, object]:
    """The inputs as plain values that fit into JSON; no server_url is standalone mode. Raises Wrong with the first
    mistake. The token is not among them: what is read here is kept in a file."""

    def given(name: str) -> str:
        return environ.get("INPUT_" + name.upper(), "").strip()

    # A job that only watches sends nothing; without a server the job's cost is its own comment.
    address = "" if mode(environ) == "watch" else given("server-url")
    server = server_url(address) if address else ""
    return {
        "server_url": server,
        "audience": _label("audience", given("audience")) or server,
        "team": _label("team", given("team")),
        "purpose": _one_of("purpose", given("purpose") or "other", PURPOSES),
        "agents": _agents(given("agents"), agents),
        "tags": _tags(environ.get("INPUT_TAGS", "")),
        "strict": strict(environ),
        "show_money": _flag(environ, "show-money"),
        "matrix": "" if given("matrix") in {"", "null", "{}"} else given("matrix"),
    }


def read_sending(environ: Mapping[str, str]) -> dict[str, Any]:
    """The inputs of a job that sends what others collected."""
    address = environ.get("INPUT_SERVER-URL", "").strip()
    if not address:
        raise Wrong("the input server-url is empty; it must be where the records are sent")
    server = server_url(address)
    records = environ.get("INPUT_RECORDS", "").strip()
    if not records:
        raise Wrong("the input records is empty; it must be the folder of the records to send")
    audience = _label("audience", environ.get("INPUT_AUDIENCE", "").strip())
    return {"server_url": server, "audience": audience or server, "records": records, "strict": strict(environ)}


def mode(environ: Mapping[str, str]) -> str:
    """What this step is to do."""
    return _one_of("mode", environ.get("INPUT_MODE", "").strip() or "record", MODES)


def strict(environ: Mapping[str, str]) -> bool:
    """The input fail-on-error, which must hold even when another input is wrong."""
    return _flag(environ, "fail-on-error")


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(f"INPUT_{name.upper()}", "").strip().lower()
    if value not in {"", "true", "false"}:
        raise Wrong(f"the input {name} must be true or false")
    return value == "true"


def server_url(value: str) -> str:
    """A base URL without a trailing slash. Plain http only on this machine: the token must not travel in the clear."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError as problem:
        raise Wrong("the input server-url is not a URL") from problem
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\\]", value):
        raise Wrong("the input server-url must be a URL such as https://mergemeter.example.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise Wrong("the input server-url must have no user, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise Wrong("the input server-url must begin with https://, because a token is sent there")
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """True for a host name that never leaves this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _label(name: str, value: str) -> str:
    if len(value) > LABEL_LIMIT or _UNPRINTABLE.search(value):
        raise Wrong(f"the input {name} must be one line of at most {LABEL_LIMIT} characters")
    return value


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Wrong(f"the input {name} must be one of {', '.join(allowed)}")
    return value


def _agents(value: str, known: tuple[str, ...]) -> list[str]:
    if value in {"", "all"}:
        return list(known)
    return [_one_of("agents", name.strip(), known) for name in value.split(",") if name.strip()]


def _tags(value: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    for line in filter(None, map(str.strip, value.splitlines())):
        name, equals, content = line.partition("=")
        if not equals or not _TAG.match(name.strip()):
            raise Wrong("each line of the input tags must be key=value, with a key of letters, digits, '_', '.' or '-'")
        tags[name.strip()] = _label("tags", content.strip())
    if len(tags) > TAGS_LIMIT:
        raise Wrong(f"the input tags may have at most {TAGS_LIMIT} lines")
    return tags
