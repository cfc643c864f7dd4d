"""Exports of OpenTelemetry, as protobuf and as JSON."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server.core.model.errors import Refusal
from server.core.model.signals import Signal
from server.core.wire.integrations import observe_otlp
from server.core.wire.otlp import parse_otlp

EXCEPTION = {"type": "E", "message": "x", "stacktrace": 'Traceback:\n  File "a.py", line 1, in f\n    1 / 0\n'}


def _export() -> bytes:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    for key, text in (("service.name", "shop"), ("service.version", "1.4.0"), ("telemetry.sdk.language", "python")):
        part.resource.attributes.add(key=key).value.string_value = text
    span = part.scope_spans.add().spans.add(name="checkout", span_id=b"12345678", trace_id=b"1234567812345678")
    event = span.events.add(name="exception")
    for name, text in EXCEPTION.items():
        event.attributes.add(key=f"exception.{name}").value.string_value = text
    return bytes(request.SerializeToString())


SEEDS = [
    _export(),
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}}]}',
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}],"resource":{"attributes":[]}}],"resourceLogs":[]}',
    b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":17,"body":{"stringValue":"x"},"traceId":"00"},'
    b'{"attributes":[{"key":"exception.stacktrace","value":{"stringValue":"    at f (a.js:1:2)\\n"}},'
    b'{"key":"exception.type","value":{"stringValue":"E"}}]}]}]}],"resourceMetrics":[{}]}',
]


def run(data: bytes) -> None:
    """Both forms of all signals."""
    for signal in (Signal.TRANSACTION, Signal.LOG, Signal.METRIC):
        for content_type in ("application/json", "application/x-protobuf"):
            try:
                observe_otlp(parse_otlp(data, content_type, signal), signal, "a" * 32)
            except Refusal as refusal:
                str(refusal).encode()
