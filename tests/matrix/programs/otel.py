"""An application with OpenTelemetry, and nothing of Sentry but the address: `otel.py SCENARIO INGEST KEY`."""

import os
import sys

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

scenario, ingest, key = sys.argv[1:]
where = {"headers": {"x-sentry-auth": f"sentry sentry_key={key}"}}
resource = Resource.create({"service.name": "shop", **({"service.version": "1.4.0"} if scenario == "release" else {})})

traces = TracerProvider(resource=resource)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{ingest}/integration/otlp/v1/traces", **where)))
tracer = traces.get_tracer("shop")
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{ingest}/integration/otlp/v1/logs", **where)))

if scenario in ("tracing", "exit", "cut"):
    with tracer.start_as_current_span("checkout"):
        pass
elif scenario == "error":
    with tracer.start_as_current_span("checkout"):  # notes the error, and that the span has failed
        raise ValueError("an error of the application")
elif scenario == "logs":
    logs.get_logger("shop").emit(body="hello", severity_text="INFO")
if scenario == "cut":
    os._exit(0)
