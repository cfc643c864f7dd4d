"""A TCP proxy on loopback, whose links can be cut, reset, or left half open."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from itertools import count
from typing import Self

HOST = "127.0.0.1"
ADDRESSES = 250
"""That many viewers come from, as places are also bounded by address."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""For SO_LINGER: a close is an RST, and no farewell."""


class _Pair:
    """Both sides of one connection."""

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.passes = asyncio.Event()
        self._writers = writers

    def end(self) -> None:
        """Both get an RST."""
        self.passes.set()  # what waits to pass goes on, and finds the end
        for writer in self._writers:
            if not writer.transport.is_closing():
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            writer.transport.abort()


class Link:
    """Forwards to a local port, from a port of its own.

    Args:
        target: the port to forward to.
        addresses: how many it connects from.
    """

    def __init__(self, target: int, addresses: int = 1) -> None:
        self._target = target
        self._addresses = addresses
        self._pairs: set[_Pair] = set()
        self._half_open: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False
        self._number = count()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.heal()
        self.reset()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    def cut(self) -> None:
        """Nothing passes, and nobody is told; who connects waits as well."""
        self._is_cut = True
        for pair in self._pairs:
            pair.passes.clear()

    def heal(self) -> None:
        """All passes again, what has waited first, as with TCP."""
        self._is_cut = False
        for pair in self._pairs:
            pair.passes.set()

    def reset(self) -> None:
        """End all connections of now by an RST."""
        for pair in [*self._pairs, *self._half_open]:
            pair.end()

    def leave_half_open(self) -> None:
        """Nothing ever passes again on the connections of now; new ones work."""
        for pair in self._pairs:
            pair.passes.clear()
        self._half_open |= self._pairs
        self._pairs.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._forward(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = (f"127.0.0.{next(self._number) % self._addresses + 1}", 0)
        onward_reader, onward = await asyncio.open_connection(HOST, self._target, local_addr=own)
        pair = _Pair(writer, onward)
        self._pairs.add(pair)
        if not self._is_cut:
            pair.passes.set()
        ways = [asyncio.create_task(_pump(*ends, pair)) for ends in ((reader, onward), (onward_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._pairs.discard(pair)
            self._half_open.discard(pair)
            pair.end()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair) -> None:
    while True:
        data = await reader.read(65_536)
        await pair.passes.wait()  # also with the news of an end
        if not data:
            return
        writer.write(data)
        await writer.drain()
