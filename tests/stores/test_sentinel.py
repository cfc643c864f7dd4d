"""Redis behind Sentinels: whichever server is the master is followed, and what a failover loses is given back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.core.model.errors import SettingsError, StoreUnavailable
from server.core.state.fields import FIRST_ERROR
from server.engine.projects import Projects
from server.limits import Limits
from server.stores.redis import RedisStore
from server.stores.redis.layout import SINGLE

from ..conftest import redis_store
from ..support.listening import Ears
from ..support.redis_server import HOST, RedisServer, Watched, free_port
from ..support.updates import KEY, error, firsts, now
from ..support.waiting import until, until_answer
from .test_redis import can_serve


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A master, its replica and three Sentinels, to be killed and stopped."""
    with Watched(tmp_path) as watched:
        yield watched


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """As `watched`, for tests that leave it as it is."""
    with Watched(tmp_path_factory.mktemp("watched")) as watched:
        yield watched


async def first_of(store: RedisStore, project_id: int) -> str | None:
    """The first error of a project, where it can be read."""
    try:
        view = await store.read(project_id)
    except StoreUnavailable:
        return None
    return view.text(FIRST_ERROR) if view else None


async def fail_over(watched: Watched) -> None:
    """Let the replica take over, and the Sentinels agree on it. The old master is not told yet."""
    watched.sentinels[0].command("SENTINEL", "FAILOVER", "firstlight")
    name = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "firstlight")
    port = str(watched.replica.port).encode()
    await until(lambda: all(port in sentinel.command(*name) for sentinel in watched.sentinels), 30)


async def test_a_failover_is_followed_and_what_it_lost_is_given_back(watched: Watched) -> None:
    async with redis_store(watched.url, probe_seconds=0.5) as store:
        ears, projects = Ears(), Projects(store, time.monotonic, Limits().projects)
        store.listen(ears)
        project = await store.create("Shop", None, KEY)
        assert firsts((await store.apply({project.id: error(now(), "e1")}, now()))[project.id]) == {FIRST_ERROR}
        assert await projects.get(project.id)
        watched.master.kill()
        await until(lambda: ears.count("resync"), 30)
        for kind in ("project", "state"):  # as if it had not reached the replica in time
            watched.replica.command("DEL", f"firstlight:{{{project.id}}}:{kind}")
        assert await first_of(store, project.id) is None
        await projects.heal()
        assert await first_of(store, project.id) == '{"event_id":"e1"}'
        assert b"e1" in watched.replica.command("HGET", f"firstlight:{{{project.id}}}:state", "first_error")
        # Wake-ups come from the new master, too.
        ears.heard.clear()
        assert await until_answer(lambda: ears.is_woken(store, project))


async def test_a_demoted_master_that_keeps_its_connections_is_left(watched: Watched) -> None:
    async with redis_store(watched.url, probe_seconds=60, look_seconds=60) as store:  # nothing but a refusal tells it
        ears = Ears()
        store.listen(ears)
        project = await store.create("Shop", None, KEY)
        await fail_over(watched)
        watched.master.command("REPLICAOF", HOST, str(watched.replica.port))
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await store.apply({project.id: error(now())}, now())
        await until(lambda: ears.count("resync"))
        assert await store.apply({project.id: error(now())}, now())
        ears.heard.clear()
        assert await until_answer(lambda: ears.is_woken(store, project))
        assert watched.master.command("PUBSUB", "NUMSUB", SINGLE.channels[0]).endswith(b":0\r\n")


async def test_a_failover_that_nobody_notices_is_looked_for(watched: Watched) -> None:
    """The old master takes writes for up to 10 s, and Sentinels then make it throw them away."""
    async with redis_store(watched.url, probe_seconds=60, look_seconds=0.05) as store:
        await fail_over(watched)
        assert b"role:master" in watched.master.command("INFO", "replication")
        project = await store.create("Shop", None, KEY)

        async def is_there() -> bool:
            await store.put(project)
            return watched.replica.command("EXISTS", SINGLE.keys_of(project.id)[0]) == b":1\r\n"

        assert await until_answer(is_there)


async def test_a_master_that_is_one_no_more_is_found_out_though_nobody_writes(watched: Watched) -> None:
    async with redis_store(watched.url, look_seconds=0.1) as store:
        ears = Ears()
        store.listen(ears)
        watched.master.stop()
        await until(lambda: b"role:master" in watched.replica.command("INFO", "replication"), 30)
        await until(lambda: ears.count("resync"), 30)
        project = await store.create("Shop", None, KEY)
        watched.master.cont()
        assert (await store.read(project.id)) is not None
        assert watched.replica.command("EXISTS", f"firstlight:{{{project.id}}}:project") == b":1\r\n"


async def test_what_sentinels_that_are_away_knew_still_holds(well: Watched) -> None:
    async with redis_store(well.url, look_seconds=0.05) as store:
        ears = Ears()
        store.listen(ears)
        for sentinel in well.sentinels:
            sentinel.stop()
        began = time.monotonic()
        await until(lambda: time.monotonic() > began + 0.3)  # many looks
        for sentinel in well.sentinels:
            sentinel.cont()
        assert await can_serve(store)
        assert ears.heard == []


async def test_a_transition_waits_for_a_replica(well: Watched) -> None:
    async with redis_store(well.url, wait_for_replica=True) as store:
        project = await store.create("Shop", None, KEY)
        well.master.command("CONFIG", "RESETSTAT")
        await store.apply({project.id: error(now())}, now())
        assert b"cmdstat_wait:calls=1," in well.master.command("INFO", "commandstats")
        await store.apply({project.id: error(now())}, now())  # no transition
        assert b"cmdstat_wait:calls=1," in well.master.command("INFO", "commandstats")


async def test_nobody_waits_for_a_replica_that_there_is_not(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, wait_for_replica=True) as store:
        project = await store.create("Shop", None, KEY)
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {FIRST_ERROR}
        assert b"cmdstat_wait" not in own_redis.command("INFO", "commandstats")


async def test_a_replica_that_hangs_does_not_hold_a_transition_up(well: Watched) -> None:
    async with redis_store(well.url, wait_for_replica=True) as store:
        project = await store.create("Shop", None, KEY)
        well.replica.stop()
        try:
            assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {FIRST_ERROR}
        finally:
            well.replica.cont()


async def test_a_name_that_no_sentinel_knows_stops_the_start(well: Watched) -> None:
    url = well.url.replace("/firstlight", "/other")
    with pytest.raises(SettingsError, match="the Sentinels watch no master with the name other"):
        await redis_store(url).__aenter__()


async def test_a_redis_is_no_sentinel(own_redis: RedisServer) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: no Sentinel"):
        await redis_store(f"redis+sentinel://{own_redis.address}/firstlight").__aenter__()


async def test_a_sentinel_is_no_redis(well: Watched) -> None:
    with pytest.raises(SettingsError, match=r"REDIS_URL: this is the port of a Sentinel: write redis\+sentinel://"):
        await redis_store(f"redis://{well.sentinels[0].address}").__aenter__()


async def test_sentinels_that_are_not_there_yet_are_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async with redis_store(f"redis+sentinel://{HOST}:{free_port()},{HOST}:{free_port()}/firstlight") as store:
        assert not await can_serve(store)
    assert "out of reach" in caplog.text
