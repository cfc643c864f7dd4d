"""One request and its answer: uvicorn's cycle, with another idea of what a sender's end means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent, HTTPRequestEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class _Cork:
    """Holds the head of an answer until its body comes, so that both leave in one write.

    Uvicorn writes them apart: two system calls, which are a third of all that a small answer costs, and mostly two
    packets. Where no body follows in the same turn of the loop, as in a stream, the head leaves alone.

    Args:
        transport: where the answer goes.
    """

    __slots__ = ("_head", "_transport", "is_open")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_open = False

    def write(self, data: bytes) -> None:
        """Hold the head, or send what was held with what comes now."""
        if self.is_open:
            self._transport.write(self._head + data)
            self._head = b""
        else:
            self._head += data

    def open(self) -> None:
        """Send what is held, and hold nothing more."""
        self.is_open = True
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def is_closing(self) -> bool:
        """As the transport says."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Send what is held, and end."""
        self.open()
        self._transport.close()


class Exchange(RequestResponseCycle):
    """A body that has arrived is given to the application, whatever its sender does afterwards.

    Uvicorn's own gives `http.disconnect` in its place as soon as the connection is lost. A program that reports its
    error and ends at once closes before the answer: what it sent is whole all the same.

    """

    resume: Callable[[], None]
    """Reads on, where the connection may. Set by who makes one."""
    _is_half_closed = False
    _gave_all = False
    _cork: _Cork | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """As uvicorn's, but head and body leave in one write."""
        if message["type"] == "http.response.start" and not self.response_started:
            cork = self._cork = _Cork(self.transport)
            self.transport = cast(asyncio.Transport, cork)
            asyncio.get_running_loop().call_soon(cork.open)
        elif self._cork is not None:
            if self.scope["method"] == "HEAD":
                self._cork.open()  # no body follows, and the connection may end with this answer
            self._cork.is_open = True
        await super().send(message)

    async def receive(self) -> ASGIReceiveEvent:
        """The next part of the body; after the last one, the end of the connection."""
        if self.waiting_for_100_continue:
            self._invite()
        while not self._is_over():
            # What has arrived is given out before any end: a whole request counts, however its sender left.
            if self.body or (not self.more_body and not self._gave_all):
                return self._take()
            self.resume()
            self.message_event.clear()
            await self.message_event.wait()
        return {"type": "http.disconnect"}

    def _is_over(self) -> bool:
        if self.response_complete or self._gave_all:
            return self.response_complete or self.disconnected or self._is_half_closed
        return self.disconnected and self.more_body

    def _take(self) -> HTTPRequestEvent:
        message: HTTPRequestEvent = {"type": "http.request", "body": bytes(self.body), "more_body": self.more_body}
        self.body = bytearray()
        self._gave_all = not self.more_body
        if self.flow.read_paused:
            self.resume()
        return message

    def _invite(self) -> None:
        """100 Continue, unless the body comes already (RFC 9110, 10.1.1): writing to who has left loses the rest."""
        if self.more_body and not self.body and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.waiting_for_100_continue = False

    def break_off(self) -> None:
        """The connection is lost, or its request can never be whole."""
        self.disconnected = True
        self.message_event.set()

    def half_close(self) -> None:
        """The sender has closed its side; and may still read the answer."""
        self._is_half_closed = True
        self.message_event.set()
