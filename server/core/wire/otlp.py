"""What OpenTelemetry exporters send: traces and logs by OTLP over HTTP, as protobuf or JSON.

The messages are read with OpenTelemetry's own definitions. Only the resource is looked at: it says who sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Protocol, cast

from ..model.errors import BadRequest, InvalidJSON, TooLarge
from ..model.signals import Signal
from .event import MAX_TEXT, App, Sdk, parse_object, runtime_of

MAX_OTLP_BYTES = 4 * 1024 * 1024
"""One export: exporters send batches of 512 spans, and gRPC takes no more by default."""

_PARTS = {Signal.TRANSACTION: "resourceSpans", Signal.LOG: "resourceLogs"}


def parse_otlp(body: bytes, content_type: str, signal: Signal) -> tuple[Sdk, App]:
    """Who sends, as the first resource of an export says it.

    Args:
        signal: `transaction` for traces, `log` for logs.

    Raises:
        BadRequest: the body is not such an export.
        InvalidJSON: the Content-Type says JSON, and the body is no JSON object.
        TooLarge: it is over `MAX_OTLP_BYTES`.
    """
    if len(body) > MAX_OTLP_BYTES:
        raise TooLarge(f"An OTLP export may have {MAX_OTLP_BYTES} bytes; this one has {len(body)}.")
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    return _told((_json_attributes if is_json else _protobuf_attributes)(body, signal))


def _told(attributes: Mapping[str, str]) -> tuple[Sdk, App]:
    name = attributes.get("telemetry.sdk.name", "opentelemetry")
    language = attributes.get("telemetry.sdk.language")
    version = attributes.get("service.version")
    service = attributes.get("service.name", "")
    runtime = {"name": attributes.get("process.runtime.name"), "version": attributes.get("process.runtime.version")}
    app = App(
        release=f"{service}@{version}" if version and service else version,
        environment=attributes.get("deployment.environment.name") or attributes.get("deployment.environment"),
        runtime=runtime_of(runtime),
    )
    return Sdk(f"{name}.{language}" if language else name, attributes.get("telemetry.sdk.version")), app


class _Message(Protocol):
    """What is used of a protobuf message class."""

    def FromString(self, data: bytes) -> Any: ...  # noqa: N802 - protobuf's name


@cache
def _definitions() -> Mapping[Signal, tuple[_Message, str]]:
    """OpenTelemetry's message definitions; only who receives OTLP pays the 0.1 s that they take to import."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return {
        Signal.TRANSACTION: (cast(_Message, ExportTraceServiceRequest), "resource_spans"),
        Signal.LOG: (cast(_Message, ExportLogsServiceRequest), "resource_logs"),
    }


def _protobuf_attributes(body: bytes, signal: Signal) -> Mapping[str, str]:
    from google.protobuf.message import DecodeError

    message, field = _definitions()[signal]
    try:
        parts = getattr(message.FromString(body), field)
    except DecodeError:
        raise BadRequest(
            "The body is not an OTLP export in protobuf. Send JSON with Content-Type: application/json."
        ) from None
    pairs = parts[0].resource.attributes if parts else ()
    return _texts((pair.key, pair.value.string_value) for pair in pairs)


def _json_attributes(body: bytes, signal: Signal) -> Mapping[str, str]:
    name = _PARTS[signal]
    parts = parse_object(body, "The OTLP export").get(name)
    if not isinstance(parts, list):
        raise InvalidJSON(f"The OTLP export has no list {name!r}.")
    resource = parts[0].get("resource") if parts and isinstance(parts[0], dict) else None
    pairs = resource.get("attributes") if isinstance(resource, dict) else None
    return _texts(
        (pair.get("key"), pair["value"].get("stringValue"))
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, dict) and isinstance(pair.get("value"), dict)
    )


def _texts(pairs: Iterable[tuple[Any, Any]]) -> Mapping[str, str]:
    return {key: text[:MAX_TEXT] for key, text in pairs if isinstance(key, str) and isinstance(text, str) and text}
