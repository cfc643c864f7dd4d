"""Fixtures for all tests: real stores, on a real Redis where that is what is tested."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from server.stores import Store
from server.stores.embedded import EmbeddedStore
from server.stores.redis import RedisStore

from .support.redis_server import RedisCluster, RedisServer

# Nothing is timed here: a busy machine fails no test.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for the whole session. Do not kill or stop it: `own_redis` is for that."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    redis_server.command("FLUSHALL")
    redis_server.command("CONFIG", "RESETSTAT")
    return redis_server.url


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A cluster of three masters for the whole session."""
    with RedisCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster_url(redis_cluster: RedisCluster) -> str:
    """The address of an empty cluster."""
    redis_cluster.empty()
    return redis_cluster.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be killed, stopped and restarted."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(params=["embedded", "redis", "cluster"])
def closed_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store on each backend in turn, not opened yet."""
    if request.param != "embedded":
        return redis_store(request.getfixturevalue(f"{request.param}_url"))
    return EmbeddedStore(tmp_path / "firstlight.db", time.time, new_epoch)


@pytest.fixture
async def store(closed_store: Store) -> AsyncIterator[Store]:
    """An open and empty store on each backend in turn."""
    async with closed_store:
        yield closed_store


def redis_store(url: str, **settings: Any) -> RedisStore:
    """A store on Redis that notices trouble fast; settings as for RedisStore."""
    return RedisStore(url, new_epoch, **{"backoff_seconds": 0.1, **settings})


def new_epoch() -> str:
    """A fresh epoch."""
    return uuid.uuid4().hex
