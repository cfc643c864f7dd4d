"""Every connection has an owner and a deadline, and makes room for others in time."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import socket
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from server.command.client import Client
from server.core.model.grant import EVERYTHING
from server.engine.frames import Sink
from server.engine.seats import Guest
from server.engine.viewer import Viewer
from server.limits import ConnectionLimits, HttpLimits, Limits, SocketLimits, ViewerLimits
from server.run import connections
from server.run.connections import SHED, State, capacity_of, places_of, seconds_of
from server.run.websocket_protocol import WebSocketProtocol

from ..support.app import running
from ..support.app_signals import app_sends
from ..support.memory import Link
from ..support.server import ServerProcess
from ..support.waiting import until
from .corpus import CORPUS, HANDSHAKE, Noting, masked

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
QUICK = ConnectionLimits(sweep_seconds=0.02)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"


class Doors:
    """Answers at once, never, or with a stream that goes on: as the path says."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = 0
        self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": f"{message['type']}.complete"})
        elif scope["type"] == "websocket":
            await self._watch(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/never":
            await self._wait(receive, "http.disconnect")
            return
        length = 1 << 30 if scope["path"] == "/much" else 2
        headers = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while length > 2:
            length -= 1 << 16
            await send({"type": "http.response.body", "body": b"x" * (1 << 16), "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})
        self.ended += 1

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/never":
            await send({"type": "websocket.accept"})
            self.waiting += 1
            scope["extensions"]["firstlight"]["watch"](self._seat)
        else:
            await self._wait(receive, "websocket.disconnect")

    def _seat(self, sink: Sink) -> Viewer:
        return Viewer(sink, Guest(EVERYTHING), 1, self._left)

    def _left(self, viewer: Viewer) -> None:
        self.ended += 1

    async def _wait(self, receive: Receive, kind: str) -> None:
        self.waiting += 1
        while (await receive())["type"] != kind:
            pass
        self.ended += 1


@asynccontextmanager
async def opened(limits: Limits) -> AsyncIterator[tuple[Doors, str, int]]:
    app = Doors(limits)
    async with running(app) as url:
        parts = urlsplit(url)
        yield app, parts.hostname or "", parts.port or 0


async def connect(stack: AsyncExitStack, host: str, port: int, data: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection(host, port)
    stack.callback(writer.close)
    writer.write(data)
    return reader, writer


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that still comes, however it ends."""
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


SHORT = {
    State.IDLE: Limits(connections=QUICK, http=HttpLimits(idle_seconds=0.05)),
    State.ARRIVING: Limits(connections=QUICK, http=HttpLimits(arrival_seconds=0.05)),
    State.ANSWERING: Limits(connections=QUICK, http=HttpLimits(answer_seconds=0.05)),
    State.HANDSHAKE: Limits(connections=QUICK, socket=SocketLimits(handshake_seconds=0.05)),
    State.LINGERING: Limits(connections=QUICK, http=HttpLimits(linger_seconds=0.05)),
}
BEGINNINGS = {
    State.IDLE: HEALTH,
    State.ARRIVING: HEALTH + HEALTH[:-2],
    State.ANSWERING: HEALTH.replace(b"healthz", b"never"),
    State.HANDSHAKE: HANDSHAKE.replace(b"live/1/ws", b"never"),
    State.LINGERING: b"no request\r\n\r\n",
}


@pytest.mark.parametrize("state", SHORT)
async def test_each_state_ends_at_its_deadline(state: State) -> None:
    async with opened(SHORT[state]) as (app, host, port), AsyncExitStack() as stack:
        reader, _ = await connect(stack, host, port, BEGINNINGS[state])
        await rest(reader)
        await until(lambda: app.ended >= app.waiting)


def test_every_state_has_a_deadline_or_an_owner_that_ends_it() -> None:
    seconds = seconds_of(Limits())
    assert set(seconds) == set(State)
    endless = {state for state, limit in seconds.items() if limit == float("inf")}
    assert endless == {State.STREAMING, State.KEYLESS, State.WATCHING}
    assert set(SHORT) == set(State) - endless - {State.CLOSING}


async def test_who_reads_nothing_is_cut_while_something_waits_for_it() -> None:
    limits = Limits(connections=replace(QUICK, stall_seconds=0.1), http=HttpLimits(answer_seconds=0.01))
    async with opened(limits) as (app, host, port):
        with socket.socket() as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.setblocking(False)
            await asyncio.get_running_loop().sock_connect(stalled, (host, port))
            stalled.send(HEALTH.replace(b"healthz", b"much"))
            await until(lambda: app.ended)  # it can write no more


async def test_a_crowd_of_idle_connections_makes_room_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(connections=replace(QUICK, descriptors=20, kept_descriptors=0, reserved=2))
    async with opened(limits) as (_, host, port), AsyncExitStack() as stack:
        with caplog.at_level(logging.INFO, "firstlight"):
            crowd = [await connect(stack, host, port, HEALTH if n % 2 else b"GET /") for n in range(60)]
            for _ in range(3):
                reader, _ = await connect(stack, host, port, HEALTH)
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            for _, writer in crowd:
                writer.close()
            await until(lambda: "room for connections again" in caplog.text)
        assert caplog.text.count("connections are open") == 1


async def test_the_reserve_is_for_health_and_owners() -> None:
    limits = Limits(connections=replace(QUICK, descriptors=4, kept_descriptors=0, reserved=3))
    async with opened(limits) as (app, host, port), AsyncExitStack() as stack:
        for _ in range(3):
            await connect(stack, host, port, BEGINNINGS[State.ANSWERING])
        await connect(stack, host, port, HANDSHAKE + masked(1, b"hello"))
        await until(lambda: app.waiting == 4)
        admin = b"GET /projects HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer x\r\n\r\n"
        for request, status in ((HEALTH, b"200"), (admin, b"200"), (HEALTH.replace(b"z", b""), b"503")):
            reader, _ = await connect(stack, host, port, request)
            answer = await rest(reader)
            assert answer[9:12] == status
            assert b"connection: close" in answer
            if status == b"503":
                assert b"retry-after: " in answer


def test_the_order_in_which_room_is_made() -> None:
    assert SHED == (State.LINGERING, State.IDLE, State.ARRIVING, State.KEYLESS)
    assert capacity_of(ConnectionLimits(descriptors=20_000)) == 19_744
    assert capacity_of(ConnectionLimits(descriptors=256)) == 128
    few, usual, many = (Limits(connections=ConnectionLimits(descriptors=count)) for count in (256, 20_000, 1 << 20))
    assert [places_of(limits) for limits in (few, usual, many)] == [64, 19_244, ViewerLimits().per_process]


def test_no_connection_keeps_the_server_from_its_end(tmp_path: Any) -> None:
    """A handshake that cannot be read was neither answered nor closed, and its end ended with an AssertionError."""
    starts = [
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 124 + b"\r\n"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * 9000 + b"\r\n\r\n"),
        HANDSHAKE,
        HEALTH[:-2],
        b"",
    ]
    with ServerProcess(tmp_path) as server:
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in starts]
        for connection, start in zip(connections, starts, strict=True):
            connection.sendall(start)
        assert server.stop() == 0
        for connection in connections:
            connection.close()
    assert "Traceback" not in server.output
    assert "Error" not in server.output


def test_when_the_descriptors_run_out_others_are_served_all_the_same(tmp_path: Path) -> None:
    """Handshakes that cannot be read, slow heads and idle connections; each was held for ever, without a word."""
    command = f"ulimit -n 300 && exec {sys.executable} -m server serve"
    starts = [HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n"), b"GET / HTTP/1.1\r\n", HEALTH]
    with ServerProcess(tmp_path, shell=command) as server, ExitStack() as stack:
        client = Client(server.url)
        project = client.ask("POST", "/projects", name="shop")
        for number in range(600):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(starts[number % len(starts)])
        assert client.ask("GET", "/healthz") == {"status": "ok"}
        app_sends("error", project["dsn"])
        assert client.ask("GET", f"/live/{project['id']}")["signals"]
        assert server.output.count("connections are open") == 1
        assert "Traceback" not in server.output


def test_the_table_of_states_is_the_one_that_holds() -> None:
    """As the module's docstring has it."""
    fields = {name for limits in (HttpLimits, SocketLimits, ConnectionLimits) for name in limits.__dataclass_fields__}
    rows = {line.split()[0]: line for line in (connections.__doc__ or "").splitlines() if line[:8].strip().isupper()}
    assert set(rows) == {state.name for state in State}
    for state, seconds in seconds_of(Limits()).items():
        named = re.search(r"(?:Http|Socket|Connection)Limits\.(\w+)", rows[state.name])
        assert bool(named) == (seconds != float("inf")), state
        assert named is None or named[1] in fields


def test_what_viewers_break_is_no_line_in_the_log(tmp_path: Path) -> None:
    """One broken frame wrote 48 lines."""
    frames = [
        b"\x81\x05hello",
        masked(1, b"\xff"),
        masked(3, b""),
        masked(1, bytes(4097)),
        masked(8, b"\x00"),
        b"\xff" * 99,
    ]
    secret = {"FIRSTLIGHT_SECRET": "signing-secret-of-the-viewer-tokens", "FIRSTLIGHT_PUBLIC_URL": "http://shop"}
    for number, env in enumerate(({}, secret)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with ServerProcess(folder, env) as server:
            quiet = server.output
            for frame in frames:
                with socket.create_connection(("127.0.0.1", server.port)) as viewer:
                    viewer.sendall(HANDSHAKE.replace(b"Host: shop", b"Host: localhost"))
                    assert b" 101 " in viewer.recv(1000)
                    viewer.sendall(frame)
                    viewer.shutdown(socket.SHUT_WR)
                    with viewer.makefile("rb") as answer, suppress(ConnectionError):
                        answer.read()
            assert server.output == quiet
            assert server.stop() == 0


@pytest.mark.parametrize(
    "name", ["three in one", "an offer of HTTP/2, chunked", "no request", "a handshake", "two hosts"]
)
async def test_a_connection_leaves_nothing_to_the_garbage_collector(name: str) -> None:
    """Of a flood of handshakes it had 40,000 objects at a time, and stopped the loop for a quarter of a second."""
    gc.collect()
    gc.disable()
    before = sum(isinstance(each, WebSocketProtocol) for each in gc.get_objects())
    try:
        link = Link(Noting())
        left: list[weakref.ref[Any]] = [weakref.ref(link.transport.protocol)]
        link.feed(CORPUS[name])
        await asyncio.sleep(0)
        left += [weakref.ref(link.transport)]
        if name == "a handshake":  # for what was said in it, and what may come yet
            left += [weakref.ref(link.transport.protocol._side)]
        await link.settle()
        link.transport.lose()
        await link.settle()
        del link
        await asyncio.sleep(0)
        assert [ref() for ref in left] == [None] * len(left)
        assert sum(isinstance(each, WebSocketProtocol) for each in gc.get_objects()) == before
    finally:
        gc.enable()
