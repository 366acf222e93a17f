"""Holds every exchange between App and sandbox to GitHub's published description: path, query, body and answer.

observer = contract.Observer()
with Sandbox(observer=observer) as gh: ...
observer.check()
"""

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

from app.sandbox import Sandbox
from app.sandbox.observer import Exchange
from tests.openapi.dialect import json_schema
from tests.openapi.gaps import mend

SLICE = Path(__file__).parent / "github-slice.json"
API_VERSION = "2022-11-28"
# Every operation may answer these, whether its description names them or not.
ALWAYS_POSSIBLE = {301, 400, 401, 403, 404, 415, 422, 429, 500, 502, 503, 504}
ERROR = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}


@functools.cache
def description() -> dict[str, Any]:
    """The slice of GitHub's description, mended where it is known to be wrong."""
    loaded: dict[str, Any] = json.loads(SLICE.read_bytes())
    mend(loaded)
    return loaded


@functools.cache
def components(*, closed: bool) -> dict[str, Any]:
    """The shared schemas in the validator's dialect."""
    shared: dict[str, Any] = description()["components"]["schemas"]
    return {name: json_schema(schema, closed=closed) for name, schema in shared.items()}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The parameter, response or header that a `$ref` means."""
    if "$ref" not in node:
        return node
    _, _, kind, name = node["$ref"].split("/")
    found: dict[str, Any] = description()["components"][kind][name]
    return found


def validator(schema: Any, *, closed: bool = False) -> Any:
    """A validator of one schema that may refer to the shared ones."""
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": {"schemas": components(closed=closed)},
        "allOf": [json_schema(schema, closed=closed)],
    }
    return jsonschema_rs.validator_for(whole, validate_formats=True)


class Contract:
    """What the description says of one operation."""

    def __init__(self, template: str, method: str) -> None:
        self._operation: dict[str, Any] = description()["paths"][template][method.lower()]
        self._template = template
        parameters = [resolved(one) for one in self._operation.get("parameters", [])]
        self._parameters = {(one["in"], one["name"]): one for one in parameters}
        self._validators: dict[object, Any] = {}

    def violations(self, exchange: Exchange) -> Iterator[str]:
        """Every way in which the exchange differs from the description."""
        refused = exchange.status >= 400
        if not refused:  # a refused request may well be a wrong one: that is what the answer says
            yield from self._request(exchange)
        yield from self._answer(exchange)

    def _request(self, exchange: Exchange) -> Iterator[str]:
        yield from self._path(exchange)
        yield from self._query(exchange)
        yield from self._body(exchange)

    def _path(self, exchange: Exchange) -> Iterator[str]:
        given = exchange.path.split("/")
        for place, part in enumerate(self._template.split("/")):
            if part.startswith("{") and part != "{path}":
                yield from self._parameter("path", part.strip("{}"), given[place])

    def _query(self, exchange: Exchange) -> Iterator[str]:
        for name, value in parse_qsl(exchange.query, keep_blank_values=True):
            yield from self._parameter("query", name, value)

    def _parameter(self, place: str, name: str, value: str) -> Iterator[str]:
        described = self._parameters.get((place, name))
        if described is None:
            yield f"{place} parameter {name!r} is not described"
            return
        schema = described["schema"]
        kinds = {schema.get("type")} | {one.get("type") for one in schema.get("oneOf", ())}
        typed: object = int(value) if "integer" in kinds and value.isdigit() else value
        if "boolean" in kinds and value in ("true", "false"):
            typed = value == "true"
        yield from self._told((place, name), schema, typed, f"{place} parameter {name!r}")

    def _body(self, exchange: Exchange) -> Iterator[str]:
        described = self._operation.get("requestBody")
        if described is None:
            if exchange.request_body:
                yield "a body where none is described"
            return
        if not exchange.request_body:
            if described.get("required"):
                yield "no body"
            return
        schema = described["content"]["application/json"]["schema"]
        body = json.loads(exchange.request_body)
        yield from self._told("body", schema, body, "request body", closed=True)

    def _answer(self, exchange: Exchange) -> Iterator[str]:
        described = self._operation["responses"].get(str(exchange.status))
        if described is None:
            if exchange.status not in ALWAYS_POSSIBLE:
                yield f"status {exchange.status} is not described"
            elif exchange.status != 301 or exchange.answer_body:
                yield from self._told("error", ERROR, json.loads(exchange.answer_body), "answer")
            return
        content = resolved(described).get("content")
        if content is None:
            if exchange.status == 204 and exchange.answer_body:
                yield "a body with 204"
            return
        if "raw" in exchange.answer_headers.get("content-type", ""):
            return
        schema = content.get("application/json", next(iter(content.values())))["schema"]
        yield from self._told(("answer", exchange.status), schema, json.loads(exchange.answer_body), "answer")

    def _told(self, key: object, schema: Any, value: Any, where: str, *, closed: bool = False) -> Iterator[str]:
        if key not in self._validators:
            self._validators[key] = validator(schema, closed=closed)
        for error in self._validators[key].iter_errors(value):
            place = "/".join(map(str, error.instance_path))
            yield f"{where} {place}: {error.message[:300]}"


@functools.cache
def contract_of(template: str, method: str) -> Contract:
    return Contract(template, method)


class Observer:
    """Validates every exchange and remembers the violations. Any thread may report to it."""

    def __init__(self, api_version: str | None = API_VERSION) -> None:
        self.violations: list[str] = []
        self.operations: set[tuple[str, str]] = set()
        self._api_version = api_version
        self._lock = threading.Lock()

    def saw(self, exchange: Exchange) -> None:
        # Another test's Action may still look for a server of its own that has gone, on a port that is now ours.
        if exchange.request_headers.get("user-agent") == "mergemeter-action":
            return
        with self._lock:
            found = list(self._violations(exchange))
            self.violations += [f"{exchange.method} {exchange.path} → {exchange.status}: {one}" for one in found]

    def _violations(self, exchange: Exchange) -> Iterator[str]:
        if exchange.template is None or exchange.template not in description()["paths"]:
            yield "no such operation in GitHub's description"
            return
        self.operations.add((exchange.method, exchange.template))
        asked = exchange.request_headers.get("x-github-api-version")
        if self._api_version is not None and asked != self._api_version:
            yield f"X-GitHub-Api-Version is {asked!r}, not {self._api_version!r}"
        yield from contract_of(exchange.template, exchange.method).violations(exchange)

    def check(self) -> None:
        """AssertionError with every violation that was seen."""
        assert not self.violations, "\n".join(self.violations)


@contextmanager
def watched(**settings: Any) -> Iterator[Sandbox]:
    """A running sandbox whose exchanges all have to keep the contract: `with watched() as gh: yield gh`."""
    observer = Observer()
    with Sandbox(observer=observer, **settings) as sandbox:
        yield sandbox
    observer.check()
