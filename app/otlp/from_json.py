"""OTLP in JSON, by the rules of protobuf's JSON form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

64-bit integers are numbers or texts, a null is as if it was not there, and fields that we do not know are ignored.
Only what is wanted is looked at closely: the shape of the rest is nobody's concern.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from app.core.telemetry.told import Scalar, Told, Wanted
from app.otlp.refusals import SHAPE, MalformedError
from app.otlp.values import Pairs, digest, finite, in_order, text

_INTEGER = re.compile(r"-?[0-9]{1,20}\Z")
_POINTS = ("gauge", "sum", "histogram", "exponentialHistogram")
Object = dict[str, Any]


def logs(body: bytes, wanted: Wanted) -> Iterator[Told]:
    for resource, scope, _, record in _each(body, wanted.keys, "resourceLogs", "scopeLogs", "logRecords"):
        attributes = _objects(record, "attributes")
        name = _event_name(record, attributes)
        if name in wanted.names:
            at_ns = _nanoseconds(record, "timeUnixNano") or _nanoseconds(record, "observedTimeUnixNano")
            yield Told(name, resource, _kept(attributes, wanted.keys), scope, at_ns // 1000)


def metrics(body: bytes, wanted: Wanted) -> Iterator[Told]:
    for resource, scope, whole, metric in _each(body, wanted.keys, "resourceMetrics", "scopeMetrics", "metrics"):
        name = _text(metric, "name")
        if name not in wanted.names:
            continue
        of_all = digest(in_order(_pairs(_objects(whole, "attributes"))), scope, name)
        for point in _points(metric):
            attributes = _objects(point, "attributes")
            yield Told(
                name,
                resource,
                _kept(attributes, wanted.keys),
                scope,
                _nanoseconds(point, "timeUnixNano") // 1000,
                _nanoseconds(point, "startTimeUnixNano") // 1000,
                _number(point),
                digest(of_all, in_order(_pairs(attributes))),
            )


def spans(body: bytes, wanted: Wanted) -> Iterator[Told]:
    for resource, scope, _, span in _each(body, wanted.keys, "resourceSpans", "scopeSpans", "spans"):
        name = _text(span, "name")
        if name in wanted.names:
            kept = _kept(_objects(span, "attributes"), wanted.keys)
            ended_us, start_us = (
                _nanoseconds(span, "endTimeUnixNano") // 1000,
                _nanoseconds(span, "startTimeUnixNano") // 1000,
            )
            yield Told(name, resource, kept, scope, ended_us, start_us)


def _parsed(body: bytes) -> Object:
    try:
        value = json.loads(body.decode("utf-8"))
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error
    except ValueError as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise MalformedError("The body is not JSON in UTF-8.") from error
    return _object(value)


def _each(
    body: bytes, keys: frozenset[str], resources: str, scopes: str, records: str
) -> Iterator[tuple[dict[str, Scalar], str, Object, Object]]:
    """What is wanted of the resource, the scope's name, the whole resource, and the record; for each record."""
    for of_resource in _objects(_parsed(body), resources):
        whole = _object(of_resource.get("resource"))
        resource = _kept(_objects(whole, "attributes"), keys)
        for of_scope in _objects(of_resource, scopes):
            scope = text(_text(_object(of_scope.get("scope")), "name")) or ""
            for record in _objects(of_scope, records):
                yield resource, scope, whole, record


def _object(value: Any) -> Object:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(SHAPE)
    return value


def _objects(holder: Object, name: str) -> list[Object]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or set(map(type, value)) - {dict}:
        raise MalformedError(SHAPE)
    return value


def _text(holder: Object, name: str) -> str:
    value = holder.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedError(SHAPE)
    return value


def _event_name(record: Object, attributes: list[Object]) -> str:
    for attribute in attributes:
        if attribute.get("key") == "event.name":
            named = _scalar(attribute.get("value"))
            if isinstance(named, str):
                return named
    name = _text(record, "eventName")
    if name:
        return name
    spoken = _scalar(record.get("body"))
    return spoken if isinstance(spoken, str) else ""


def _kept(attributes: list[Object], keys: frozenset[str]) -> dict[str, Scalar]:
    """The wanted ones that a database can hold."""
    kept = {}
    for attribute in attributes:
        key = attribute.get("key")
        if type(key) is str and key in keys:
            value = _scalar(attribute.get("value"))
            storable = text(value) if type(value) is str else value
            if storable is not None:
                kept[key] = storable
    return kept


def _pairs(attributes: list[Object]) -> Pairs:
    """All of them that are plain values."""
    found = ((_text(each, "key"), _scalar(each.get("value"))) for each in attributes)
    return [(key, value) for key, value in found if value is not None]


def _scalar(value: Any) -> Scalar | None:
    """The value of an AnyValue where it is a plain one and finite."""
    if type(value) is dict:
        for kind, given in value.items():
            if kind in _READERS:
                return None if given is None else _READERS[kind](given)
    elif value is not None:
        raise MalformedError(SHAPE)
    return None


def _string(given: Any) -> str:
    if type(given) is str:
        return given
    raise MalformedError(SHAPE)


def _boolean(given: Any) -> bool:
    if type(given) is bool:
        return given
    raise MalformedError(SHAPE)


def _integer(given: Any) -> int:
    """A 64-bit integer, signed or not."""
    if (isinstance(given, str) and _INTEGER.match(given)) or (isinstance(given, float) and given.is_integer()):
        given = int(given)
    if type(given) is int and -(2**63) <= given < 2**64:
        return given
    raise MalformedError(SHAPE)


def _double(given: Any) -> float | None:
    """A finite number. Protobuf's JSON form writes the others as texts, and takes numbers in texts too."""
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise MalformedError(SHAPE)
    try:
        return finite(float(given))
    except (ValueError, OverflowError) as error:
        raise MalformedError(SHAPE) from error


def _nanoseconds(holder: Object, name: str) -> int:
    given = holder.get(name)
    if given is None:
        return 0
    if (nanoseconds := _integer(given)) < 0:
        raise MalformedError(SHAPE)
    return nanoseconds


def _points(metric: Object) -> Iterator[Object]:
    for kind in _POINTS:
        yield from _objects(_object(metric.get(kind)), "dataPoints")


def _number(point: Object) -> int | float | None:
    if point.get("asInt") is not None:
        return _integer(point["asInt"])
    return _double(point.get("asDouble") if point.get("asDouble") is not None else point.get("sum"))


_READERS: dict[str, Callable[[Any], Scalar | None]] = {
    "stringValue": _string,
    "intValue": _integer,
    "boolValue": _boolean,
    "doubleValue": _double,
}
