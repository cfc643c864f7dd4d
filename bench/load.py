"""A load generator that costs less than what it measures: raw protocols, one request in flight per connection.

python -m bench.load HOST PORT SECONDS CONNECTIONS < request   prints the number of answers and of those with 200
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, counts: list[int]) -> None:
        self._request = request
        self._counts = counts
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Head and body may come apart; the head comes whole, and the body ends with `}`."""
        self._counts[1] += data.startswith(b"HTTP/1.1 200")
        if self._transport and data.endswith(b"}"):
            self._counts[0] += 1
            self._transport.write(self._request)


async def main(host: str, port: int, seconds: float, connections: int, request: bytes) -> None:
    """Load the server for a bounded time."""
    loop, counts = asyncio.get_running_loop(), [0, 0]
    for number in range(connections):  # from an address each, as one alone may only take a tenth of a process
        own = (f"127.1.0.{number % 250 + 1}", 0) if host == "127.0.0.1" and sys.platform == "linux" else None
        await loop.create_connection(lambda: _Connection(request, counts), host, port, local_addr=own)
    await asyncio.sleep(seconds)
    counts[1] = min(counts)  # a head whose body is still on its way
    print(*counts, flush=True)


if __name__ == "__main__":
    host, port, seconds, connections = sys.argv[1:]
    uvloop.run(main(host, int(port), float(seconds), int(connections), sys.stdin.buffer.read()))
