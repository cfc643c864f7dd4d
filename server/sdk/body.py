"""The body of a request: as it was sent, for whoever forwards it, and decompressed. Bounded in bytes and in time.

A body in one part is taken as it is. One in several parts holds a place as long as it arrives, so that a few slow ones
do not take the memory of all, and must come at a certain speed. A place is given only to who has shown a valid key, or
may still do so with the first line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect

from ..core.model.errors import BadRequest, MalformedEnvelope
from ..core.wire.body import Body, check_limit
from ..core.wire.budget import Budget
from ..core.wire.envelope import MAX_HEADER_BYTES, parse_envelope_header
from .request import SdkRequest


class Received(NamedTuple):
    """A whole body.

    Args:
        raw: as it was sent, still compressed.
        decoded: decompressed.
    """

    raw: bytes
    decoded: bytes


async def read_body(request: SdkRequest) -> Received:
    """The whole body of a request with a valid key.

    Raises:
        TooLarge, UnsupportedEncoding: as `Body`; as soon as it is known.
        BadRequest: it did not arrive in time.
        Overloaded: too many long ones arrive at the same time.
        ClientDisconnect: its sender left before it was whole.
    """
    message = await request.receive()
    if b"content-encoding" in request.headers or message.get("more_body") or message["type"] != "http.request":
        arrival = Arrival(request)
        arrival.feed(message)
        return await arrival.whole()
    part: bytes = message.get("body", b"")  # what nearly every heartbeat is
    request.size = len(part)
    check_limit(len(part), request.tools.max_body)
    return Received(part, part)


class Arrival:
    """A body on its way.

    Args:
        request: whose it is.
    """

    def __init__(self, request: SdkRequest) -> None:
        self._request = request
        self._started = 0.0
        self._body = Body(request.headers.get(b"content-encoding", ""), request.tools.max_body)
        self._raw: list[bytes] = []
        self._received = 0
        self._is_whole = False

    async def whole(self) -> Received:
        """All of it, as `read_body`; the first part was fed."""
        request, tools = self._request, self._request.tools
        if not self._is_whole:
            request.release()  # the place of a body without a key
            request.hold(tools.long_bodies.taken(f"from {request.sender}", f"for {request.project_id}"))
            while not self._is_whole:
                await self._more(tools.limits.body_seconds)
            request.release()
        decoded = self._body.bytes()
        request.size = len(decoded)
        return Received(decoded if len(self._raw) == 1 and decoded == self._raw[0] else b"".join(self._raw), decoded)

    async def header(self) -> Mapping[str, Any]:
        """The header of an envelope, as soon as it is there: it may hold the only key.

        Raises:
            MalformedEnvelope: it is none.
            Others: as `read_body`.
        """
        tools, tries_at = self._request.tools, 1
        self.feed(await self._request.receive())
        if not self._is_whole:
            self._request.hold(tools.keyless_bodies.taken(f"from {self._request.sender}"))
        while not self._is_whole and self._body.size < MAX_HEADER_BYTES:
            if self._body.size >= tries_at and b"\n" in self._body.start(MAX_HEADER_BYTES):
                with suppress(MalformedEnvelope):  # it may go on in the next line
                    return parse_envelope_header(self._body.start(MAX_HEADER_BYTES), Budget(MAX_HEADER_BYTES))[0]
                tries_at = 2 * self._body.size  # so that all tries together cost as much as twice the last
            await self._more(tools.limits.keyless_seconds)
        start = self._body.bytes() if self._is_whole else self._body.start(MAX_HEADER_BYTES)
        return parse_envelope_header(start, Budget(MAX_HEADER_BYTES))[0]

    async def _more(self, seconds: float) -> None:
        """Wait for the next part, which must come so soon that all of them come at the least speed."""
        limits = self._request.tools.limits
        steady = limits.body_grace_seconds + self._received / limits.body_bytes_per_second
        allowed = min(seconds, steady)
        try:
            async with asyncio.timeout_at(self._started + allowed):
                message = await self._request.receive()
        except TimeoutError:
            raise BadRequest(f"The body did not arrive within {allowed:.0f} seconds.") from None
        self.feed(message)

    def feed(self, message: Mapping[str, Any]) -> None:
        """Take the next part.

        Raises:
            TooLarge, UnsupportedEncoding, ClientDisconnect: as `read_body`.
        """
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        self._is_whole = not message.get("more_body", False)
        self._started = self._started or asyncio.get_running_loop().time()
        self._raw.append(part)
        self._received += len(part)
        self._body.feed(part)
        self._request.size = self._body.size
