"""OTLP as JSON: what is looked at of it, in classes with the names of protobuf's messages, so that both read alike.

Everything that has no field here is skipped without building objects. Of proto3's JSON, OTLP changes two things: ids
are in hexadecimal, and enums are numbers (OTLP 1.x, "JSON Protobuf Encoding").
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from ..model.signals import Signal

_NULL = Raw(b"null")


class _Value(Struct, rename="camel", gc=False):
    """`AnyValue`. One of another type has no text, as in protobuf."""

    string_value: str = ""
    bool_value: bool = False


class _Pair(Struct, gc=False):
    """`KeyValue`."""

    key: str = ""
    value: _Value = field(default_factory=_Value)


class _Resource(Struct, gc=False):
    attributes: tuple[_Pair, ...] = ()


class _Event(Struct, gc=False):
    name: str = ""
    attributes: tuple[_Pair, ...] = ()


class _Span(Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    name: str = ""
    events: tuple[_Event, ...] = ()


class _ScopeSpans(Struct, gc=False):
    spans: tuple[_Span, ...] = ()


class _ResourceSpans(Struct, rename="camel", gc=False):
    resource: _Resource = field(default_factory=_Resource)
    scope_spans: tuple[_ScopeSpans, ...] = ()


class _LogRecord(Struct, rename="camel", gc=False):
    severity_number: int = 0
    body: _Value = field(default_factory=_Value)
    trace_id: str = ""
    attributes: tuple[_Pair, ...] = ()


class _ScopeLogs(Struct, rename="camel", gc=False):
    log_records: tuple[_LogRecord, ...] = ()


class _ResourceLogs(Struct, rename="camel", gc=False):
    resource: _Resource = field(default_factory=_Resource)
    scope_logs: tuple[_ScopeLogs, ...] = ()


class _ResourceMetrics(Struct, gc=False):
    resource: _Resource = field(default_factory=_Resource)


class Outline(Struct, rename="camel"):
    """An export of any signal: one list of parts, undecoded."""

    resource_spans: Raw = _NULL
    resource_logs: Raw = _NULL
    resource_metrics: Raw = _NULL


_PARTS: dict[Signal, Any] = {
    Signal.TRANSACTION: tuple[_ResourceSpans, ...],
    Signal.LOG: tuple[_ResourceLogs, ...],
    Signal.METRIC: tuple[_ResourceMetrics, ...],
}
"""What its list holds."""
_LEVELS = {Signal.TRANSACTION: ("scope_spans", "spans"), Signal.LOG: ("scope_logs", "log_records")}
"""The way from the parts to the records, where somebody looks at these."""


def read_json(parts: Raw, signal: Signal, most: int) -> tuple[Iterable[Any], Iterable[Any]]:
    """The attributes of the first resource, and the records.

    Args:
        parts: the list of an export.
        most: of records.

    Raises:
        MsgspecError, UnicodeDecodeError, RecursionError: it is not as the protocol says.
    """
    found: Iterable[Any] = msgspec.json.decode(parts, type=_PARTS[signal])
    pairs = next((part.resource.attributes for part in found), ())
    for level in _LEVELS.get(signal, ()):
        found = [inner for part in found for inner in getattr(part, level)]
    return pairs, islice(found, most)
