"""The protocol of a WebSocket, case by case, in the manner of the Autobahn suite: whole, and cut at every byte.

The same for whoever is at the other end: an application or the hub behind the server's own protocol, and an
application behind uvicorn's, which stands for every other server.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from server.core.model.close_codes import MAX_REASON
from server.limits import Limits, SocketLimits
from server.run.websocket_frames import close_frame_of

from ..support.memory import Link
from ..support.watchers import Talking, Watched
from .corpus import HANDSHAKE, frames_of, masked

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MANY = Limits(socket=SocketLimits(messages=100, frames=1_000_000, burst_bytes=1 << 30))
"""What is said is judged here, not how much."""

WAYS: dict[str, tuple[type[Any], bool]] = {
    "an application": (Talking, False),
    "the hub": (Watched, False),
    "an application on another server": (Talking, True),
}


def closing(code: int, reason: bytes = b"") -> bytes:
    return masked(CLOSE, code.to_bytes(2, "big") + reason)


Case = tuple[bytes, list[bytes], int | None, list[Any]]
"""What comes; the pongs that answer it; the close code, 0 for one without, None where it stays open; what is heard."""

CASES: dict[str, Case] = {
    "empty text": (masked(TEXT, b""), [], None, [""]),
    "empty binary": (masked(BINARY, b""), [], None, [b""]),
    "text": (masked(TEXT, "Grüße".encode(), mask=b"\x37\xfa\x21\x3d"), [], None, ["Grüße"]),
    "text of 125": (masked(TEXT, b"x" * 125), [], None, ["x" * 125]),
    "text of 126": (masked(TEXT, b"x" * 126, mask=b"abcd"), [], None, ["x" * 126]),
    "the longest": (masked(BINARY, bytes(4096)), [], None, [bytes(4096)]),
    "parts": (masked(TEXT, b"he", fin=False) + masked(CONT, b"llo"), [], None, ["hello"]),
    "parts, the last one empty": (masked(TEXT, b"he", fin=False) + masked(CONT, b""), [], None, ["he"]),
    "a letter in two parts": (masked(TEXT, b"\xc3", fin=False) + masked(CONT, b"\xa9"), [], None, ["é"]),
    "two messages": (masked(TEXT, b"a") + masked(BINARY, b"b"), [], None, ["a", b"b"]),
    "ping": (masked(PING, b""), [b""], None, []),
    "ping with a payload": (masked(PING, b"hello", mask=b"\xff\x00\x01\x02"), [b"hello"], None, []),
    "ping with the longest payload": (masked(PING, bytes(125)), [bytes(125)], None, []),
    "ping with a longer one": (masked(PING, bytes(126)), [], 1002, []),
    "ping in parts": (masked(PING, b"", fin=False), [], 1002, []),
    "ping between parts": (
        masked(TEXT, b"he", fin=False) + masked(PING, b"?") + masked(CONT, b"llo"), [b"?"], None, ["hello"],
    ),
    "pong that nobody asked for": (masked(PONG, b"hello"), [], None, []),
    "pong with a longer payload": (masked(PONG, bytes(126)), [], 1002, []),
    "ping after the end": (closing(1000) + masked(PING, b"?"), [], 1000, []),
    "a part without a beginning": (masked(CONT, b"x"), [], 1002, []),
    "a last part of nothing, after a message": (masked(TEXT, b"x") + masked(CONT, b""), [], 1002, ["x"]),
    "a message within another": (masked(TEXT, b"he", fin=False) + masked(TEXT, b"llo"), [], 1002, []),
    "text, not masked": (b"\x81\x05hello", [], 1002, []),
    "ping, not masked": (b"\x89\x00", [], 1002, []),
    "close, not masked": (b"\x88\x02\x03\xe8", [], 1002, []),
    "text that is no UTF-8": (masked(TEXT, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80"), [], 1007, []),
    "text that ends within a letter": (masked(TEXT, b"\xc3"), [], 1007, []),
    "parts that are no UTF-8": (masked(TEXT, b"\xff", fin=False) + masked(CONT, b""), [], 1007, []),
    "too large": (masked(TEXT, bytes(4097)), [], 1009, []),
    "too large in parts": (masked(TEXT, bytes(3000), fin=False) + masked(CONT, bytes(3000)), [], 1009, []),
    "a length without end": (b"\x82\xff" + b"\x7f" + b"\xff" * 7 + bytes(4), [], 1009, []),
    "close": (masked(CLOSE, b""), [], 0, []),
    "close with half a code": (masked(CLOSE, b"\x03"), [], 1002, []),
    "close with a reason": (closing(1000, b"Ende"), [], 1000, []),
    "close with the longest reason": (closing(1000, b"x" * 123), [], 1000, []),
    "close with a longer one": (closing(1000, b"x" * 124), [], 1002, []),
    "close with a reason that is no UTF-8": (closing(1000, b"\xff"), [], 1007, []),
    "close in parts": (masked(CLOSE, b"\x03\xe8", fin=False), [], 1002, []),
    "two closes": (closing(1000) + closing(1001), [], 1000, []),
    "text after close": (closing(1000) + masked(TEXT, b"x"), [], 1000, []),
    **{f"reserved {bits}": (bytes([0x81 | bits << 4]) + masked(TEXT, b"x")[1:], [], 1002, []) for bits in range(1, 8)},
    **{f"opcode {code}": (masked(code, b""), [], 1002, []) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    **{
        f"close with {code}": (closing(code), [], code, [])
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    },
    **{
        f"close with {code}, which none may": (closing(code), [], 1002, [])
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}  # fmt: skip


async def opened(way: str) -> tuple[Any, Link]:
    make, is_plain = WAYS[way]
    app = make()
    link = Link(app, MANY, is_plain)
    link.feed(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    assert link.output.startswith(b"HTTP/1.1 101 ")
    link.transport.written.clear()
    return app, link


def cuts(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and in two at every place where something could go wrong."""
    near = [at for at in range(1, len(data)) if at < 20 or len(data) - at < 20]
    single = [data[at : at + 1] for at in range(len(data))] if len(data) < 300 else [data]
    return [[data], single, *([data[:at], data[at:]] for at in near)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CASES)
async def test_what_a_client_sends_has_one_answer_however_it_is_cut(name: str, way: str) -> None:
    data, pongs, code, heard = CASES[name]
    for parts in cuts(data):
        app, link = await opened(way)
        for part in parts:
            link.feed(part)
            await asyncio.sleep(0)  # an application has taken what was said
        said = frames_of(link.output)
        assert [payload for kind, payload in said if kind == PONG] == pongs
        codes = [int.from_bytes(payload[:2], "big") for kind, payload in said if kind == CLOSE]
        assert codes == ([] if code is None else [code])
        # The hub hears nothing; uvicorn drops what it read together with a broken frame.
        assert way == "the hub" or app.heard == heard or (WAYS[way][1] and code == 1002)
        link.finish()
        await link.settle()
        assert (link.transport.is_ended, app.ends) == (True, 1)
        assert not link.server_state.connections


def test_a_reason_fits_into_a_close_frame() -> None:
    frame = close_frame_of(4404, "ü" * 100)
    assert frames_of(frame) == [(CLOSE, b"\x11\x34" + "ü".encode() * (MAX_REASON // 2))]
