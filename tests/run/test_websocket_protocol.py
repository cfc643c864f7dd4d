"""A viewer's WebSocket, frame by frame: what it may say, how it ends, and what that costs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from server.limits import HttpLimits, Limits, SocketLimits
from server.run.connections import HANDSHAKES
from server.run.websocket_protocol import WebSocketProtocol

from ..support.memory import Link
from ..support.waiting import until
from .corpus import HANDSHAKE, masked

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Patient:
    """Takes every viewer, trusts those with a message, and waits for their end."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.codes: list[int] = []
        self.send: Send | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.send = send
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message.get("text") or message.get("bytes"))
            scope["extensions"]["firstlight"]["trust"]()
        self.codes.append(message["code"])


async def opened(limits: Limits | None = None) -> tuple[Patient, Link]:
    app = Patient()
    link = Link(app, limits)
    link.feed(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    assert link.output.startswith(b"HTTP/1.1 101 ")
    link.transport.written.clear()
    return app, link


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each small frame that a server has sent."""
    found = []
    while data:
        size = data[1]
        assert size < 126
        found.append((data[0] & 15, data[2 : 2 + size]))
        data = data[2 + size :]
    return found


def close_code(link: Link) -> int | None:
    opcode, payload = frames_of(link.output)[-1]
    assert opcode == CLOSE
    return int.from_bytes(payload[:2], "big") if payload else None


@pytest.mark.parametrize(
    "frame",
    [
        masked(TEXT, b"", fin=False) + masked(0, b"", fin=False) * 10_000,
        masked(PING, b"") * 10_000,
        masked(PONG, b"") * 10_000,
        masked(PING, bytes(125)) * 10_000,
        masked(PONG, bytes(125)) * 10_000,
    ],
    ids=["empty fragments", "pings", "pongs", "large pings", "large pongs"],
)
async def test_a_flood_is_closed_after_a_few_frames_and_then_neither_read_nor_kept(frame: bytes) -> None:
    app, link = await opened(Limits(http=HttpLimits(linger_seconds=0.01)))
    link.feed(frame)
    assert close_code(link) == 1008
    assert len(link.output) < 1000
    link.feed(b"x" * HttpLimits().linger_bytes * 2)
    assert link.transport.is_paused
    assert not link.transport.has_eof
    await until(lambda: link.transport.is_ended)
    await link.settle()
    assert app.codes == [1008]


async def test_who_is_closed_and_answers_is_let_go_at_once() -> None:
    """However much was on its way before the answer."""
    app, link = await opened()
    link.feed(masked(PONG, b"") * 100 + masked(PING, b"?"))
    assert frames_of(link.output)[-1][0] == CLOSE
    assert not link.transport.is_ended
    link.feed(masked(CLOSE, b"\x03\xf0"))
    assert link.transport.is_ended
    await link.settle()
    assert app.codes == [1008]


async def test_a_flood_after_the_end_is_not_read() -> None:
    app, link = await opened()
    assert app.send is not None
    await app.send({"type": "websocket.close", "code": 1001})
    link.feed(masked(PONG, b"") * 1000 + masked(CLOSE, b"\x03\xe9"))
    assert close_code(link) == 1001
    assert not link.transport.is_ended
    link.finish()
    await link.settle()
    assert app.codes == [1001]


async def test_a_flood_over_time_is_closed_too() -> None:
    _, link = await opened(Limits(socket=SocketLimits(frames=10, frames_per_second=0.001)))
    for _ in range(10):
        link.feed(masked(PONG, b""))
    assert not link.output
    link.feed(masked(PONG, b""))
    assert close_code(link) == 1008
    await link.settle()


async def test_of_several_pings_the_latest_is_answered() -> None:
    _, link = await opened()
    link.feed(b"".join(masked(PING, b"%d" % number) for number in range(20)))
    assert frames_of(link.output) == [(PONG, b"19")]
    link.feed(masked(PING, b"next"))
    assert frames_of(link.output)[1:] == [(PONG, b"next")]
    link.transport.lose()
    await link.settle()


async def test_nothing_is_read_while_something_waits_to_be_written() -> None:
    _, link = await opened()
    protocol = link.transport.protocol
    protocol.pause_writing()
    assert link.transport.is_paused
    protocol.resume_writing()
    assert not link.transport.is_paused
    link.transport.lose()
    await link.settle()


@pytest.mark.parametrize(
    ("data", "code", "heard"),
    [
        (masked(TEXT, b"hello") + masked(TEXT, b"more"), 1008, ["hello"]),
        (masked(BINARY, b"\x00") + masked(TEXT, b"more"), 1008, [b"\x00"]),
        (masked(TEXT, b"\xff"), 1007, []),
        (masked(TEXT, bytes(4097)), 1009, []),
        (masked(TEXT, bytes(3000), fin=False) + masked(0, bytes(3000)), 1009, []),
        (b"\x81\x05hello", 1002, []),  # not masked
        (masked(3, b""), 1002, []),
        (masked(PING, b"", fin=False), 1002, []),
        (masked(CLOSE, b"\x03\xe8"), 1000, []),
        (masked(CLOSE, b""), None, []),
        (masked(CLOSE, b"\x00"), 1002, []),
        (masked(CLOSE, b"\x03\xe8\xff"), 1007, []),
    ],
)
async def test_a_broken_rule_ends_with_its_code_and_one_line_for_developers(
    data: bytes, code: int | None, heard: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    app, link = await opened()
    with caplog.at_level(logging.DEBUG, "firstlight"):
        link.feed(data)
        assert close_code(link) == code
        link.finish()
        await link.settle()
    assert app.heard == heard
    assert len(app.codes) == 1
    own = [record for record in caplog.records if record.name != "asyncio"]
    assert len([record for record in own if record.name.startswith("firstlight")]) <= 1
    assert all(record.levelno <= logging.INFO and not record.exc_info for record in own)


async def test_to_send_to_who_was_closed_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    app, link = await opened()
    link.feed(masked(PONG, b"") * 1000)
    assert app.send is not None
    with pytest.raises(ClientDisconnected):  # an OSError, as frameworks expect for who has left
        await app.send({"type": "websocket.send", "text": "{}"})
    with pytest.raises(ClientDisconnected):
        await app.send({"type": "websocket.close"})
    link.finish()
    await link.settle()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"later"})


async def closing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close"})


@pytest.mark.parametrize(("app", "status"), [(refusing, b"503"), (closing, b"403")])
async def test_a_handshake_that_is_refused_is_no_error_in_the_log(
    app: Any, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    link = Link(app)
    link.feed(HANDSHAKE)
    await link.settle()
    assert link.output[9:12] == status
    assert link.transport.is_ended
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize(
    "head",
    [
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 140 + b"\r\n"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 124 + b"\r\n"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 9000 + b"\r\n\r\n"),
        HANDSHAKE.replace(b"/live/1/ws", b"/" + b"y" * 9000),
        HANDSHAKE.replace(b"13", b"12"),
        HANDSHAKE.replace(b"GET", b"POST"),
        HANDSHAKE.replace(b"WebSocket", b"websocket, h2c"),
        HANDSHAKE.replace(b"Key: ", b"Key: x"),
        HANDSHAKE.replace(b"Host: shop", b"Host: shop\r\nHost: shop"),
    ],
)
async def test_every_handshake_is_answered_and_its_connection_ends(head: bytes) -> None:
    app = Patient()
    link = Link(app)
    link.feed(head)
    await asyncio.sleep(0)  # nothing is read until it is answered, the end neither
    link.finish()
    await link.settle()
    assert link.output.startswith((b"HTTP/1.1 4", b"HTTP/1.1 101")), link.output
    link.finish()
    await link.settle()
    assert link.transport.is_ended
    assert not link.server_state.connections


async def test_a_handshake_with_a_length_of_nothing_is_one() -> None:
    link = Link(Patient())
    link.feed(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n") + masked(TEXT, b"hello"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert link.output.startswith(b"HTTP/1.1 101 ")
    link.transport.lose()
    await link.settle()


async def test_of_too_many_without_a_token_the_oldest_makes_room() -> None:
    limits = Limits(socket=SocketLimits(keyless=1))
    app, link = await opened(limits)
    second = Link(app, limits)
    second.server_state.connections = link.server_state.connections
    second.transport.protocol._owner = link.owner
    second.feed(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    assert close_code(link) == 1013
    second.feed(masked(TEXT, b"a token"))
    await asyncio.sleep(0)
    assert not link.owner._keyless
    for each in (link, second):
        each.transport.lose()
        await each.settle()


FRAMES = st.builds(
    masked,
    st.sampled_from([0, TEXT, BINARY, 3, CLOSE, PING, PONG, 15]),
    st.binary(max_size=130) | st.binary(min_size=4000, max_size=4200),
    st.booleans(),
)


@given(st.lists(FRAMES | st.binary(max_size=20), max_size=40), st.integers(1, 300), st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_comes_costs_little_and_ends_in_order(frames: list[bytes], size: int, is_ended: bool) -> None:
    asyncio.run(_whatever(b"".join(frames), size, is_ended))


async def _whatever(data: bytes, size: int, is_ended: bool) -> None:
    app, link = await opened()
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    for start in range(0, len(data), size):
        link.feed(data[start : start + size])
        await asyncio.sleep(0)
    link.finish() if is_ended else link.transport.lose()
    link.finish()
    await link.settle()
    assert errors == []
    assert len(app.heard) <= 1
    assert len(app.codes) == 1
    assert len(link.output) < 64 * 140
    assert not link.server_state.connections


async def test_many_handshakes_at_once_let_others_in_between() -> None:
    links = [Link(Patient()) for _ in range(3 * HANDSHAKES)]
    for link in links:
        link.transport.protocol._owner = links[0].owner
        link.feed(HANDSHAKE)
    done = []
    for _ in range(3):
        await asyncio.sleep(0)
        done.append(sum(isinstance(link.transport.protocol, WebSocketProtocol) for link in links))
    assert done == [HANDSHAKES, 2 * HANDSHAKES, 3 * HANDSHAKES]
    for link in links:
        link.transport.lose()
        await link.settle()
