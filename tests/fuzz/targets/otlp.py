"""Exports of OpenTelemetry, as protobuf and as JSON."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server.core.model.errors import Refusal
from server.core.model.signals import Signal
from server.core.wire.otlp import parse_otlp


def _export() -> bytes:
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    for key, text in (("service.name", "shop"), ("service.version", "1.4.0"), ("telemetry.sdk.language", "python")):
        part.resource.attributes.add(key=key).value.string_value = text
    part.scope_spans.add().spans.add(name="checkout", span_id=b"12345678")
    return bytes(request.SerializeToString())


SEEDS = [
    _export(),
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}}]}',
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}],"resource":{"attributes":[]}}],"resourceLogs":[]}',
]


def run(data: bytes) -> None:
    """Both forms of both signals."""
    for signal in (Signal.TRANSACTION, Signal.LOG):
        for content_type in ("application/json", "application/x-protobuf"):
            try:
                parse_otlp(data, content_type, signal)
            except Refusal as refusal:
                str(refusal).encode()
