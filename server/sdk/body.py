"""The body of a request, decompressed. Bounded in bytes and in time.

A body in one part is taken as it is. One in several parts holds a place as long as it arrives, so that a few slow ones
do not take the memory of all, and must come at a certain speed. A place is given only to who has shown a valid key, or
may still do so with the first line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect

from ..core.model.errors import BadRequest, MalformedEnvelope
from ..core.wire.body import Body, check_limit, unpacked
from ..core.wire.budget import Budget
from ..core.wire.envelope import MAX_HEADER_BYTES, parse_envelope_header
from ..engine.limits import Held
from .request import SdkRequest

SLICE = 512
"""Bytes of a packed body that are unpacked in one go: half a MiB at the worst."""
UNPAUSED = 256 * 1024
"""Bytes that come out before others have their turn: a millisecond."""


async def read_body(request: SdkRequest) -> bytes:
    """The whole body of a request with a valid key, decompressed.

    Raises:
        TooLarge, UnsupportedEncoding: as `Body`; as soon as it is known.
        BadRequest: it did not arrive in time.
        Overloaded: too many long ones arrive at the same time.
        ClientDisconnect: its sender left before it was whole.
    """
    message = request.whole or await request.receive()
    # One part that is small, or as it was sent, is what nearly every request has: no place, no memory, no second copy.
    if not message.get("more_body") and message["type"] == "http.request":
        received = _at_once(request, message.get("body", b""))
        if received is not None:
            return received
    arrival = Arrival(request)
    arrival.feed(message)
    return await arrival.whole()


def _at_once(request: SdkRequest, part: bytes) -> bytes | None:
    """The whole body, where that costs nobody else any time."""
    most = request.tools.max_body
    check_limit(len(part), most)
    encoding = request.headers.get(b"content-encoding")
    whole = part if encoding is None else unpacked(encoding, part, min(UNPAUSED, most))
    if whole is not None:
        request.size = len(whole)
    return whole


class Arrival:
    """A body on its way.

    Args:
        request: whose it is.
    """

    def __init__(self, request: SdkRequest) -> None:
        self._request = request
        self._encoding = request.headers.get(b"content-encoding", "")
        self._raw: list[bytes] = []
        self._received = 0
        self._is_whole = False
        self._started = 0.0

    async def whole(self) -> bytes:
        """All of it, as `read_body`; the first part was fed. Its sender has shown a valid key."""
        tools = self._request.tools
        body = Body(self._encoding, tools.max_body)
        try:
            with tools.room.taken() as held:
                for part in self._raw:
                    await self._unpack(body, part, held)
                if not self._is_whole:
                    await self._rest(body, held)
                decoded = body.bytes()
        finally:  # also what is refused has cost something
            self._request.size = body.size
        return decoded

    async def header(self) -> Mapping[str, Any]:
        """The header of an envelope, as soon as it is there: it may hold the only key. No more is decompressed.

        Raises:
            MalformedEnvelope: this is not an envelope.
            TooLarge: it does not end.
            Others: as `read_body`.
        """
        request, start, tries_at = self._request, Body(self._encoding, MAX_HEADER_BYTES, cut=True), 1
        start.feed(self.feed(await request.receive()))
        if not self._is_whole:
            # Places of their own: slow strangers must not take those of senders with a key.
            request.hold(request.tools.keyless_bodies.taken(f"from {request.sender}"))
        while not self._is_whole and not start.is_full:
            if start.size >= tries_at and b"\n" in start.start():
                with suppress(MalformedEnvelope):  # it may go on in the next line
                    return _header(start.start())
                tries_at = 2 * start.size  # so that all tries together cost as much as twice the last
            start.feed(await self._more(request.tools.limits.keyless_seconds))
        if start.is_full and b"\n" not in start.start():
            check_limit(MAX_HEADER_BYTES + 1, MAX_HEADER_BYTES)
        return _header(start.start() if start.is_full else start.bytes())

    async def _rest(self, body: Body, held: Held) -> None:
        """What is still to come, as long as there is room for it."""
        request, tools = self._request, self._request.tools
        request.release()  # the place of a body without a key
        request.hold(tools.long_bodies.taken(f"from {request.sender}", f"for {request.project_id}"))
        while not self._is_whole:
            held.grow_to(body.size + (self._received if body.is_packed else 0))
            await self._unpack(body, await self._more(tools.limits.body_seconds), held)
            if not body.is_packed:
                self._raw.clear()
        request.release()

    async def _unpack(self, body: Body, part: bytes, held: Held) -> None:
        """Feed a part, little by little where it is packed, so that others do not wait for all that comes out of it."""
        if not body.is_packed:
            body.feed(part)
            return
        paused_at = body.size
        # A bomb is a thousand times as large as it looks: 200 MiB capped at 1 MiB still cost 2.8 ms, and many small
        # ones would add up without a pause.
        for start in range(0, len(part), SLICE):
            body.feed(part[start : start + SLICE])
            # By what came out, not by what went in: that is what takes time.
            if body.size - paused_at > UNPAUSED:
                paused_at = body.size
                held.grow_to(body.size + self._received)
                await asyncio.sleep(0)

    async def _more(self, seconds: float) -> bytes:
        """Wait for the next part, which must come so soon that all of them come at the least speed."""
        limits = self._request.tools.limits
        # A limit that grows with what has arrived: a slow mobile link gets its time, and one byte a second does not.
        steady = limits.body_grace_seconds + self._received / limits.body_bytes_per_second
        allowed = min(seconds, steady)
        try:
            async with asyncio.timeout_at(self._started + allowed):
                message = await self._request.receive()
        except TimeoutError:
            said = f"The body did not arrive within {allowed:.0f} seconds."
            raise BadRequest(said, (), {"seconds": f"{allowed:.0f}"}, "body_slow") from None
        return self.feed(message)

    def feed(self, message: Mapping[str, Any]) -> bytes:
        """Take the next part; gives its bytes.

        Raises:
            ClientDisconnect: there is none.
        """
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part: bytes = message.get("body", b"")
        self._is_whole = not message.get("more_body", False)
        self._started = self._started or asyncio.get_running_loop().time()
        self._raw.append(part)
        self._received += len(part)
        return part


def _header(start: bytes) -> Mapping[str, Any]:
    return parse_envelope_header(start, Budget(MAX_HEADER_BYTES))[0]
