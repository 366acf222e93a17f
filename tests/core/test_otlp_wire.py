"""OTLP's two encodings say the same, hostile bodies are refused with a sentence, and only what is wanted comes out."""

import base64
import gzip
import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from app.core.telemetry.read import LOGS
from app.core.telemetry.told import Told, Wanted
from app.otlp import MalformedError, TooLargeError, decode_logs, decode_metrics, decode_traces, unzipped
from tests.core.telemetry_samples import bodies, samples, told_of

WANTED = Wanted({"api_request", "tokens", "chat x"}, frozenset({"model", "input", "session.id"}))
DECODERS = {"logs": decode_logs, "metrics": decode_metrics, "traces": decode_traces}
REQUESTS = {
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "traces": ExportTraceServiceRequest,
}
IDS = ("traceId", "spanId", "parentSpanId")

NAMES = st.sampled_from(["api_request", "tokens", "chat x", "other", ""])
KEYS = st.sampled_from(["model", "input", "session.id", "prompt", "event.name", ""])
NANOSECONDS = st.integers(0, 2**64 - 1)
TEXTS = st.one_of(NAMES, st.text(max_size=20), st.just("x" * 600), st.just("a\0b"))
PLAIN = st.one_of(
    TEXTS.map(lambda text: AnyValue(string_value=text)),
    st.booleans().map(lambda value: AnyValue(bool_value=value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value)),
    st.floats().map(lambda value: AnyValue(double_value=value)),
    st.binary(max_size=5).map(lambda value: AnyValue(bytes_value=value)),
    st.just(AnyValue()),
)


def nested(inner: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    def array(values: list[AnyValue]) -> AnyValue:
        made = AnyValue()
        made.array_value.values.extend(values)
        return made

    def mapped(values: list[KeyValue]) -> AnyValue:
        made = AnyValue()
        made.kvlist_value.values.extend(values)
        return made

    pairs = st.builds(lambda key, value: KeyValue(key=key, value=value), KEYS, inner)
    return st.one_of(st.lists(inner, max_size=3).map(array), st.lists(pairs, max_size=3).map(mapped))


VALUES = st.recursive(PLAIN, nested, max_leaves=4)
ATTRIBUTES = st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), KEYS, VALUES), max_size=6)


@st.composite
def logs(draw: st.DrawFn) -> Message:
    request = ExportLogsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(draw(ATTRIBUTES))
        scope = resource.scope_logs.add()
        scope.scope.name = draw(TEXTS)
        for _ in range(draw(st.integers(0, 3))):
            record = scope.log_records.add(
                time_unix_nano=draw(NANOSECONDS),
                observed_time_unix_nano=draw(NANOSECONDS),
                event_name=draw(NAMES),
                trace_id=draw(st.binary(min_size=16, max_size=16)),
            )
            record.body.CopyFrom(draw(VALUES))
            record.attributes.extend(draw(ATTRIBUTES))
    return request


@st.composite
def metrics(draw: st.DrawFn) -> Message:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.extend(draw(ATTRIBUTES))
    scope = resource.scope_metrics.add()
    scope.scope.name = draw(TEXTS)
    for _ in range(draw(st.integers(0, 3))):
        metric = scope.metrics.add(name=draw(NAMES))
        kind = draw(st.sampled_from(["gauge", "sum", "histogram", "exponential_histogram", "summary", ""]))
        for _ in range(draw(st.integers(0, 3)) if kind else 0):
            point = getattr(metric, kind).data_points.add(
                time_unix_nano=draw(NANOSECONDS), start_time_unix_nano=draw(NANOSECONDS)
            )
            point.attributes.extend(draw(ATTRIBUTES))
            field = draw(st.sampled_from(["as_int", "as_double", ""]) if kind in {"gauge", "sum"} else st.just("sum"))
            if field:
                setattr(point, field, draw(st.integers(-(2**63), 2**63 - 1) if field == "as_int" else st.floats()))
    return request


@st.composite
def traces(draw: st.DrawFn) -> Message:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.scope.name = draw(TEXTS)
    for _ in range(draw(st.integers(0, 3))):
        span = scope.spans.add(
            name=draw(NAMES),
            start_time_unix_nano=draw(NANOSECONDS),
            end_time_unix_nano=draw(NANOSECONDS),
            span_id=draw(st.binary(min_size=8, max_size=8)),
        )
        span.attributes.extend(draw(ATTRIBUTES))
    return request


def as_otlp_json(request: Message) -> Any:
    """The request as OTLP has it in JSON: ids in hex, else as protobuf has it."""

    def in_hex(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: hexed(of) if key in IDS else in_hex(of) for key, of in value.items()}
        return [in_hex(each) for each in value] if isinstance(value, list) else value

    def hexed(value: str) -> str:
        return base64.b64decode(value).hex()

    return in_hex(json_format.MessageToDict(request))


def with_numbers(value: Any) -> Any:
    """The same with integers as numbers, which many senders write."""
    if isinstance(value, dict):
        return {
            key: int(of) if key.endswith(("intValue", "asInt", "UnixNano")) else with_numbers(of)
            for key, of in value.items()
        }
    return [with_numbers(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", DECODERS)
@given(data=st.data())
def test_both_encodings_say_the_same(kind: str, data: st.DataObject) -> None:
    request = data.draw({"logs": logs, "metrics": metrics, "traces": traces}[kind]())
    decode, spelled = DECODERS[kind], as_otlp_json(request)
    told = decode(request.SerializeToString(), WANTED, protobuf=True)
    assert decode(json.dumps(spelled).encode(), WANTED, protobuf=False) == told
    assert decode(json.dumps(with_numbers(spelled)).encode(), WANTED, protobuf=False) == told


@pytest.mark.parametrize("sample", [name for name in samples() if name.endswith("-json")])
def test_what_real_agents_send_says_the_same_in_protobuf(sample: str) -> None:
    def in_base64(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: based(of) if key in IDS else in_base64(of) for key, of in value.items()}
        return [in_base64(each) for each in value] if isinstance(value, list) else value

    def based(value: str) -> str:
        return base64.b64encode(bytes.fromhex(value)).decode()

    for kind, body, _ in bodies(sample):
        request = json_format.ParseDict(in_base64(json.loads(body)), REQUESTS[kind](), ignore_unknown_fields=True)
        assert told_of(kind, request.SerializeToString(), True) == told_of(kind, body, False)


def one_log(**record: Any) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def named(**attributes: Any) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": value}
        for key, value in {"event.name": {"stringValue": "api_request"}, **attributes}.items()
    ]


def logged(**attributes: Any) -> Told:
    (told,) = decode_logs(one_log(attributes=named(**attributes)), WANTED, protobuf=False)
    return told


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"attributes": named(), "eventName": "other", "body": {"stringValue": "other"}}, True),
        ({"eventName": "api_request", "body": {"stringValue": "other"}}, True),
        ({"body": {"stringValue": "api_request"}}, True),
        ({"body": {"kvlistValue": {"values": []}}}, False),
        ({"eventName": "other", "body": {"stringValue": "api_request"}}, False),
        ({}, False),
    ],
)
def test_an_events_name_is_its_attribute_else_its_field_else_its_body(record: dict[str, Any], found: bool) -> None:
    assert bool(decode_logs(one_log(**record), WANTED, protobuf=False)) is found


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"stringValue": "gpt"}, "gpt"),
        ({"stringValue": "x" * 513}, "x" * 512),
        ({"stringValue": "a\0b"}, None),
        ({"stringValue": "a\ud800b"}, None),
        ({"intValue": 7}, 7),
        ({"intValue": "-7"}, -7),
        ({"intValue": 7.0}, 7),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": "0.5"}, 0.5),
        ({"doubleValue": "NaN"}, None),
        ({"doubleValue": "-Infinity"}, None),
        ({"boolValue": True}, True),
        ({"arrayValue": {"values": [{"stringValue": "prompt"}]}}, None),
        ({"kvlistValue": {"values": []}}, None),
        ({"bytesValue": "aGk="}, None),
        ({"newValue": "?"}, None),
        ({"stringValue": None}, None),
        ({}, None),
        (None, None),
    ],
)
def test_plain_values_are_kept_and_others_dropped(value: Any, kept: Any) -> None:
    told = logged(model=value)
    assert told.attributes == ({} if kept is None else {"model": kept})
    assert type(told.attributes.get("model")) is type(kept)


def test_attributes_that_are_not_wanted_are_dropped() -> None:
    assert logged(prompt={"stringValue": "secret"}, model={"stringValue": "gpt"}).attributes == {"model": "gpt"}


def test_a_records_time_is_its_own_else_when_it_was_seen() -> None:
    def at_us(**times: Any) -> int:
        return decode_logs(one_log(attributes=named(), **times), WANTED, protobuf=False)[0].at_us

    assert at_us(timeUnixNano="2000", observedTimeUnixNano="9000") == 2
    assert at_us(timeUnixNano="0", observedTimeUnixNano=9000) == 9
    assert at_us() == 0


def test_unknown_fields_and_nulls_are_as_if_not_there() -> None:
    body = json.dumps(
        {
            "new": 1,
            "resourceLogs": [
                {"resource": None, "scopeLogs": [{"scope": None, "logRecords": [{"attributes": named(), "new": {}}]}]},
                {"resource": {"attributes": None}, "scopeLogs": None},
            ],
        }
    )
    assert decode_logs(body.encode(), WANTED, protobuf=False) == [Told("api_request", {}, {}, "", 0)]


def point(*attributes: tuple[str, str], start: str = "1000", pid: int = 1) -> Told:
    listed = [{"key": key, "value": {"stringValue": value}} for key, value in attributes]
    metric = {
        "name": "tokens",
        "sum": {
            "dataPoints": [{"attributes": listed, "startTimeUnixNano": start, "timeUnixNano": "2000", "asInt": "5"}]
        },
    }
    resource = {"attributes": [{"key": "process.pid", "value": {"intValue": pid}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    (told,) = decode_metrics(json.dumps(body).encode(), WANTED, protobuf=False)
    return told


def test_a_series_is_told_apart_by_all_of_its_attributes_in_any_order() -> None:
    series = point(("model", "a"), ("effort", "high")).series
    assert point(("effort", "high"), ("model", "a")).series == series
    assert point(("model", "a"), ("effort", "high"), start="1500").series == series
    assert point(("model", "a"), ("effort", "low")).series != series
    assert point(("model", "a"), ("effort", "high"), pid=2).series != series


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b"[]",
        b"1",
        b'"x"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"resourceLogs":1}',
        b'{"resourceLogs":[1]}',
        b'{"resourceLogs":[null]}',
        b'{"resourceLogs":[{"resource":[]}]}',
        b'{"resourceLogs":[{"scopeLogs":{}}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"scope":{"name":1}}]}]}',
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":["x"]}]}]}',
        b"9" * 5_000,
        one_log(attributes=[1]),
        one_log(attributes="x"),
        one_log(eventName=1),
        one_log(body="x"),
        one_log(attributes=named(model=1)),
        one_log(attributes=named(model={"stringValue": 1})),
        one_log(attributes=named(model={"boolValue": 1})),
        one_log(attributes=named(model={"intValue": "1.5"})),
        one_log(attributes=named(model={"intValue": True})),
        one_log(attributes=named(model={"intValue": 2**64})),
        one_log(attributes=named(model={"doubleValue": True})),
        one_log(attributes=named(model={"doubleValue": "x"})),
        one_log(attributes=named(), timeUnixNano="x"),
        one_log(attributes=named(), timeUnixNano=-1),
        one_log(attributes=named(), timeUnixNano=1e300),
    ],
)
def test_a_malformed_body_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^The body [a-zA-Z0-9 ,-]+\.$"):
        decode_logs(body, WANTED, protobuf=False)


@pytest.mark.parametrize(
    "body", [b"\x0a\xff", b"{}", b"\x0a\x05\x12\x03\x0a\x01\xff" * 3, b"\x0a\x04\x0a\x02\x0a\x00" + b"\xff"]
)
def test_bytes_that_are_no_protobuf_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^The body is not OTLP in protobuf\.$"):
        decode_logs(body, WANTED, protobuf=True)


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf's wire form that holds a message or text."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def in_protobuf(body: bytes) -> bytes:
    """A request for logs with one record of that body."""
    return field(1, field(2, field(2, field(5, body))))


def test_protobuf_nested_too_deeply_is_refused() -> None:
    value = field(1, b"api_request")
    assert len(decode_logs(in_protobuf(value), WANTED, protobuf=True)) == 1
    for _ in range(200):
        value = field(5, field(1, value))  # an array of one
    with pytest.raises(MalformedError):
        decode_logs(in_protobuf(value), WANTED, protobuf=True)


def decoded_or_refused(kind: str, body: bytes, protobuf: bool) -> None:
    """Nothing else is raised."""
    with suppress(MalformedError):
        assert all(told.name in WANTED.names for told in DECODERS[kind](body, WANTED, protobuf=protobuf))


FIELDS = st.sampled_from(
    ["resourceLogs", "resource", "scopeLogs", "scope", "logRecords", "attributes", "key", "value", "name", "body",
     "stringValue", "intValue", "doubleValue", "boolValue", "eventName", "timeUnixNano", "resourceMetrics",
     "scopeMetrics", "metrics", "sum", "histogram", "dataPoints", "asInt", "asDouble", "startTimeUnixNano",
     "resourceSpans", "scopeSpans", "spans", "endTimeUnixNano"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | NAMES | KEYS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=25,
)


@pytest.mark.parametrize("kind", DECODERS)
@given(value=JSON)
def test_any_json_is_decoded_or_refused(kind: str, value: Any) -> None:
    decoded_or_refused(kind, json.dumps(value).encode(), False)


def shaped(kind: str, value: Any) -> Any:
    """The value deep enough inside of a request that it is looked at."""
    resources, scopes, records = {
        "logs": ("resourceLogs", "scopeLogs", "logRecords"),
        "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
        "traces": ("resourceSpans", "scopeSpans", "spans"),
    }[kind]
    record = {"name": "tokens", "eventName": "api_request", **(value if isinstance(value, dict) else {"sum": value})}
    return {resources: [{scopes: [{records: [record]}]}]}


@pytest.mark.parametrize("kind", DECODERS)
@given(value=JSON)
def test_any_record_in_a_request_is_decoded_or_refused(kind: str, value: Any) -> None:
    decoded_or_refused(kind, json.dumps(shaped(kind, value)).encode(), False)


@pytest.mark.parametrize("kind", DECODERS)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_as_protobuf(kind: str, body: bytes) -> None:
    decoded_or_refused(kind, body, True)


@pytest.mark.parametrize(
    "sample", ["claude-code-2.1.332-protobuf", "codex-0.169.0-protobuf", "copilot-cli-1.0.102-protobuf"]
)
@given(data=st.data())
def test_a_real_body_with_a_byte_changed_or_cut_is_decoded_or_refused(sample: str, data: st.DataObject) -> None:
    kind, body, _ = data.draw(st.sampled_from(list(bodies(sample))))
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
    for hostile in (changed, body[:at]):
        with suppress(MalformedError):
            assert isinstance(told_of(kind, hostile, True), list)


def test_gzip_is_decompressed_up_to_the_bound() -> None:
    assert unzipped(gzip.compress(b"x" * 1000), 1000) == b"x" * 1000
    assert unzipped(gzip.compress(b""), 0) == b""
    with pytest.raises(TooLargeError, match=r"^The body is too large\.$"):
        unzipped(gzip.compress(b"x" * 1001), 1000)


def test_a_bomb_takes_no_more_memory_than_the_bound() -> None:
    bomb = gzip.compress(b"\0" * (100 << 20))
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        unzipped(bomb, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


WHOLE = gzip.compress(b'{"resourceLogs":[]}', mtime=0)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", WHOLE[:-1], WHOLE[:10], WHOLE + b"x", WHOLE + WHOLE, WHOLE[:-8] + b"\0" * 8, b"\x1f\x8b" + b"x" * 50],
    ids=["empty", "plain", "cut", "head alone", "one more byte", "two members", "wrong checksum", "noise"],
)
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError, match=r"^The body is not whole gzip\.$"):
        unzipped(body, 1 << 20)


@given(body=st.binary(max_size=100) | st.binary(max_size=50).map(gzip.compress))
def test_any_bytes_are_unzipped_or_refused(body: bytes) -> None:
    try:
        plain = unzipped(body, 60)
    except (MalformedError, TooLargeError):
        return
    assert gzip.decompress(body) == plain


def test_what_the_agents_readers_want_holds_no_text_of_people() -> None:
    texts = {"prompt", "response_text", "command", "arguments", "output", "error", "request_text", "body", "user.email"}
    assert LOGS.keys & texts == set()
