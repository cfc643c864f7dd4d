"""What the worst request costs, in steps and not in time: bytes read the slow way, and calls of functions.

Each row was an attack: a small body, packed smaller still, that held the event loop for seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from server.core.model.errors import Refusal
from server.core.model.signals import Signal
from server.core.wire.body import Body, inflate_store_body
from server.core.wire.budget import SLOW_BYTES, Budget
from server.core.wire.envelope import MAX_ITEMS, parse_envelope
from server.core.wire.heartbeat import MAX_HEARTBEAT_BYTES, parse_heartbeat
from server.core.wire.observation import MAX_DROPPED, MAX_QUANTITY, observe_envelope, observe_security, observe_store
from server.core.wire.otlp import MAX_OTLP_BYTES, parse_otlp

MIB = 1024 * 1024
CALLS = 70_000
"""Calls that one request may cost at the most, some 10 ms: 1,000 items of up to 66 calls each."""
EVENT_CALLS = 100_000
"""And where it holds an event that is read the slow way: one may be a number for every few bytes of it."""


class Cost:
    """What one call cost: calls of functions, in Python or C, and bytes that were read the slow way."""

    def __init__(self, read: Callable[[bytes, Budget], object], body: bytes) -> None:
        self.calls = 0
        budget = Budget()
        sys.setprofile(self._count)
        try:
            read(body, budget)
        except Refusal:
            pass
        finally:
            sys.setprofile(None)
        self.slow = budget.spent

    def _count(self, _frame: Any, event: str, _arg: Any) -> None:
        self.calls += event in ("call", "c_call")


def envelope(body: bytes, budget: Budget) -> object:
    return observe_envelope(parse_envelope(body, budget), "a" * 32, None, budget)


def store(body: bytes, budget: Budget) -> object:
    return observe_store(inflate_store_body(body, 20 * MIB), "a" * 32, None, budget)


def traces(body: bytes, budget: Budget) -> object:
    return parse_otlp(body, "application/json", Signal.TRANSACTION, budget)


def logs(body: bytes, budget: Budget) -> object:
    return parse_otlp(body, "application/json", Signal.LOG, budget)


def spans(body: bytes, budget: Budget) -> object:
    return parse_otlp(body, "application/x-protobuf", Signal.TRANSACTION, budget)


def field(data: bytes, number: int = 1) -> bytes:
    size = bytes(
        [len(data) & 0x7F | 0x80, len(data) >> 7 & 0x7F | 0x80, len(data) >> 14 & 0x7F | 0x80, len(data) >> 21]
    )
    return bytes([number << 3 | 2]) + size + data


def security(body: bytes, _: Budget) -> object:
    return observe_security(body)


def inflated(body: bytes, _: Budget) -> object:
    packed = Body("gzip", 20 * MIB)
    packed.feed(body)
    return packed.bytes()


def items(header: bytes, payload: bytes, count: int) -> bytes:
    return b"{}\n" + (header + b"\n" + payload + b"\n") * count


BEAT = b'{"type":"heartbeat","x":[%s]}'
WORST: dict[str, tuple[Callable[[bytes, Budget], object], bytes]] = {
    "item headers over two lines": (envelope, items(b'{"type":\n"x"}', b"", 980)),
    "long item headers over two lines": (envelope, items(b'{"type":\n"x","y":"%s"}' % (b"y" * 20_000), b"", 980)),
    "item headers with half a pair": (envelope, items(b'{"type":"x","y":"\\ud800"}', b"", MAX_ITEMS)),
    "item headers full of lists": (envelope, items(b'{"type":"x","y":[%s[]]}' % (b"[]," * 6000), b"", MAX_ITEMS)),
    "a header that never ends": (envelope, b'{"a":' * 200_000),
    "a header of lines": (envelope, b'{"a":[' + b"1,\n" * 5 * MIB),
    "white space": (envelope, b"\n" * 20 * MIB),
    "white space between items": (envelope, b"{}\n" + (b" " * 4000 + b'{"type":"x"}\n\n') * MAX_ITEMS),
    "more white space between items": (envelope, b"{}\n" + b" " * 20 * MIB),
    "heartbeats with NaN": (envelope, items(b'{"type":"heartbeat"}', BEAT % (b"NaN," * 16_000 + b"1"), 300)),
    "heartbeats with small NaN": (envelope, items(b'{"type":"heartbeat"}', BEAT % b"NaN", 300)),
    "a few heartbeats with NaN": (envelope, items(b'{"type":"heartbeat"}', BEAT % (b"NaN," * 16_000 + b"1"), 20)),
    "client reports with NaN": (envelope, items(b'{"type":"client_report"}', b"[" + b"NaN," * 20_000 + b"1]", 200)),
    "client reports of many lines": (
        envelope,
        items(
            b'{"type":"client_report"}',
            b'{"discarded_events":[%s{}]}' % (b'{"reason":"a","category":"error","quantity":1},' * 2000),
            200,
        ),
    ),
    "containers with NaN": (envelope, items(b'{"type":"log"}', b'{"items":[%s1]}' % (b"NaN," * 20_000), 300)),
    "containers of items": (envelope, items(b'{"type":"span"}', b'{"items":[%s{}]}' % (b"{}," * 30_000), 200)),
    "sessions with NaN": (envelope, items(b'{"type":"session"}', b'{"attrs":[%s1]}' % (b"NaN," * 20_000), 100)),
    "crash attachments": (envelope, items(b'{"type":"attachment","attachment_type":"event.minidump"}', b"", 1000)),
    "an event of NaN": (store, b'{"exception":[' + b"NaN," * 32_000 + b"1]}"),
    "an event of half pairs": (store, b'{"message":"' + b"\\ud800" * 20_000 + b'","tags":["\\udfff"]}'),
    "an event with half a pair in each field": (
        store,
        b"{"
        + b",".join(
            b'"%s":"%s"' % (name, b"\\ud800" * 2_000)
            for name in (b"event_id", b"type", b"level", b"message", b"platform", b"release", b"transaction", b"sdk")
        )
        + b"}",
    ),
    "an event of numbers": (store, b'{"exception":[' + b"9" * 5000 + b",NaN," + b"1e9," * 30_000 + b"1]}"),
    "an event of frames": (
        store,
        b'{"exception":[{"stacktrace":{"frames":[%s{}]}}]}' % (b'{"in_app":true,"function":"f"},' * 30_000),
    ),
    "an event of exceptions": (store, b'{"exception":[%s{"type":"E"}]}' % (b'{"type":"E"},' * 75_000)),
    "nesting": (store, b'{"exception":' + b"[" * 900_000),
    "a heartbeat of NaN": (lambda body, budget: parse_heartbeat(body, budget), BEAT % (b"NaN," * 16_000 + b"1")),
    "an export of lists": (traces, b'{"resourceSpans":[%s{}]}' % (b"{}," * 1_390_000)),
    "a resource of lists": (traces, b'{"resourceSpans":[{"resource":{"attributes":[%s[]]}}]}' % (b"[]," * 1_300_000)),
    "an export of NaN": (traces, b'{"resourceSpans":[%s1]}' % (b"NaN," * 1_000_000)),
    "an export of parts": (spans, b"\x0a\0" * 2 * MIB),
    "an export of scopes": (spans, field(b"\x12\0" * (2 * MIB - 9))),
    "an export of spans": (spans, field(field(b"\x12\0" * (2 * MIB - 99), 2))),
    "an export of valid spans": (
        spans,
        field(field((b"\x12\x1c\x0a\x10" + b"1" * 16 + b"\x12\x08" + b"1" * 8) * 130_000, 2)),
    ),
    "a span of events": (
        spans,
        field(field(field(b"\x0a\x10" + b"1" * 16 + b"\x12\x08" + b"1" * 8 + b"\x5a\0" * 2_000_000, 2), 2)),
    ),
    "logs of attributes": (
        logs,
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[%s{}]}]}]}' % (b'{"attributes":[{},{},{},{}]},' * 29_000),
    ),
    "a stack of frames": (
        logs,
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"exception.type"},'
        b'{"key":"exception.stacktrace","value":{"stringValue":"%s"}}]}]}]}]}' % (b"\\n at f (a.js:1:1)" * 180_000),
    ),
    "a report of lists": (security, b"[%s[]]" % (b"[]," * 340_000)),
}


@pytest.mark.parametrize("name", WORST)
def test_no_request_costs_more(name: str) -> None:
    read, body = WORST[name]
    assert len(body) <= 25 * MIB
    cost = Cost(read, body)
    assert cost.slow <= SLOW_BYTES
    assert cost.calls <= (EVENT_CALLS if read is store else CALLS), cost.calls


GROWING: dict[str, tuple[Callable[[bytes, Budget], object], Callable[[int], bytes]]] = {
    "items": (envelope, lambda n: items(b'{"type":"x"}', b"payload", n)),
    "items over two lines": (envelope, lambda n: items(b'{"type":\n"x"}', b"payload", n)),
    "heartbeats": (envelope, lambda n: items(b'{"type":"heartbeat"}', BEAT % b"NaN", n // 50)),
    "frames": (store, lambda n: b'{"exception":[{"stacktrace":{"frames":[%s{}]}}]}' % (b'{"function":"f"},' * n)),
    "lines of a header": (envelope, lambda n: b'{"a":[' + b"1,\n" * n + b"1]}\n"),
}


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_bytes_cost_at_most_twice_the_steps(name: str) -> None:
    read, make = GROWING[name]
    once, twice = Cost(read, make(400)), Cost(read, make(800))
    assert once.calls > 10
    assert twice.calls <= 2 * once.calls + 50
    assert twice.slow <= 3 * once.slow + 512  # windows double


def test_many_members_are_bounded() -> None:
    import gzip

    cost = Cost(inflated, gzip.compress(b"") * 100_000)
    assert cost.calls <= 2_000


def test_the_budget_is_one_for_all_parts() -> None:
    """What one part of a request took is not there for the next."""
    budget = Budget(1000)
    assert budget.allows(600)
    assert not budget.allows(600)
    assert budget.allows(400)
    assert budget.spent == 1000


def test_an_event_beyond_the_budget_is_refused_with_words() -> None:
    body = b'{"message":"boom","x":NaN,"y":"%s"}' % (b"y" * SLOW_BYTES)
    with pytest.raises(Refusal, match="The event is not strict JSON, and too large to be repaired"):
        observe_store(body, "a" * 32)
    strict = body.replace(b"NaN", b"1")
    assert observe_store(strict, "a" * 32).event


def test_drops_are_bounded_per_request() -> None:
    """However many reports and lines: the counters of one request are a hundred at most."""
    line = b'{"reason":"r%d","category":"error","quantity":1}'
    report = b'{"discarded_events":[' + b",".join(line % number for number in range(90)) + b"]}"
    found = observe_envelope(parse_envelope(items(b'{"type":"client_report"}', report, 9)), "a" * 32)
    assert len(found.dropped) == MAX_DROPPED
    many = b'{"discarded_events":[{"reason":"r","category":"error","quantity":%d}]}' % 10**18
    found = observe_envelope(parse_envelope(items(b'{"type":"client_report"}', many, 1)), "a" * 32)
    assert [drop.quantity for drop in found.dropped] == [MAX_QUANTITY]


def test_a_number_of_4200_digits_is_no_time() -> None:
    for digits in (16, 300, 4200):
        found = observe_envelope(parse_envelope(b'{"sent_at":' + b"9" * digits + b"}"), "a" * 32)
        assert found.sent_at is None
    assert observe_envelope(parse_envelope(b'{"sent_at":1700000000}'), "a" * 32).sent_at == 1_700_000_000_000


@pytest.mark.parametrize("value", ["[]", "{}", "1", "true", "null", '[["event.minidump"]]'])
def test_an_attachment_type_of_any_shape(value: str) -> None:
    body = b'{}\n{"type":"attachment","attachment_type":%s}\n' % value.encode()
    assert observe_envelope(parse_envelope(body), "a" * 32).event is None
    over_lines = body.replace(b'{"type"', b'{\n"type"')
    assert observe_envelope(parse_envelope(over_lines), "a" * 32).event is None


def test_a_crash_attachment_still_counts() -> None:
    body = b'{}\n{"type":"attachment","attachment_type":"event.minidump"}\n'
    assert observe_envelope(parse_envelope(body), "a" * 32).event


@pytest.mark.parametrize("depth", [10, 500, 990, 1010])
def test_parameters_may_be_nested(depth: int) -> None:
    body = b'{"logentry":{"message":"a %%s","params":[%s1%s]}}' % (b"[" * depth, b"]" * depth)
    try:
        found = observe_store(body, "a" * 32).event
    except Refusal:
        return
    assert found
    assert found.title in ("a …", "An error without a message")


def test_a_heartbeat_has_its_size() -> None:
    with pytest.raises(Refusal, match="at most"):
        parse_heartbeat(b" " * (MAX_HEARTBEAT_BYTES + 1))
    assert MAX_OTLP_BYTES == 8 * MIB


@pytest.mark.parametrize(
    ("body", "is_beat"),
    [
        (b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}', True),
        (b'{"type":"heartbeat"}', True),
        (b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}\n{"type":"log"}\n{}', False),
        (b'{}\n{"type":"heartbeat"}\n{"type":"heartbeat"}\n{"type":"no such type"}\n{}', False),
        (b"{}", False),
    ],
)
def test_only_a_heartbeat_alone_is_one(body: bytes, is_beat: bool) -> None:
    """What is exempt from the project's limit must not carry anything else past it."""
    assert observe_envelope(parse_envelope(body), "a" * 32).is_beat is is_beat
