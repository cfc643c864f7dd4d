"""Valkey is the same to Firstlight. Debian has it since version 13; elsewhere this is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ..conftest import redis_store
from ..support.listening import Ears
from ..support.redis_server import RedisCluster, RedisServer
from ..support.waiting import until
from .test_acl import do_everything

pytestmark = pytest.mark.skipif(not shutil.which("valkey-server"), reason="no valkey-server here")


async def test_one_server(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "valkey", binary="valkey-server") as server:
        async with redis_store(server.url) as store:
            ears = Ears()
            store.listen(ears)
            await do_everything(store)
            await until(lambda: ears.count("changed"))
            assert store.findings[0].said.startswith("Valkey ")


async def test_a_cluster(tmp_path: Path) -> None:
    with RedisCluster(tmp_path / "valkey", binary="valkey-server") as cluster:
        async with redis_store(cluster.url) as store:
            ears = Ears()
            store.listen(ears)
            await do_everything(store)
            await until(lambda: ears.count("changed"))
