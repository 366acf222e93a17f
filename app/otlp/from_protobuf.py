"""OTLP in protobuf, by the published message classes."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from app.core.telemetry.told import Scalar, Told, Wanted
from app.otlp.refusals import MalformedError
from app.otlp.values import Pairs, digest, finite, in_order, text

_PLAIN = frozenset({"string_value", "int_value", "bool_value", "double_value"})
_POINTS = frozenset({"gauge", "sum", "histogram", "exponential_histogram"})


class Attributed(Protocol):
    """A message that has attributes: a resource, a record, a point or a span."""

    @property
    def attributes(self) -> Iterable[KeyValue]: ...


def logs(body: bytes, wanted: Wanted) -> Iterator[Told]:
    request = ExportLogsServiceRequest()
    _parse(request, body)
    for of_resource in request.resource_logs:
        resource = _kept(of_resource.resource, wanted.keys)
        for of_scope in of_resource.scope_logs:
            scope = text(of_scope.scope.name) or ""
            for record in of_scope.log_records:
                name = _event_name(record)
                if name in wanted.names:
                    at_us = (record.time_unix_nano or record.observed_time_unix_nano) // 1000
                    yield Told(name, resource, _kept(record, wanted.keys), scope, at_us)


def metrics(body: bytes, wanted: Wanted) -> Iterator[Told]:
    request = ExportMetricsServiceRequest()
    _parse(request, body)
    for of_resource in request.resource_metrics:
        resource = _kept(of_resource.resource, wanted.keys)
        for of_scope in of_resource.scope_metrics:
            scope = text(of_scope.scope.name) or ""
            for metric in of_scope.metrics:
                if metric.name in wanted.names:
                    of_all = digest(in_order(_pairs(of_resource.resource)), scope, metric.name)
                    yield from _points(metric, resource, scope, of_all, wanted.keys)


def spans(body: bytes, wanted: Wanted) -> Iterator[Told]:
    request = ExportTraceServiceRequest()
    _parse(request, body)
    for of_resource in request.resource_spans:
        resource = _kept(of_resource.resource, wanted.keys)
        for of_scope in of_resource.scope_spans:
            scope = text(of_scope.scope.name) or ""
            for span in of_scope.spans:
                if span.name in wanted.names:
                    kept = _kept(span, wanted.keys)
                    ended_us, start_us = span.end_time_unix_nano // 1000, span.start_time_unix_nano // 1000
                    yield Told(span.name, resource, kept, scope, ended_us, start_us)


def _parse(request: Message, body: bytes) -> None:
    try:
        request.ParseFromString(body)
    except DecodeError as error:  # nested too deeply and texts that are no UTF-8 included
        raise MalformedError("The body is not OTLP in protobuf.") from error


def _event_name(record: LogRecord) -> str:
    for attribute in record.attributes:
        if attribute.key == "event.name" and attribute.value.WhichOneof("value") == "string_value":
            return attribute.value.string_value
    return record.event_name or record.body.string_value


def _kept(holder: Attributed, keys: frozenset[str]) -> dict[str, Scalar]:
    """The wanted ones that a database can hold."""
    kept = {}
    for attribute in holder.attributes:
        key = attribute.key
        if key in keys:
            value = _scalar(attribute.value)
            storable = text(value) if isinstance(value, str) else value
            if storable is not None:
                kept[key] = storable
    return kept


def _pairs(holder: Attributed) -> Pairs:
    """All of them that are plain values."""
    found = ((each.key, _scalar(each.value)) for each in holder.attributes)
    return [(key, value) for key, value in found if value is not None]


def _scalar(value: AnyValue) -> Scalar | None:
    """The value where it is a plain one and finite."""
    kind = value.WhichOneof("value")
    if kind not in _PLAIN:
        return None
    plain: Scalar = getattr(value, kind)
    return finite(plain) if isinstance(plain, float) else plain


def _points(
    metric: Metric, resource: dict[str, Scalar], scope: str, of_all: str, keys: frozenset[str]
) -> Iterator[Told]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points if kind in _POINTS else ():
        series = digest(of_all, in_order(_pairs(point)))
        at_us, start_us = point.time_unix_nano // 1000, point.start_time_unix_nano // 1000
        yield Told(metric.name, resource, _kept(point, keys), scope, at_us, start_us, _number(point), series)


def _number(point: Any) -> int | float | None:
    """What a point of any kind counts."""
    if hasattr(point, "as_int"):
        kind = point.WhichOneof("value")
        number: int | float | None = getattr(point, kind) if kind else None
    else:
        number = point.sum if point.HasField("sum") else None
    return finite(number) if isinstance(number, float) else number
