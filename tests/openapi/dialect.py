"""OpenAPI 3.0 schemas as JSON Schema 2020-12: what a validator needs to read GitHub's description."""

from typing import Any


def json_schema(node: Any, *, closed: bool = False) -> Any:
    """The schema in the newer dialect: `nullable` becomes a type, discriminators go.

    `closed` refuses keys that an object does not name, as GitHub does for request bodies.
    """
    if isinstance(node, list):
        return [json_schema(item, closed=closed) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {
        key: {name: json_schema(part, closed=closed) for name, part in value.items()}
        if key == "properties"
        else json_schema(value, closed=closed)
        for key, value in node.items()
        if key not in {"nullable", "discriminator", "default"}
    }
    if closed and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return or_null(schema) if node.get("nullable") else schema


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    if set(schema) & {"oneOf", "anyOf", "allOf", "$ref"} or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    widened = schema | {"type": [schema["type"], "null"]}
    if "enum" in schema and None not in schema["enum"]:
        widened["enum"] = [*schema["enum"], None]
    return widened
