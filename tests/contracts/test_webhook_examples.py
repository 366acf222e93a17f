"""Every payload of GitHub's own webhook examples can be read, also when nothing but our few fields is left of it.

The examples come from npm (@octokit/webhooks-examples, pinned in tests/openapi); `make slice` fetches them.
"""

import json
from functools import cache
from typing import Any

import pytest

from app.core import events
from tests.optional import NPM

pytestmark = pytest.mark.optional("webhook examples")

REPOSITORY: dict[str, Any] = {
    name: {} for name in ("id", "name", "default_branch", "visibility", "private", "archived", "has_issues")
} | {"owner": {"id": {}, "login": {}}}
ENVELOPE: dict[str, Any] = {
    "action": {},
    "organization": {"id": {}},
    "installation": {"id": {}, "account": {"id": {}, "login": {}, "type": {}}, "permissions": None},
}
PULL: dict[str, Any] = {"number": {}, "head": {"sha": {}}}
# What is read of each event, as a tree of names. None keeps all below, {} is a plain value.
READ: dict[str, dict[str, Any]] = {
    "pull_request": ENVELOPE
    | {"number": {}, "before": {}, "after": {}, "repository": REPOSITORY, "pull_request": PULL},
    "installation": ENVELOPE | {"repositories": {"id": {}}},
    "installation_repositories": ENVELOPE | {"repositories_added": {"id": {}}, "repositories_removed": {"id": {}}},
    "repository": ENVELOPE | {"repository": REPOSITORY},
    "issue_comment": ENVELOPE
    | {
        "repository": REPOSITORY,
        "issue": {"number": {}, "pull_request": None},
        "comment": {"id": {}, "body": {}, "user": {"id": {}, "type": {}}, "performed_via_github_app": None},
    },
    "check_run": ENVELOPE
    | {"repository": REPOSITORY, "check_run": {"id": {}, "external_id": {}, "head_sha": {}, "pull_requests": PULL}},
}


@cache
def examples() -> dict[str, list[dict[str, Any]]]:
    """The payloads by event."""
    index = json.loads((NPM / "@octokit/webhooks-examples/api.github.com/index.json").read_bytes())
    return {event["name"]: event["examples"] for event in index}


def as_an_app_gets_it(payload: dict[str, Any]) -> bytes:
    """Many examples were sent by a repository's webhook; an App's deliveries always name the installation."""
    return json.dumps({"installation": {"id": 1}} | payload).encode()


def cut(value: Any, names: dict[str, Any] | None) -> Any:
    """The value with nothing but the named fields."""
    if names is None or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [cut(item, names) for item in value]
    return {name: cut(value[name], below) for name, below in names.items() if name in value}


def test_the_examples_are_all_there() -> None:
    assert len(examples()) == 58
    assert sum(map(len, examples().values())) == 329


def test_every_example_is_read_or_left_alone_without_an_error() -> None:
    read = {
        name: [events.parse(name, as_an_app_gets_it(payload)) for payload in payloads]
        for name, payloads in examples().items()
    }
    used = {name for name, results in read.items() if any(results)}
    assert used == READ.keys()


def test_every_example_of_an_event_that_we_use_is_routed_to_its_account() -> None:
    for name in READ:
        for payload in examples()[name]:
            route = events.route(name, as_an_app_gets_it(payload))
            if route is not None:
                assert route.lane.startswith(f"{route.account_id}/")
            else:  # no example holds a command
                assert name == "issue_comment" or (name, payload["action"] != "rerequested") == ("check_run", True)


@pytest.mark.parametrize("name", READ)
def test_fields_that_we_do_not_read_may_vanish(name: str) -> None:
    for payload in examples()[name]:
        whole = as_an_app_gets_it(payload)
        left = json.dumps(cut(json.loads(whole), READ[name])).encode()
        assert events.parse(name, left) == events.parse(name, whole)


@pytest.mark.parametrize("name", READ)
def test_fields_that_we_do_not_know_may_appear(name: str) -> None:
    for payload in examples()[name]:
        whole = json.loads(as_an_app_gets_it(payload))
        more = json.dumps({key: grown(value) for key, value in whole.items()} | {"new": {"deep": [1]}}).encode()
        assert events.parse(name, more) == events.parse(name, json.dumps(whole).encode())


def grown(value: Any) -> Any:
    """The value with an unknown field in each of its objects, but for maps whose keys are data."""
    if isinstance(value, list):
        return [grown(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: inner if key == "permissions" else grown(inner) for key, inner in value.items()} | {"new_field": [1]}
