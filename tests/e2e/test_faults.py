"""A store that dies or hangs under an open page: the page says so, and shows the truth in time without a refresh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.redis_server import RedisServer
from tests.support.server import ServerProcess
from tests.support.waiting import until_answer

from . import signals
from .conftest import MakeProject, Project, Stage, on_redis
from .onboarding import Onboarding

PROMISE = 20
"""Seconds after any one fault, by the contract."""


@contextmanager
def fragile(folder: Path) -> Iterator[tuple[ServerProcess, RedisServer]]:
    """A server of two processes on a Redis that may be killed and stopped."""
    with RedisServer(folder) as redis, ServerProcess(folder, on_redis(redis)) as server:
        yield server, redis


class Faults:
    """What both need: pages, projects, a client and a place for figures."""

    def __init__(
        self, make: MakeProject, stage: Stage, http: httpx2.AsyncClient, note: Callable[[str, float], None]
    ) -> None:
        self.make = make
        self.stage = stage
        self.http = http
        self.note = note

    async def connected(self, server: ServerProcess) -> tuple[Project, Onboarding]:
        """A connected project that every process has met, as where an SDK sends now and then; and its page."""
        project = await self.make(server.url)
        tab = await self.stage.open(project)
        for _ in range(20):  # each on a connection of its own, so that the kernel spreads them
            async with httpx2.AsyncClient() as client:
                assert (await signals.heartbeat(client, project)).status_code == 200
        await tab.shows("connected")
        return project, tab

    async def is_accepted(self, project: Project) -> bool:
        """Whether an error is taken."""
        return (await signals.error(self.http, project)).status_code == 200

    async def follows(self, tab: Onboarding, what: str, since: float) -> None:
        """The page shows the change in time, and is live again."""
        await tab.shows("first_error_received", PROMISE)
        await tab.is_live(PROMISE)
        self.note(what, (await tab.moments())["first_error_received"] - since)

    async def kill_and_restart(self, server: ServerProcess, redis: RedisServer) -> None:
        during, tab = await self.connected(server)
        after, later = await self.connected(server)
        redis.kill()
        for each in (tab, later):
            await each.link("delayed", "Updates are delayed")
        assert await self.is_accepted(during)
        await tab.shows("connected")  # not announced before it is committed
        redis.start()
        await self.follows(tab, "Redis is back → a change made while it was dead", time.time())
        sent = time.time()
        await until_answer(lambda: self.is_accepted(after))
        await self.follows(later, "POST → a change made after Redis was back", sent)

    async def hang_and_go_on(self, server: ServerProcess, redis: RedisServer) -> None:
        project, tab = await self.connected(server)
        redis.stop()
        stopped = time.time()
        assert await self.is_accepted(project)
        await tab.link("delayed", "Updates are delayed", PROMISE)
        self.note("Redis hangs → the page says that updates are delayed", time.time() - stopped)
        await tab.shows("connected")
        redis.cont()
        await self.follows(tab, "Redis goes on → a change made while it hung", time.time())


async def test_redis_dies_and_hangs(
    tmp_path: Path,
    make_project: MakeProject,
    stage: Stage,
    http: httpx2.AsyncClient,
    measured: Callable[[str, float], None],
) -> None:
    """At the same time, each its own: one of the two waits long for the server to notice."""
    faults = Faults(make_project, stage, http, measured)
    with fragile(tmp_path / "dies") as dies, fragile(tmp_path / "hangs") as hangs:
        await asyncio.gather(faults.kill_and_restart(*dies), faults.hang_and_go_on(*hangs))
