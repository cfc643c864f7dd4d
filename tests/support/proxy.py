"""A forward to a server, as company networks have them: one that knows no WebSockets, or cuts what it forwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Self

HOST = "127.0.0.1"


class Proxy:
    """Forwards to a local port, from a port of its own.

    Args:
        target: the port to forward to.
        websockets: whether it lets an upgrade pass; otherwise it is answered with a 502.
    """

    def __init__(self, target: int, *, websockets: bool = True) -> None:
        self._target = target
        self._websockets = websockets
        self._links: set[asyncio.StreamWriter] = set()
        self.refused = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Cut all that goes through it now, as a restarted router does."""
        for writer in list(self._links):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._forward(reader, writer)
        self._links.discard(writer)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"upgrade: websocket" in head.lower() and not self._websockets:
            self.refused += 1
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()
            return await writer.wait_closed()
        onward_reader, onward = await asyncio.open_connection(HOST, self._target)
        self._links.add(onward)
        # One request for each connection, so that each head is seen here.
        onward.write(_closing(head))
        try:
            await _first_of(_pump(reader, onward), _pump(onward_reader, writer))
        finally:
            self._links.discard(onward)
            onward.transport.abort()


def _closing(head: bytes) -> bytes:
    if b"upgrade: websocket" in head.lower():
        return head
    first, *lines = head.split(b"\r\n")
    return b"\r\n".join(
        [first, b"connection: close", *(line for line in lines if not line.lower().startswith(b"connection:"))]
    )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def _first_of(up: Coroutine[Any, Any, None], down: Coroutine[Any, Any, None]) -> None:
    """Until the answer has ended: a client that said all of its request waits for it."""
    upward, downward = asyncio.ensure_future(up), asyncio.ensure_future(down)
    try:
        await downward
    finally:
        upward.cancel()
        await asyncio.gather(upward, downward, return_exceptions=True)
