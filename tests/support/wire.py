"""A wire between a client and a server that can go dead without a word, as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Self

HOST = "127.0.0.1"


class Wire:
    """Forwards a port of its own to another one. Cut connections stay open, and nothing comes through any more.

    Args:
        port: where to forward to.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._connections: list[_Connection] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for connection in self._connections:
            await connection.close()

    def cut(self, containing: bytes) -> int:
        """Cut the connections through which the client sent this; return how many."""
        found = [connection for connection in self._connections if containing in connection.sent]
        for connection in found:
            connection.is_cut = True
        return len(found)

    def lose_answers(self) -> None:
        """Let everything through to the server from now on, and nothing back."""
        for connection in self._connections:
            connection.loses_answers = True

    def reset(self) -> None:
        """End every connection with a reset (RST), as a firewall does that has forgotten it."""
        for connection in self._connections:
            connection.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection()
        self._connections.append(connection)
        await connection.carry(reader, writer, self._target)


class _Connection:
    def __init__(self) -> None:
        self.sent = b""
        self.is_cut = False
        self.loses_answers = False
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        there_reader, there_writer = await asyncio.open_connection(HOST, port)
        self._writers = [writer, there_writer]
        self._tasks = [
            asyncio.create_task(self._pump(reader, there_writer, is_client=True)),
            asyncio.create_task(self._pump(there_reader, writer, is_client=False)),
        ]

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        for writer in self._writers:
            with contextlib.suppress(OSError):  # it is closed already
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_client: bool) -> None:
        while data := await reader.read(65536):
            if is_client:
                self.sent += data
            if not self.is_cut and (is_client or not self.loses_answers):
                writer.write(data)
        if not self.is_cut:
            writer.close()
