"""What only the Redis store has to cope with: a server that dies, hangs, forgets, refuses, or is not there yet."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from server.core.model.errors import SettingsError, StoreUnavailable
from server.core.model.project import Key, Project
from server.core.state.fields import CONNECTED_AT, FIRST_ERROR, LAST_SEEN_AT, PROBLEMS, Effect
from server.stores import Origin
from server.stores.redis import RedisStore
from server.stores.redis.layout import PENDING, SINGLE

from ..conftest import new_epoch, redis_store
from ..support.listening import Ears
from ..support.redis_server import HOST, RedisServer, free_port
from ..support.updates import KEY, beat, error, firsts, named, now
from ..support.waiting import until, until_answer
from ..support.wire import Wire

SECRET = "s3cret-pa55word"
HOUR = 3_600_000
OTHER_KEY = "f" * 32


async def can_serve(store: RedisStore) -> bool:
    """Whether a ping is answered."""
    try:
        await store.ping()
    except StoreUnavailable:
        return False
    return True


# A server that dies.


async def test_a_killed_server_is_noticed_and_used_again(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        ears = Ears()
        store.listen(ears)
        project = await store.create("Shop", None, KEY)
        await store.apply({project.id: error(now())}, now())
        before = await store.read(project.id)
        own_redis.kill()
        await until(lambda: ears.count("away"))
        with pytest.raises(StoreUnavailable):
            await store.read(project.id)
        own_redis.start()
        await until(lambda: ears.count("resync"))
        after = await store.read(project.id)
        assert before is not None
        assert after is not None
        assert (after.version, after.state) == (before.version, before.state)
        ears.heard.clear()
        await store.apply({project.id: beat(now())}, now())  # the scripts are forgotten, too
        await until(lambda: ("changed", project.id) in ears.heard)


async def test_away_is_told_once_however_long_it_lasts(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, backoff_seconds=0.01) as store:
        ears = Ears()
        store.listen(ears)
        own_redis.kill()
        await until(lambda: ears.count("away"))
        began = time.monotonic()
        await until(lambda: time.monotonic() > began + 0.3)  # many attempts
        own_redis.start()
        await until(lambda: ears.count("resync"))
        assert ears.heard == [("away", 0), ("resync", 0)]


async def test_a_restart_too_fast_to_be_noticed_is_followed_by_a_resync(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        ears = Ears()
        store.listen(ears)
        for count in (1, 2):
            own_redis.restart()
            await until(lambda count=count: ears.count("resync") == count)  # type: ignore[misc]
            assert await can_serve(store)


async def test_a_link_that_is_cut_alone_is_followed_by_a_resync(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        ears = Ears()
        store.listen(ears)
        own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: ears.count("resync"))
        project = await store.create("Shop", None, KEY)
        await until(lambda: ("edited", project.id) in ears.heard)


# A server or a network that hangs.


def test_connections_that_were_closed_while_nobody_used_them_fail_no_call(own_redis: RedisServer) -> None:
    """By the event loop that servers run on, to which a write to such a one is a `RuntimeError`."""

    async def read_again() -> None:
        async with Wire(own_redis.port) as wire, redis_store(f"redis://{HOST}:{wire.port}") as store:
            ears = Ears()
            store.listen(ears)
            await asyncio.gather(*(store.read(1) for _ in range(8)))  # as many connections
            wire.reset()
            await until(lambda: ears.count("away"))
            assert await asyncio.gather(*(store.read(1) for _ in range(8))) == [None] * 8

    uvloop.run(read_again())


async def test_a_hung_server_fails_calls_in_time_and_is_used_again(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, command_seconds=0.3, probe_seconds=0.2) as store:
        ears = Ears()
        store.listen(ears)
        project = await store.create("Shop", None, KEY)
        own_redis.stop()
        began = time.monotonic()
        calls = [store.apply({project.id: beat(now())}, now()) for _ in range(100)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 10  # one after the other they would take 30 s
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        await until(lambda: ears.count("away"))
        own_redis.cont()
        await until(lambda: ears.count("resync"))
        assert await until_answer(lambda: can_serve(store))
        ears.heard.clear()
        await store.apply({project.id: error(now())}, now())
        await until(lambda: ("changed", project.id) in ears.heard)


async def test_a_deaf_link_is_built_again_although_calls_succeed(own_redis: RedisServer) -> None:
    async with Wire(own_redis.port) as wire:
        url = f"redis://{HOST}:{wire.port}"
        async with redis_store(url, probe_seconds=0.05, deaf_seconds=0.3) as store:
            ears = Ears()
            store.listen(ears)
            assert wire.cut(containing=b"SUBSCRIBE") == 1
            project = await store.create("Shop", None, KEY)
            await until(lambda: ears.count("resync"))
            assert ears.heard == [("away", 0), ("resync", 0)]  # the wake-up was lost
            await store.put(project)
            await until(lambda: ("edited", project.id) in ears.heard)


async def test_a_quiet_link_is_kept(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, probe_seconds=0.02, deaf_seconds=0.2) as store:
        ears = Ears()
        store.listen(ears)
        began = time.monotonic()
        await until(lambda: time.monotonic() > began + 0.6)
        assert ears.heard == []


# A server that forgets.


async def test_a_forgotten_script_is_sent_again_once(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        projects = [await store.create("Shop", None, KEY) for _ in range(3)]
        for _ in range(2):
            own_redis.command("SCRIPT", "FLUSH")
            own_redis.command("CONFIG", "RESETSTAT")
            at = now()
            counted = named({"problem.too_large.count": 1, "last_seen_at": at})
            await store.apply({project.id: counted for project in projects}, at)
            await store.apply({projects[0].id: {LAST_SEEN_AT: at}}, at)
            assert b"cmdstat_eval:calls=3," in own_redis.command("INFO", "commandstats")
        view = await store.read(projects[2].id)
        assert view is not None
        assert view.number(PROBLEMS["too_large"].total) == 2


# A server that is not there yet, or refuses.


async def test_a_process_starts_while_the_server_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = RedisServer(tmp_path / "late", "--requirepass", SECRET, password=SECRET)
    async with redis_store(server.url) as store:
        ears = Ears()
        store.listen(ears)
        with pytest.raises(StoreUnavailable) as failure:
            await store.ping()
        with server:
            await until(lambda: ears.count("resync"))
            await store.ping()
    assert SECRET not in f"{failure.value!r} {caplog.text} {store!r}"
    assert "out of reach" in caplog.text


@pytest.mark.parametrize(
    ("options", "password"),
    [
        (["--requirepass", SECRET], f"{SECRET}-wrong"),
        (["--requirepass", SECRET], ""),
        (["--rename-command", "HELLO", ""], SECRET),
    ],
    ids=["wrong password", "no password", "older than Redis 6"],
)
async def test_a_server_that_refuses_stops_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: list[str], password: str
) -> None:
    right = SECRET if "--requirepass" in options else None
    with RedisServer(tmp_path / "redis", *options, password=right) as server:
        url = f"redis://{f':{password}@' if password else ''}{HOST}:{server.port}"
        with pytest.raises(SettingsError, match="REDIS_URL") as failure:
            await redis_store(url).__aenter__()
    assert SECRET not in f"{failure.value} {failure.value.__cause__} {caplog.text}"


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@localhost",
        f"redis://:{SECRET}@localhost:port",
        f"redis://:{SECRET}@localhost:6379?no_such_option=1",
        f"redis://:{SECRET}@localhost:6379?protocol=9",
        f"rediss://:{SECRET}@localhost:6379?ssl_cert_reqs=none-such",
        f"redis://:{SECRET}@[::1",
        "localhost:6379",
        "",
    ],
)
async def test_a_url_that_is_none_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL") as failure:
        await redis_store(url).__aenter__()
    assert SECRET not in str(failure.value)
    assert failure.value.__suppress_context__


async def test_a_host_that_is_unknown_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async with redis_store(f"redis://:{SECRET}@{HOST}:{free_port()}") as store:
        assert not await can_serve(store)
    assert SECRET not in caplog.text


async def test_a_full_server_is_unavailable_and_can_still_be_read(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailable, match="memory"):
            await store.apply({project.id: beat(now())}, now())
        assert await store.read(project.id)
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


# Many processes.


@pytest.mark.parametrize("options", ["", "?protocol=2", "?decode_responses=no"])
async def test_processes_wake_each_other_whatever_their_urls_ask_for(redis_url: str, options: str) -> None:
    async with redis_store(redis_url + options) as one, redis_store(redis_url) as two:
        ears = Ears()
        two.listen(ears)
        project = await one.create("Shop", None, KEY)
        await one.apply({project.id: beat(now())}, now())
        await until(lambda: ears.heard == [("edited", project.id), ("changed", project.id)])


async def test_many_calls_at_once_wait_their_turn(redis_url: str) -> None:
    async with redis_store(redis_url, command_seconds=10) as store:
        project = await store.create("Shop", None, KEY)
        views = await asyncio.gather(*(store.read(project.id) for _ in range(1000)))
        assert all(views)


async def test_the_clock_is_the_servers(redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        project = await store.create("Shop", None, KEY)
        for ahead in (HOUR, -HOUR):
            at = now() + ahead
            await store.apply({project.id: {LAST_SEEN_AT: at, CONNECTED_AT: at - 1000}}, at)
        view = await store.read(project.id)
        assert view is not None
        seen, connected = view.time(LAST_SEEN_AT), view.time(CONNECTED_AT)
        assert isinstance(seen, int)
        assert isinstance(connected, int)
        assert abs(seen - now()) < 1000
        assert 0 < seen - connected < 2000


async def test_foreign_messages_are_passed_over(redis_server: RedisServer, redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        ears = Ears()
        store.listen(ears)
        for message in ("", "changed", "changed x", "changed -1", "forgotten 5", "changed x 3", "changed 7"):
            redis_server.command("PUBLISH", SINGLE.channels[0], message)
        await until(lambda: ears.heard == [("changed", 7)])


async def test_a_state_that_is_told_is_passed_over_where_it_is_none(redis_server: RedisServer, redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        project, ears = await store.create("Shop", None, KEY), Ears()
        store.listen(ears)
        pairs = '["@epoch","e","@version","7","first_error","none"]'
        for more in ("7", "{}", f'[["{{}}",false,false,false,false],{pairs},"1"]', '[["{}"],["@epoch"],"1"]'):
            redis_server.command("PUBLISH", SINGLE.channels[0], f"changed {project.id} 3 {more}")
        await until(lambda: ears.effects == [Effect.TRANSITION] * 4)
        assert ears.told == [None] * 4


async def test_what_is_no_news_or_too_long_is_asked_for(redis_url: str) -> None:
    async with redis_store(redis_url) as store:
        project, ears = await store.create("Shop", None, KEY), Ears()
        store.listen(ears)
        at, looked = now(), {project.id}
        await store.apply({project.id: {**beat(at), **named({"release": (at, "a")})}}, at)  # nobody looks
        await store.apply({project.id: named({"release": (at, "b")})}, at, None, looked)
        await store.apply({project.id: {**error(at), FIRST_ERROR: (at, "x" * 40_000)}}, at, None, looked)
        await until(lambda: ears.count("changed") == 3)
        assert ears.effects == [Effect.TRANSITION, Effect.REFRESH, Effect.TRANSITION]
        assert ears.told == [None] * 3


async def test_what_waited_for_the_server_is_asked_for(own_redis: RedisServer) -> None:
    """Of two first errors that come together, the earlier one may come next."""
    async with redis_store(own_redis.url) as store:
        first, second = [await store.create("Shop", None, KEY) for _ in range(2)]
        ears = Ears()
        store.listen(ears)
        await store.apply({first.id: error(now())}, now(), {first.id: Origin(is_late=True)}, {first.id})
        await until(lambda: ears.count("changed") == 1)
        assert await store.read(second.id)  # which tells what its clock shows
        own_redis.stop()
        stopped_at, waits = now(), asyncio.create_task(store.apply({second.id: error(now())}, now(), None, {second.id}))
        await until(lambda: now() > stopped_at + 1400)
        own_redis.cont()
        await waits
        await until(lambda: ears.count("changed") == 2)
        assert ears.told == [None, None]


async def test_a_listener_that_fails_does_not_end_the_listening(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Ears):
        def edited(self, project_id: int) -> None:
            super().edited(project_id)
            raise ValueError("a mistake in the listener")

    async with redis_store(redis_url) as store:
        ears = Failing()
        store.listen(ears)
        await store.create("Shop", None, KEY)
        await until(lambda: ears.count("resync"))
        assert "a mistake in the listener" in caplog.text
        project = await store.create("Shop", None, KEY)
        await until(lambda: ("edited", project.id) in ears.heard)


async def test_the_password_is_in_no_log_of_a_whole_life(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with RedisServer(tmp_path / "redis", "--requirepass", SECRET, password=SECRET) as server:
        async with RedisStore(server.url, new_epoch, backoff_seconds=0.05) as store:
            ears = Ears()
            store.listen(ears)
            server.command("CONFIG", "SET", "requirepass", "another")
            server.password = "another"
            server.command("CLIENT", "KILL", "TYPE", "pubsub")
            await until(lambda: ears.count("away"))
            server.kill()
            assert not await can_serve(store)
    assert "lost" in caplog.text
    assert SECRET not in caplog.text


# What is kept, and where.


async def test_a_state_expires_and_starts_over(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, keep_seconds=0.2) as store:
        project = await store.create("Shop", None, KEY)
        await store.apply({project.id: error(now())}, now())
        before = await store.read(project.id)
        assert before
        assert before.text(FIRST_ERROR)

        async def is_forgotten() -> bool:
            view = await store.read(project.id)
            assert view
            return not view.state

        assert await until_answer(is_forgotten)
        after = await store.read(project.id)
        assert after
        assert (after.project, after.epoch != before.epoch) == (project, True)
        assert after.version > before.version
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


async def test_a_project_without_a_state_takes_updates(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        own_redis.command("DEL", f"firstlight:{{{project.id}}}:state")
        assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


async def test_a_deleted_project_leaves_no_key(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        await store.apply({project.id: error(now())}, now())
        await store.delete(project.id)
        left = own_redis.command("KEYS", f"firstlight:{{{project.id}}}*").split()
        assert (left[0], left[2:]) == (b"*1", [b"firstlight:{%d}:deleted" % project.id])  # a mark, and nothing of it
        assert await store.list(0, 10) == []
        assert await store.owner_of(KEY) is None


@pytest.mark.parametrize("lost", ["put", "delete"])
@pytest.mark.parametrize("kind", ["redis_url", "cluster_url"])
async def test_an_index_that_a_process_left_behind_is_mended_at_the_next_start(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, lost: str, kind: str
) -> None:
    url = request.getfixturevalue(kind)

    async def dies(*_: object) -> None:
        raise StoreUnavailable("the process dies here")

    async with redis_store(url) as store:
        known = await store.create("Known", None, OTHER_KEY)
        shop = Project(77, "Shop", None, (Key(KEY),), 0)
        with monkeypatch.context() as patch:
            patch.setattr(RedisStore, "_index", dies)
            with pytest.raises(StoreUnavailable):
                await (store.put(shop) if lost == "put" else store.delete(known.id))
        assert await store.owner_of(KEY) is None
    async with redis_store(url) as store:
        names = ["Known", "Shop"] if lost == "put" else []
        assert sorted(project.name for project in await store.list(0, 10)) == names
        assert await store.owner_of(KEY) == (77 if lost == "put" else None)
        assert await store.owner_of(OTHER_KEY) == (known.id if lost == "put" else None)
        assert not await store._server.run("EXISTS", PENDING)


async def test_an_edit_and_a_revocation_that_were_lost_are_given_back(own_redis: RedisServer) -> None:
    """A failover may lose the last writes: a key that was disabled stays so, and so does a token that was revoked."""
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        keys = [f"firstlight:{{{project.id}}}:{kind}" for kind in ("project", "state")]
        for key in keys:
            own_redis.command("COPY", key, f"{key}:before")
        await store.edit(replace(project, keys=(Key(KEY, False),)))
        await store.revoke(project.id, "abc", now())
        known = await store.read(project.id)
        assert known
        for key in keys:
            own_redis.command("COPY", f"{key}:before", key, "REPLACE")
        lost = await store.read(project.id)
        assert lost
        assert (lost.project.keys, lost.project.revoked) == ((Key(KEY),), frozenset())
        assert await store.restore(known)
        found = await store.read(project.id)
        assert found
        assert (found.project, found.project.revision) == (known.project, known.project.revision)
        assert found.project.revoked == {"abc"}


async def test_what_is_newer_is_not_given_back_over(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        await store.revoke(project.id, "abc", now())
        known = await store.read(project.id)
        assert known
        await store.edit(replace(known.project, name="Newer"))
        await store.revoke(project.id, None, now())
        assert await store.restore(known)
        found = await store.read(project.id)
        assert found
        assert (found.project.name, found.project.revoked) == ("Newer", frozenset())
        assert found.project.tokens_valid_from > 0


# A server that answers, and cannot serve.


async def test_a_replica_without_its_master_is_waited_for_at_the_start(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    own_redis.command("REPLICAOF", HOST, str(free_port()))  # even a PING is refused then
    async with redis_store(own_redis.url) as store:
        assert not await can_serve(store)
        assert "takes no commands now" in caplog.text
        own_redis.command("REPLICAOF", "NO", "ONE")
        assert await until_answer(lambda: can_serve(store))


async def test_a_replica_is_said_to_be_one(
    own_redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(tmp_path / "replica", "--replicaof", HOST, str(own_redis.port)) as replica:
        async with redis_store(own_redis.url) as master, redis_store(replica.url) as store:
            assert "is a replica" in caplog.text
            project = await master.create("Shop", None, KEY)

            async def is_copied() -> bool:  # while it loads the first copy, a replica cuts whoever asks
                with suppress(StoreUnavailable):
                    return await store.read(project.id) is not None
                return False

            assert await until_answer(is_copied)
            assert not await can_serve(store)  # the check writes
            with pytest.raises(StoreUnavailable):
                await store.apply({project.id: error(now())}, now())
            replica.command("REPLICAOF", "NO", "ONE")
            assert await until_answer(lambda: can_serve(store))
            assert firsts((await store.apply({project.id: error(now())}, now()))[project.id]) == {"first_error"}


async def test_a_user_without_channels_is_not_ready(own_redis: RedisServer) -> None:
    own_redis.command("ACL", "SETUSER", "app", "on", f">{SECRET}", "~firstlight:*", "resetchannels", "+@all")
    store = redis_store(f"redis://app:{SECRET}@{HOST}:{own_redis.port}")
    async with store:
        assert not await can_serve(store)
        own_redis.command("ACL", "SETUSER", "app", "&firstlight:*")
        assert await until_answer(lambda: can_serve(store))


async def test_a_cluster_stops_the_start(tmp_path: Path) -> None:
    options = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    with (
        RedisServer(tmp_path / "cluster", *options) as server,
        pytest.raises(SettingsError, match="REDIS_URL: this is a Redis Cluster"),
    ):
        await redis_store(server.url).__aenter__()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"], "noeviction"),
        (["--appendonly", "no"], "appendonly"),
    ],
)
async def test_settings_of_the_server_that_lose_something_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: list[str], said: str
) -> None:
    with RedisServer(tmp_path / "redis", *options) as server:
        async with redis_store(server.url) as store:
            await store.ping()
    assert said in caplog.text


async def test_an_end_waits_for_what_is_under_way_and_begins_nothing(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        own_redis.stop()
        reading = asyncio.create_task(store.read(project.id))
        await until(lambda: store._server._under_way > 0)
        asyncio.get_running_loop().call_soon(own_redis.cont)
    assert await reading
    with pytest.raises(StoreUnavailable):
        await store.read(project.id)


async def test_an_error_has_the_time_at_which_it_was_sent_though_the_server_hung(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        await store.read(project.id)
        own_redis.stop()
        at = now()
        writing = asyncio.create_task(store.apply({project.id: error(at)}, at))
        await until(lambda: now() - at > 600)
        own_redis.cont()
        await writing
        view = await store.read(project.id)
        assert view
        first = view.stamped(FIRST_ERROR)
        assert first
        assert view.now - first[0] > 300


async def test_a_server_that_is_emptied_while_it_is_served_is_noticed_by_all(own_redis: RedisServer) -> None:
    one, other = (redis_store(own_redis.url, backoff_seconds=0.01, look_seconds=0.01) for _ in range(2))
    async with one, other:
        ears = [Ears(), Ears()]
        await until(lambda: one._server._marks and other._server._marks)
        one.listen(ears[0])
        other.listen(ears[1])
        own_redis.command("FLUSHALL")
        await until(lambda: all(ear.count("away") and ear.count("resync") for ear in ears))


# What another version wrote.

FORMAT_KEY = "firstlight:{index}:format"


async def test_data_of_before_there_were_formats_is_taken_as_it_is_and_gets_a_number(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        await store.apply({project.id: error(now())}, now())
        before = await store.read(project.id)
    own_redis.command("DEL", FORMAT_KEY)
    async with redis_store(own_redis.url) as store:
        after = await store.read(project.id)
        assert before
        assert after
        assert (after.project, after.version, after.state) == (before.project, before.version, before.state)
        assert await store.owner_of(KEY) == project.id
    assert own_redis.command("GET", FORMAT_KEY).endswith(b"\r\n1\r\n")


async def test_data_of_a_later_version_is_refused_and_stays_as_it_is(own_redis: RedisServer) -> None:
    own_redis.command("SET", FORMAT_KEY, "99")
    with pytest.raises(SettingsError, match=r"later version of Firstlight \(format 99; this one knows 1\)"):
        await redis_store(own_redis.url).__aenter__()
    assert own_redis.command("GET", FORMAT_KEY).endswith(b"\r\n99\r\n")


async def test_a_later_version_that_takes_over_while_this_one_runs_ends_its_writes(own_redis: RedisServer) -> None:
    async with redis_store(own_redis.url, backoff_seconds=0.01) as store:
        ears = Ears()
        store.listen(ears)
        own_redis.command("SET", FORMAT_KEY, "99")
        own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: "later version" in str(store._wakeups._trouble))
        assert ears.count("away") == 1
