"""A Redis that answers, and takes no writes: pages say so, SDKs are not told, and what they sent first stays first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from server.settings import Settings
from server.stores.redis.refusals import REFUSALS

from ..conftest import redis_store
from ..support.redis_server import HOST, RedisServer, free_port
from ..support.site import Site, open_site
from ..support.waiting import until_answer
from .test_viewers import next_message, snapshot_with, watch

Way = tuple[Callable[[RedisServer], None], Callable[[RedisServer], None], str]


def fill(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "maxmemory", "1")


def widen(server: RedisServer) -> None:
    server.command("CONFIG", "SET", "maxmemory", "0")


def spoil(server: RedisServer) -> None:
    """Let a snapshot fail, as on a full disk."""
    (server.folder / "dump.rdb").mkdir()
    server.command("CONFIG", "SET", "save", "3600 1")
    server.command("SET", "changed", "1")
    server.command("BGSAVE")
    while b"rdb_last_bgsave_status:err" not in server.command("INFO", "persistence"):
        assert server.command("PING")


def mend(server: RedisServer) -> None:
    (server.folder / "dump.rdb").rmdir()
    server.command("BGSAVE")


def demote(server: RedisServer) -> None:
    server.command("REPLICAOF", HOST, str(free_port()))


def promote(server: RedisServer) -> None:
    server.command("REPLICAOF", "NO", "ONE")


@pytest.fixture
async def sites(tmp_path: Path, own_redis: RedisServer) -> AsyncIterator[list[Site]]:
    """Two processes, as it were, on one Redis."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in "ab":
            store = redis_store(own_redis.url, probe_seconds=0.2)
            settings = Settings(data=tmp_path / name, redis_url=own_redis.url)
            opened.append(await stack.enter_async_context(open_site(settings, store)))
        yield opened


def error(event_id: str) -> bytes:
    """An envelope with an error."""
    payload = {"level": "error", "event_id": event_id * 32, "exception": {"values": [{"type": event_id, "value": "!"}]}}
    return "\n".join(map(json.dumps, ({"event_id": event_id * 32}, {"type": "event"}, payload))).encode()


async def until_delayed(socket: ClientConnection) -> None:
    """Wait until the page says that it is delayed."""
    async with asyncio.timeout(10):
        while (await next_message(socket))["type"] != "delayed":
            pass


@pytest.mark.parametrize(
    ("refuse", "relieve", "said"),
    [(fill, widen, "Redis is full"), (spoil, mend, "could not save"), (demote, promote, "is a replica")],
    ids=["full", "failed snapshot", "replica"],
)
async def test_a_store_that_takes_no_writes(
    sites: list[Site], own_redis: RedisServer, refuse: Any, relieve: Any, said: str
) -> None:
    one, two = sites
    known = await one.project()
    async with watch(two, known) as page:
        await snapshot_with(page, stage="awaiting")
        refuse(own_redis)
        # Of a project that this process has not seen, and of one that it has.
        assert (await one.post(known, body=error("1"))).status_code == 200
        await until_delayed(page)  # in a process where nobody writes
        async with watch(two, known) as late:
            await until_delayed(late)  # though it can be read
        ready = await two.http.get("/readyz")
        assert (ready.status_code, said in ready.json()["reason"]) == (503, True)
        assert ready.json()["reason"] in {refusal.said for refusal in REFUSALS}
        assert (await two.post(known, body=error("2"))).status_code == 200
        relieve(own_redis)
        found = await snapshot_with(page, stage="first_error_received")
        found = await one.until(known, lambda snapshot: snapshot["first_error"]["event_id"] == "1" * 32)
        assert found["stage"] == "first_error_received"

    async def is_ready() -> bool:
        return (await two.http.get("/readyz")).status_code == 200

    assert await until_answer(is_ready)


async def test_an_error_that_came_when_it_was_over_does_not_overtake(sites: list[Site], own_redis: RedisServer) -> None:
    one, two = sites
    project = await one.project()
    await two.post(project, "heartbeat", b"")
    fill(own_redis)
    assert (await one.post(project, body=error("1"))).status_code == 200
    widen(own_redis)
    assert (await two.post(project, body=error("2"))).status_code == 200  # the other process has nothing pending
    await two.until(project, lambda snapshot: (snapshot["first_error"] or {}).get("event_id") == "1" * 32)
