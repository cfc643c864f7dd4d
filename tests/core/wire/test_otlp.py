"""OpenTelemetry exports: who sends, as protobuf and as JSON, and bytes that are neither."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server.core.model.errors import BadRequest, InvalidJSON, Refusal, TooLarge
from server.core.model.signals import Signal
from server.core.wire import otlp
from server.core.wire.event import App, Sdk
from server.core.wire.otlp import MAX_OBJECTS, MAX_OTLP_BYTES, Export, parse_otlp
from server.core.wire.otlp_protobuf import MAX_RECORD_BYTES

from ...support.inputs import any_bytes

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TOLD = {
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.version": "1.45.2",
    "service.name": "shop",
    "service.version": "1.4.0",
    "deployment.environment.name": "staging",
    "process.runtime.name": "CPython",
    "process.runtime.version": "3.12.1",
}
SAID = Export(Sdk("opentelemetry.python", "1.45.2"), App("shop@1.4.0", "staging", "CPython 3.12.1"))
NOBODY = Export(Sdk("opentelemetry", None), App())
REQUESTS: dict[Signal, tuple[Any, str, str]] = {
    Signal.TRANSACTION: (ExportTraceServiceRequest, "resource_spans", "resourceSpans"),
    Signal.LOG: (ExportLogsServiceRequest, "resource_logs", "resourceLogs"),
    Signal.METRIC: (ExportMetricsServiceRequest, "resource_metrics", "resourceMetrics"),
}
SIGNALS = list(REQUESTS)


def protobuf(signal: Signal, *resources: dict[str, str]) -> bytes:
    request = REQUESTS[signal][0]()
    for resource in resources:
        attributes = getattr(request, REQUESTS[signal][1]).add().resource.attributes
        for key, text in resource.items():
            attributes.add(key=key).value.string_value = text
    return bytes(request.SerializeToString())


def as_json(signal: Signal, *resources: dict[str, str]) -> bytes:
    name = REQUESTS[signal][2]
    parts = [
        {"resource": {"attributes": [{"key": key, "value": {"stringValue": text}} for key, text in told.items()]}}
        for told in resources
    ]
    return json.dumps({name: parts}).encode()


FORMS = [(protobuf, PROTOBUF), (as_json, JSON), (as_json, "Application/JSON; charset=utf-8")]


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(("form", "content_type"), FORMS)
def test_who_sends(form: Any, content_type: str, signal: Signal) -> None:
    assert parse_otlp(form(signal, TOLD), content_type, signal) == SAID
    assert parse_otlp(form(signal, TOLD, {"service.name": "other"}), content_type, signal) == SAID  # the first speaks


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(("form", "content_type"), FORMS)
def test_who_says_nothing(form: Any, content_type: str, signal: Signal) -> None:
    nothing: list[list[dict[str, str]]] = [[], [{}]]
    for resources in nothing:
        assert parse_otlp(form(signal, *resources), content_type, signal) == NOBODY


@pytest.mark.parametrize(
    ("told", "app"),
    [
        ({"service.name": "shop"}, App()),
        ({"service.version": "1.4.0"}, App(release="1.4.0")),
        ({"deployment.environment": "old name"}, App(environment="old name")),
        ({"deployment.environment": "old", "deployment.environment.name": "new"}, App(environment="new")),
        ({"service.version": "x" * 500}, App(release="x" * 200)),
    ],
)
def test_what_is_told_of_the_application(told: dict[str, str], app: App) -> None:
    for form, content_type in FORMS:
        assert parse_otlp(form(Signal.LOG, told), content_type, Signal.LOG).app == app


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"\xff\xff\xff\xff", PROTOBUF, BadRequest),
        (b"{}", PROTOBUF, BadRequest),
        (b"", JSON, InvalidJSON),
        (b"[]", JSON, InvalidJSON),
        (b"{}", JSON, InvalidJSON),
        (b'{"resourceSpans": {}}', JSON, InvalidJSON),
        (b'{"resourceLogs": []}', JSON, InvalidJSON),
        (b"\0" * (MAX_OTLP_BYTES + 1), PROTOBUF, TooLarge),
        (b" " * (MAX_OTLP_BYTES + 1), JSON, TooLarge),
    ],
)
def test_what_is_no_export(body: bytes, content_type: str, error: type[Refusal]) -> None:
    with pytest.raises(error):
        parse_otlp(body, content_type, Signal.TRANSACTION)


STRANGE_ATTRIBUTES: list[Any] = [None, 1, {}, {"key": 1, "value": 2}, {"value": {}}]


@pytest.mark.parametrize(
    "part",
    [
        *(None, 1, "x", [], {}, {"resource": []}, {"resource": {"attributes": {}}}),
        *({"resource": {"attributes": [strange]}} for strange in STRANGE_ATTRIBUTES),
        {"resource": {"attributes": [{"key": "service.name", "value": {"intValue": "1"}}]}},
    ],
)
def test_json_of_strange_shapes_tells_nothing(part: Any) -> None:
    body = json.dumps({"resourceLogs": [part]}).encode()
    assert replace(parse_otlp(body, JSON, Signal.LOG), note=None) == NOBODY


def test_its_sender_is_told_what_is_strange() -> None:
    found = parse_otlp(b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":1}]}]}]}', JSON, Signal.LOG)
    assert found.note == (
        "It is not as the protocol says: Expected `str`, got `int` - at `$[0].scopeLogs[0].logRecords[0].traceId`."
    )


def test_an_export_of_too_many_objects_is_not_looked_into() -> None:
    body = b'{"resourceSpans":[%s{}]}' % (b"{}," * (MAX_OBJECTS - 2))
    assert parse_otlp(body, JSON, Signal.TRANSACTION) == NOBODY
    found = parse_otlp(body.replace(b"[{}", b"[{},{}", 1), JSON, Signal.TRANSACTION)
    assert found == replace(NOBODY, note="It has more than 150000 objects. Send smaller batches.")


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, ""])
@settings(max_examples=150, deadline=None)
@given(body=any_bytes(protobuf(Signal.TRANSACTION, TOLD), as_json(Signal.TRANSACTION, TOLD)))
def test_hostile_bytes_are_refused_or_read(content_type: str, body: bytes) -> None:
    try:
        found = parse_otlp(body, content_type, Signal.TRANSACTION)
    except Refusal:
        return
    sdk, app = found.sdk, found.app
    texts = [sdk.name, sdk.version, app.release, app.environment, app.runtime]
    assert all(text is None or (isinstance(text, str) and len(text) <= 450) for text in texts)
    json.dumps(texts).encode()


def test_nesting_without_end_is_refused() -> None:
    assert otlp.MAX_OTLP_BYTES > 10**6
    value = b"\x2a\x00"  # AnyValue.array_value, empty
    for _ in range(5000):
        inner = b"\x0a" + _varint(len(value)) + value
        value = b"\x2a" + _varint(len(inner)) + inner
    attribute = b"\x0a\x01k\x12" + _varint(len(value)) + value
    resource = b"\x0a" + _varint(len(attribute)) + attribute
    part = b"\x0a" + _varint(len(resource)) + resource
    with pytest.raises(BadRequest):
        parse_otlp(b"\x0a" + _varint(len(part)) + part, PROTOBUF, Signal.TRANSACTION)
    with pytest.raises(InvalidJSON):
        parse_otlp(b'{"resourceSpans":' + b"[" * 100_000, JSON, Signal.TRANSACTION)


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def test_protobuf_is_walked_as_its_encoding_says() -> None:
    """Unknown fields of every type between the known ones, in any order, and records as large as may be."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    spans.add(trace_id=b"1" * 16, span_id=b"1" * 8)
    spans.add(trace_id=b"2" * 16, span_id=b"2" * 8, name="x" * MAX_RECORD_BYTES)
    strange = b"\x78\x96\x01" + b"\x79" + bytes(8) + b"\x7d" + bytes(4) + b"\x92\x3f\x02ab"
    body = strange + request.SerializeToString() + strange + protobuf(Signal.TRANSACTION, TOLD)
    found = parse_otlp(body, PROTOBUF, Signal.TRANSACTION)
    assert (found.taken, found.rejected) == (1, 0)  # the second counts, but is not looked into
    assert parse_otlp(protobuf(Signal.TRANSACTION, TOLD) + body, PROTOBUF, Signal.TRANSACTION).sdk == SAID.sdk


@pytest.mark.parametrize(
    "damage",
    [
        *(b"\x0a", b"\x0a\x05", b"\x0a\x80", b"\x79\0", b"\x7d\0", b"\x78", b"\x7b", b"\x7c", b"\x7f"),
        *(b"\xff" * 11, b"\x78" + b"\xff" * 10, b"\x0a\x02\x12\x05", b"\x0a\x04\x12\x02\x12\x01"),
        b"\x0a\x06\x12\x04\x12\x02\x0a\x05",  # in a record
    ],
)
def test_damaged_protobuf(damage: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_otlp(damage, PROTOBUF, Signal.TRANSACTION)
    with pytest.raises(BadRequest):
        parse_otlp(protobuf(Signal.LOG, TOLD) + damage, PROTOBUF, Signal.LOG)


def test_a_damaged_resource() -> None:
    damage = b"\x0a\x04\x0a\x02\x0a\x05"
    with pytest.raises(BadRequest):
        parse_otlp(damage, PROTOBUF, Signal.METRIC)
    assert parse_otlp(protobuf(Signal.METRIC, TOLD) + damage, PROTOBUF, Signal.METRIC) == SAID  # the first speaks
