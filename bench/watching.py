"""Viewers as bare sockets: they shake hands, look for one word in what comes, and answer only what they must."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import cast

import uvloop

from .servers import Served, raise_limit

AT_ONCE = 100
"""Handshakes that are under way at the same time."""
JOIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """How one watches a kind of server.

    Args:
        path: of the WebSocket, with a place for the channel.
        state: what every state holds.
        hello: what has to be said once the server has spoken.
        ping: what it asks, and `pong`, what it wants to hear.
    """

    path: str
    state: bytes
    hello: bytes = b""
    ping: bytes = b""
    pong: bytes = b""


def masked(text: bytes) -> bytes:
    """A text frame of a client, with a mask of zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


FIRSTLIGHT = Way("/live/{}/ws", b'"type":"snapshot"')
NCHAN = Way("/sub/{}", FIRSTLIGHT.state)
SOCKETIO = Way(
    "/socket.io/?EIO=4&transport=websocket&channel={}",
    rb"\"type\":\"snapshot\"",
    hello=masked(b"40"),
    ping=b"\x81\x012",
    pong=masked(b"3"),
)
HANDSHAKE = (
    "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Viewer(asyncio.Protocol):
    """One connection.

    Args:
        request: its handshake.
        way: how it watches.
        joined: is called with the first state, or when the connection is lost before.
    """

    def __init__(self, request: bytes, way: Way, joined: Callable[[Viewer], None]) -> None:
        self._request = request
        self._way = way
        self._joined = joined
        self._greeted = not way.hello
        self.transport: asyncio.Transport | None = None
        self.states = 0
        self.lost = False
        self.looks_for: bytes | None = None
        self.found: Callable[[Viewer], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Refused, or dismissed."""
        self.lost = True
        if not self.states:
            self._joined(self)

    def data_received(self, data: bytes) -> None:
        """Most often one frame. A state is short and comes in one piece, once the network is not full."""
        if self.looks_for is not None and self.looks_for in data and self.found:
            self.looks_for = None
            self.found(self)
        if self._way.state in data:
            self.states += 1
            if self.states == 1:
                self._joined(self)
        elif not self._greeted and self.transport and b"\r\n\r\n" in data:
            self._greeted = True
            self.transport.write(self._way.hello)
        elif self._way.ping and data == self._way.ping and self.transport:
            self.transport.write(self._way.pong)


async def join(served: Served, way: Way, channels: Sequence[str]) -> list[Viewer]:
    """Connect a viewer of each channel, some at a time, and wait for the first state of each, or its refusal."""
    loop, free, viewers = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE), []
    async with asyncio.timeout(JOIN_SECONDS):
        for number, channel in enumerate(channels):
            await free.acquire()
            request = HANDSHAKE.format(way.path.format(channel), served.host).encode()
            own = (f"127.2.{number // 200 % 250}.{number % 200 + 1}", 0)
            make = partial(Viewer, request, way, lambda _: free.release())
            _, viewer = await loop.create_connection(make, "127.0.0.1", served.port, local_addr=own)
            viewers.append(viewer)
        for _ in range(AT_ONCE):
            await free.acquire()
    return viewers


def leave(viewers: Sequence[Viewer]) -> None:
    """Disconnect."""
    for viewer in viewers:
        if viewer.transport:
            viewer.transport.abort()


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a crowd: how many watch, and the seconds that it took."""

    viewers: int
    seconds: float


@contextlib.contextmanager
def crowd(served: Served, way: Way, channels: Sequence[str]) -> Iterator[Joined]:
    """Viewers in a process of their own, so that whoever measures does not wait for them."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_crowd, args=(theirs, served, way, channels), daemon=True)
    child.start()
    try:
        if not ours.poll(JOIN_SECONDS + 10):
            raise TimeoutError(f"{served.name}: {len(channels)} viewers did not join.")
        joined = ours.recv()
        if isinstance(joined, Exception):
            raise joined
        yield joined
    finally:
        child.kill()
        child.join(10)


def _crowd(pipe: Pipe, served: Served, way: Way, channels: Sequence[str]) -> None:
    """The process of a crowd, until it is killed."""
    raise_limit()
    os.nice(5)  # whoever takes the time comes first
    uvloop.run(_watch(pipe, served, way, channels))


async def _watch(pipe: Pipe, served: Served, way: Way, channels: Sequence[str]) -> None:
    began = time.perf_counter()
    try:
        viewers = await join(served, way, channels)
    except (OSError, TimeoutError) as error:
        pipe.send(TimeoutError(f"{served.name}: viewers could not join ({error!r})"))
        return
    watching = sum(viewer.states > 0 and not viewer.lost for viewer in viewers)
    pipe.send(Joined(watching, time.perf_counter() - began))
    await asyncio.Event().wait()
