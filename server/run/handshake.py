"""The opening handshake of a WebSocket (RFC 6455, section 4.2), from the fields that the HTTP parser has read."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from websockets.utils import accept_key

from .refused import Fields, Refused, tokens_of

VERSION_SPOKEN = b"sec-websocket-version", b"13"
KEY_BYTES = 16
UNREADABLE = "This handshake cannot be read."


def accepted_key(method: str, headers: Fields) -> bytes:
    """What the answer proves by: `Sec-WebSocket-Accept`.

    Raises:
        Refused: this is no handshake, or one of another version.
    """
    # Section 4.2.1, items 1 to 6. Whether there is one Host, and what it may be, is checked for every request.
    if method != "GET" or b"upgrade" not in tokens_of(headers, b"connection"):
        raise Refused(UNREADABLE)
    if _values(headers, b"sec-websocket-version") != [VERSION_SPOKEN[1]]:
        raise Refused("Only version 13 of WebSocket is spoken here.", 426)
    keys = _values(headers, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refused(UNREADABLE)
    return accept_key(keys[0].decode("ascii")).encode()


def acceptance(key: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The answer that opens a WebSocket."""
    own = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", key)]
    return _head(101, [*own, *headers])


def denial(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """An answer that opens none, and is the last of its connection."""
    own = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"connection")]
    return _head(status, [*own, (b"content-length", b"%d" % len(body)), (b"connection", b"close")]) + body


def _head(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return STATUS_LINE[status] + lines + b"\r\n"


def _values(headers: Fields, name: bytes) -> list[bytes]:
    return [value.strip() for field, value in headers if field == name]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == KEY_BYTES
    except binascii.Error:
        return False
