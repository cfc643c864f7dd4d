"""The first error in an OTLP export. OpenTelemetry has no signal for errors; its conventions say what one is:

1. An event of a span with the name `exception` (semantic conventions, "Exceptions on spans").
2. A log record with `exception.type` or `exception.message` (semantic conventions, "Exceptions in logs"), unless its
   severity is below WARN: so are recorded those "that don't indicate actual issues" (OTEP 4333).
3. A log record with the severity ERROR or above (logs data model, "Meaning of severity": "an erroneous situation").

What is handed in is a message of protobuf, or what `otlp_json` makes of JSON; both have the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from ..model.signals import Signal
from .event import MAX_TEXT, NO_MESSAGE, App, Event, title_of
from .stacktrace import frames_of

MAX_LOOKED_AT = 50_000
"""Events of spans, or attributes of log records, that are looked at in one export; a record has some ten."""
MAX_OWN = 200
"""Attributes of one exception or resource that are looked at: SDKs send up to 128."""

WARN, ERROR, FATAL = 13, 17, 21
"""The least `severity_number` of each range."""
_MARKS = frozenset({"exception.type", "exception.message"})
"""The conventions require one of the two."""
_PLATFORMS = {"nodejs": "node", "webjs": "javascript", "dotnet": "csharp", "cpp": "native", "swift": "cocoa"}
"""Sentry's names of languages where OpenTelemetry has others (`telemetry.sdk.language`)."""


class Spans(NamedTuple):
    """What the spans of an export tell: the first exception that one recorded, and how many are valid and are not."""

    event: Event | None
    taken: int
    rejected: int


def look_at_spans(spans: Iterable[Any], language: str | None) -> Spans:
    """Look at spans one by one; none is kept, for an export may hold thousands."""
    event, taken, rejected, left = None, 0, 0, iter(range(MAX_LOOKED_AT))
    for span in spans:
        # A span is valid whose ids have the right length, and are not all zeros (OTLP, `trace.proto`).
        trace, own = _IDS[span.trace_id.__class__]
        if not (trace(span.trace_id) and own(span.span_id)):
            rejected += 1
            continue
        taken += 1
        if event is None and span.events:
            thrown = next((each for each, _ in zip(span.events, left, strict=False) if each.name == "exception"), None)
            event = thrown and _event(thrown.attributes, language, _trace_of(span), place=span.name)
    return Spans(event, taken, rejected)


def error_of_logs(records: Iterable[Any], language: str | None) -> Event | None:
    """The first exception that was logged, or else the first record with a severity that says as much."""
    # An exception first: it says more than a sentence in a log.
    notable = [record for record in records if record.severity_number == 0 or record.severity_number >= WARN]
    pairs = islice(((record, pair.key) for record in notable for pair in record.attributes), MAX_LOOKED_AT)
    found = next((record for record, key in pairs if key in _MARKS), None)
    found = found or next((record for record in notable if record.severity_number >= ERROR), None)
    if found is None:
        return None
    level = "fatal" if found.severity_number >= FATAL else "warning" if 0 < found.severity_number < ERROR else "error"
    said = found.body.string_value[:MAX_TEXT]
    return _event(found.attributes, language, _trace_of(found), level=level, said=said)


_IDS: Mapping[type, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    bytes: (re.compile(rb"(?s)(?!\0+\Z).{16}").fullmatch, re.compile(rb"(?s)(?!\0+\Z).{8}").fullmatch),
    str: (re.compile(r"(?!0+\Z)[0-9a-fA-F]{32}").fullmatch, re.compile(r"(?!0+\Z)[0-9a-fA-F]{16}").fullmatch),
}
"""Of a trace and of a span, as protobuf has them and as JSON does."""


def _trace_of(record: Any) -> str | None:
    value = record.trace_id
    text = value.hex() if isinstance(value, bytes) else value.lower()
    return text if _IDS[str][0](text) else None


def _event(
    pairs: Iterable[Any],
    language: str | None,
    trace_id: str | None,
    *,
    level: str = "error",
    said: str = "",
    place: str = "",
) -> Event:
    told = {pair.key: pair.value for pair in islice(pairs, MAX_OWN)}
    kind, message, stack = (_text(told, f"exception.{name}") for name in ("type", "message", "stacktrace"))
    frames = frames_of(stack)
    where = (frames[0].filename, frames[0].function) if frames else (place,)
    return Event(
        event_id=trace_id,  # an exception has none of its own, and by this one other tools find it
        signal=Signal.ERROR,
        is_sample=False,
        title=title_of(kind, message) or said.strip().partition("\n")[0] or NO_MESSAGE,
        level=level,
        platform=_PLATFORMS.get(language or "", language),
        handled=False if _escaped(told) else None,  # SDKs that do not know say that it did not escape
        culprit=" in ".join(filter(None, where))[:MAX_TEXT] or None,
        frames=frames,
        sdk=None,
        app=App(),
        kind=kind[:MAX_TEXT] or None,
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    return str(told[name].string_value) if name in told else ""


def _escaped(told: Mapping[str, Any]) -> bool:
    value = told.get("exception.escaped")
    # A boolean by the conventions; Python's SDK writes a text.
    return value is not None and (value.bool_value or value.string_value == "True")
