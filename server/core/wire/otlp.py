"""What OpenTelemetry exporters send: traces and logs by OTLP over HTTP, as protobuf or JSON.

Protobuf is read with OpenTelemetry's own definitions, JSON without them. Only the first resource is looked at: one
process exports, so it says who sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Protocol, cast

from msgspec import Raw, Struct

from ..model.errors import BadRequest, InvalidJSON, TooLarge
from ..model.signals import Signal
from .budget import Budget
from .event import MAX_TEXT, App, Sdk, decode, parse_object, runtime_of

MAX_OTLP_BYTES = 4 * 1024 * 1024
"""Bytes of one export: exporters send batches of 512 spans, and gRPC takes no more by default."""
MAX_RESOURCE_BYTES = 64 * 1024
"""A resource has some twenty attributes of a line each. A larger one still proves the signal, but is not read."""

MAX_LISTED_BYTES = 1024 * 1024
"""Bytes up to which a list is decoded whole, where its first part does not start with the resource."""

_NULL = Raw(b"null")
_RESOURCE_FIRST = re.compile(rb'\[\s*\{\s*"resource"\s*:\s*(?=\{)')
_DECODER = json.JSONDecoder()


class _Part(Struct):
    """One of the exported parts: spans and logs are skipped without building objects."""

    resource: Raw = _NULL


class _Export(Struct):
    """An export as JSON."""

    resourceSpans: Raw = _NULL  # noqa: N815 - OpenTelemetry's names
    resourceLogs: Raw = _NULL  # noqa: N815


def parse_otlp(body: bytes, content_type: str, signal: Signal, budget: Budget | None = None) -> tuple[Sdk, App]:
    """Who sends, as the first resource of an export says it.

    Args:
        signal: `transaction` for traces, `log` for logs.
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        BadRequest: the body is not such an export.
        InvalidJSON: the Content-Type says JSON, and the body is no JSON object.
        TooLarge: it is over `MAX_OTLP_BYTES`.
    """
    if len(body) > MAX_OTLP_BYTES:
        raise TooLarge(f"An OTLP export may have {MAX_OTLP_BYTES} bytes; this one has {len(body)}.")
    # OTLP/HTTP: the Content-Type decides. Anything but JSON is read as protobuf, which most exporters send.
    is_json = content_type.partition(";")[0].strip().lower() == "application/json"
    if is_json:
        return _told(_json_attributes(body, signal, budget or Budget()))
    return _told(_protobuf_attributes(body, signal))


def _told(attributes: Mapping[str, str]) -> tuple[Sdk, App]:
    # The names are those of the semantic conventions for resources. Exporters written by hand leave even the SDK out.
    name = attributes.get("telemetry.sdk.name", "opentelemetry")
    language = attributes.get("telemetry.sdk.language")
    version = attributes.get("service.version")
    service = attributes.get("service.name", "")
    runtime = {"name": attributes.get("process.runtime.name"), "version": attributes.get("process.runtime.version")}
    app = App(
        # Sentry's form of a release, `package@version`. The second name of the environment is that of exporters from
        # before version 1.27 of the conventions.
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
    """OpenTelemetry's message definitions. To import them takes 0.1 to 0.3 s: only servers that receive OTLP pay."""
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
    # A value of another type has "" as its `string_value`, and `_texts` leaves it out.
    pairs = parts[0].resource.attributes if parts else ()
    return _texts((pair.key, pair.value.string_value) for pair in pairs)


def _json_attributes(body: bytes, signal: Signal, budget: Budget) -> Mapping[str, str]:
    export = decode(body, _Export, "The OTLP export", budget)
    raw = export.resourceSpans if signal is Signal.TRANSACTION else export.resourceLogs
    parts = memoryview(raw)
    if bytes(parts[:1]) != b"[":
        name = "resourceSpans" if signal is Signal.TRANSACTION else "resourceLogs"
        raise InvalidJSON(f"The OTLP export has no list {name!r}.")
    pairs = _resource_of(parts, budget).get("attributes")
    return _texts(
        (pair.get("key"), pair["value"].get("stringValue"))
        for pair in (pairs if isinstance(pairs, list) else ())
        if isinstance(pair, dict) and isinstance(pair.get("value"), dict)
    )


def _resource_of(parts: memoryview, budget: Budget) -> Mapping[str, Any]:
    """The resource of the first part. One of a strange shape tells nothing, and the signal still counts."""
    first = _RESOURCE_FIRST.match(parts[:MAX_RESOURCE_BYTES])
    try:
        if first:  # as every exporter writes it: 4 MiB of spans behind it need not be looked at
            text = str(parts[first.end() : first.end() + MAX_RESOURCE_BYTES], "utf-8", "replace")
            found: Mapping[str, Any] = _DECODER.raw_decode(text)[0]
            return found
        # No budget for the list, whose spans nobody reads; only what is read of it, the resource, may be repaired.
        listed = decode(parts, list[_Part], "The list", Budget(0)) if len(parts) <= MAX_LISTED_BYTES else []
        resource = memoryview(listed[0].resource) if listed else memoryview(b"{}")
        return parse_object(resource, "The resource", budget) if len(resource) <= MAX_RESOURCE_BYTES else {}
    except (InvalidJSON, ValueError, RecursionError):
        return {}


def _texts(pairs: Iterable[tuple[Any, Any]]) -> Mapping[str, str]:
    return {key: text[:MAX_TEXT] for key, text in pairs if isinstance(key, str) and isinstance(text, str) and text}
