"""The least that a push can cost on this loop: any POST has its body written to all who watch, as one frame.

python -m bench.rawloop PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
watching: list[asyncio.Transport] = []


class Raw(asyncio.Protocol):
    """One connection, which posts or watches. Requests come whole: they are under a packet's size."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """A handshake, or a state for all."""
        if data.startswith(b"GET "):
            watching.append(self._transport)
            self._transport.write(SWITCHING + framed(b'{"type":"snapshot"}'))
            return
        frame = framed(data.partition(b"\r\n\r\n")[2])
        for transport in watching:
            transport.write(frame)
        self._transport.write(ACCEPTED)


def framed(text: bytes) -> bytes:
    """A text frame of a server, of up to 64 KiB."""
    size = bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
    return b"\x81" + size + text


async def main(port: int) -> None:
    """Serve until it is ended."""
    server = await asyncio.get_running_loop().create_server(Raw, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
