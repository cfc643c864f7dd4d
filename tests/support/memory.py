"""Both protocols of a connection without a socket: bytes in, as the event loop would hand them, and bytes out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from server.limits import Limits
from server.run.connections import Connections
from server.run.http_protocol import HttpProtocol


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written. As asyncio's, it reports its end on the next turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self.protocol: Any = None
        self.written = bytearray()
        self.is_ended = False
        self.has_eof = False
        self.is_paused = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.has_eof, "written after the end"
        if not self.is_ended:
            self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever kept here."""

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.is_ended

    def close(self) -> None:
        if not self.is_ended:
            self.is_ended = True
            self._loop.call_soon(self._lose, None)

    def abort(self) -> None:
        self.close()

    def lose(self) -> None:
        """The other side is gone."""
        self.is_ended = True
        self._lose(ConnectionResetError())

    def _lose(self, error: Exception | None) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connection_lost(error)


class Link:
    """A connection to an application.

    Args:
        app: is served.
        limits: of the process.
        is_plain: by uvicorn's own protocols, as on any other server.
        state: what the application's lifespan has made.
        proxies: whether a proxy on this machine says who sends.
    """

    def __init__(
        self,
        app: Any,
        limits: Limits | None = None,
        is_plain: bool = False,
        state: dict[str, Any] | None = None,
        proxies: bool = True,
    ) -> None:
        self.loop = asyncio.get_event_loop()
        self.owner = Connections(limits or Limits())
        make: Any = HttpToolsProtocol if is_plain else partial(HttpProtocol, self.owner)
        config = uvicorn.Config(
            app,
            http=make,
            ws="websockets-sansio" if is_plain else "none",
            ws_max_size=self.owner.limits.socket.message_bytes,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            proxy_headers=proxies,
        )
        config.load()
        self.server_state = ServerState()
        self.transport = MemoryTransport(self.loop)
        protocol = make(config, self.server_state, state or {}, self.loop)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)

    @property
    def output(self) -> bytes:
        """All that was written so far."""
        return bytes(self.transport.written)

    def feed(self, data: bytes) -> None:
        """Bytes arrive in one read."""
        if self.transport.protocol is not None and not self.transport.is_ended:
            self.transport.protocol.data_received(data)

    def finish(self) -> None:
        """The other side has closed its half."""
        if self.transport.protocol is None or self.transport.is_ended:
            return
        if not self.transport.protocol.eof_received():
            self.transport.close()

    async def feed_all(self, parts: Iterable[bytes], turns: int = 0) -> None:
        """Bytes arrive in several reads, with so many turns of the loop between them; none while reading is paused."""
        for part in parts:
            while self.transport.is_paused and not self.transport.is_ended:
                await asyncio.sleep(0)
            self.feed(part)
            for _ in range(turns):
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until no request is being answered."""
        await asyncio.sleep(0)  # a handshake has its turn
        while self.server_state.tasks:
            await asyncio.gather(*self.server_state.tasks)
        await asyncio.sleep(0)
