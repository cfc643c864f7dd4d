"""What others send in an application's stead: exporters of OpenTelemetry, and a platform's log drain."""

from __future__ import annotations

import re

from ..model.codes import Code
from ..model.errors import InvalidJSON
from ..model.signals import Signal
from .event import Sdk
from .observation import Observation
from .otlp import NOBODY, Export


def observe_otlp(export: Export, signal: Signal, new_id: str, client: Sdk | None = None) -> Observation:
    """What an export proves.

    Args:
        signal: `transaction` for traces, `log` for logs, `metric` for metrics.
        new_id: 32 hex digits to name an error that belongs to no trace.
        client: the SDK as authentication or the User-Agent names it.
    """
    # Spans that are all invalid prove no tracing; an export without any is still one of traces.
    signals = set() if export.rejected and not export.taken else {signal}
    is_sentry = client is not None and client.name.startswith("sentry.")  # its OTLP integration; else an exporter
    event = export.event
    return Observation(
        signals=frozenset(signals | {Signal.ERROR} if event else signals),
        event=event,
        event_id=(event.event_id or new_id) if event else None,
        client_sdk=client if is_sentry else None,
        payload_sdk=None if is_sentry else _sdk_of(export, client),
        app=export.app,
        problems={Code.BAD_REQUEST: {"detail": rejected(export.rejected)}} if export.rejected else {},
        has_no_client=True,
    )


def _sdk_of(export: Export, client: Sdk | None) -> Sdk:
    """The SDK that the export names; or else the Collector, which exports what no SDK made, such as lines of a file."""
    if client and client.name.startswith("OpenTelemetry Collector") and export.sdk == NOBODY:
        return Sdk("opentelemetry.collector", client.version)
    return export.sdk


def rejected(count: int) -> str:
    """Why spans of an export were rejected, for its sender and for the page."""
    return (
        f"{count} spans have no valid id. A trace id has 16 bytes, a span id 8, not all of them zero; "
        "as JSON, both are in hexadecimal, not in base64."
    )


_LINES = re.compile(rb"[ \t\r\n]*(?:\{[ \t\r\n]*\"|\[[ \t\r\n]*\{[ \t\r\n]*\")")
"""A list of objects, or one object in each line. The start is enough: nothing else of a drain is read."""


def observe_drain(body: bytes, client: Sdk | None = None) -> Observation:
    """Read what Vercel's log drain sends: logs, as a JSON list or a line each.

    Raises:
        InvalidJSON: it is neither.
    """
    if not _LINES.match(body):
        said = "A log drain must send a JSON list of objects, or one object in each line."
        raise InvalidJSON(said, cause="log_drain")
    return Observation(signals=frozenset({Signal.LOG}), client_sdk=client, has_no_client=True)
