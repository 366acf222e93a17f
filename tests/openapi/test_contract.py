"""The contract notices what it is there to notice, and the slice holds shapes only."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from app.sandbox.observer import Exchange
from tests.openapi import contract
from tests.openapi.dialect import json_schema

COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
LISTED = Exchange(
    method="GET",
    path="/repos/acme/shop/issues/1/comments",
    template=COMMENTS,
    query="per_page=100",
    request_headers={"x-github-api-version": "2022-11-28"},
    request_body=b"",
    status=200,
    answer_headers={"content-type": "application/json"},
    answer_body=b"[]",
)
MADE = dataclasses.replace(
    LISTED, method="POST", query="", request_body=b'{"body": "x"}', status=404, answer_body=b'{"message": "Not Found"}'
)


def seen(exchange: Exchange, **changed: Any) -> list[str]:
    observer = contract.Observer()
    observer.saw(dataclasses.replace(exchange, **changed))
    return observer.violations


def test_a_sound_exchange_passes() -> None:
    assert seen(LISTED) == []
    assert seen(MADE) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"query": "perpage=100"}, "query parameter 'perpage' is not described"),
        ({"query": "per_page=many"}, "query parameter 'per_page'"),
        ({"query": "since=yesterday"}, "query parameter 'since'"),
        ({"path": "/repos/acme/shop/issues/one/comments"}, "path parameter 'issue_number'"),
        ({"request_body": b"{}"}, "a body where none is described"),
        ({"answer_body": b'[{"id": 1}]'}, "required property"),
        ({"answer_body": b'{"comments": []}'}, "is not of type"),
        ({"status": 202}, "status 202 is not described"),
        ({"status": 403, "answer_body": b"[]"}, "answer"),
        ({"request_headers": {}}, "X-GitHub-Api-Version is None"),
        ({"template": None}, "no such operation"),
        ({"template": "/made/up"}, "no such operation"),
    ],
)
def test_what_differs_from_the_description_is_told(changed: dict[str, Any], words: str) -> None:
    assert any(words in one for one in seen(LISTED, **changed))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"body": 1}', b'{"body": "x", "colour": "red"}', b'{"text": "x"}'])
def test_a_wrong_body_is_told(body: bytes) -> None:
    taken = {"status": 201, "request_body": body}
    assert any("body" in one and "answer" not in one for one in seen(MADE, **taken))


def test_a_failed_check_names_every_violation() -> None:
    observer = contract.Observer()
    observer.saw(dataclasses.replace(LISTED, query="a=1&b=2"))
    with pytest.raises(AssertionError, match=r"'a' is not described\n.*'b' is not described"):
        observer.check()


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ({"type": "string", "nullable": True}, None, True),
        ({"type": "string"}, None, False),
        ({"type": "string", "enum": ["a"], "nullable": True}, None, True),
        ({"type": "string", "enum": ["a"], "nullable": True}, "b", False),
        ({"oneOf": [{"type": "string"}], "nullable": True}, None, True),
        ({"type": "object", "properties": {"nullable": {"type": "string"}}}, {"nullable": 1}, False),
    ],
)
def test_nullable_means_or_null(schema: dict[str, Any], value: object, valid: bool) -> None:
    assert jsonschema_rs.validator_for(json_schema(schema)).is_valid(value) is valid


def test_every_schema_of_the_slice_can_be_read() -> None:
    names = contract.description()["components"]["schemas"]
    read = [name for name in names if contract.validator({"$ref": f"#/components/schemas/{name}"})]
    assert len(read) == len(names) > 50


def prose(node: Any, *, names: bool = False) -> list[str]:
    """Keys that a slice without prose has not."""
    if isinstance(node, list):
        return [found for item in node for found in prose(item)]
    if not isinstance(node, dict):
        return []
    words = {"description", "summary", "example", "externalDocs"}
    own = [] if names else [key for key in node if key in words or key.startswith("x-")]
    below = [
        found
        for key, part in node.items()
        for found in prose(part, names=key in {"properties", "headers"} and not names)
    ]
    return own + below


def test_the_slice_has_no_prose_and_no_extensions() -> None:
    slice_ = json.loads(contract.SLICE.read_bytes())
    assert prose(slice_["paths"]) == []
    assert prose(slice_["components"]["schemas"], names=True) == []


def test_the_slice_is_of_the_pinned_version() -> None:
    pinned = json.loads(Path(contract.SLICE.parent / "package.json").read_bytes())["dependencies"]["@octokit/openapi"]
    assert f"@{pinned} " in json.loads(contract.SLICE.read_bytes())["info"]["x-source"]


def test_the_lock_file_names_no_host() -> None:
    assert "://" not in (contract.SLICE.parent / "package-lock.json").read_text(encoding="utf-8")
