"""Takes the copies of what a program's SDK sends, for `firstlight run`.

With `SENTRY_SPOTLIGHT` set to an address, current SDKs send a copy of every envelope there, also without a DSN: so one
can tell an SDK that never starts from one whose DSN leads nowhere. A copy holds everything, unsampled and with what
would be left out elsewhere. So this listens on loopback only, at an address with a secret in it, and keeps of each copy
no more than what kind of thing it was, and which key it was for.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

import httptools

from ..core.model.errors import FirstlightError
from ..core.wire.envelope import Envelope, parse_envelope

MAX_COPY = 20 * 1024 * 1024
"""Bytes of one copy; the same as of a request that the server takes."""
MAX_REMEMBERED = 1000
"""Of errors and keys."""


@dataclass
class Copies:
    """What is kept of the copies.

    Args:
        items: how many of each type.
        errors: ids of the events among them.
        keys: public keys that they were for; None stands for an SDK without a DSN.
        sdk: name and version, as the SDK says.
    """

    items: Counter[str] = field(default_factory=Counter)
    errors: set[str] = field(default_factory=set)
    keys: set[str | None] = field(default_factory=set)
    sdk: str = ""

    def add(self, envelope: Envelope) -> None:
        """Take note of one."""
        header = envelope.headers
        for item in envelope.items:
            self.items[item.type] += 1
            event_id = header.get("event_id")
            if item.type == "event" and isinstance(event_id, str) and len(self.errors) < MAX_REMEMBERED:
                self.errors.add(event_id.replace("-", ""))
        trace, sdk = header.get("trace"), header.get("sdk")
        if isinstance(trace, dict) and len(self.keys) < MAX_REMEMBERED:
            key = trace.get("public_key")
            self.keys.add(key if isinstance(key, str) else None)
        if isinstance(sdk, dict):
            self.sdk = f"{sdk.get('name', '')} {sdk.get('version', '')}".strip()


class Relay:
    """Listens for the time of an `async with` block."""

    def __init__(self) -> None:
        self.copies = Copies()
        self._path = f"/{secrets.token_urlsafe(16)}/stream".encode()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What `SENTRY_SPOTLIGHT` is set to. Node's SDK keeps nothing of it but host, port and path."""
        assert self._server
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._path.decode()}"

    async def __aenter__(self) -> Relay:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._path, self.copies), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server
        self._server.close()  # and does not wait: SDKs keep connections for what they may send later


class _Connection(asyncio.Protocol):
    """One connection of an SDK: Python's sends a length, Node's sends chunks, and both keep it."""

    def __init__(self, path: bytes, copies: Copies) -> None:
        self._path = path
        self._copies = copies
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._url, self._encoding, self._body = b"", b"", bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:  # also what the methods below raise
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._url += url
        if not self._path.startswith(self._url):
            raise ValueError("another address")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-encoding":
            self._encoding = value.lower()

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_COPY:
            raise ValueError("too large")

    def on_message_complete(self) -> None:
        if self._url == self._path:
            envelope = _envelope(bytes(self._body), self._encoding)
            if envelope:
                self._copies.add(envelope)
        self._transport.write(_TAKEN)
        self._begin()


# Some SDKs look for that header, to tell the sidecar from whatever else listens there.
_TAKEN = b"HTTP/1.1 200 OK\r\nX-Powered-By: spotlight-by-sentry\r\nContent-Length: 0\r\n\r\n"


def _envelope(body: bytes, encoding: bytes) -> Envelope | None:
    try:
        if encoding in (b"gzip", b"deflate"):
            body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_COPY)
        return parse_envelope(body)
    except (FirstlightError, zlib.error):  # the real one is refused with a reason, and that is told
        return None
