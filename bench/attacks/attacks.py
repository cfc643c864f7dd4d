"""What each flood sends: bytes over a few connections, requests one after another, or connections that never end."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from enum import Enum, auto

BYTES_PER_SECOND = 2_000_000
REQUESTS_PER_SECOND = 500
HELD = 1500
"""Connections that are held open at the same time, at most: the descriptors of both sides come from one machine."""

PACKED = "Content-Encoding: gzip"


class Kind(Enum):
    """How it is sent."""

    STREAM = auto()
    """`start` once for each connection, then `part` again and again, at so many bytes a second in all."""
    REQUESTS = auto()
    """`part` again and again on a few connections, each answer read, at so many a second or bytes a second."""
    HELD = auto()
    """`start` on a new connection each time, and `part` every second on all of them, which nobody closes."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One flood."""

    name: str
    kind: Kind
    start: bytes = b""
    part: bytes = b""
    connections: int = 8
    reads: bool = True
    """Whether it reads what comes back."""


def masked(opcode: int, data: bytes = b"", fin: bool = True) -> bytes:
    """A frame of a client, masked with zeros."""
    return bytes([opcode | (0x80 if fin else 0), 0x80 | len(data)]) + bytes(4) + data


def request(method: str, path: str, body: bytes = b"", *lines: str) -> bytes:
    """A request with a Host and a length."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def attacks(project: str, key: str, other_key: str) -> list[Attack]:
    """All of them.

    Args:
        project: whose page the flood is aimed at; its heartbeat is not the one that is timed.
        key: its public key, which every visitor of its site can read.
        other_key: a key of nobody.
    """
    path = f"/api/{project}"
    wrong = f"X-Sentry-Auth: Sentry sentry_key={other_key}"
    known = f"X-Sentry-Auth: Sentry sentry_key={key}, sentry_client=sentry.python/2.75.0"
    return [*_framing(path), *_frames(project), *_held(path, project), *_requests(path, wrong, known)]


def _framing(path: str) -> list[Attack]:
    chunked = f"POST {path}/envelope/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return [
        Attack("chunk trailers", Kind.STREAM, chunked + b"0\r\n", b"X-Long: " + b"y" * 500 + b"\r\n"),
        Attack("one-byte chunks", Kind.STREAM, chunked, b"1\r\na\r\n"),
        Attack("chunk extensions", Kind.STREAM, chunked, b"1;" + b"x" * 1000 + b"\r\na\r\n"),
    ]


def _frames(project: str) -> list[Attack]:
    key = base64.b64encode(bytes(16)).decode()
    handshake = (
        f"GET /live/{project}/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()
    return [
        Attack("empty fragments", Kind.STREAM, handshake + masked(1, fin=False), masked(0, fin=False)),
        Attack("pings", Kind.STREAM, handshake, masked(9)),
        Attack("pongs", Kind.STREAM, handshake, masked(10)),
        Attack("unread pongs", Kind.STREAM, handshake, masked(9, bytes(125)), reads=False),
        Attack("immortal handshakes", Kind.HELD, handshake.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\n")),
        Attack("WebSockets without a token", Kind.HELD, handshake),
    ]


def _held(path: str, project: str) -> list[Attack]:
    body = f"POST {path}/envelope/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n".encode()
    return [
        Attack("slow heads", Kind.HELD, f"GET /live/{project} HTTP/1.1\r\nX-Slow: ".encode(), b"y"),
        Attack("one-byte bodies", Kind.HELD, body, b"y", connections=64),
    ]


def _requests(path: str, wrong: str, known: str) -> list[Attack]:
    lines = gzip.compress(b"{}\n" + b'{"type":\n"x"}\n\n' * 980)
    nan = b"{}\n" + b'{"type":"heartbeat"}\n{"type":"heartbeat","interval":NaN}\n' * 300
    bomb = gzip.compress(b"{}\n" + bytes(20 * 1024 * 1024 - 10))
    slow = gzip.compress(b'{"exception":[' + b"NaN," * 60_000 + b"1]}")
    heartbeat = json.dumps({"type": "heartbeat"}).encode()
    return [
        Attack("wrong keys", Kind.REQUESTS, part=request("POST", f"{path}/heartbeat/", heartbeat, wrong)),
        Attack(
            "item headers over two lines",
            Kind.REQUESTS,
            part=request("POST", f"{path}/envelope/", lines, PACKED),
        ),
        Attack("NaN heartbeats", Kind.REQUESTS, part=request("POST", f"{path}/envelope/", nan, known)),
        Attack("events of NaN, packed", Kind.REQUESTS, part=request("POST", f"{path}/store/", slow, known, PACKED)),
        Attack("bombs", Kind.REQUESTS, part=request("POST", f"{path}/envelope/", bomb, PACKED)),
        Attack("bombs with the key", Kind.REQUESTS, part=request("POST", f"{path}/envelope/", bomb, known, PACKED)),
        Attack(
            "OPTIONS",
            Kind.REQUESTS,
            part=request("OPTIONS", f"{path}/envelope/", b"", "Access-Control-Request-Method: POST"),
        ),
        Attack("check/", Kind.REQUESTS, part=request("POST", f"{path}/check/", b"{}", known)),
        Attack(
            "errors with the key", Kind.REQUESTS, part=request("POST", f"{path}/store/", b'{"level":"error"}', known)
        ),
    ]
