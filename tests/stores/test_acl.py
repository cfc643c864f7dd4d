"""The rule for a Redis user in docs/redis.md: it is enough, and nothing in it is too much."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.core.model.errors import StoreUnavailable
from server.core.state.fields import FIRST_ERROR, PROBLEMS
from server.stores import Origin
from server.stores.redis import RedisStore

from ..conftest import redis_store
from ..support.listening import Ears
from ..support.redis_server import HOST, RedisCluster, RedisServer
from ..support.updates import KEY, error, firsts, named, now
from ..support.waiting import until, until_answer
from .test_redis import can_serve

DOCUMENT = (Path(__file__).parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")
SECRET = "s3cret-pa55word"


def rule() -> list[str]:
    """The documented command, word by word."""
    found = re.search(r"<!-- acl: .*?-->\n```\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1].replace(">PASSWORD", f">{SECRET}").split()


def rule_of_cluster() -> list[str]:
    """What a cluster needs beside it."""
    found = re.search(r"For a cluster, add `(.*?)`", DOCUMENT)
    assert found
    return [*rule(), *found[1].split()]


def commands(words: list[str]) -> set[str]:
    """The commands that a rule allows."""
    return {word.removeprefix("+") for word in words if word.startswith("+")}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis with a replica that knows the user `firstlight`, who may do what the document says, on its database 1."""
    master = RedisServer(tmp_path / "one", "--repl-diskless-sync-delay", "0")
    with master, RedisServer(tmp_path / "two", "--replicaof", HOST, str(master.port)) as replica:
        assert master.command(*rule()) == b"+OK\r\n"
        while b"state=online" not in master.command("INFO", "replication"):
            assert replica.command("PING")
        yield master


async def do_everything(store: RedisStore) -> None:
    """Whatever the store can do, once."""
    project = await store.create("Shop", None, KEY)
    await store.edit(replace(project, name="Store"))
    await store.revoke(project.id, "token", now())
    await store.revoke(project.id, None, now())
    counted = Origin(None, "writer", 1, 1)
    assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {FIRST_ERROR}
    await store.apply({project.id: named({PROBLEMS["too_large"].total: 1})}, now(), {project.id: counted})
    view = await store.read(project.id)
    assert view
    await store.touch({project.id: (view.epoch, view.version)})
    assert set(await store.versions([project.id])) == {project.id}
    assert await store.restore(view)
    assert [found.id for found in await store.list(0, 10)] == [project.id]
    assert await store.owner_of(KEY) == project.id
    assert await store.reset(project.id, "e")
    assert await store.delete(project.id)
    await store.ping()


def used(*servers: RedisServer) -> set[str]:
    """The commands that were used since statistics were reset."""
    told = b"".join(server.command("INFO", "commandstats") for server in servers)
    return {name.decode() for name in re.findall(rb"cmdstat_([a-z|-]+):calls=[1-9]", told)}


async def test_the_documented_rule_is_enough_and_not_too_much(limited: RedisServer) -> None:
    limited.command("CONFIG", "RESETSTAT")
    async with redis_store(
        f"redis://firstlight:{SECRET}@{limited.address}", keep_seconds=60, wait_for_replica=True
    ) as store:
        ears = Ears()
        store.listen(ears)
        await do_everything(store)
        await until(lambda: ears.count("edited"))
        log = limited.command("ACL", "LOG")
    assert log == b"*0\r\n"
    assert commands(rule()) - used(limited) == set()


async def test_the_documented_rule_is_enough_for_a_cluster(redis_cluster: RedisCluster) -> None:
    redis_cluster.empty()
    for node in redis_cluster.nodes:
        assert node.command(*rule_of_cluster()) == b"+OK\r\n"
        node.command("CONFIG", "RESETSTAT")
        node.command("ACL", "LOG", "RESET")
    url = redis_cluster.url.replace("://", f"://firstlight:{SECRET}@")
    async with redis_store(url, keep_seconds=60) as store:
        ears = Ears()
        store.listen(ears)
        await do_everything(store)
        await until(lambda: ears.count("edited"))
    assert all(node.command("ACL", "LOG") == b"*0\r\n" for node in redis_cluster.nodes)
    # ASKING is for slots on their way.
    assert commands(rule_of_cluster()) - commands(rule()) - {"asking"} - used(*redis_cluster.nodes) == set()


async def create_and_ping(store: RedisStore) -> None:
    """What a server does first."""
    await store.create("Shop", None, KEY)
    await store.ping()


@pytest.mark.parametrize(
    "missing", ["-evalsha", "-publish", "-subscribe", "-time", "-hset", "resetchannels", "resetkeys"]
)
async def test_what_is_missing_is_said(own_redis: RedisServer, missing: str, caplog: pytest.LogCaptureFixture) -> None:
    own_redis.command(*rule())
    own_redis.command("ACL", "SETUSER", "firstlight", missing)
    async with redis_store(f"redis://firstlight:{SECRET}@{own_redis.address}") as store:
        with pytest.raises(StoreUnavailable) as failure:
            await create_and_ping(store)
        assert failure.value.reason.startswith("The Redis user may not do all that is needed")
        own_redis.command(*rule())
        assert await until_answer(lambda: can_serve(store))
