"""What an OTLP/HTTP request is answered, in the encoding that it came in."""

import json
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

LONGEST = 127  # bytes of a sentence, whose length is then one byte in protobuf too
# By kind of request: the message, and its field that counts what was refused.
_ANSWERS: dict[str, tuple[Callable[[], Any], str]] = {
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
}


def taken(kind: str, refused: int, why: str, *, protobuf: bool) -> bytes:
    """That a request was taken, but for the `refused` part of it, which shall not be sent again."""
    message, field = _ANSWERS[kind]
    if protobuf:
        answer = message()
        if refused:
            setattr(answer.partial_success, field, refused)
            answer.partial_success.error_message = why
        return bytes(answer.SerializeToString())
    head, *tail = field.split("_")
    name = head + "".join(word.title() for word in tail)
    # A 64-bit number is a text in protobuf's JSON.
    return json.dumps({"partialSuccess": {name: str(refused), "errorMessage": why}} if refused else {}).encode()


def status(code: int, sentence: str, *, protobuf: bool) -> bytes:
    """Why a request was not taken: a google.rpc.Status with a google.rpc.Code."""
    if not protobuf:
        return json.dumps({"code": code, "message": sentence}, ensure_ascii=False).encode()
    text = sentence.encode()[:LONGEST]
    # Its two fields by hand: no package of ours has this message.
    return bytes((0x08, code, 0x12, len(text))) + text
