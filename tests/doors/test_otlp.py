"""OpenTelemetry over HTTP: the official exporters, and answers as their protocol wants them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from server.core.model.signals import Signal
from server.limits import SdkLimits
from server.settings import Settings

from ..core.wire.test_otlp import JSON, PROTOBUF
from ..core.wire.test_otlp_errors import THROWN, TRACE, as_json, as_protobuf, parts, span
from ..support.site import AUTH, KEY, LIMITS, NOBODYS_KEY, Site, open_site

RESOURCE = Resource.create({"service.name": "shop", "service.version": "1.4.0"})
TRACES = "integration/otlp/v1/traces"


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with open_site(Settings(data=tmp_path_factory.mktemp("otlp") / "firstlight.db")) as site:
        yield site


def export_span() -> None:
    """One span, by an application that knows nothing of Sentry."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    with provider.get_tracer("shop").start_as_current_span("checkout"):
        pass
    provider.shutdown()


def export_exception() -> None:
    """One span that an exception leaves, which its context manager records."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    with pytest.raises(ZeroDivisionError), provider.get_tracer("shop").start_as_current_span("checkout"):
        1 / 0  # noqa: B018
    provider.shutdown()


def export_log() -> None:
    """A log with an exception, of which the SDK makes attributes."""
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        logger = provider.get_logger("shop")
        logger.emit(severity_number=SeverityNumber.ERROR, body="checkout failed", exception=error)
    provider.shutdown()


def export_metric() -> None:
    """One counter."""
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource=RESOURCE, shutdown_on_exit=False)
    provider.get_meter("shop").create_counter("orders").add(1)
    provider.shutdown()


@pytest.mark.parametrize(
    ("export", "signals", "title"),
    [
        (export_span, {"transaction"}, None),
        (export_exception, {"transaction", "error"}, "ZeroDivisionError: division by zero"),
        (export_log, {"log", "error"}, "ZeroDivisionError: division by zero"),
        (export_metric, {"metric"}, None),
    ],
)
@pytest.mark.parametrize(
    ("base", "compression"), [("/integration/otlp", "gzip"), ("/otlp", "none"), ("/", "deflate"), ("", "none")]
)
async def test_the_official_exporters(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    export: Callable[[], None],
    signals: set[str],
    title: str | None,
    base: str,
    compression: str,
) -> None:
    project = await site.project()
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{site.url}/api/{project}{base}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-sentry-auth=sentry sentry_key={KEY}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)

    await asyncio.to_thread(export)

    found = await site.snapshot(project)
    assert set(found["signals"]) == signals
    assert found["stage"] == ("first_error_received" if title else "connected")
    assert found["sdk"]["name"] == "opentelemetry.python"
    assert found["app"]["release"] == "shop@1.4.0"
    first = found["first_error"]
    assert (first and first["title"]) == title
    if first:
        assert first["frames"][0]["function"] == export.__name__
        assert first["frames"][0]["context_line"].startswith("1 / 0")
        assert first["platform"] == "python"
    assert [problem["code"] for problem in found["problems"]] in ([], ["missing_environment"])


async def send(site: Site, project: object, body: bytes, content_type: str, key: str = KEY) -> Any:
    headers = {**AUTH, "x-sentry-auth": f"sentry sentry_key={key}", "content-type": content_type}
    answer = await site.post_any(project, TRACES, body, headers)
    assert answer.headers["content-type"] == content_type
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer


@pytest.mark.parametrize("read", [as_json, as_protobuf])
async def test_what_is_taken_and_what_is_not(site: Site, read: Any) -> None:
    project = await site.project()
    whole, some = parts(Signal.TRANSACTION, span()), parts(Signal.TRANSACTION, span(THROWN), span(spanId="00"))
    answer = await send(site, project, *read(whole))
    assert (answer.status_code, answer.content) == (200, b"" if read is as_protobuf else b"{}")
    partly = await send(site, project, *read(some))
    assert partly.status_code == 200
    if read is as_protobuf:
        told = ExportTraceServiceResponse.FromString(partly.content).partial_success
        rejected, message = told.rejected_spans, told.error_message
    else:
        told = partly.json()["partialSuccess"]
        rejected, message = int(told["rejectedSpans"]), told["errorMessage"]
    assert rejected == 1
    assert "in hexadecimal, not in base64" in message
    assert (await site.told(project, "bad_request"))["evidence"]["detail"] == message
    assert (await site.snapshot(project))["first_error"]["event_id"] == TRACE


async def test_a_warning_where_nothing_is_rejected(site: Site) -> None:
    answer = await send(site, await site.project(), b'{"resourceSpans":[1]}', JSON)
    told = answer.json()["partialSuccess"]
    assert told == {
        "rejectedSpans": "0",
        "errorMessage": "It is not as the protocol says: Expected `object`, got `int` - at `$[0]`.",
    }


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
async def test_what_is_refused_is_said_in_the_encoding_of_the_request(site: Site, content_type: str) -> None:
    project = await site.project()
    for body, key, status in ((b"\xff\xff", KEY, 400), (b"", NOBODYS_KEY, 403)):
        answer = await send(site, project, body, content_type, key)
        assert answer.status_code == status
        if content_type == PROTOBUF:
            assert Status.FromString(answer.content).message
        else:
            told = answer.json()
            assert told["message"] == told["detail"] != ""
    detail = (await site.told(project, "invalid_json" if content_type == JSON else "bad_request"))["evidence"]["detail"]
    assert "OTLP" in detail
    get = await site.http.get(f"/api/{project}/{TRACES}", headers={"content-type": content_type})
    assert (get.status_code, get.headers["content-type"]) == (405, content_type)


@pytest.mark.parametrize("content_type", [JSON, PROTOBUF])
async def test_an_exporter_is_told_when_to_come_back(tmp_path: Path, content_type: str) -> None:
    limits = replace(LIMITS, sdk=SdkLimits(address_rate=0.1, address_burst=1.0))
    async with open_site(Settings(data=tmp_path / "firstlight.db"), limits=limits) as site:
        project = await site.project()
        first, second = [await send(site, project, b"", content_type) for _ in range(2)]
        assert (first.status_code, second.status_code) == (400 if content_type == JSON else 200, 429)
        assert int(second.headers["retry-after"]) > 0


async def test_a_log_drain(site: Site) -> None:
    project = await site.project()
    headers = {"x-sentry-auth": f"sentry sentry_key={KEY}", "user-agent": "vercel-log-drain/1.0"}
    refused = await site.post(project, "integration/vercel/logs", b"hello", headers)
    assert refused.status_code == 400
    for body in (b'[{"id":"1","message":"hello","level":"info"}]', b'{"id":"1","level":"error"}\n{"id":"2"}\n'):
        answer = await site.post(project, "integration/vercel/logs", body, headers)
        assert (answer.status_code, answer.content) == (200, b"{}")
    found = await site.snapshot(project)
    assert (found["stage"], set(found["signals"]), found["sdk"]) == ("connected", {"log"}, None)
