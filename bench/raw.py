"""The floor under a push: the same bytes to as many sockets, by a loop of `transport.write` on uvloop, and no more.

python -m bench.raw VIEWERS   listens on $PORT; who says anything gets a snapshot, and after `push` all get one
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

import uvloop
from websockets.frames import Frame, Opcode

SNAPSHOT = b'"type":"snapshot"'
FRAME = Frame(Opcode.TEXT, b"{" + SNAPSHOT + b"," + b" " * 1000 + b"}").serialize(mask=False)


class _Socket(asyncio.Protocol):
    def __init__(self, everybody: list[asyncio.Transport]) -> None:
        self._everybody = everybody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """`push`, or a viewer's first word."""
        if data == b"push":
            for transport in self._everybody:
                transport.write(FRAME)
        else:
            self._everybody.append(self._transport)
            self._transport.write(FRAME)


async def main(viewers: int) -> None:
    """Serve until killed."""
    loop, everybody = asyncio.get_running_loop(), list[asyncio.Transport]()
    await loop.create_server(lambda: _Socket(everybody), "127.0.0.1", int(os.environ["PORT"]), backlog=viewers)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
