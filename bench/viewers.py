"""What viewers cost: the memory of an idle one, and the processor time of a push to many. `python -m bench.viewers`.

The viewers are bare sockets in this process; what is measured is the server's own process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from .servers import free_port, post

IDLE = 2_000
"""Viewers that wait."""
PROJECTS = 4
"""That they are spread over: a project has places for fewer."""
WATCHING = 1_000
"""Viewers of one project that every push goes to."""
PUSHES = 40
AT_ONCE = 50
"""Connections that are opened at the same time."""
TICKS = os.sysconf("SC_CLK_TCK")


class Crowd:
    """Viewers, and how many snapshots they are still waiting for."""

    def __init__(self) -> None:
        self.transports: list[asyncio.Transport] = []
        self._missing = 0
        self._all = asyncio.Event()

    def expect(self, count: int) -> None:
        """Start to wait for so many snapshots."""
        self._missing += count
        self._all.clear()

    def came(self, count: int) -> None:
        """Count what came."""
        self._missing -= count
        if self._missing <= 0:
            self._all.set()

    async def complete(self) -> None:
        """Wait for the last one."""
        async with asyncio.timeout(60):
            await self._all.wait()

    async def join(self, url: str, requests: list[bytes]) -> None:
        """Connect viewers, and wait for the first snapshot of each."""
        parts, loop = urlsplit(url), asyncio.get_running_loop()
        host, port = parts.hostname or "", parts.port or 80
        for start in range(0, len(requests), AT_ONCE):
            group = requests[start : start + AT_ONCE]
            self.expect(len(group))
            await asyncio.gather(*(loop.create_connection(partial(_Viewer, self, ask), host, port) for ask in group))
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
        self._crowd.came(data.count(b'"type":"snapshot"'))


def by_websocket(host: str, project: str) -> bytes:
    """A handshake."""
    head = f"GET /live/{project}/ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()


def by_events(host: str, project: str) -> bytes:
    """A request for Server-Sent Events."""
    return f"GET /live/{project}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


WAYS: dict[str, Callable[[str, str], bytes]] = {"WebSocket": by_websocket, "Server-Sent Events": by_events}


def memory(pid: int) -> int:
    """Resident KiB of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def processor(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def served() -> Iterator[tuple[int, str]]:
    """A fresh server: its process and its address."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        env = {**os.environ, "PORT": str(port), "FIRSTLIGHT_DATA": f"{folder}/firstlight.db"}
        child = subprocess.Popen([sys.executable, "-m", "server", "serve"], env=env, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if child.poll() is not None or time.monotonic() > deadline:
                    sys.exit("The server did not start.")
                time.sleep(0.05)
            yield child.pid, f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(20)


async def new_project(url: str) -> str:
    """Its id."""
    return (await asyncio.to_thread(post, f"{url}/projects", {"name": "bench"}))["id"]


async def idle(ask: Callable[[str, str], bytes], pid: int, url: str) -> float:
    """KiB per viewer that waits."""
    host, crowd = urlsplit(url).netloc, Crowd()
    projects = [await new_project(url) for _ in range(PROJECTS)]
    await crowd.join(url, [ask(host, projects[0])])
    before = memory(pid)
    await crowd.join(url, [ask(host, projects[number % PROJECTS]) for number in range(IDLE)])
    spent = (memory(pid) - before) / IDLE
    crowd.leave()
    return spent


async def push(ask: Callable[[str, str], bytes], pid: int, url: str) -> tuple[float, float]:
    """Microseconds of processor time per viewer and push; milliseconds until the last viewer has it, the median."""
    project, crowd, waits = await new_project(url), Crowd(), []
    await crowd.join(url, [ask(urlsplit(url).netloc, project)] * WATCHING)
    before = processor(pid)
    for _ in range(PUSHES):
        started = time.perf_counter()
        crowd.expect(WATCHING)
        await asyncio.to_thread(post, f"{url}/projects/{project}/reset", {})
        await crowd.complete()
        waits.append(time.perf_counter() - started)
    spent = (processor(pid) - before) / PUSHES / WATCHING
    crowd.leave()
    return 1e6 * spent, 1e3 * sorted(waits)[PUSHES // 2]


def main() -> None:
    """Both figures for each way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * IDLE)), hard))
    for name, ask in WAYS.items():
        with served() as (pid, url):
            print(f"{name}: {uvloop.run(idle(ask, pid, url)):.1f} KiB per idle viewer, of {IDLE}", flush=True)
        with served() as (pid, url):
            spent, wait = uvloop.run(push(ask, pid, url))
            print(f"{name}: {spent:.1f} µs per viewer and push, {wait:.0f} ms until the last of {WATCHING} has it")


if __name__ == "__main__":
    main()
