"""The published description is true: schemathesis asks the running server all sorts of things, and holds it to it."""

import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import negative_data_rejection

from app.web.api.door import Operation
from app.web.api.table import OPERATIONS, api_routes
from tests.api.conftest import Scene
from tests.api.test_access import places

EXAMPLES = 40


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described_and_none_is_a_failure(
    sqlite_scene: Scene, operation: Operation, mode: GenerationMode
) -> None:
    reader, described = sqlite_scene.reader, described_by(sqlite_scene)[operation.path]["GET"]
    document = sqlite_scene.server.ask("GET", "/v1/openapi.json").content
    parameters = document["paths"][operation.path]["get"]["parameters"]
    seen = Counter[int]()

    @given(case=described.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {reader.token}"})
        # A header that is no HTTP is answered by the server before it comes to us.
        if (answer.status_code, answer.content) != (400, b"Invalid HTTP request received."):
            in_order = is_in_order(parameters, str(answer.request.url))
            case.validate_response(answer, excluded_checks=[negative_data_rejection] if in_order else [])
        seen[answer.status_code] += 1

    ask()
    assert sum(seen.values()) >= EXAMPLES // 2
    assert seen.keys() <= ({200, 404} if mode is GenerationMode.POSITIVE else {200, 400, 401, 404})


def is_in_order(parameters: list[dict[str, Any]], url: str) -> bool:
    """Whether a request came out as described though a broken one was wanted: what is wrong can get lost on the way.

    Asked of queries alone: with a path parameter it is never said to be.
    """
    described = {each["name"]: each for each in parameters}
    sent = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    required = {name for name, each in described.items() if each["required"]}
    return (
        all(each["in"] == "query" for each in parameters)
        and len(dict(sent)) == len(sent)
        and required <= dict(sent).keys() <= described.keys()
        and all(is_valid(described[name]["schema"], text) for name, text in sent)
    )


def is_valid(schema: dict[str, Any], text: str) -> bool:
    value = int(text) if schema["type"] == "integer" and text.isascii() and text.isdigit() else text
    return jsonschema_rs.is_valid(schema, value)


def test_what_is_in_order_on_the_wire_is_told_apart(sqlite_scene: Scene) -> None:
    document = sqlite_scene.server.ask("GET", "/v1/openapi.json").content
    shares, month = (document["paths"][path]["get"]["parameters"] for path in ("/v1/shares.csv", "/v1/months/{month}"))
    assert is_in_order(shares, "http://x/v1/shares.csv?month=2030-01")
    assert is_in_order(shares, "http://x/v1/shares.csv?month=2030-01&repository_id=7")
    for broken in (
        "",
        "month=2030-13",
        "month=2030-01&x=",
        "month=2030-01&month=2030-01",
        "month=2030-01&repository_id=a",
    ):
        assert not is_in_order(shares, f"http://x/v1/shares.csv?{broken}")
    assert not is_in_order(month, "http://x/v1/months/2030-01")


def test_every_answer_about_what_is_there_is_as_described(scene: Scene) -> None:
    schema, reader, seen = described_by(scene), scene.reader, set[str]()
    for operation in OPERATIONS:
        for values in places(scene, scene.acme):
            wanted = set(re.findall(r"{(\w+)}", operation.path))
            if wanted != values.keys() & wanted or (wanted and values.keys() - wanted):
                continue
            query = {"month": "2026-10"} if "month" in operation.query else {}
            case = schema[operation.path]["GET"].Case(path_parameters=dict(values) if wanted else {}, query=query)
            answer = case.call(headers={"Authorization": f"Bearer {reader.token}"})
            case.validate_response(answer)
            assert answer.status_code == 200
            seen.add(operation.name)
    assert seen == {operation.name for operation in OPERATIONS}


def test_what_is_described_is_what_is_served(sqlite_scene: Scene) -> None:
    document = sqlite_scene.server.ask("GET", "/v1/openapi.json").content
    served = {route.path for route in api_routes(sqlite_scene.stage.world)} - {"/v1/openapi.json"}
    assert set(document["paths"]) == served
    assert document["openapi"] == "3.1.0"


def described_by(scene: Scene) -> Any:
    server = f"http://127.0.0.1:{scene.server.port}"
    schema = schemathesis.openapi.from_url(f"{server}/v1/openapi.json")
    schema.config.update(base_url=server)
    return schema
