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

from server.core.model.close_codes import Close
from server.core.snapshot import DELAYED
from server.engine.frames import Frame, Kind
from server.limits import ConnectionLimits, HttpLimits, Limits, SocketLimits
from server.run.connections import HANDSHAKES
from server.run.websocket_protocol import WebSocketProtocol

from ..support.memory import Link
from ..support.waiting import until
from ..support.watchers import Talking, Watched
from .corpus import HANDSHAKE, frames_of, masked

QUICK = ConnectionLimits(sweep_seconds=0.01)
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


App = Talking | Watched
WAYS: dict[str, type[App]] = {"an application": Talking, "the hub": Watched}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> type[App]:
    """Whom a viewer talks to once it is let in."""
    return WAYS[request.param]


async def opened(way: type[Any] = Talking, limits: Limits | None = None) -> tuple[Any, Link]:
    app = way()
    link = Link(app, limits)
    link.feed(HANDSHAKE)
    for _ in range(5):
        await asyncio.sleep(0)
    assert link.output.startswith(b"HTTP/1.1 101 ")
    link.transport.written.clear()
    return app, link


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
async def test_a_flood_is_closed_after_a_few_frames_and_then_neither_read_nor_kept(
    frame: bytes, way: type[App]
) -> None:
    app, link = await opened(way, Limits(connections=QUICK, http=HttpLimits(linger_seconds=0.01)))
    link.feed(frame)
    assert close_code(link) == 1008
    assert len(link.output) < 1000
    link.feed(b"x" * HttpLimits().linger_bytes * 2)
    assert link.transport.is_paused
    assert not link.transport.has_eof
    await until(lambda: link.transport.is_ended)
    await link.settle()
    assert app.ends == 1


async def test_who_is_closed_and_answers_is_let_go_at_once(way: type[App]) -> None:
    """However much was on its way before the answer."""
    app, link = await opened(way)
    link.feed(masked(PONG, b"") * 100 + masked(PING, b"?"))
    assert frames_of(link.output)[-1][0] == CLOSE
    assert not link.transport.is_ended
    link.feed(masked(CLOSE, b"\x03\xf0"))
    assert link.transport.is_ended
    await link.settle()
    assert app.ends == 1


async def end(app: App) -> None:
    """Close it from this side."""
    if isinstance(app, Watched):
        app.viewers[0].close(Close.GOING_AWAY)
    else:
        assert app.send is not None
        await app.send({"type": "websocket.close", "code": 1001})


async def test_a_flood_after_the_end_is_not_read(way: type[App]) -> None:
    app, link = await opened(way)
    await end(app)
    link.feed(masked(PONG, b"") * 1000 + masked(CLOSE, b"\x03\xe9"))
    assert close_code(link) == 1001
    assert not link.transport.is_ended
    link.finish()
    await link.settle()
    assert app.ends == 1


async def test_who_does_not_answer_the_end_is_cut(way: type[App]) -> None:
    app, link = await opened(way, Limits(connections=QUICK, http=HttpLimits(linger_seconds=0.01)))
    await end(app)
    await until(lambda: link.transport.is_ended)
    await link.settle()
    assert not link.server_state.connections


async def test_a_server_that_ends_tells_everybody(way: type[App]) -> None:
    app, link = await opened(way)
    link.transport.protocol.shutdown()
    assert (close_code(link), link.transport.is_ended) == (1012, False)
    link.transport.protocol.shutdown()  # it had its time to answer
    await link.settle()
    assert (link.transport.is_ended, app.ends) == (True, 1)


async def test_a_flood_over_time_is_closed_too(way: type[App]) -> None:
    _, link = await opened(way, Limits(socket=SocketLimits(frames=10, frames_per_second=0.001)))
    for _ in range(10):
        link.feed(masked(PONG, b""))
    assert not link.output
    link.feed(masked(PONG, b""))
    assert close_code(link) == 1008
    await link.settle()


async def test_of_several_pings_the_latest_is_answered(way: type[App]) -> None:
    _, link = await opened(way)
    link.feed(b"".join(masked(PING, b"%d" % number) for number in range(20)))
    assert frames_of(link.output) == [(PONG, b"19")]
    link.feed(masked(PING, b"next"))
    assert frames_of(link.output)[1:] == [(PONG, b"next")]
    link.transport.lose()
    await link.settle()


async def test_nothing_is_read_while_something_waits_to_be_written(way: type[App]) -> None:
    _, link = await opened(way)
    protocol = link.transport.protocol
    protocol.pause_writing()
    assert link.transport.is_paused
    protocol.resume_writing()
    assert not link.transport.is_paused
    link.transport.lose()
    await link.settle()


def words(size: int) -> Frame:
    return Frame(Kind.SNAPSHOT, b"x" * size, ("e", size))


async def test_who_is_slow_gets_the_newest_next_and_the_end_after_that() -> None:
    app, link = await opened(Watched)
    viewer, socket = app.viewers[0], link.transport.protocol
    socket.pause_writing()
    for size in range(1, 10):
        viewer.offer(words(size), 0.0)
    viewer.delay(0.0)
    assert link.output == b""
    socket.resume_writing()
    assert frames_of(link.output) == [(TEXT, b"x" * 9), (TEXT, DELAYED)]
    link.transport.written.clear()
    socket.pause_writing()
    viewer.offer(words(10), 0.0)
    viewer.offer(words(11), 0.0)
    viewer.close(Close.TOKEN, "The token has expired.")
    assert frames_of(link.output) == [(TEXT, b"x" * 11), (CLOSE, b"\x11\x31The token has expired.")]
    link.transport.lose()
    await link.settle()


async def test_who_has_left_is_not_written_to() -> None:
    app, link = await opened(Watched)
    transport = link.transport
    link.feed(masked(CLOSE, b""))
    transport.written.clear()
    app.viewers[0].offer(words(1), 0.0)  # one that the hub was about to offer
    app.viewers[0].dismiss(1.0)
    await link.settle()
    assert (bytes(transport.written), app.ends) == (b"", 1)


async def test_who_reads_nothing_is_cut_in_either_case(way: type[App]) -> None:
    app, link = await opened(way, Limits(connections=ConnectionLimits(sweep_seconds=0.01, stall_seconds=0.0)))
    link.transport.protocol.pause_writing()
    await until(lambda: link.transport.is_ended)
    await link.settle()
    assert app.ends == 1


async def test_an_application_that_sends_to_who_reads_nothing_waits() -> None:
    app, link = await opened()
    assert app.send is not None
    link.transport.protocol.pause_writing()
    sending = asyncio.ensure_future(app.send({"type": "websocket.send", "bytes": b"1"}))
    await asyncio.sleep(0)
    assert (sending.done(), link.output) == (False, b"")
    link.transport.protocol.resume_writing()
    await sending
    assert frames_of(link.output) == [(BINARY, b"1")]
    link.transport.lose()
    await link.settle()


@pytest.mark.parametrize("frame", [masked(TEXT, b"hello"), masked(TEXT, bytes(5000)), masked(CLOSE, b"\x00")])
async def test_what_a_viewer_does_is_one_line_for_developers_at_most(
    frame: bytes, way: type[App], caplog: pytest.LogCaptureFixture
) -> None:
    app, link = await opened(way)
    with caplog.at_level(logging.DEBUG, "firstlight"):
        link.feed(frame + frame)
        link.finish()
        await link.settle()
    assert app.ends == 1
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


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("a bug, for a test")


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept", "subprotocol": "b", "headers": [(b"x-more", b"1")]})
    raise ValueError("a bug, for a test")


@pytest.mark.parametrize(
    ("app", "answer", "errors"),
    [
        (failing, b"HTTP/1.1 500 ", 1),
        (silent, b"HTTP/1.1 500 ", 0),
        (breaking, b"HTTP/1.1 101 ", 1),
    ],
)
async def test_an_application_that_fails_leaves_nobody_waiting(
    app: Any, answer: bytes, errors: int, caplog: pytest.LogCaptureFixture
) -> None:
    link = Link(app)
    link.feed(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a, b\r\n\r\n"))
    await link.settle()
    head, _, rest = link.output.partition(b"\r\n\r\n")
    assert head.startswith(answer)
    if app is breaking:
        assert b"\r\nsec-websocket-protocol: b" in head
        assert b"\r\nx-more: 1" in head
        assert frames_of(rest) == [(CLOSE, b"\x03\xf3")]  # 1011
    assert [record.levelno for record in caplog.records if record.name.startswith("firstlight")] == [40] * errors
    caplog.clear()
    link.transport.lose()
    await link.settle()
    assert not link.server_state.connections


@pytest.mark.parametrize(
    "messages",
    [
        ["websocket.send"],
        ["websocket.http.response.body"],
        ["websocket.accept", "websocket.accept"],
        ["websocket.accept", "websocket.http.response.start"],
    ],
)
async def test_what_is_said_out_of_turn_is_the_applications_error(messages: list[str]) -> None:
    raised: list[Exception] = []

    async def confused(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for kind in messages:
                await send({"type": kind, "status": 200, "text": ""})
        except RuntimeError as error:
            raised.append(error)

    link = Link(confused)
    link.feed(HANDSHAKE)
    await link.settle()
    assert messages[-1] in str(raised[0])
    link.transport.lose()
    await link.settle()


async def test_who_left_before_it_was_let_in_takes_no_place() -> None:
    """A client that says hello and goodbye with its handshake."""
    app = Watched()
    link = Link(app)
    link.feed(HANDSHAKE + masked(TEXT, b"{}") + masked(CLOSE, b""))
    await link.settle()
    assert (app.viewers, link.transport.is_ended) == ([], True)


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
    link = Link(Talking())
    link.feed(head)
    for _ in range(5):  # nothing is read until it is answered, the end neither
        await asyncio.sleep(0)
    link.finish()
    await link.settle()
    assert link.output.startswith((b"HTTP/1.1 4", b"HTTP/1.1 101")), link.output
    link.finish()
    await link.settle()
    assert link.transport.is_ended
    assert not link.server_state.connections


async def test_a_handshake_with_a_length_of_nothing_is_one() -> None:
    link = Link(Talking())
    link.feed(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n") + masked(TEXT, b"hello"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert link.output.startswith(b"HTTP/1.1 101 ")
    link.transport.lose()
    await link.settle()


async def test_of_too_many_without_a_token_the_oldest_makes_room() -> None:
    """Who watches has shown one, or needs none."""
    limits = Limits(socket=SocketLimits(keyless=1))
    links = [Link(app, limits) for app in (Watched(), Talking(), Talking())]
    for link in links:
        link.transport.protocol._owner = links[0].owner
        link.feed(HANDSHAKE)
        for _ in range(5):
            await asyncio.sleep(0)
    heads = [link.output.partition(b"\r\n\r\n") for link in links]
    assert [frames_of(rest) and frames_of(rest)[0][1][:2] for _, _, rest in heads] == [[], b"\x03\xf5", []]  # 1013
    for link in links:
        link.transport.lose()
        await link.settle()
    assert not links[0].owner._keyless
    assert not links[0].owner._settled


FRAMES = st.builds(
    masked,
    st.sampled_from([0, TEXT, BINARY, 3, CLOSE, PING, PONG, 15]),
    st.binary(max_size=130) | st.binary(min_size=4000, max_size=4200),
    st.booleans(),
)


@given(st.lists(FRAMES | st.binary(max_size=20), max_size=40), st.integers(1, 300), st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_comes_costs_little_and_ends_in_order(frames: list[bytes], size: int, is_ended: bool) -> None:
    for way in WAYS.values():
        asyncio.run(_whatever(way, b"".join(frames), size, is_ended))


async def _whatever(way: type[App], data: bytes, size: int, is_ended: bool) -> None:
    app, link = await opened(way)
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    for start in range(0, len(data), size):
        link.feed(data[start : start + size])
        await asyncio.sleep(0)
    link.finish() if is_ended else link.transport.lose()
    link.finish()
    await link.settle()
    assert errors == []
    assert app.ends == 1
    assert len(link.output) < 64 * 140
    assert not link.server_state.connections


async def test_many_handshakes_at_once_let_others_in_between() -> None:
    links = [Link(Talking()) for _ in range(3 * HANDSHAKES)]
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
