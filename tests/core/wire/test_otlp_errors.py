"""Errors in exports of OpenTelemetry, by its semantic conventions, in both encodings."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from server.core.model.signals import Signal
from server.core.wire.event import Sdk
from server.core.wire.integrations import observe_drain, observe_otlp
from server.core.wire.otlp import Export, parse_otlp

from .test_otlp import JSON, PROTOBUF, REQUESTS, protobuf

TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
STACK = (
    'Traceback (most recent call last):\n  File "/shop/cart.py", line 42, in total\n    1 / 0\nZeroDivisionError: x\n'
)
THROWN = {
    "exception.type": "shop.CartError",
    "exception.message": "no items\nSELECT 1",
    "exception.stacktrace": STACK,
    "exception.escaped": True,
}


def attributes(told: Mapping[str, object]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue"}
    return [{"key": key, "value": {kinds[type(value)]: value}} for key, value in told.items()]


def span(*events: Mapping[str, object], name: str = "exception", **others: object) -> dict[str, Any]:
    told = [{"name": name, "attributes": attributes(event)} for event in events]
    return {"traceId": TRACE, "spanId": SPAN, "name": "checkout", "events": told, **others}


def log(severity: int, told: Mapping[str, object], body: str = "", **others: object) -> dict[str, Any]:
    return {"severityNumber": severity, "body": {"stringValue": body}, "attributes": attributes(told), **others}


def parts(signal: Signal, *records: Mapping[str, Any], language: str = "python") -> dict[str, Any]:
    resource = {"attributes": attributes({"telemetry.sdk.language": language})}
    scopes = {
        Signal.TRANSACTION: {"scopeSpans": [{"spans": list(records)}]},
        Signal.LOG: {"scopeLogs": [{"logRecords": list(records)}]},
    }
    return {REQUESTS[signal][2]: [{"resource": resource, **scopes[signal]}]}


def as_json(export: Mapping[str, Any]) -> tuple[bytes, str]:
    return json.dumps(export).encode(), JSON


def as_protobuf(export: Mapping[str, Any]) -> tuple[bytes, str]:
    request = next(request for request, _, name in REQUESTS.values() if name in export)
    return ParseDict(_by_base64(export), request()).SerializeToString(), PROTOBUF


def _by_base64(value: Any, key: str = "") -> Any:
    """With ids as proto3's own JSON has them, which the library reads."""
    if isinstance(value, dict):
        return {name: _by_base64(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_by_base64(inner) for inner in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if key in ("traceId", "spanId") else value


def by_json(signal: Signal, export: Mapping[str, Any]) -> Export:
    return parse_otlp(*as_json(export), signal)


def by_protobuf(signal: Signal, export: Mapping[str, Any]) -> Export:
    return parse_otlp(*as_protobuf(export), signal)


Read = Callable[[Signal, Mapping[str, Any]], Export]
BOTH = pytest.mark.parametrize("read", [by_json, by_protobuf])


@BOTH
def test_an_exception_of_a_span(read: Read) -> None:
    found = read(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(), span({"a": 1}, name="cache miss"), span(THROWN)))
    event = found.event
    assert event
    assert (found.taken, found.rejected, found.note) == (3, 0, None)
    assert (event.title, event.kind, event.level) == ("shop.CartError: no items", "shop.CartError", "error")
    assert (event.event_id, event.platform, event.handled) == (TRACE, "python", False)
    assert event.culprit == "/shop/cart.py in total"
    assert [(frame.lineno, frame.context_line) for frame in event.frames] == [(42, "1 / 0")]


@BOTH
@pytest.mark.parametrize(
    ("told", "title", "handled"),
    [
        ({"exception.type": "OSError"}, "OSError", None),
        ({"exception.message": "no disk"}, "no disk", None),
        ({"exception.type": "OSError", "exception.escaped": "True"}, "OSError", False),
        ({"exception.type": "OSError", "exception.escaped": "False"}, "OSError", None),
        ({"exception.type": "OSError", "exception.escaped": False}, "OSError", None),
        ({"exception.type": "x" * 500}, "x" * 200, None),
        ({"exception.type": 5}, "An error without a message", None),
        ({}, "An error without a message", None),
    ],
)
def test_what_an_exception_says(read: Read, told: Mapping[str, object], title: str, handled: bool | None) -> None:
    event = read(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(told), language="nodejs")).event
    assert event
    assert (event.title, event.handled, event.platform, event.culprit) == (title, handled, "node", "checkout")


@pytest.mark.parametrize(
    ("told", "service", "lacks"),
    [
        (THROWN, {"service.version": "1.0.0"}, ()),
        (THROWN, {}, ("no_release",)),
        ({"exception.type": "*errors.errorString"}, {"service.version": "1.0.0"}, ("no_stack",)),  # Go's, by default
        ({**THROWN, "exception.stacktrace": "\tat java.lang.A.b(A.java:1)"}, {"service.version": "1"}, ("no_in_app",)),
    ],
)
def test_what_a_stack_lacks(told: Mapping[str, object], service: dict[str, str], lacks: tuple[str, ...]) -> None:
    export = parts(Signal.TRANSACTION, span(told))
    export["resourceSpans"][0]["resource"] = {"attributes": attributes(service)}
    event = by_json(Signal.TRANSACTION, export).event
    assert event
    assert event.lacks == lacks
    logged = by_json(Signal.LOG, parts(Signal.LOG, log(17, {}, "it failed"))).event
    assert logged
    assert logged.lacks is None  # no exception, no stack


@BOTH
def test_a_failed_span_without_an_exception_is_none(read: Read) -> None:
    failed = span(status={"code": 2, "message": "500"})
    assert read(Signal.TRANSACTION, parts(Signal.TRANSACTION, failed)).event is None


@BOTH
@pytest.mark.parametrize(
    ("severity", "told", "level"),
    [
        (0, {}, None),
        (0, THROWN, "error"),
        (5, THROWN, None),  # DEBUG, INFO: it was expected
        (12, THROWN, None),
        (13, {}, None),
        (13, THROWN, "warning"),
        (16, {"exception.message": "x"}, "warning"),
        (16, {"exception.stacktrace": "x"}, None),  # one of the other two is required
        (17, {}, "error"),
        (20, THROWN, "error"),
        (21, {}, "fatal"),
        (24, {}, "fatal"),
    ],
)
def test_which_logs_are_errors(read: Read, severity: int, told: Mapping[str, object], level: str | None) -> None:
    event = read(Signal.LOG, parts(Signal.LOG, log(severity, told, "it failed"))).event
    assert (event and event.level) == level


@BOTH
def test_what_a_log_says(read: Read) -> None:
    plain = log(17, {"a": 1}, "  payment failed\nat once", traceId=TRACE)
    event = read(Signal.LOG, parts(Signal.LOG, log(9, {}, "hello"), plain)).event
    assert event
    assert (event.title, event.kind, event.event_id, event.culprit) == ("payment failed", None, TRACE, None)
    silent = read(Signal.LOG, parts(Signal.LOG, log(17, {}))).event
    assert silent
    assert (silent.title, silent.event_id) == ("An error without a message", None)


@BOTH
def test_an_exception_says_more_than_a_log_before_it(read: Read) -> None:
    found = read(Signal.LOG, parts(Signal.LOG, log(17, {}, "payment failed"), log(17, THROWN, "oops")))
    assert found.event
    assert found.event.title == "shop.CartError: no items"


@BOTH
@pytest.mark.parametrize("ids", [{"traceId": "0" * 32}, {"traceId": ""}, {"spanId": "00"}, {"spanId": "0" * 16}])
def test_spans_without_a_valid_id_are_rejected(read: Read, ids: dict[str, str]) -> None:
    found = read(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(THROWN, **ids), span(), span(THROWN, **ids)))
    assert (found.taken, found.rejected, found.event) == (1, 2, None)


@pytest.mark.parametrize("ids", [{"traceId": "W47/95gDgQPSabYzgT/GDA=="}, {"traceId": "g" * 32}, {"spanId": TRACE}])
def test_ids_that_are_not_in_hexadecimal(ids: dict[str, str]) -> None:
    assert by_json(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(THROWN, **ids))).rejected == 1


@BOTH
def test_the_id_of_an_error_is_its_traces(read: Read) -> None:
    found = read(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(THROWN, traceId=TRACE.upper())))
    assert found.event
    assert found.event.event_id == TRACE


def test_what_is_observed() -> None:
    new = "a" * 32
    whole = observe_otlp(by_json(Signal.LOG, parts(Signal.LOG, log(17, {}, "oops"))), Signal.LOG, new)
    assert (set(whole.signals), whole.event_id) == ({Signal.LOG, Signal.ERROR}, new)
    some = parts(Signal.TRANSACTION, span(traceId="1"), span(THROWN))
    partly = observe_otlp(by_json(Signal.TRANSACTION, some), Signal.TRANSACTION, new)
    assert (set(partly.signals), partly.event_id) == ({Signal.TRANSACTION, Signal.ERROR}, TRACE)
    assert partly.problems["bad_request"]["detail"].startswith("1 spans have no valid id.")
    none = by_json(Signal.TRANSACTION, parts(Signal.TRANSACTION, span(traceId="1")))
    assert observe_otlp(none, Signal.TRANSACTION, new).signals == frozenset()
    assert observe_otlp(by_json(Signal.TRANSACTION, {"resourceSpans": []}), Signal.TRANSACTION, new).signals == {
        Signal.TRANSACTION
    }
    assert observe_drain(b' [\n{ "id": 1}]').signals == observe_drain(b'{"id":1}\n{"id":2}').signals == {Signal.LOG}


@pytest.mark.parametrize(
    ("client", "told", "expected"),
    [
        (Sdk("OpenTelemetry Collector Contrib", "0.135.0"), {}, Sdk("opentelemetry.collector", "0.135.0")),
        (
            Sdk("OpenTelemetry Collector", None),
            {"telemetry.sdk.name": "opentelemetry"},
            Sdk("opentelemetry.collector", None),
        ),
        (Sdk("OpenTelemetry Collector", "1"), {"telemetry.sdk.language": "go"}, Sdk("opentelemetry.go", None)),
        (Sdk("OTel-OTLP-Exporter-Python", "1.45.2"), {}, Sdk("opentelemetry", None)),
        (None, {}, Sdk("opentelemetry", None)),
    ],
)
def test_a_collector_is_named_where_no_sdk_is(client: Sdk | None, told: dict[str, str], expected: Sdk) -> None:
    export = parse_otlp(protobuf(Signal.LOG, told), PROTOBUF, Signal.LOG)
    assert observe_otlp(export, Signal.LOG, "a" * 32, client).payload_sdk == expected
