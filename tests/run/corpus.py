"""Requests as bytes, for tests that cut them; and an application that notes what it was asked."""

from __future__ import annotations

import base64
from typing import Any

from starlette.types import Receive, Scope, Send


def masked(opcode: int, data: bytes, fin: bool = True, mask: bytes = bytes(4)) -> bytes:
    """A frame of a client; masked with zeros, unless told otherwise."""
    head = bytes([opcode | (0x80 if fin else 0)])
    size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + len(data).to_bytes(2, "big")
    return head + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def frames_of(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of each small frame that a server has sent."""
    found = []
    while data:
        size = data[1]
        assert size < 126
        found.append((data[0] & 15, data[2 : 2 + size]))
        data = data[2 + size :]
    return found


HANDSHAKE = (
    b"GET /live/1/ws HTTP/1.1\r\nHost: shop\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
VICTIM = b"GET /projects HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer admin\r\n\r\n"
H2C = b"POST /api/1/envelope/ HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
H2C += b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
CHUNKED = b"POST /api/1/envelope/ HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILED = b"4;name=value\r\n{}\n\n\r\n1;x\r\n!\r\n0\r\nAuthorization: Bearer admin\r\nX-Other: 1\r\n\r\n"

CORPUS: dict[str, bytes] = {
    "three in one": b"GET /a?x=1 HTTP/1.1\r\nHost: shop\r\n\r\n" * 2 + VICTIM,
    "a body, and the next": b"POST /a HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello" + VICTIM,
    "an offer of HTTP/2, with a body": H2C + b"Content-Length: 27\r\n\r\n\r\nUpgrade: h2c\r\n\r\nhello wor" + VICTIM,
    "an offer of HTTP/2, chunked": H2C + b"Transfer-Encoding: chunked\r\n\r\n" + TRAILED + VICTIM,
    "an offer of HTTP/2, without a body": H2C.replace(b"POST", b"GET") + b"\r\n" + VICTIM,
    "two offers of HTTP/2": (H2C + b"Content-Length: 2\r\n\r\n{}") * 2 + VICTIM,
    "trailers": CHUNKED + TRAILED + VICTIM,
    "one-byte chunks": CHUNKED + b"1\r\na\r\n" * 20 + b"0\r\n\r\n" + VICTIM,
    "expect": b"PUT /a HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody" + VICTIM,
    "the last one": b"GET /a HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n" + VICTIM,
    "HTTP/1.0": b"POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}" + VICTIM,
    "a handshake": HANDSHAKE + masked(1, b'{"type":"auth"}'),
    "a handshake after a request": VICTIM + HANDSHAKE + masked(1, b"he", fin=False) + masked(0, b"llo"),
    "a handshake with a body": HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello") + VICTIM,
    "another upgrade": b"GET /a HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: tls\r\n\r\n" + VICTIM,
    "no host": b"GET /a HTTP/1.1\r\nX: y\r\n\r\n" + VICTIM,
    "two hosts": VICTIM + b"GET /a HTTP/1.1\r\nHost: shop\r\nHost: other\r\n\r\n" + VICTIM,
    "two lengths": b"POST /a HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab" + VICTIM,
    "length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n") + b"0\r\n\r\n" + VICTIM,
    "no request": VICTIM + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a proxy's request": b"CONNECT shop:443 HTTP/1.1\r\nHost: shop:443\r\n\r\n" + VICTIM,
}


class Noting:
    """Notes each request, with its body as a whole, and answers it in a few words."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note: list[Any] = [scope.get("method"), scope["path"], scope["query_string"], list(scope["headers"])]
        self.seen.append(note)
        if scope["type"] == "websocket":
            await self._greet(note, receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                note.append(body)
                break
        text = b"%d bytes for %b" % (len(body), scope["path"].encode())
        headers = [(b"content-length", b"%d" % len(text))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})

    async def _greet(self, note: list[Any], receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        message = await receive()
        note.append(message.get("text"))
        await send({"type": "websocket.close", "code": 1000})
