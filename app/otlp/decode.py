"""The three kinds of requests, in either encoding, as flat lists of what is wanted of them."""

from collections.abc import Callable, Iterator

from app.core.telemetry.told import Told, Wanted
from app.otlp import from_json, from_protobuf

Reader = Callable[[bytes, Wanted], Iterator[Told]]


def decode_logs(body: bytes, wanted: Wanted, *, protobuf: bool) -> list[Told]:
    """The wanted log records of an ExportLogsServiceRequest, decompressed; raises MalformedError."""
    return _read(from_protobuf.logs if protobuf else from_json.logs, body, wanted)


def decode_metrics(body: bytes, wanted: Wanted, *, protobuf: bool) -> list[Told]:
    """The data points of the wanted metrics of an ExportMetricsServiceRequest; raises MalformedError."""
    return _read(from_protobuf.metrics if protobuf else from_json.metrics, body, wanted)


def decode_traces(body: bytes, wanted: Wanted, *, protobuf: bool) -> list[Told]:
    """The wanted spans of an ExportTraceServiceRequest; raises MalformedError."""
    return _read(from_protobuf.spans if protobuf else from_json.spans, body, wanted)


def _read(reader: Reader, body: bytes, wanted: Wanted) -> list[Told]:
    """All of it or a refusal, so that nothing of a malformed request is acted upon."""
    return list(reader(body, wanted))
