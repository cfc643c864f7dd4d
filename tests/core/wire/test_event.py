from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given

from server.core.model.errors import InvalidJSON
from server.core.model.signals import Signal
from server.core.wire.budget import Budget
from server.core.wire.event import (
    MAX_FRAMES,
    MAX_TEXT,
    Event,
    Frame,
    Sdk,
    parse_client,
    parse_event,
    parse_event_id,
    runtime_of,
    sdk_of,
)

from ...support.inputs import any_bytes

ID = "9ec79c33ec9942ab8353589fcb2e04dc"
CRASH = {"type": "ZeroDivisionError", "value": "division by zero"}

STACK = {"value": "hello", "stacktrace": {"frames": []}, "mechanism": {"type": "generic", "synthetic": True}}
"""How JavaScript's SDKs attach a stack to a message."""


def event(**fields: Any) -> Event:
    return parse_event(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "signal"),
    [
        ({}, Signal.ERROR),
        ({"level": None}, Signal.ERROR),
        ({"level": "error"}, Signal.ERROR),
        ({"level": "fatal"}, Signal.ERROR),
        ({"level": "FATAL"}, Signal.ERROR),
        ({"level": "critical"}, Signal.ERROR),
        ({"level": 40}, Signal.ERROR),
        ({"level": ["?"]}, Signal.ERROR),
        ({"level": "warning"}, Signal.MESSAGE),
        ({"level": "info", "message": "hello"}, Signal.MESSAGE),
        ({"level": "log"}, Signal.MESSAGE),
        ({"level": "debug"}, Signal.MESSAGE),
        ({"level": "notice"}, Signal.MESSAGE),
        ({"level": 30}, Signal.MESSAGE),
        ({"level": "info", "exception": {"values": [CRASH]}}, Signal.ERROR),
        ({"level": "info", "exception": [CRASH]}, Signal.ERROR),
        ({"level": "info", "exception": CRASH}, Signal.ERROR),
        ({"level": "info", "exception": {"values": [{"stacktrace": {}}]}}, Signal.ERROR),
        ({"level": "info", "exception": {"values": [STACK]}}, Signal.MESSAGE),
        ({"level": "error", "exception": {"values": [STACK]}}, Signal.ERROR),
        ({"exception": {"values": [STACK]}}, Signal.ERROR),
        ({"level": "info", "exception": {"values": [STACK, CRASH]}}, Signal.ERROR),
        ({"level": "info", "exception": {"values": [{**STACK, "type": "SIGSEGV"}]}}, Signal.ERROR),
        ({"level": "info", "exception": {"values": [{**STACK, "mechanism": {"synthetic": "yes"}}]}}, Signal.ERROR),
        ({"level": "info", "exception": {"values": []}}, Signal.MESSAGE),
        ({"level": "info", "exception": {"values": [None, 1]}}, Signal.MESSAGE),
        ({"level": "info", "exception": "?"}, Signal.MESSAGE),
        ({"type": "transaction", "level": "error"}, Signal.TRANSACTION),
        ({"type": "feedback"}, Signal.FEEDBACK),
        ({"type": "csp"}, Signal.CSP_REPORT),
        ({"type": "error"}, Signal.ERROR),
        ({"type": "default"}, Signal.ERROR),
    ],
)
def test_signal(fields: dict[str, Any], signal: Signal) -> None:
    assert event(**fields).signal is signal


@pytest.mark.parametrize(
    ("tags", "is_sample"),
    [
        ({"sample_event": "yes"}, True),
        ([["a", "b"], ["sample_event", "yes"]], True),
        ({"sample_event": "no"}, False),
        ({"sample_event": True}, False),
        ([["sample_event"]], False),
        ("sample_event", False),
        (None, False),
    ],
)
def test_sample(tags: Any, is_sample: bool) -> None:
    assert event(tags=tags).is_sample is is_sample


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"exception": {"values": [CRASH]}}, "ZeroDivisionError: division by zero"),
        (
            {"exception": {"values": [{"type": "KeyError", "value": "'a'"}, CRASH]}},
            "ZeroDivisionError: division by zero",
        ),
        ({"exception": {"values": [{"type": "E", "value": "first\nsecond"}]}}, "E: first"),
        ({"exception": {"values": [{"type": "E", "value": None}]}}, "E"),
        ({"exception": {"values": [{"value": "only"}]}}, "only"),
        ({"exception": {"values": [{"type": 1, "value": [2]}]}, "message": "m"}, "m"),
        ({"logentry": {"formatted": "done", "message": "%s"}}, "done"),
        ({"logentry": {"message": "hello %s, %s", "params": ["a", 1]}}, "hello a, 1"),
        ({"logentry": {"message": "%9999999999s", "params": ["a"]}}, "%9999999999s"),
        ({"message": "plain\nmore"}, "plain"),
        ({"message": {"message": "old %s", "params": ["x"]}}, "old x"),
        ({}, "An error without a message"),
        ({"message": ["?"]}, "An error without a message"),
    ],
)
def test_title(fields: dict[str, Any], title: str) -> None:
    assert event(**fields).title == title


def test_the_fields_of_an_event() -> None:
    frames = [
        {"function": "main", "filename": "app.py", "lineno": 1, "in_app": True, "context_line": "  total()  "},
        {"function": "lib", "filename": "lib.py", "lineno": 2, "in_app": False},
        {"function": "total", "module": "shop.cart", "abs_path": "/srv/cart.py", "lineno": 42, "in_app": True},
    ]
    found = event(
        event_id=ID.upper(),
        level="Fatal",
        platform="python",
        release="shop@1",
        environment="production",
        transaction="/cart",
        sdk={"name": "sentry.python.flask", "version": "2.75.0", "packages": []},
        contexts={"runtime": {"name": "CPython", "version": "3.12.1"}},
        exception={"values": [{**CRASH, "mechanism": {"handled": False}, "stacktrace": {"frames": frames}}]},
    )
    assert found.event_id == ID
    assert (found.level, found.platform, found.handled) == ("fatal", "python", False)
    assert found.culprit == "shop.cart in total"
    assert found.frames == (
        Frame("total", "/srv/cart.py", 42, True, None),
        Frame("main", "app.py", 1, True, "total()"),
    )
    assert found.sdk == Sdk("sentry.python.flask", "2.75.0")
    assert (found.app.release, found.app.environment, found.app.runtime) == ("shop@1", "production", "CPython 3.12.1")


def test_frames_without_own_code_are_shown_as_they_are() -> None:
    found = event(exception=[{"stacktrace": {"frames": [{"function": str(n)} for n in range(20)]}}])
    assert [frame.function for frame in found.frames] == ["19", "18", "17", "16", "15"]
    assert len(found.frames) == MAX_FRAMES


@pytest.mark.parametrize("lineno", [True, -1, 2**31, "1", 1.5, None])
def test_a_strange_line_number_is_left_out(lineno: Any) -> None:
    found = event(exception=[{"type": "E", "stacktrace": {"frames": [{"function": "f", "lineno": lineno}]}}])
    assert found.frames[0].lineno is None


def test_fields_of_strange_types_are_passed_over() -> None:
    strange: list[Any] = [
        None,
        True,
        1,
        -1.5,
        "",
        "x",
        [],
        [1],
        [None],
        {},
        {"values": 1},
        {"values": [1, {}]},
        {"a": {"b": []}},
    ]
    names = "event_id type level exception message logentry platform release environment transaction tags sdk contexts"
    for name in names.split():
        for value in strange:
            assert event(**{name: value}).title
    inner = ["type", "value", "stacktrace", "mechanism"]
    for name in inner:
        for value in strange:
            assert event(exception=[{"type": "E", name: value}]).title
    for value in strange:
        assert event(exception=[{"stacktrace": {"frames": [value, {"function": value, "in_app": value}]}}]).title


def test_texts_are_cut() -> None:
    long = "x" * 10_000
    found = event(
        exception=[{"type": long, "value": long, "stacktrace": {"frames": [{"function": long, "context_line": long}]}}],
        release=long,
        platform=long,
        sdk={"name": long, "version": long},
    )
    texts = [found.title, found.culprit, found.platform, found.app.release, found.frames[0].context_line]
    assert found.sdk is not None
    texts += [found.sdk.name, found.sdk.version]
    assert all(text and len(text) <= MAX_TEXT for text in texts)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"1", b'"x"', b"{", b"{}{}", b"\xff", b"nonsense", b"[" * 100_000]
)
def test_no_object(body: bytes) -> None:
    with pytest.raises(InvalidJSON, match="The event"):
        parse_event(body)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b'{"message":"a\\ud83d"}', "a?"),  # half a pair
        (b'{"message":"a\xff"}', "a\ufffd"),
        (b'{"message":"a","extra":NaN}', "a"),
        (b'{"message":"a","extra":[Infinity,-Infinity,1e999]}', "a"),
        (b'{"message":"a","extra":' + b"9" * 5000 + b"}", "a"),
        (b'{"message":"a\\u0000b"}', "a\x00b"),
        (b'{"logentry":{"message":"%s","params":[' + b"9" * 5000 + b"]}}", "None"),
    ],
)
def test_what_is_not_quite_json_is_read_all_the_same(body: bytes, title: str) -> None:
    assert parse_event(body).title == title


def test_nesting_beyond_all_sense_is_refused() -> None:
    def nested(depth: int) -> bytes:
        return b'{"message":"a","extra":' + b"[" * depth + b"]" * depth + b"}"

    assert parse_event(nested(200)).title == "a"
    with pytest.raises(InvalidJSON, match="nested too deeply"):
        parse_event(nested(5000))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (ID, ID),
        (ID.upper(), ID),
        ("9ec79c33-ec99-42ab-8353-589fcb2e04dc", ID),
        (ID[:-1], None),
        (ID + "0", None),
        (ID[:-1] + "g", None),
        ("-" * 40, None),
        ("x" * 10_000, None),
        (1, None),
        (None, None),
    ],
)
def test_event_id(value: Any, found: str | None) -> None:
    assert parse_event_id(value) == found


CRASH_OF_A_REQUEST = [{"type": "E", "mechanism": {"type": "flask", "handled": False}}]
CAUGHT_BY_CELERY = [{"type": "E", "mechanism": {"type": "celery", "handled": False}}]


@pytest.mark.parametrize(
    ("name", "integrations", "exceptions", "told"),
    [
        ("sentry.python", ["celery", "dedupe"], [], "sentry.python.celery"),
        ("sentry.python", ["dedupe"], [], "sentry.python"),
        ("sentry.python", [], CAUGHT_BY_CELERY, "sentry.python.celery"),
        ("sentry.python.flask", ["celery", "flask"], CAUGHT_BY_CELERY, "sentry.python.celery"),
        ("sentry.python.flask", ["celery", "flask"], CRASH_OF_A_REQUEST, "sentry.python.flask"),
        ("sentry.ruby", ["celery"], CAUGHT_BY_CELERY, "sentry.ruby"),
    ],
)
def test_celery_is_named(name: str, integrations: list[str], exceptions: Any, told: str) -> None:
    sdk = {"name": name, "version": "2.75.0", "integrations": integrations}
    assert event(sdk=sdk, exception=exceptions).sdk == Sdk(told, "2.75.0")


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("v20.20.2", "20.20.2"),
        ("20.20.2", "20.20.2"),
        ("go1.22.1", "1.22.1"),
        ("ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]", "3.1.2"),
        ("3.14.0rc2", "3.14.0rc2"),
        ("17", "17"),
        ("nightly", "nightly"),
    ],
)
def test_a_runtime_has_one_spelling(version: str, told: str) -> None:
    assert runtime_of({"name": "it", "version": version}) == f"it {told}"


def test_a_runtime_without_a_version_is_a_name() -> None:
    assert runtime_of({"name": "node"}) == runtime_of({"name": "node", "version": " "}) == "node"
    assert runtime_of({"version": "1"}) is None


def test_sdk() -> None:
    assert sdk_of({"name": "a", "version": "1"}) == Sdk("a", "1")
    assert sdk_of({"name": "a", "version": 1}) == Sdk("a", None)
    nothing: list[Any] = [None, {}, {"name": ""}, {"name": 1}, [], "a"]
    assert all(sdk_of(value) is None for value in nothing)
    assert parse_client("sentry.python/2.75.0") == Sdk("sentry.python", "2.75.0")
    assert parse_client("raven-python/6.10.0 (x)") == Sdk("raven-python", "6.10.0")
    assert parse_client("plain") == Sdk("plain", None)
    assert parse_client("") is parse_client(None) is parse_client("/1") is None


@given(
    any_bytes(
        b"{}",
        b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","level":"error","tags":{"sample_event":"yes"},"release":"a"}',
        b'{"exception":{"values":[{"type":"E","value":"v","mechanism":{"handled":false},"stacktrace":{"frames":'
        b'[{"function":"f","lineno":1,"in_app":true}]}}]},"sdk":{"name":"a","version":"1"}}',
        b'{"logentry":{"message":"%s","params":[1]},"contexts":{"runtime":{"name":"a","version":"1"}}}',
    )
)
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    try:
        found = parse_event(body)
    except InvalidJSON as error:
        str(error).encode()
    else:
        assert len(msgspec.json.encode(found)) < 20_000


def test_a_field_that_may_not_be_mended_is_passed_over() -> None:
    body = b'{"sdk":{"name":"a","version":1e999},"release":"shop@1"}'
    assert parse_event(body).sdk == Sdk("a", None)
    found = parse_event(body, Budget(0))
    assert (found.sdk, found.app.release) == (None, "shop@1")


def test_however_deep_a_field_is_the_rest_is_read_or_all_refused() -> None:
    """Just before the depth at which nothing can be read, the skeleton can, and the field cannot."""
    read = []
    for depth in range(500, 1000):
        with suppress(InvalidJSON):
            found = parse_event(b'{"sdk":%s%s,"release":"shop@1"}' % (b"[" * depth + b"1e999", b"]" * depth))
            read.append((found.sdk, found.app.release))
    assert set(read) == {(None, "shop@1")}
