"""The grammar, rule by rule: what passes, and for what does not, which error stands where."""

from __future__ import annotations

import pytest
from hypothesis import given

from server.core.model.errors import MalformedEnvelope, Refusal, TooLarge
from server.core.wire.envelope import (
    MAX_CLIENT_REPORT_BYTES,
    MAX_EVENT_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEARTBEATS,
    MAX_ITEMS,
    MAX_SESSIONS,
    Envelope,
    parse_envelope,
)

from ...support.inputs import any_bytes

VALID = (
    b"{}",
    b'{"dsn":"http://0123456789abcdef0123456789abcdef@h/42"}\n{"type":"heartbeat"}\n{"type":"heartbeat"}',
    b'{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}\n{"type":"event","length":2}\n{}\n{"type":"a","length":0}\n\n',
    b'{\n "sdk": {\n  "name": "x"}\n}\n{"type":"session","length":null}\n{}\n',
)


def items(body: bytes) -> list[tuple[str, bytes]]:
    return [(item.type, bytes(item.payload)) for item in parse_envelope(body).items]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", []),
        (b"{}\n", []),
        (b"\n\n \t{}\n", []),  # blank lines before the header
        (b'{}\n{"type":"x"}', [("x", b"")]),
        (b'{}\n{"type":"x"}\n', [("x", b"")]),
        (b'{}\n{"type":"x"}\n\n', [("x", b"")]),
        (b'{}\n{"type":"x"}\nab', [("x", b"ab")]),
        (b'{}\n{"type":"x"}\nab\n', [("x", b"ab")]),
        (b'{}\n{"type":"x"}\nab\n{"type":"y"}\ncd', [("x", b"ab"), ("y", b"cd")]),
        (b'{}\n{"type":"x"}\nab\n\n \n{"type":"y"}\ncd', [("x", b"ab"), ("y", b"cd")]),  # and between items
        (b'{}\n{"type":"x","length":null}\nab\n', [("x", b"ab")]),
        (b'{}\n{"type":"x","length":0}', [("x", b"")]),
        (b'{}\n{"type":"x","length":0}\n', [("x", b"")]),
        (b'{}\n{"type":"x","length":0}\n\n', [("x", b"")]),
        (b'{}\n{"type":"x","length":2}\nab', [("x", b"ab")]),
        (b'{}\n{"type":"x","length":2}\nab\n', [("x", b"ab")]),
        (b'{}\n{"type":"x","length":4}\na\n\nb\n', [("x", b"a\n\nb")]),
        (b'{}\n{"type":"x","length":3}\n\x00\xff\n\n', [("x", b"\x00\xff\n")]),
        (b'{"a":\n{"b":1}\n}\n{\n"type":"x"}\nab', [("x", b"ab")]),  # an object may span lines
        (b'{"x":"\\ud800"}\n{"type":"x","y":"\xff"}\nab', [("x", b"ab")]),  # half a pair, not UTF-8
        (b'{"unknown":[1,{}]}\n{"type":"no such type","more":true}\nab', [("no such type", b"ab")]),
        (b'{}\n{"type":""}\nab', [("", b"ab")]),
    ],
)
def test_what_passes(body: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert items(body) == expected


@pytest.mark.parametrize(
    ("body", "offset", "line", "reason"),
    [
        (b"", 0, "", "it is empty"),
        (b" \n\t\n", 0, " ", "it is empty"),
        (b"no json", 0, "no json", "the envelope header is not a JSON object"),
        (b"[]\n", 0, "[]", "the envelope header is not a JSON object"),
        (b'"x"\n', 0, '"x"', "the envelope header is not a JSON object"),
        (b"null", 0, "null", "the envelope header is not a JSON object"),
        (b"\n {", 2, "{", "the envelope header is not a JSON object"),
        (b'{"a":1', 0, '{"a":1', "the envelope header is not a JSON object"),  # cut off
        (b'{"a":NaN}', 0, '{"a":NaN}', "the envelope header is not a JSON object"),
        (b"{}\r\n", 2, "\ufffd", "there is a carriage return between the envelope header and its newline"),
        (b"{} \n", 2, " ", "there is something between the envelope header and its newline"),
        (b"{}{}\n", 2, "{}", "there is something between the envelope header and its newline"),
        (b"{}\n\n", 3, "", "an item header is missing (a second newline at the end?)"),
        (b'{}\n{"type":"x"}\nab\n\n', 19, "", "an item header is missing (a second newline at the end?)"),
        (b'{}\n{"type":"x","length":2}\nab\n\n', 30, "", "an item header is missing (a second newline at the end?)"),
        (b"{}\nno json\n", 3, "no json", "an item header is not a JSON object"),
        (b"{}\n[]\n", 3, "[]", "an item header is not a JSON object"),
        (b'{}\n{"type":"x"', 3, '{"type":"x"', "an item header is not a JSON object"),
        (b'{}\n{"type":"x"}\r\nab', 15, "\ufffd", "there is a carriage return between an item header and its newline"),
        (b'{}\n{"length":1}\na', 3, '{"length":1}', "an item header has no type, or one that is not a string"),
        (b'{}\n{"type":1}\na', 3, '{"type":1}', "an item header has no type, or one that is not a string"),
        (b'{}\n{"type":null}\na', 3, '{"type":null}', "an item header has no type, or one that is not a string"),
        (
            b'{}\n{"type":"x","length":3}\nab',
            3,
            '{"type":"x","length":3}',
            "an item's length is 3, but only 2 bytes follow",
        ),
        (
            b'{}\n{"type":"x","length":1}',
            3,
            '{"type":"x","length":1}',
            "an item's length is 1, but only 0 bytes follow",
        ),
        (b'{}\n{"type":"x","length":1}\nab\n', 28, "b", "an item's length is 1, but its payload goes on after that"),
        (
            b'{}\n{"type":"x","length":1}\na\r\n',
            28,
            "\ufffd",
            "an item's length is 1, but its payload goes on after that",
        ),
    ],
)
def test_what_is_refused(body: bytes, offset: int, line: str, reason: str) -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        parse_envelope(body)
    error = caught.value
    assert (error.offset, error.line, error.reason) == (offset, line, reason)
    assert str(error) == f"The envelope is damaged at byte {offset}: {reason}."
    assert {"offset": str(offset), "reason": reason, "line": line}.items() <= error.evidence.items()


@pytest.mark.parametrize("length", ['"3"', "3.0", "true", "false", "-1", "[]", "{}", "1e2", '""'])
def test_length_must_be_a_whole_number(length: str) -> None:
    body = b'{}\n{"type":"x","length":' + length.encode() + b"}\nabc\n"
    with pytest.raises(MalformedEnvelope, match="an item's length must be a whole number") as caught:
        parse_envelope(body)
    assert caught.value.offset == 3


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_a_length_of_many_digits_is_refused(digits: int) -> None:
    with pytest.raises(MalformedEnvelope):
        parse_envelope(b'{}\n{"type":"x","length":' + b"9" * digits + b"}\nabc\n")


def test_the_line_is_short_and_printable() -> None:
    with pytest.raises(MalformedEnvelope) as caught:
        parse_envelope(b"\x00\x1b[31m\xff" + b"x" * 200 + b"\nsecret")
    assert caught.value.line == "\ufffd\ufffd[31m\ufffd" + "x" * 73


def test_a_header_has_a_limit() -> None:
    assert parse_envelope(b'{"a":"' + b"x" * (MAX_HEADER_BYTES - 8) + b'"}').headers
    with pytest.raises(MalformedEnvelope, match="not a JSON object"):
        parse_envelope(b'{"a":"' + b"x" * MAX_HEADER_BYTES + b'"}')


def test_no_half_pair_gets_past_a_header() -> None:
    envelope = parse_envelope(b'{"a":"\\ud800b","\\udfff":1}\n{"type":"\xed\xa0\x80"}\n')
    str(envelope.headers).encode()
    envelope.items[0].type.encode()


def test_items_have_a_limit() -> None:
    item = b'{"type":"x"}\n\n'
    assert len(parse_envelope(b"{}\n" + item * MAX_ITEMS).items) == MAX_ITEMS
    with pytest.raises(TooLarge, match="at most 1000 items"):
        parse_envelope(b"{}\n" + item * (MAX_ITEMS + 1))


def test_one_event_per_envelope() -> None:
    with pytest.raises(MalformedEnvelope, match="more than one event"):
        parse_envelope(b'{}\n{"type":"event"}\n{}\n{"type":"event"}\n{}')
    with pytest.raises(MalformedEnvelope, match="more than one event"):
        parse_envelope(b'{}\n{"type":"event"}\n{}\n{"type":"transaction"}\n{}')


def test_nothing_is_read_behind_too_many_heartbeats() -> None:
    """Each costs as much as the one before; and whatever follows, this is refused."""
    beats = b"{}\n" + b'{"type":"heartbeat"}\n{"type":"heartbeat"}\n' * MAX_HEARTBEATS
    assert len(parse_envelope(beats).items) == MAX_HEARTBEATS
    with pytest.raises(MalformedEnvelope):
        parse_envelope(beats + b"damage")
    with pytest.raises(TooLarge, match="at most 20 heartbeats"):
        parse_envelope(beats + b'{"type":"heartbeat"}\n{"type":"heartbeat"}\ndamage')


def test_sessions_have_a_limit() -> None:
    item = b'{"type":"session"}\n{}\n'
    assert parse_envelope(b"{}\n" + item * MAX_SESSIONS)
    with pytest.raises(TooLarge, match="at most 100 sessions"):
        parse_envelope(b"{}\n" + item * MAX_SESSIONS + b'{"type":"sessions"}\n{}')


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("event", MAX_EVENT_BYTES),
        ("transaction", MAX_EVENT_BYTES),
        ("security", MAX_EVENT_BYTES),
        ("client_report", MAX_CLIENT_REPORT_BYTES),
    ],
)
def test_an_item_has_a_limit(kind: str, limit: int) -> None:
    head = b'{}\n{"type":"%s"}\n' % kind.encode()
    assert parse_envelope(head + b"x" * limit)
    with pytest.raises(TooLarge, match=f"has {limit + 1} bytes; at most {limit}"):
        parse_envelope(head + b"x" * (limit + 1))


def test_payloads_are_not_copied() -> None:
    body = b'{}\n{"type":"attachment"}\n' + b"x" * 1000
    assert parse_envelope(body).items[0].payload.obj is body


@given(any_bytes(*VALID))
def test_any_bytes_are_an_envelope_or_refused(body: bytes) -> None:
    found: Envelope | Refusal
    try:
        found = parse_envelope(body)
    except Refusal as error:
        found = error
    if isinstance(found, Refusal):
        str(found).encode()
        if isinstance(found, MalformedEnvelope):
            assert 0 <= found.offset <= len(body)
            assert len(found.line) <= 80
        return
    assert len(found.items) <= MAX_ITEMS
    str(found.headers).encode()
    for item in found.items:
        item.type.encode()
        assert len(item.payload) <= len(body)


def test_an_attachment_type_that_is_too_long_is_none() -> None:
    body = b'{}\n{"type":"attachment","attachment_type":"%s"}\nx' % (b"a" * 65)
    (item,) = parse_envelope(body).items
    assert item.attachment_type is None
