"""OpenTelemetry exports: what the official exporter sends, the same as JSON, and bytes that are neither."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from server.core.model.errors import BadRequest, InvalidJSON, Refusal, TooLarge
from server.core.model.signals import Signal
from server.core.wire import otlp
from server.core.wire.event import App, Sdk
from server.core.wire.otlp import MAX_OTLP_BYTES, parse_otlp
from server.settings import Settings

from ...support.inputs import any_bytes
from ...support.site import AUTH, KEY, Site, open_site

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
SAID = (Sdk("opentelemetry.python", "1.45.2"), App("shop@1.4.0", "staging", "CPython 3.12.1"))
SIGNALS = [Signal.TRANSACTION, Signal.LOG]


def protobuf(signal: Signal, *resources: dict[str, str]) -> bytes:
    request = ExportTraceServiceRequest() if signal is Signal.TRANSACTION else ExportLogsServiceRequest()
    parts = request.resource_spans if signal is Signal.TRANSACTION else request.resource_logs
    for resource in resources:
        attributes = parts.add().resource.attributes
        for key, text in resource.items():
            attributes.add(key=key).value.string_value = text
    return bytes(request.SerializeToString())


def as_json(signal: Signal, *resources: dict[str, str]) -> bytes:
    name = "resourceSpans" if signal is Signal.TRANSACTION else "resourceLogs"
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
        assert parse_otlp(form(signal, *resources), content_type, signal) == (Sdk("opentelemetry", None), App())


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
        assert parse_otlp(form(Signal.LOG, told), content_type, Signal.LOG)[1] == app


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
    assert parse_otlp(body, JSON, Signal.LOG) == (Sdk("opentelemetry", None), App())


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON, ""])
@settings(max_examples=150, deadline=None)
@given(body=any_bytes(protobuf(Signal.TRANSACTION, TOLD), as_json(Signal.TRANSACTION, TOLD)))
def test_hostile_bytes_are_refused_or_read(content_type: str, body: bytes) -> None:
    try:
        sdk, app = parse_otlp(body, content_type, Signal.TRANSACTION)
    except Refusal:
        return
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


# The official exporter, over HTTP.


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("otlp") / "firstlight.db")) as site:
        yield site


def export(url: str, compression: Compression) -> None:
    """One span, by an application that knows nothing of Sentry."""
    exporter = OTLPSpanExporter(url, headers={"x-sentry-auth": f"Sentry sentry_key={KEY}"}, compression=compression)
    resource = Resource.create({"service.name": "shop", "service.version": "1.4.0"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("shop").start_as_current_span("checkout"):
        pass
    provider.shutdown()


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
async def test_the_official_exporter(site: Site, monkeypatch: pytest.MonkeyPatch, compression: Compression) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    project = await site.project()
    await asyncio.to_thread(export, f"{site.url}/api/{project}/integration/otlp/v1/traces", compression)
    found = await site.snapshot(project)
    assert found["stage"] == "connected"
    assert set(found["signals"]) == {"transaction"}
    assert found["sdk"]["name"] == "opentelemetry.python"
    assert found["app"]["release"] == "shop@1.4.0"
    assert next(feature for feature in found["features"] if feature["name"] == "tracing")["state"] == "received"


@pytest.mark.parametrize(("form", "content_type"), FORMS[:2])
async def test_logs(site: Site, form: Any, content_type: str) -> None:
    project = await site.project()
    headers = {**AUTH, "content-type": content_type}
    answer = await site.post(project, "integration/otlp/v1/logs", form(Signal.LOG, TOLD), headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert set((await site.snapshot(project))["signals"]) == {"log"}


async def test_a_damaged_export_stands_on_the_page(site: Site) -> None:
    project = await site.project()
    answer = await site.post(project, "integration/otlp/v1/traces", b"\xff\xff", {**AUTH, "content-type": PROTOBUF})
    assert answer.status_code == 400
    assert "OTLP" in (await site.told(project, "bad_request"))["evidence"]["detail"]
