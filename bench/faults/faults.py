"""What is done to a world, by name. Each returns when the fault is over and all that it took away is back."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .world import World, until_gone

AWAY_SECONDS = 4.0
"""How long what is away stays away: longer than the store's calls may take."""
CUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Args:
        name: how it is asked for.
        says: what it is, for the table.
        act: does it.
        on_redis: whether the store is Redis, with two workers; else the embedded one.
        in_browser: whether those who watch have the page open in Chromium; else they are those of `firstlight watch`.
    """

    name: str
    says: str
    act: Callable[[World], Awaitable[object]]
    on_redis: bool = True
    in_browser: bool = False


async def _redis_killed(world: World) -> None:
    world.redis.kill()
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(world.redis.start)


async def _redis_stopped(world: World) -> None:
    world.redis.stop()
    await asyncio.sleep(AWAY_SECONDS)
    world.redis.cont()


async def _redis_emptied(world: World) -> None:
    world.store.cut()
    await world.tell_redis("FLUSHALL")
    await asyncio.sleep(AWAY_SECONDS)
    world.store.heal()


async def _redis_without_data(world: World) -> None:
    world.redis.kill()
    shutil.rmtree(world.redis.folder)
    world.redis.folder.mkdir()
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(world.redis.start)


async def _store_cut(world: World) -> None:
    world.store.cut()
    await asyncio.sleep(CUT_SECONDS)
    world.store.heal()


async def _store_reset(world: World) -> None:
    for _ in range(int(AWAY_SECONDS)):
        world.store.reset()
        await asyncio.sleep(1)


async def _out_of_memory(world: World) -> None:
    await world.tell_redis("CONFIG", "SET", "maxmemory", "1")
    await asyncio.sleep(AWAY_SECONDS)
    await world.tell_redis("CONFIG", "SET", "maxmemory", "0")


async def _misconf(world: World) -> None:
    in_the_way = world.redis.folder / "dump.rdb"
    in_the_way.unlink(missing_ok=True)
    (in_the_way / "full").mkdir(parents=True)  # root may write anywhere, but not over this
    await world.tell_redis("CONFIG", "SET", "save", "3600 1")
    await world.tell_redis("BGSAVE")
    await _until_redis_says(world, b"rdb_last_bgsave_status:err")
    await asyncio.sleep(AWAY_SECONDS)
    shutil.rmtree(in_the_way)
    await world.tell_redis("BGSAVE")
    await _until_redis_says(world, b"rdb_last_bgsave_status:ok")


async def _until_redis_says(world: World, words: bytes) -> None:
    while words not in await asyncio.to_thread(world.redis.command, "INFO", "persistence"):
        await asyncio.sleep(0.05)


async def _read_only(world: World) -> None:
    await world.tell_redis("REPLICAOF", "127.0.0.1", "1")  # where nobody listens
    await asyncio.sleep(AWAY_SECONDS)
    await world.tell_redis("REPLICAOF", "NO", "ONE")


async def _worker_killed(world: World) -> None:
    pid = world.signal_one(signal.SIGKILL)
    await until_gone([pid])


async def _worker_stopped(world: World) -> None:
    pid = world.signal_one(signal.SIGSTOP)
    await asyncio.sleep(CUT_SECONDS)
    world.signal_one(signal.SIGCONT, pid)


async def _deployed_while_away(world: World) -> None:
    world.redis.kill()
    await asyncio.sleep(AWAY_SECONDS / 2)
    await world.stop_server()
    await world.start_server()
    await asyncio.sleep(AWAY_SECONDS / 2)
    await asyncio.to_thread(world.redis.start)


async def _viewers_cut(world: World) -> None:
    world.pages.cut()
    await asyncio.sleep(CUT_SECONDS)
    world.pages.heal()


async def _viewers_half_open(world: World) -> None:
    world.pages.leave_half_open()


async def _viewers_flap(world: World) -> None:
    for _ in range(3):
        world.pages.reset()
        world.pages.cut()
        await asyncio.sleep(1.5)
        world.pages.heal()
        await asyncio.sleep(1.5)


async def _file_locked(world: World) -> None:
    with contextlib.closing(sqlite3.connect(world.data, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await asyncio.sleep(AWAY_SECONDS)
        other.execute("ROLLBACK")


async def _process_killed(world: World) -> None:
    world.server.kill()
    await world.start_server()


FAULTS = (
    Fault("killed", "Redis is killed, and started 4 s later", _redis_killed),
    Fault("hung", "Redis hangs for 4 s", _redis_stopped),
    Fault("empty", "Redis is emptied while its link is cut", _redis_emptied),
    Fault("lost", "Redis is killed, and comes back without its data", _redis_without_data),
    Fault("cut", "the link to Redis is cut for 10 s", _store_cut),
    Fault("rst", "all connections to Redis are reset, 4 times", _store_reset),
    Fault("oom", "Redis is full for 4 s (OOM)", _out_of_memory),
    Fault("misconf", "Redis cannot save for 4 s (MISCONF)", _misconf),
    Fault("readonly", "Redis is a replica for 4 s (READONLY)", _read_only),
    Fault("worker", "a worker is killed", _worker_killed),
    Fault("frozen", "a worker is stopped (SIGSTOP) for 10 s", _worker_stopped),
    Fault("deploy", "Redis is away, and the server is replaced meanwhile", _deployed_while_away),
    Fault("viewers", "the viewers' links are cut for 10 s", _viewers_cut),
    Fault("half-open", "the viewers' links are half open", _viewers_half_open),
    Fault("flapping", "the viewers' links come and go for 9 s", _viewers_flap),
    Fault("tab", "Chromium: the pages' links are cut for 10 s", _viewers_cut, in_browser=True),
    Fault("tab-half-open", "Chromium: the pages' links are half open", _viewers_half_open, in_browser=True),
    Fault("tab-flapping", "Chromium: the pages' links come and go for 9 s", _viewers_flap, in_browser=True),
    Fault("locked", "embedded: its file is locked for 4 s", _file_locked, on_redis=False),
    Fault("embedded", "embedded: its process is killed, and started again", _process_killed, on_redis=False),
)
