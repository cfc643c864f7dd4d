"""The processes and links of one run, on loopback: watchers, a link, a server, a link, and its store."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.redis_server import RedisServer
from tests.support.server import ServerProcess

from ..machine import memory
from .link import ADDRESSES, Link

WORKERS = 2


@dataclass(slots=True)
class World:
    """What a fault can be done to."""

    folder: Path
    server: ServerProcess
    pages: Link
    """Between those who watch and the server."""
    redis: RedisServer
    """Not started where the store is embedded."""
    store: Link
    """Between the server and Redis."""
    ended: list[int] = field(default_factory=list)
    """Exit statuses of the server."""

    @property
    def data(self) -> Path:
        """The file of the embedded store."""
        return self.folder / "firstlight.db"

    def workers(self) -> list[int]:
        """Process ids; of the only process, where there is one."""
        parent = self.server.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if _is_worker(pid)] or [parent]

    def memory(self) -> int:
        """KiB of all workers."""
        return int(sum(memory(pid) for pid in self.workers()))

    def signal_one(self, sign: signal.Signals, pid: int | None = None) -> int:
        """To a worker; returns its id."""
        pid = pid or self.workers()[0]
        os.kill(pid, sign)
        return pid

    async def start_server(self) -> None:
        """Start it again, and wait until it serves."""
        self.server.start(wait=False)  # here, as only the main thread may set a signal's handler
        await asyncio.to_thread(self.server.wait_ready)

    async def stop_server(self) -> None:
        """In order."""
        self.ended.append(await asyncio.to_thread(self.server.stop))

    async def tell_redis(self, *words: str) -> None:
        """A command past everything. Raises `AssertionError` where it is refused."""
        answer = await asyncio.to_thread(self.redis.command, *words)
        assert answer.startswith((b"+", b":")), (words, answer)


def _is_worker(pid: str) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@asynccontextmanager
async def world(on_redis: bool) -> AsyncIterator[World]:
    """A fresh one, with `WORKERS` on Redis, or one process on a file."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = RedisServer(folder / "redis")
        store = await stack.enter_async_context(Link(redis.port))
        env: dict[str, object] = {"FIRSTLIGHT_DATA": folder / "firstlight.db"}
        if on_redis:
            await asyncio.to_thread(redis.start)
            stack.callback(redis.kill)
            env = {"REDIS_URL": f"redis://127.0.0.1:{store.port}/0", "WEB_CONCURRENCY": WORKERS}
            env["FIRSTLIGHT_SPILL"] = folder / "spill"
        server = ServerProcess(folder, env)
        server.start(wait=False)
        stack.callback(server.close)
        await asyncio.to_thread(server.wait_ready)
        pages = await stack.enter_async_context(Link(server.port, ADDRESSES))
        yield World(folder, server, pages, redis, store)


async def until_gone(pids: Iterable[int]) -> None:
    """Wait until these processes have ended."""
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        await asyncio.sleep(0.05)
