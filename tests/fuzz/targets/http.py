"""The bytes of a connection: heads, bodies, chunks, offers, handshakes and frames, cut where chance has it."""

from __future__ import annotations

import asyncio
import zlib

from tests.fuzz.loop import WatchedLoop
from tests.run.corpus import CORPUS, Noting
from tests.support.memory import Link

SEEDS = list(CORPUS.values())

_app = Noting()
_loop = WatchedLoop()


def run(data: bytes) -> None:
    """Feed it in one to four reads, and end the connection."""
    _loop.run(_feed(data))
    _app.seen.clear()


async def _feed(data: bytes) -> None:
    link = Link(_app)
    number = zlib.crc32(data)  # the same input is always cut at the same places
    cuts = sorted(number % (len(data) + shift) for shift in (1, 7, 13))
    parts = [data[: cuts[0]], data[cuts[0] : cuts[1]], data[cuts[1] : cuts[2]], data[cuts[2] :]]
    await link.feed_all(filter(None, parts), turns=number % 3)
    if number & 64:
        link.finish()
    await asyncio.sleep(0)
    if not link.transport.is_ended:
        link.transport.lose()
    await link.settle()
    assert not link.server_state.connections
    assert not link.server_state.tasks
