"""What OpenTelemetry exporters send: traces, logs and metrics by OTLP over HTTP, as protobuf or JSON.

Who sends is said by the first resource: one process exports. The first error is found by `otlp_errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw, structs

from ..model.errors import InvalidJSON, TooLarge
from ..model.signals import Signal
from .budget import Budget
from .event import MAX_TEXT, App, Event, Sdk, runtime_of
from .lenient import decode
from .otlp_errors import MAX_OWN, error_of_logs, look_at_spans
from .otlp_json import Outline, read_json
from .otlp_protobuf import read_protobuf
from .readable import lacks_of

MAX_OTLP_BYTES = 8 * 1024 * 1024
"""Bytes of one export: SDKs send 512 records at once, a Collector 8,192, of some 700 bytes each."""
MAX_OBJECTS = 150_000
"""Objects of an export as JSON that is looked into; a real one has one for every 30 bytes."""
MAX_RECORDS = 10_000
"""Parts of an export, and spans or log records, that are looked at: more than a Collector sends at once."""
NOBODY = Sdk("opentelemetry", None)
"""Who sends, where no resource says so."""


@dataclass(frozen=True, slots=True)
class Export:
    """What one export tells.

    Args:
        event: the first error in it.
        taken: how many of its spans are valid. Log records and metrics are not counted.
        rejected: how many are not, for they have no valid id.
        note: why it was not looked into.
    """

    sdk: Sdk
    app: App
    event: Event | None = None
    taken: int = 0
    rejected: int = 0
    note: str | None = None


def is_json(content_type: str) -> bool:
    """The encoding of an export, and of its answer. Anything but JSON is protobuf, which most exporters send."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def parse_otlp(body: bytes, content_type: str, signal: Signal, budget: Budget | None = None) -> Export:
    """Read an export.

    Args:
        signal: `transaction` for traces, `log` for logs, `metric` for metrics.
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        BadRequest: the body is not such an export.
        InvalidJSON: the Content-Type says JSON, and the body is no JSON object.
        TooLarge: it is over `MAX_OTLP_BYTES`.
    """
    if len(body) > MAX_OTLP_BYTES:
        evidence = {"item": "otlp", "size": str(len(body)), "limit": str(MAX_OTLP_BYTES)}
        said = f"An OTLP export may have {MAX_OTLP_BYTES} bytes; this one has {len(body)}."
        raise TooLarge(said, (), evidence, "item_too_large")
    if not is_json(content_type):
        return _looked_at(*read_protobuf(body, signal, MAX_RECORDS), signal)
    parts = _json_parts(body, signal, budget or Budget())
    # What cannot be looked into tells nothing, and the signal still counts.
    if body.count(b"{") > MAX_OBJECTS:
        return Export(NOBODY, App(), note=f"It has more than {MAX_OBJECTS} objects. Send smaller batches.")
    try:
        return _looked_at(*read_json(parts, signal, MAX_RECORDS), signal)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Export(NOBODY, App(), note=f"It is not as the protocol says: {error}.")


def _looked_at(pairs: Iterable[Any], records: Iterable[Any], signal: Signal) -> Export:
    told = _texts(pairs)
    export, language = Export(_sdk_of(told), _app_of(told)), told.get("telemetry.sdk.language")
    if signal is Signal.METRIC:
        return export
    if signal is Signal.LOG:
        return replace(export, event=_judged(error_of_logs(records, language), export.app))
    event, taken, rejected = look_at_spans(records, language)
    return replace(export, event=_judged(event, export.app), taken=taken, rejected=rejected)


def _judged(event: Event | None, app: App) -> Event | None:
    """An error with what its stack lacks to be read; a log of no exception has no stack by its nature."""
    if event is None or not (event.kind or event.frames):
        return event
    # For no language: a stack that is a text has no lines of code, but Python's, and no debug ids.
    lacks = lacks_of(map(structs.asdict, event.frames), None, app.release, lambda: None)
    return structs.replace(event, lacks=lacks)


def _sdk_of(told: Mapping[str, str]) -> Sdk:
    # The names are those of the semantic conventions for resources. Exporters written by hand leave even the SDK out.
    name, language = told.get("telemetry.sdk.name", NOBODY.name), told.get("telemetry.sdk.language")
    return Sdk(f"{name}.{language}" if language else name, told.get("telemetry.sdk.version"))


def _app_of(told: Mapping[str, str]) -> App:
    version, service = told.get("service.version"), told.get("service.name", "")
    runtime = {"name": told.get("process.runtime.name"), "version": told.get("process.runtime.version")}
    return App(
        # Sentry's form of a release, `package@version`. The second name of the environment is that of exporters from
        # before version 1.27 of the conventions.
        release=f"{service}@{version}" if version and service else version,
        environment=told.get("deployment.environment.name") or told.get("deployment.environment"),
        runtime=runtime_of(runtime),
    )


def _texts(pairs: Iterable[Any]) -> Mapping[str, str]:
    # A value of another type has "" as its text.
    texts = ((pair.key, pair.value.string_value[:MAX_TEXT]) for pair in islice(pairs, MAX_OWN))
    return {key: text for key, text in texts if text}


def _json_parts(body: bytes, signal: Signal, budget: Budget) -> Raw:
    """The list of an export, undecoded."""
    outline = decode(body, Outline, "The OTLP export", budget)
    name, parts = {
        Signal.TRANSACTION: ("resourceSpans", outline.resource_spans),
        Signal.LOG: ("resourceLogs", outline.resource_logs),
        Signal.METRIC: ("resourceMetrics", outline.resource_metrics),
    }[signal]
    if bytes(memoryview(parts)[:1]) != b"[":
        raise InvalidJSON(f"The OTLP export has no list {name!r}.", (), {"item": name}, "otlp_list")
    return parts
