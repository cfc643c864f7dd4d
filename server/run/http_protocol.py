"""Uvicorn's HTTP protocol with two bounds that it lacks: the bytes of a head, and the time of an arrival.

Without them a client without a key could make the server hold a head of any size, or a connection for ever.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers; SDKs send under 2 KiB, and an event in the query 16 KiB."""
ARRIVAL_SECONDS = 35.0
"""How long a whole request may take to arrive: longer than `intake.BODY_SECONDS`, which answers with words."""


_H2C = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n|$)", re.IGNORECASE)


class BoundedHttp(HttpToolsProtocol):
    """See the module; everything else is uvicorn's."""

    _head = 0
    _is_arriving = True
    _is_head = True
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and should say something."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; close where the head goes on and on."""
        was_head = self._is_arriving and self._is_head
        if b"h2c" in data and (self._is_head or not self._is_arriving):
            data = _without_h2c(data)
        super().data_received(data)
        if not self._is_arriving:
            return
        self._start_clock()
        if was_head and self._is_head:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self.send_400_response("The head of this request is too large.")

    def on_message_begin(self) -> None:
        """A request begins; pipelined ones come in the same data."""
        self._is_arriving = self._is_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._is_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._is_arriving = False
        self._stop_clock()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """The connection is somebody else's from now on."""
        self._stop_clock()
        super().handle_websocket_upgrade()

    def _start_clock(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(ARRIVAL_SECONDS, self._give_up)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        cast(Any, self.transport).close()


def _without_h2c(data: bytes) -> bytes:
    """Drop an offer to change to HTTP/2, which a server may ignore (RFC 9110, 7.8): the parser would drop the body.

    Java's HttpClient makes it in every request without TLS.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _H2C.sub(b"", head) + end + body
