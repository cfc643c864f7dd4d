"""A real cluster: every project is in one slot, wake-ups come from each node, and slots and masters may change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from server.core.model.errors import SettingsError, StoreUnavailable
from server.core.model.project import Key, Project
from server.core.state.fields import FIRST_ERROR
from server.stores.redis import RedisStore
from server.stores.redis.layout import CLUSTER, SHARDS

from ..conftest import redis_store
from ..support.listening import Ears
from ..support.redis_server import RedisCluster, RedisServer, wait
from ..support.updates import KEY, error, firsts, now
from ..support.waiting import until, until_answer
from .test_redis import can_serve


def shard_of(number: int) -> str:
    """The channel, and so the slot, of a project."""
    return CLUSTER.channel_of(number)


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A cluster of three masters and a replica of one, to be taken apart, and left whole."""
    with RedisCluster(tmp_path_factory.mktemp("cluster"), 3, 1) as cluster:
        identity = cluster.nodes[0].command("CLUSTER", "MYID").split()[1].decode()
        assert cluster.nodes[3].command("CLUSTER", "REPLICATE", identity) == b"+OK\r\n"
        wait(lambda: is_whole(cluster))
        yield cluster


def is_whole(cluster: RedisCluster) -> bool:
    """Whether all nodes agree on who has what, and one has a replica that may take its place."""
    told = [node.command("CLUSTER", "SHARDS") for node in cluster.nodes]
    replica = next((node for node in cluster.nodes if b"role:slave" in node.command("INFO", "replication")), None)
    return (
        replica is not None
        and b"master_link_status:up" in replica.command("INFO", "replication")
        and all(b"cluster_state:ok" in node.command("CLUSTER", "INFO") for node in cluster.nodes)
        and all(text.count(b"replica") >= 1 and b"fail" not in text for text in told)
    )


async def shop(store: RedisStore, number: int) -> Project:
    """A project with an id of the test's choice."""
    return await store.put(Project(number, "Shop", None, (Key(KEY),), 0))


async def has_first(store: RedisStore, project_id: int, event_id: str) -> bool:
    """Write an error, if that can be done now. Returns whether it is stored by now, and as the first."""
    try:
        await store.apply({project_id: error(now(), event_id)}, now())
        view = await store.read(project_id)
    except StoreUnavailable:
        return False
    return view is not None and view.text(FIRST_ERROR) == f'{{"event_id":"{event_id}"}}'


async def test_wake_ups_of_every_shard_are_heard_by_one_connection_to_each_node(redis_cluster: RedisCluster) -> None:
    redis_cluster.empty()
    async with redis_store(redis_cluster.url) as one, redis_store(redis_cluster.url) as two:
        ears = Ears()
        two.listen(ears)
        numbers = range(1, SHARDS + 1)
        for number in numbers:
            await shop(one, number)
        await until(lambda: {heard for heard in ears.heard if heard[0] == "edited"} >= {("edited", n) for n in numbers})
        for node in redis_cluster.nodes:
            assert node.command("CLIENT", "LIST", "TYPE", "pubsub").count(b"id=") == 2  # one of each process
        # Of all nodes, in a round trip to each.
        assert set(await two.versions(numbers)) == set(numbers)
        at = now()
        changes = await two.apply({number: error(at) for number in numbers}, at)
        assert all(firsts(changes[number]) == {FIRST_ERROR} for number in numbers)


async def test_a_slot_that_moves_is_followed(own_cluster: RedisCluster) -> None:
    async with redis_store(own_cluster.url, look_seconds=60) as store:  # nothing but the servers tells it
        ears = Ears()
        store.listen(ears)
        project = await shop(store, 71)
        assert await has_first(store, project.id, "e1")
        source = own_cluster.owner_of(shard_of(71))
        target = next(node for node in own_cluster.nodes[:3] if node is not source)
        ears.heard.clear()
        own_cluster.move(shard_of(71), target)
        await until(lambda: ears.count("resync"))
        assert ears.heard == [("resync", 0)]  # never away
        change = (await store.apply({project.id: error(now(), "e2")}, now()))[project.id]
        assert firsts(change) == set()
        view = await store.read(project.id)
        assert view
        assert view.text(FIRST_ERROR) == '{"event_id":"e1"}'
        assert await until_answer(lambda: ears.is_woken(store, project))
        assert source.command("PUBSUB", "SHARDNUMSUB", shard_of(71)).endswith(b":0\r\n")


async def test_what_a_process_did_not_see_moving_it_is_told(own_cluster: RedisCluster) -> None:
    """MOVED to a process whose wake-ups come from elsewhere."""
    async with redis_store(own_cluster.url, look_seconds=60) as store:
        project = await shop(store, 72)
        source = own_cluster.owner_of(shard_of(72))
        own_cluster.move(shard_of(72), next(node for node in own_cluster.nodes[:3] if node is not source))
        assert await has_first(store, project.id, "e1")


async def test_a_slot_on_its_way_is_read_and_written_when_it_is_there(own_cluster: RedisCluster) -> None:
    async with redis_store(own_cluster.url) as store:
        known, new = await shop(store, 73), 73 + SHARDS
        target = next(node for node in own_cluster.nodes[:3] if node is not own_cluster.owner_of(shard_of(73)))
        own_cluster.begin_to_move(shard_of(73), target)
        assert await has_first(store, known.id, "e1")  # all of it is here still
        with pytest.raises(StoreUnavailable) as failure:  # neither here nor there
            await store.read(new)
        assert failure.value.reason == "A slot of the Redis Cluster is on its way to another node."
        own_cluster.move(shard_of(73), target)
        assert await store.read(new) is None
        assert await has_first(store, known.id, "e1")


async def test_a_master_that_dies_is_followed_by_its_replica(own_cluster: RedisCluster) -> None:
    first, replica = own_cluster.nodes[0], own_cluster.nodes[3]
    first.command("CONFIG", "RESETSTAT")
    shard = next(channel for channel in CLUSTER.channels if own_cluster.owner_of(channel) is first)
    async with redis_store(own_cluster.url, wait_for_replica=True, look_seconds=0.1) as store:
        ears = Ears()
        store.listen(ears)
        project = await shop(store, CLUSTER.channels.index(shard) + SHARDS)
        assert await has_first(store, project.id, "e1")  # the replica has it, too
        assert b"cmdstat_wait:calls=1," in first.command("INFO", "commandstats")
        first.kill()
        await until(lambda: ears.count("away"))
        await until(lambda: ears.count("resync"), 30)
        assert b"role:master" in replica.command("INFO", "replication")
        assert await until_answer(lambda: has_first(store, project.id, "e1"))
        assert await until_answer(lambda: ears.is_woken(store, project))
        first.start()
        wait(lambda: is_whole(own_cluster))


async def test_a_cluster_that_lacks_a_master_is_away_until_it_is_back(own_cluster: RedisCluster) -> None:
    second = own_cluster.nodes[1]  # without a replica
    async with redis_store(own_cluster.url) as store:
        ears = Ears()
        store.listen(ears)
        second.kill()
        await until(lambda: ears.count("away"))
        assert not await can_serve(store)
        second.start()
        await until(lambda: ears.count("resync"), 30)
        assert await until_answer(lambda: can_serve(store))
        wait(lambda: is_whole(own_cluster))


async def test_one_server_is_no_cluster(own_redis: RedisServer) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: this is not a Redis Cluster"):
        await redis_store(f"redis+cluster://{own_redis.address}").__aenter__()
