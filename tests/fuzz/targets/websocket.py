"""The frames of a viewer, before and after its hello."""

from __future__ import annotations

import asyncio
import zlib

from starlette.types import Receive, Scope, Send

from tests.fuzz.loop import WatchedLoop
from tests.run.corpus import HANDSHAKE, masked
from tests.support.memory import Link

SEEDS = [
    masked(1, b'{"type":"auth","token":"x"}') + masked(9, b"ping") + masked(8, b"\x03\xe8bye"),
    masked(1, b"he", fin=False) + masked(9, b"") + masked(0, b"llo") + masked(10, b""),
    masked(2, bytes(300)) + masked(8, b""),
    masked(9, bytes(125)) * 30 + masked(1, bytes(4000)),
]

_loop = WatchedLoop()


async def _viewer(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "{}"})
        assert 1000 <= message["code"] < 5000
    except OSError:  # it has left meanwhile
        pass


def run(data: bytes) -> None:
    """Feed it after a handshake, or some of it together with one."""
    _loop.run(_feed(data))


async def _feed(data: bytes) -> None:
    link = Link(_viewer)
    number = zlib.crc32(data)
    early, cut = number % (len(data) + 1), number % (len(data) + 7)
    link.feed(HANDSHAKE + data[:early] if number & 1 else HANDSHAKE)
    for _ in range(4):
        await asyncio.sleep(0)
    rest = data[early:] if number & 1 else data
    await link.feed_all(filter(None, (rest[:cut], rest[cut:])), turns=number % 3)
    if number & 64:
        link.finish()
    await asyncio.sleep(0)
    link.transport.lose()
    await link.settle()
    assert not link.server_state.connections
    assert len(link.output) < 20_000
