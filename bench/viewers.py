"""What viewers cost: memory, processor time, and how long the last of many waits. `python -m bench.viewers [ROW …]`.

The viewers are bare sockets in this process; what is measured is the server's own process. Wall times mean little where
others use the machine, so beside each stands the processor time, or the same work done by a loop of writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from .__main__ import error_request, free_port, named, post
from .raw import SNAPSHOT

IDLE = 10_000
"""Viewers that wait."""
PROJECTS = 10
"""That they are spread over."""
ALL = 19_000
"""Viewers of one worker, and of one project: what 20,000 file descriptors leave."""
WATCHING = 1_000
"""Viewers of one project that every push goes to."""
PUSHES = 40
AT_ONCE = 100
"""Connections that wait for their first snapshot at the same time."""
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

    async def join(self, url: str, requests: Sequence[bytes]) -> None:
        """Connect viewers, and wait for the first snapshot of each."""
        parts, loop = urlsplit(url), asyncio.get_running_loop()
        for request in requests:
            self.expect(1)
            await self.complete(but=AT_ONCE)
            await loop.create_connection(partial(_Viewer, self, request), parts.hostname or "", parts.port or 80)
        await self.complete()

    def leave(self) -> None:
        """Disconnect all."""
        for transport in self.transports:
            transport.abort()


class _Viewer(asyncio.Protocol):
    """One connection. It counts what arrives and looks at none of it."""

    def __init__(self, crowd: Crowd, request: bytes) -> None:
        self._crowd = crowd
        self._request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        self._crowd.transports.append(cast(asyncio.Transport, transport))
        self._crowd.transports[-1].write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count."""
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
WAYS: dict[str, Ask] = {"WebSocket": by_websocket, "Server-Sent Events": by_events}


def memory(pid: int) -> int:
    """KiB of a process: its own, and its share of what it has in common with others (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def processor(pid: int) -> float:
    """Seconds that a process has computed."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in threads) / 1e9


@contextlib.contextmanager
def served(module: str = "server", *arguments: str) -> Iterator[tuple[int, str]]:
    """A fresh server: its process and its address."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = {**os.environ, "PORT": str(port), "FIRSTLIGHT_DATA": f"{folder}/firstlight.db"}
        command = [sys.executable, "-m", module, *(arguments or ["serve"])]
        child = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            _wait_for(port, child)
            yield child.pid, f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while socket.socket().connect_ex(("127.0.0.1", port)):
        if child.poll() is not None or time.monotonic() > deadline:
            sys.exit("The server did not start.")
        time.sleep(0.05)


async def new_project(url: str) -> str:
    """A project that has arrived, by its id: one that waits has snapshots that only time makes."""
    made = await asyncio.to_thread(post, f"{url}/projects", {"name": "bench"})
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(error_request(parts.netloc, **named(made)))
    await reader.readuntil(b"}")
    writer.close()
    return made["id"]


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
    with tempfile.TemporaryDirectory() as folder, served("bench.paused", f"{folder}/pauses") as (pid, url):
        host, crowd = urlsplit(url).netloc, Crowd()
        names = [await new_project(url) for _ in range(projects)]
        await crowd.join(url, [ask(host, names[0])])
        await _pauses(pid, Path(folder) / "pauses")  # of the start
        before, began, computed = memory(pid), time.perf_counter(), processor(pid)
        await crowd.join(url, [ask(host, names[number % projects]) for number in range(viewers)])
        took, computed = time.perf_counter() - began, processor(pid) - computed
        spent = (memory(pid) - before) / viewers
        share = await _idle(pid)
        pause, full = await _pauses(pid, Path(folder) / "pauses")
        crowd.leave()
        return Waiting(spent, viewers / took, viewers / computed, share, pause, full)


async def _idle(pid: int) -> float:
    await asyncio.sleep(1)
    began, computed = time.perf_counter(), processor(pid)
    await asyncio.sleep(REST_SECONDS)
    return 100 * (processor(pid) - computed) / (time.perf_counter() - began)


async def _pauses(pid: int, told: Path) -> tuple[float, float]:
    os.kill(pid, signal.SIGUSR1)
    async with asyncio.timeout(10):
        while not told.exists():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)  # until it is written as a whole
    longest, full = json.loads(told.read_text(encoding="ascii"))
    told.unlink()
    return longest, full


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
    """One change to all viewers of one project; and the same bytes by a loop of writes, in turn with it."""
    with served() as (pid, url), served("bench.raw", str(viewers)) as (raw_pid, raw_url):
        project, crowd, raw = await new_project(url), Crowd(), Crowd()
        await crowd.join(url, [ask(urlsplit(url).netloc, project)] * viewers)
        await raw.join(raw_url, [b"hello"] * viewers)
        changes = [_change(urlsplit(url).netloc, project, platform) for platform in ("python", "javascript")]
        triggers = await _trigger(url, changes), await _trigger(raw_url, [b"push"])
        counts = [_Counts(pid, crowd, triggers[0]), _Counts(raw_pid, raw, triggers[1])]
        for _ in range(pushes):
            for each in counts:
                await each.push(viewers)
        crowd.leave()
        raw.leave()
        own, loop = (each.result(viewers) for each in counts)
        return own, loop


def _change(host: str, project: str, platform: str) -> bytes:
    """What everybody is shown at once, and once."""
    body = json.dumps({"platform": platform})
    return f"PATCH /projects/{project} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def _trigger(url: str, requests: Sequence[bytes]) -> Callable[[], None]:
    parts, loop = urlsplit(url), asyncio.get_running_loop()
    transport, _ = await loop.create_connection(asyncio.Protocol, parts.hostname or "", parts.port or 80)
    turns = itertools.cycle(requests)
    return lambda: transport.write(next(turns))


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
    "push-events": partial(show_push, "Server-Sent Events", by_events),
}


def main(names: Sequence[str]) -> None:
    """The rows that are named, or all."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in names or ROWS:
        print(f"[load {os.getloadavg()[0]:.1f}] ", end="")
        ROWS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
