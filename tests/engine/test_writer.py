"""The recorder on real stores: what costs a round trip, what waits, and what happens while the store is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from server.core.model.errors import Overloaded, StoreUnavailable
from server.core.model.project import Project
from server.core.state.fields import State, Value
from server.engine import writer as writer_module
from server.engine.writer import LAZY_SECONDS, RECHECK_SECONDS, UNKNOWN_SECONDS, Writer
from server.stores import Store

from ..conftest import redis_store
from ..support.redis_server import RedisServer
from ..support.updates import KEY, beat, error, now
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore

UNKNOWN = 404


class Clock:
    """A monotonic clock that a test can put forward; otherwise it runs."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    """The recorder's monotonic clock."""
    return Clock()


@pytest.fixture
async def watched(store: Store) -> WatchedStore:
    """The store, wrapped."""
    return WatchedStore(store)


@pytest.fixture
async def writer(watched: WatchedStore, clock: Clock) -> AsyncIterator[Writer]:
    """A running recorder."""
    async with running(watched, clock) as writer:
        yield writer


@asynccontextmanager
async def running(store: Store, clock: Clock) -> AsyncIterator[Writer]:
    """A recorder that listens to its store and writes."""
    writer = Writer(store, time.time, clock)
    store.listen(writer)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.wait([task])


async def known(watched: Store, writer: Writer) -> Project:
    """A project that is connected, and remembered by the recorder."""
    project = await watched.create("Shop", None, KEY)
    assert await until_answer(lambda: writer.project(project.id))
    await writer.write(project.id, beat(now()))
    return project


async def state_of(store: Store, project_id: int) -> State:
    """What is stored."""
    view = await store.read(project_id)
    assert view is not None
    return dict(view.state)


# What costs a round trip.


async def test_a_repeated_heartbeat_makes_no_call(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    watched.calls.clear()
    for _ in range(1000):
        assert await writer.project(project.id) == project
        await writer.write(project.id, beat(now()))
    assert watched.calls == []


async def test_news_is_committed_before_the_answer(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    await writer.write(project.id, error(now()))
    assert (await state_of(watched, project.id))["stage"] == 2


async def test_a_request_waits_for_the_commit_of_its_news(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    with watched.holding("apply"):
        waiting = asyncio.create_task(writer.write(project.id, error(now())))
        await until(lambda: watched.count("apply") == 2)
        assert not waiting.done()
        await writer.write(project.id, beat(now()))  # no news: does not wait for anybody
        assert not waiting.done()
    await waiting


async def test_news_of_many_requests_share_writes(watched: WatchedStore, writer: Writer) -> None:
    projects = [await watched.create("Shop", None, KEY) for _ in range(50)]
    watched.calls.clear()
    await asyncio.gather(*(writer.write(project.id, error(now())) for project in projects for _ in range(4)))
    assert watched.count("apply") <= 3
    assert all([(await state_of(watched, project.id))["stage"] == 2 for project in projects])


async def test_what_can_wait_is_written_once_within_a_second(watched: WatchedStore, writer: Writer) -> None:
    projects = [await known(watched, writer) for _ in range(3)]
    for project in projects:
        await writer.write(project.id, limited())
    before = await state_of(watched, projects[2].id)
    watched.calls.clear()
    await until(lambda: now() > before["last_seen_at"])  # type: ignore[operator]  # a clock of whole milliseconds
    began = time.monotonic()
    for project in projects:
        for _ in range(100):
            await writer.write(project.id, limited())
    await until(lambda: watched.count("apply"))
    assert time.monotonic() - began < LAZY_SECONDS + 0.5
    state = await until_answer(lambda: with_count(watched, projects[2].id, 101))
    assert watched.count("apply") == 1
    assert state["last_seen_at"] > before["last_seen_at"]  # type: ignore[operator]


def limited() -> dict[str, Value]:
    """A heartbeat that is also counted as something."""
    return {**beat(now()), "problem.rate_limited.count": 1}


async def with_count(store: Store, project_id: int, count: int) -> State | None:
    """The state, once it has counted so many."""
    state = await state_of(store, project_id)
    return state if state["problem.rate_limited.count"] == count else None


async def test_a_large_backlog_is_written_in_parts(
    watched: WatchedStore, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_BATCH", 10)
    projects = [await watched.create("Shop", None, KEY) for _ in range(25)]
    await asyncio.gather(*(writer.write(project.id, error(now())) for project in projects))
    assert watched.count("apply") == 3
    assert all([(await state_of(watched, project.id))["stage"] == 2 for project in projects])


async def test_a_cancelled_request_leaves_its_record_and_the_others(watched: WatchedStore, writer: Writer) -> None:
    one, two = await known(watched, writer), await known(watched, writer)
    requests = [asyncio.create_task(writer.write(project.id, error(now()))) for project in (one, two)]
    await asyncio.sleep(0)
    requests[0].cancel()
    await requests[1]
    assert (await state_of(watched, one.id))["stage"] == (await state_of(watched, two.id))["stage"] == 2


async def test_flush_writes_what_waits(watched: WatchedStore, clock: Clock) -> None:
    async with running(watched, clock) as writer:
        project = await known(watched, writer)
        await writer.write(project.id, {"problem.rate_limited.count": 1, "last_seen_at": now()})
        await writer.write(project.id, {"problem.rate_limited.count": 1, "last_seen_at": now()})
    await writer.flush()
    assert (await state_of(watched, project.id))["problem.rate_limited.count"] == 2


# While the store is away.


async def test_away_requests_are_answered_and_kept_and_written_later(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    watched.is_away = True
    for number in range(3):
        await writer.write(project.id, {**error(now(), f"e{number}"), "problem.too_large.count": 1})
    watched.is_away = False
    state = await until_answer(lambda: stage_two(watched, project.id))
    assert state["problem.too_large.count"] == 3
    assert state["first_error"][1] == '{"event_id":"e0"}'  # type: ignore[index]


async def stage_two(store: Store, project_id: int) -> State | None:
    """The state, once an error is stored."""
    state = await state_of(store, project_id)
    return state if state["stage"] == 2 else None


async def test_only_a_full_map_refuses(watched: WatchedStore, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    projects = [await known(watched, writer) for _ in range(4)]
    monkeypatch.setattr(writer_module, "MAX_PENDING", 3)
    watched.is_away = True
    for project in projects[:3]:
        await writer.write(project.id, error(now()))
    with pytest.raises(Overloaded):
        await writer.write(projects[3].id, error(now()))
    await writer.write(projects[0].id, beat(now()))  # has its place
    watched.is_away = False
    for project in projects[:3]:
        await until_answer(lambda project=project: stage_two(watched, project.id))  # type: ignore[misc]
    await writer.write(projects[3].id, error(now()))
    assert await stage_two(watched, projects[3].id)


async def test_away_a_remembered_project_serves_on(watched: WatchedStore, writer: Writer, clock: Clock) -> None:
    project = await known(watched, writer)
    watched.is_away = True
    clock.ahead = RECHECK_SECONDS + 1
    assert await writer.project(project.id) == project
    with pytest.raises(StoreUnavailable):
        await writer.project(UNKNOWN)


async def test_a_killed_redis_loses_nothing_that_came_meanwhile(own_redis: RedisServer, clock: Clock) -> None:
    async with redis_store(own_redis.url) as store, running(store, clock) as writer:
        project = await known(store, writer)
        own_redis.kill()
        await writer.write(project.id, error(now(), "meanwhile"))
        own_redis.start()
        state = await until_answer(lambda: stage_two(store, project.id))
        assert state["first_error"][1] == '{"event_id":"meanwhile"}'  # type: ignore[index]
        await writer.write(project.id, {"problem.too_large.count": 1, "last_seen_at": now()})
        assert (await state_of(store, project.id))["problem.too_large.count"] == 1  # news are committed at once again


# What is remembered of projects.


async def test_lookups_at_once_share_a_read(watched: WatchedStore, writer: Writer) -> None:
    project = await watched.create("Shop", None, KEY)
    found = await asyncio.gather(*(writer.project(project.id) for _ in range(50)))
    assert found == [project] * 50
    assert watched.count("read") == 1


async def test_an_unknown_project_costs_one_read_a_second(watched: WatchedStore, writer: Writer, clock: Clock) -> None:
    for _ in range(100):
        assert await writer.project(UNKNOWN) is None
    assert watched.count("read") == 1
    clock.ahead = UNKNOWN_SECONDS + 0.1
    assert await writer.project(UNKNOWN) is None
    assert watched.count("read") == 2


async def test_a_project_that_was_just_created_is_known(watched: WatchedStore, writer: Writer) -> None:
    assert await writer.project(7) is None
    await watched.put(Project(7, "Shop", None, (), 0))
    assert await until_answer(lambda: writer.project(7), UNKNOWN_SECONDS / 2)


async def test_a_project_is_asked_for_again_in_time(watched: WatchedStore, clock: Clock) -> None:
    writer = Writer(watched, time.time, clock)  # hears no wake-up
    project = await watched.create("Shop", None, KEY)
    await writer.project(project.id)
    changed = await watched.put(replace(project, name="Cart"))
    assert await writer.project(project.id) == project
    assert await writer.project(project.id, max_age=-1) == changed
    await watched.put(project)
    clock.ahead = RECHECK_SECONDS + 1
    assert await writer.project(project.id) == project


async def test_an_edit_is_seen_at_once(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    changed = await watched.put(replace(project, keys=()))

    async def is_seen() -> bool:
        return await writer.project(project.id) == changed

    await until_answer(is_seen, UNKNOWN_SECONDS)


async def test_an_edit_during_a_lookup_is_not_missed(watched: WatchedStore, clock: Clock) -> None:
    writer = Writer(watched, time.time, clock)  # is told by the test
    project = await watched.create("Shop", None, KEY)
    for found, edit in ((project, "Cart"), (replace(project, name="Cart"), "Till")):
        writer.edited(project.id)
        with watched.holding("read"):
            lookup = asyncio.create_task(writer.project(project.id))
            reads = watched.count("read")
            await until(lambda reads=reads: watched.count("read") > reads)  # type: ignore[misc]
            changed = await watched.put(replace(project, name=edit))
            if edit == "Cart":
                writer.edited(project.id)
            else:
                writer.resync()
        assert await lookup == found
        assert await writer.project(project.id) == changed


async def test_a_lost_link_makes_every_project_be_asked_for_again(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    assert await writer.project(UNKNOWN) is None
    watched.calls.clear()
    writer.resync()
    assert await writer.project(project.id) == project
    assert await writer.project(UNKNOWN) is None
    assert watched.count("read") == 2


async def test_only_so_many_projects_are_remembered(
    watched: WatchedStore, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_REMEMBERED", 20)
    projects = [await watched.create("Shop", None, KEY) for _ in range(21)]
    for number in [project.id for project in projects] + list(range(1000, 1021)):
        await writer.project(number)
    watched.calls.clear()
    await writer.project(projects[2].id)
    await writer.project(1002)
    assert watched.calls == []
    await writer.project(projects[1].id)  # the oldest tenth had to go
    await writer.project(1001)
    assert watched.calls == ["read", "read"]


async def test_a_reset_drops_what_was_received_before(watched: WatchedStore, writer: Writer) -> None:
    project = await known(watched, writer)
    await writer.write(project.id, beat(now()))  # waits to be written
    received = now()
    await until(lambda: now() > received + 5)
    assert await watched.reset(project.id, "the next one")
    await until(lambda: now() > received + 10)
    await writer.flush()
    assert await state_of(watched, project.id) == {}
    await until_answer(lambda: writer.project(project.id))
    await writer.write(project.id, beat(now()))
    assert await until_answer(lambda: state_of(watched, project.id))
