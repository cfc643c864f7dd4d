"""A restart of one server after the other behind a proxy: no client is answered 5xx, and every page is right after it.

`python -m tests.run.test_rolling` measures it with more of everything; docs/operations.md has what came out.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server.command.client import Client

from ..support.proxies import FILES, proxy
from ..support.redis_server import RedisServer
from ..support.server import ServerProcess
from ..support.waiting import until

DRAIN_SECONDS = 1


@dataclass
class Seen:
    """What clients saw of it."""

    statuses: Counter[int] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    newest: dict[int, str] = field(default_factory=dict)
    """The release that each viewer was shown last."""
    stale: float = 0.0
    """The longest that a viewer had been shown nothing new, in seconds, while something new came every few ms."""
    returns: int = 0
    is_over: bool = False


async def watches(port: int, project: str, number: int, seen: Seen) -> None:
    """A page: comes back when it is told to."""
    shown_at = time.monotonic()
    while True:
        pause = 0.2
        try:
            async with connect(f"ws://127.0.0.1:{port}/live/{project}/ws", proxy=None) as socket:
                async for text in socket:
                    message = json.loads(text)
                    pause = message.get("retry_in", pause)
                    if message["type"] == "snapshot":
                        seen.stale = max(seen.stale, time.monotonic() - shown_at)
                        shown_at = time.monotonic()
                        seen.newest[number] = (message["app"] or {}).get("release", "")
        except InvalidStatus as error:
            seen.statuses[error.response.status_code] += 1
        except ConnectionClosed as error:
            if error.rcvd is None or error.rcvd.code != 1012:
                seen.broken.append(repr(error))
        except OSError as error:
            seen.broken.append(repr(error))
        seen.returns += 1
        await asyncio.sleep(pause)


async def sends(client: httpx2.AsyncClient, project: dict[str, Any], releases: list[str], seen: Seen) -> None:
    """An application with heartbeats, each with news; every other one on a connection of its own."""
    while not seen.is_over:
        releases.append(f"shop@{len(releases)}")
        beat = {"type": "heartbeat", "release": releases[-1], "sdk": {"name": "sentry.python", "version": "2.75.0"}}
        headers = {"connection": "close"} if len(releases) % 2 else {}
        url = f"/api/{project['id']}/heartbeat/?sentry_key={project['key']}"
        try:
            seen.statuses[(await client.post(url, json=beat, headers=headers)).status_code] += 1
        except httpx2.HTTPError as error:
            seen.broken.append(repr(error))
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*coroutines: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def two_servers(folder: Path, redis_url: str) -> AsyncIterator[list[ServerProcess]]:
    env = {"REDIS_URL": redis_url, "FIRSTLIGHT_DRAIN_SECONDS": DRAIN_SECONDS, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    async with AsyncExitStack() as stack:
        servers = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            servers.append(stack.enter_context(ServerProcess(folder / name, env)))
        yield servers


async def roll(name: str, folder: Path, redis_url: str, viewers: int, senders: int, rounds: int) -> Seen:
    """Restart both, one after the other, while clients go on."""
    seen, releases = Seen(), [""]
    async with two_servers(folder, redis_url) as servers, AsyncExitStack() as stack:
        port = stack.enter_context(proxy(name, folder, [server.port for server in servers]))
        project = Client(f"http://127.0.0.1:{port}").ask("POST", "/projects", name="shop")
        limits = httpx2.Limits(max_connections=None)
        options: dict[str, Any] = {"base_url": f"http://127.0.0.1:{port}", "trust_env": False, "limits": limits}
        client = await stack.enter_async_context(httpx2.AsyncClient(**options, timeout=20))
        pages = [watches(port, project["id"], number, seen) for number in range(viewers)]
        await stack.enter_async_context(running(*pages))
        async with running(*(sends(client, project, releases, seen) for _ in range(senders))) as applications:
            await until(lambda: len(seen.newest) == viewers)
            for server in servers * rounds:
                assert await asyncio.to_thread(server.stop) == 0, server.output
                assert "Traceback" not in server.output
                await asyncio.to_thread(server.start(wait=False).wait_ready)
                count = len(releases)
                await until(lambda count=count: len(releases) > count + 50)  # type: ignore[misc]
            seen.is_over = True
            await asyncio.wait(applications)  # and not cut: what is on the way would come after the last word
        await client.post(  # the last word, which every page has to show
            f"/api/{project['id']}/heartbeat/?sentry_key={project['key']}",
            json={"type": "heartbeat", "release": "end", "sdk": {"name": "sentry.python", "version": "2.75.0"}},
        )
        await until(lambda: set(seen.newest.values()) == {"end"})
    return seen


@pytest.mark.parametrize("name", FILES)
async def test_a_rolling_restart_is_seen_by_nobody(name: str, tmp_path: Path, redis_url: str) -> None:
    tmp_path.chmod(0o755)
    seen = await roll(name, tmp_path, redis_url, viewers=10, senders=2, rounds=1)
    assert set(seen.statuses) == {200}, seen
    assert seen.broken == []
    assert seen.returns >= 10  # each has been sent away at least once: both servers were restarted


async def measure() -> None:
    for name in sys.argv[1:] or FILES:
        with tempfile.TemporaryDirectory() as path, RedisServer(Path(path) / "redis") as redis:
            Path(path).chmod(0o755)
            seen = await roll(name, Path(path), redis.url, viewers=300, senders=4, rounds=3)
            print(f"{name}: {dict(seen.statuses)}, broken {Counter(seen.broken)}, stale at most {seen.stale:.1f} s")


if __name__ == "__main__":
    asyncio.run(measure())
