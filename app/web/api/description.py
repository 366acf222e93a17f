"""The API's OpenAPI description, made from its table of routes and its schemas."""

import json
import re
from collections.abc import Iterable
from typing import Any

from app import __version__
from app.web.api.door import Operation
from app.web.api.parameters import PATH, QUERY, Parameter, wire_name
from app.web.api.schemas import SCHEMAS, TEXT, ref

REFUSALS = {
    400: "A parameter is missing, malformed or not known",
    401: "No access token, or one that is not good any more",
    403: "The token has another scope, or the App is not active on the account",
    404: "There is no such thing in this account",
}
ABOUT = (
    "What AI coding agents cost for each merged pull request, of one account: the token's. Each answer links to what "
    "it is made of (month, repository, pull, agent run, model calls), and the parts sum to what is above them. Money "
    "is an estimate at contracted prices, in nano-USD. Null: nobody knows; that is never 0."
)


def description(operations: Iterable[Operation]) -> bytes:
    """The document, as JSON."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Mergemeter", "version": __version__, "description": ABOUT},
        "security": [{"token": []}],
        "paths": {each.path: {"get": _operation(each)} for each in operations},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Of scope `read`"}},
            "schemas": SCHEMAS,
        },
    }
    return json.dumps(document, indent=1).encode()


def _operation(each: Operation) -> dict[str, Any]:
    path = re.findall(r"{(\w+)}", each.path)
    answer = {"application/json": {"schema": ref(each.answer)}} if each.answer else {"text/csv": {"schema": TEXT}}
    refusal = {"application/json": {"schema": ref("Refusal")}}
    return {
        "operationId": each.name,
        "summary": each.about,
        "parameters": [
            *(_parameter(name, "path", PATH[name]) for name in path),
            *(_parameter(wire_name(name), "query", QUERY[name]) for name in each.query),
        ],
        "responses": {
            "200": {"description": "The answer", "headers": {"ETag": {"schema": TEXT}}, "content": answer},
            "304": {"description": "It is what If-None-Match names"},
            **{str(status): {"description": why, "content": refusal} for status, why in REFUSALS.items()},
        },
    }  # fmt: skip


def _parameter(name: str, where: str, of: Parameter) -> dict[str, Any]:
    required = where == "path" or of.required
    return {"name": name, "in": where, "required": required, "description": of.about, "schema": of.schema}
