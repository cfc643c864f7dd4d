"""What viewers cost the server's own process, by its processor time. `python -m bench.viewers [ROW …]`.

`make bench` measures the same with peers beside it, by the clock. Where others use the machine the clock says little:
here stands what the process computed, or the same work done by a loop of writes in turn with it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from . import requests
from .machine import memory, processor
from .making import project
from .push import MESSAGE
from .servers import Served, firstlight, free_port, process, raise_limit

SNAPSHOT = b'"type":"snapshot"'
IDLE = 10_000
"""Viewers that wait."""
PROJECTS = 10
"""That they are spread over."""
ALL = 19_000
"""Viewers of one project: what 20,000 file descriptors leave."""
WATCHING = 1_000
"""Viewers of one project that every push goes to."""
PUSHES = 40
AT_ONCE = 100
"""Connections that wait for their first snapshot at the same time."""
FIRST = 100
"""That watch before memory is looked at."""
REST_SECONDS = 10.0
"""How long the idle are looked at: longer than it takes until each was pinged."""


class Crowd:
    """Viewers, and how many snapshots they are still waiting for."""

    def __init__(self) -> None:
        self.transports: list[asyncio.Transport] = []
        self._missing = 0
        self._some = asyncio.Event()

    def expect(self, count: int) -> None:
        """Start to wait for so many snapshots."""
        self._missing += count

    def came(self, count: int) -> None:
        """Count what came."""
        self._missing = max(0, self._missing - count)
        self._some.set()

    async def complete(self, but: int = 0) -> None:
        """Wait for the last one, or until only so many are missing."""
        async with asyncio.timeout(120):
            while self._missing > but:
                self._some.clear()
                await self._some.wait()

    async def join(self, served: Served, asked: Sequence[bytes]) -> None:
        """Connect viewers, and wait for the first snapshot of each."""
        for request in asked:
            self.expect(1)
            await self.complete(but=AT_ONCE)
            loop = asyncio.get_running_loop()
            await loop.create_connection(partial(_Viewer, self, request), "127.0.0.1", served.port)
        await self.complete()

    def leave(self) -> None:
        """Disconnect all."""
        for transport in self.transports:
            transport.abort()


class _Viewer(asyncio.Protocol):
    """One connection. It looks at nothing that arrives but to count."""

    def __init__(self, crowd: Crowd, request: bytes) -> None:
        self._crowd = crowd
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._crowd.transports.append(cast(asyncio.Transport, transport))
        self._crowd.transports[-1].write(self._request)

    def data_received(self, data: bytes) -> None:
        count = data.count(SNAPSHOT)
        if count:
            self._crowd.came(count)


def by_websocket(host: str, project: str) -> bytes:
    """A handshake."""
    head = f"GET /live/{project}/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()


def by_events(host: str, project: str) -> bytes:
    """A request for Server-Sent Events."""
    return f"GET /live/{project}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


Ask = Callable[[str, str], bytes]


def new_project(served: Served) -> str:
    """A project that has arrived, by its id: one that waits has snapshots that only time makes."""
    number, key = project(served)
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(requests.small_error(served.host, number, key))
        connection.recv(65_536)
    return number


@dataclass(frozen=True)
class Waiting:
    """What many viewers cost that wait.

    Args:
        kib: of each.
        accepted: per second, each up to its first snapshot.
        accepted_by_processor: per second that the server's process computed.
        share: of a processor while nothing happens, in percent.
        pause: of the longest garbage collection while they came, in milliseconds.
        full_pause: of a full one afterwards.
    """

    kib: float
    accepted: float
    accepted_by_processor: float
    share: float
    pause: float
    full_pause: float


async def wait(ask: Ask = by_websocket, viewers: int = IDLE, projects: int = PROJECTS) -> Waiting:
    """Let so many viewers come and wait."""
    with tempfile.TemporaryDirectory() as folder, firstlight(probe=f"{folder}/pauses") as served:
        crowd, pauses = Crowd(), Pauses(served.pid, Path(folder) / "pauses")
        names = [new_project(served) for _ in range(projects)]
        await crowd.join(served, [ask(served.host, names[0])] * FIRST)
        pauses.read()  # of the start
        before, began, computed = memory(served.pid), time.perf_counter(), processor(served.pid)
        await crowd.join(served, [ask(served.host, names[number % projects]) for number in range(viewers)])
        took, computed = time.perf_counter() - began, processor(served.pid) - computed
        spent = (memory(served.pid) - before) / viewers
        share = await _idle(served.pid)
        pause, full = pauses.read(), await pauses.full()
        crowd.leave()
        return Waiting(spent, viewers / took, viewers / computed, share, pause, full)


async def _idle(pid: int) -> float:
    await asyncio.sleep(1)
    computed = processor(pid)
    await asyncio.sleep(REST_SECONDS)
    return 100 * (processor(pid) - computed) / REST_SECONDS


class Pauses:
    """How long the garbage collector stops a server, as `bench/probe` writes it down."""

    def __init__(self, pid: int, told: Path) -> None:
        self._pid = pid
        self._told = told
        self._seen = 0

    def read(self) -> float:
        """Milliseconds of the longest since the last look."""
        lines = self._told.read_text(encoding="ascii").splitlines() if self._told.exists() else []
        news, self._seen = lines[self._seen :], len(lines)
        return max((float(line.split()[1]) for line in news), default=0.0)

    async def full(self) -> float:
        """Of a full one, which is forced."""
        os.kill(self._pid, signal.SIGRTMIN + 5)
        async with asyncio.timeout(10):
            while not (found := self.read()):
                await asyncio.sleep(0.05)
        return found


@dataclass(frozen=True)
class Push:
    """What it costs to show one change to many.

    Args:
        last: milliseconds until the last one has it, the median.
        each: microseconds of processor time for each viewer.
    """

    last: float
    each: float


async def push(ask: Ask = by_websocket, viewers: int = WATCHING, pushes: int = PUSHES) -> tuple[Push, Push]:
    """One change to all viewers of one project; and as many bytes by a loop of writes, in turn with it."""
    port = free_port()
    with firstlight() as served, process("raw", [sys.executable, "-m", "bench.rawloop", str(port)], {}, port) as loop:
        name, crowd, raw = new_project(served), Crowd(), Crowd()
        await crowd.join(served, [ask(served.host, name)] * viewers)
        await raw.join(loop, [by_websocket(loop.host, "raw")] * viewers)
        changes = [_change(served.host, name, platform) for platform in ("python", "javascript")]
        counts = [
            _Counts(served.pid, crowd, await _trigger(served, changes)),
            _Counts(loop.pid, raw, await _trigger(loop, [requests.request("/pub/raw", loop.host, MESSAGE)])),
        ]
        for _ in range(pushes):
            for each in counts:
                await each.push(viewers)
        crowd.leave()
        raw.leave()
        return counts[0].result(viewers), counts[1].result(viewers)


def _change(host: str, name: str, platform: str) -> bytes:
    """What everybody is shown at once, and once."""
    body = json.dumps({"platform": platform}).encode()
    return requests.request(f"/projects/{name}", host, body).replace(b"POST", b"PATCH", 1)


async def _trigger(served: Served, turns: Sequence[bytes]) -> Callable[[], None]:
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", served.port)
    each = itertools.cycle(turns)
    return lambda: transport.write(next(each))


class _Counts:
    """Pushes of one server."""

    def __init__(self, pid: int, crowd: Crowd, trigger: Callable[[], None]) -> None:
        self._pid, self._crowd, self._trigger = pid, crowd, trigger
        self._waits: list[float] = []
        self._computed: list[float] = []

    async def push(self, viewers: int) -> None:
        """Once, until the last one has it."""
        before, began = processor(self._pid), time.perf_counter()
        self._crowd.expect(viewers)
        self._trigger()
        await self._crowd.complete()
        self._waits.append(time.perf_counter() - began)
        self._computed.append(processor(self._pid) - before)

    def result(self, viewers: int) -> Push:
        """The medians."""
        return Push(1e3 * statistics.median(self._waits), 1e6 * statistics.median(self._computed) / viewers)


def show_waiting(name: str, ask: Ask, viewers: int, projects: int) -> None:
    """Print one row."""
    found = uvloop.run(wait(ask, viewers, projects))
    print(
        f"{name}, {viewers:,} of {projects} project(s): {found.kib:.2f} KiB each; accepted {found.accepted:,.0f}/s, "
        f"{found.accepted_by_processor:,.0f}/s of processor time; idle {found.share:.2f} % of a processor; collections "
        f"paused for {found.pause:.1f} ms at most, a full one for {found.full_pause:.1f} ms",
        flush=True,
    )


def show_push(name: str, ask: Ask) -> None:
    """Print one row."""
    own, raw = uvloop.run(push(ask))
    print(
        f"{name}, one change to {WATCHING:,}: the last has it after {own.last:.1f} ms, {own.each:.1f} µs each; "
        f"a loop of writes {raw.last:.1f} ms, {raw.each:.1f} µs; ratios {own.last / raw.last:.2f} and "
        f"{own.each / raw.each:.2f}",
        flush=True,
    )


ROWS: dict[str, Callable[[], None]] = {
    "idle": partial(show_waiting, "WebSocket", by_websocket, IDLE, PROJECTS),
    "all": partial(show_waiting, "WebSocket", by_websocket, ALL, 1),
    "events": partial(show_waiting, "Server-Sent Events", by_events, IDLE // 5, PROJECTS),
    "push": partial(show_push, "WebSocket", by_websocket),
}


def main(names: Sequence[str]) -> None:
    """The rows that are named, or all."""
    raise_limit()
    for name in names or ROWS:
        print(f"[load {os.getloadavg()[0]:.1f}] ", end="")
        ROWS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
