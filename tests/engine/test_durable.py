"""An answer is a promise: what was taken is in the store, once, whatever single thing fails on the way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from server.core.model.errors import Overloaded, StoreRejected, StoreUnavailable
from server.core.model.project import Project
from server.core.model.signals import Stage
from server.core.state.fields import FIRST_ERROR, LAST_SEEN_AT, PROBLEMS, Update
from server.core.state.view import View
from server.engine import unverified
from server.engine.projects import Projects
from server.engine.spill import Left, Spill, entry_of
from server.engine.unverified import Unverified
from server.engine.writer import Writer
from server.limits import ProjectLimits, UnverifiedLimits, WriterLimits
from server.stores import Origin, Store
from server.stores.redis import RedisStore

from ..conftest import redis_store
from ..support.redis_server import HOST, RedisServer
from ..support.updates import KEY, beat, error, named, now
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore
from ..support.wire import Wire

OTHER_KEY = "f" * 32
HOME = "192.0.2.1"
UNKNOWN = 404


class Process:
    """The engine of one process, which starts, takes, and ends in order or at once."""

    def __init__(self, store: Store, folder: Path, name: str, limits: UnverifiedLimits | None = None) -> None:
        self.spills = Spill(folder, name, "updates", 10**7), Spill(folder, name, "unverified", 10**7)
        self.projects = Projects(store, time.monotonic, ProjectLimits())
        self.writer = Writer(store, self.projects, self.spills[0], time.time, WriterLimits(), name)
        self.unverified = Unverified(
            self.projects, self.writer, self.spills[1], time.time, limits or UnverifiedLimits()
        )
        self.writer.adopt(self.spills[0].adopt())
        self.unverified.adopt(self.spills[1].adopt())

    async def writes(self, project: Project, update: Update) -> None:
        """Take an update for a project that it knows, and write as its tasks do all the time."""
        await self.projects.get(project.id)
        writing = self.writer.write(project.id, update)
        if self.writer.is_away:
            await writing
        else:
            await asyncio.gather(writing, self.writer.flush())

    def is_killed(self) -> None:
        """End without a word: the system lets its locks go."""
        for spill in self.spills:
            os.close(spill._file)

    async def ends(self) -> Left:
        """End in order; gives what is left behind."""
        return max(await self.writer.close(), self.unverified.close())


@pytest.fixture
async def watched(store: Store) -> WatchedStore:
    """The store, which can be away."""
    return WatchedStore(store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where processes keep what waits."""
    return tmp_path / "spill"


@pytest.fixture
def names() -> Iterator[str]:
    """Names of processes."""
    return iter(f"process{number}" for number in range(100))


async def view_of(store: Store, project: Project) -> View:
    """What is stored."""
    view = await store.read(project.id)
    assert view
    return view


def sighting() -> Update:
    """A sighting of a problem, which counts."""
    return named({"problem.too_large.count": 1, "last_seen_at": now()})


async def total(store: Store, project: Project) -> int:
    """How many sightings are stored."""
    return (await view_of(store, project)).number(PROBLEMS["too_large"].total)


# The store is away.


@pytest.mark.parametrize("end", ["killed", "in order"])
async def test_a_first_error_survives_an_outage_with_a_restart(
    watched: WatchedStore, folder: Path, names: Iterator[str], end: str
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    await one.writes(project, beat(now()))
    watched.is_away = True
    await one.writes(project, error(now(), "e1"))  # answered, also the one that finds out
    await one.writes(project, error(now(), "e2"))
    if end == "killed":
        one.is_killed()
    else:
        await one.ends()
    watched.is_away = False
    two = Process(watched, folder, next(names))
    await two.writer.flush()
    assert (await view_of(watched, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'
    await two.ends()
    assert not folder.exists()


async def test_what_a_process_leaves_that_ends_after_the_next_began_is_written_by_that_one(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    """A rolling restart in the middle of an outage."""
    project, unseen = [await watched.create(name, None, key) for name, key in (("Shop", KEY), ("Blog", OTHER_KEY))]
    old = Process(watched, folder, next(names))
    await old.writes(project, beat(now()))
    assert not old.spills[0].adopt()
    watched.is_away = True
    fresh = Process(watched, folder, next(names))
    await old.writes(project, error(now(), "e1"))
    await old.unverified.take(HOME, unseen.id, OTHER_KEY, error(now(), "e2"))
    assert await old.ends() is Left.ON_DISK
    watched.is_away = False
    tasks = [asyncio.create_task(fresh.writer.run()), asyncio.create_task(fresh.unverified.run())]

    async def are_stored() -> bool:
        views = [await view_of(watched, each) for each in (project, unseen)]
        return [view.text(FIRST_ERROR) for view in views] == ['{"event_id":"e1"}', '{"event_id":"e2"}']

    await until_answer(are_stored)
    await until(lambda: not (fresh.writer.unwritten or len(fresh.unverified)))  # it has read the answers, too
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert await fresh.ends() is Left.NOTHING


async def test_counts_that_wait_survive_an_end_in_order(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    await one.writes(project, sighting())
    watched.is_away = True
    for _ in range(3):
        await one.writer.write(project.id, sighting())
    await one.ends()
    watched.is_away = False
    two = Process(watched, folder, next(names))
    await two.writer.flush()
    assert await total(watched, project) == 4


async def test_a_request_for_a_project_that_is_not_known_is_judged_later(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    watched.is_away = True
    with pytest.raises(StoreUnavailable):
        await one.projects.get(project.id)
    await one.unverified.take(HOME, project.id, OTHER_KEY, error(now(), "wrong"))
    await one.unverified.take(HOME, project.id, KEY, error(now(), "right"))
    await one.unverified.take(HOME, 999, KEY, error(now(), "of no project"))
    one.is_killed()
    watched.is_away = False
    two = Process(watched, folder, next(names))
    await asyncio.gather(two.unverified.judge(), flushing(two.writer))
    view = await view_of(watched, project)
    assert view.text(FIRST_ERROR) == '{"event_id":"right"}'
    assert view.number(PROBLEMS["unknown_key"].total) == 1
    assert len(two.unverified) == 0
    await two.ends()
    assert not folder.exists()


async def flushing(writer: Writer) -> None:
    """Write what comes up, for a while."""
    for _ in range(50):
        await writer.flush()
        await asyncio.sleep(0)


async def judged(process: Process) -> None:
    """Judge what waits, while the lanes run."""
    writing = asyncio.create_task(process.writer.run())
    await process.unverified.judge()
    writing.cancel()
    await asyncio.wait([writing])


async def test_a_writer_that_takes_no_more_is_asked_again(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unverified, "RETRY_SECONDS", 0.01)
    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))
    await process.unverified.take(HOME, project.id, KEY, beat(now()))
    with monkeypatch.context() as patch:
        patch.setattr(process.writer, "_limits", WriterLimits(pending=0))
        judging = asyncio.create_task(process.unverified.run())
        done, _ = await asyncio.wait([judging], timeout=0.1)
        assert not done
        assert len(process.unverified) == 1
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(process.writer.run())
        await until(lambda: not len(process.unverified))
        writing.cancel()
        judging.cancel()
    assert (await view_of(watched, project)).stage is Stage.CONNECTED


async def test_one_sender_cannot_take_all_places_of_what_is_not_known(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    limits = UnverifiedLimits(in_all=5, per_address=3)
    one = Process(watched, folder, next(names), limits)
    for number in range(3):
        await one.unverified.take(HOME, number + 1, KEY, error(now()))
    with pytest.raises(Overloaded):
        await one.unverified.take(HOME, 9, KEY, error(now()))
    for number in range(2):
        await one.unverified.take("198.51.100.7", number + 4, KEY, error(now()))
    with pytest.raises(Overloaded):
        await one.unverified.take("203.0.113.9", 9, KEY, error(now()))


@pytest.mark.parametrize("end", ["no", "in order"])
async def test_an_application_that_beats_while_nobody_knows_it_takes_one_place_and_next_to_no_disk(
    watched: WatchedStore, folder: Path, names: Iterator[str], end: str
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names), UnverifiedLimits(per_address=2))
    watched.is_away = True
    for number in range(1000):
        at = now() + number
        await one.unverified.take(HOME, project.id, KEY, {**beat(at), **sighting(), LAST_SEEN_AT: at})
        await one.unverified.take(HOME, project.id, OTHER_KEY, beat(at))
    await one.unverified.take(HOME, project.id, KEY, error(now(), "e1"))
    await one.unverified.take(HOME, project.id, KEY, error(now(), "e2"))
    assert one.unverified.spilled < 10_000
    watched.is_away = False
    if end == "in order":
        assert await one.ends() is Left.ON_DISK
        one = Process(watched, folder, next(names))
    await judged(one)
    await one.writer.flush()
    view = await view_of(watched, project)
    assert view.text(FIRST_ERROR) == '{"event_id":"e1"}'
    assert await total(watched, project) == 1000
    assert view.number(PROBLEMS["unknown_key"].total) == 1000
    assert one.unverified.spilled == 0


async def test_what_comes_while_its_project_is_judged_is_judged_after_it(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    await one.unverified.take(HOME, project.id, KEY, sighting())
    with monkeypatch.context() as patch:
        patch.setattr(one.writer, "_limits", WriterLimits(pending=0))
        with watched.holding("read"):
            judging = asyncio.create_task(one.unverified.judge())
            await until(lambda: watched.held("read") == 1)
            assert one.unverified.comes_before(HOME, project.id)
            await one.unverified.take(HOME, project.id, KEY, sighting())
        with pytest.raises(Overloaded):
            await judging
    assert len(one.unverified) == 2
    await judged(one)
    await one.writer.flush()
    assert await total(watched, project) == 2


@pytest.mark.parametrize("fails", ["is cancelled", "has no room on disk"])
async def test_what_the_writer_has_taken_is_not_judged_again(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    await one.unverified.take(HOME, project.id, KEY, sighting())
    if fails == "is cancelled":
        judging = asyncio.create_task(one.unverified.judge())
        await until(lambda: one.writer.unwritten)
        judging.cancel()
        await asyncio.wait([judging])
    else:
        monkeypatch.setattr(one.spills[0], "_limit", 0)
        one.writer._is_away = True
        with pytest.raises(Overloaded):
            await one.unverified.judge()
    assert len(one.unverified) == 0
    assert await one.ends() is Left.NOTHING
    heir = Process(watched, folder, next(names))
    assert len(heir.unverified) == 0
    assert await total(watched, project) == 1


async def test_errors_of_two_dead_processes_are_told_apart_by_their_times(watched: WatchedStore, folder: Path) -> None:
    """Whichever file is read first."""
    known, unseen = [await watched.create(name, None, KEY) for name in ("Shop", "Blog")]
    dead = [Process(watched, folder, name) for name in ("a", "b")]
    for process in dead:
        await process.writes(known, beat(now()))
    watched.is_away = True
    for process, at, event_id in ((dead[0], now(), "e2"), (dead[1], now() - 500, "e1")):
        await process.writes(known, error(at, event_id))
        await process.unverified.take(HOME, unseen.id, KEY, error(at, event_id))
    for process in dead:
        process.is_killed()
    watched.is_away = False
    heir = Process(watched, folder, "c")
    await asyncio.gather(heir.unverified.judge(), flushing(heir.writer))
    for project in (known, unseen):
        assert (await view_of(watched, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


# An answer is lost, or the server refuses.


async def test_a_lost_answer_counts_once(own_redis: RedisServer, folder: Path, names: Iterator[str]) -> None:
    async with Wire(own_redis.port) as wire, redis_store(own_redis.url) as direct, through(wire) as store:
        project = await direct.create("Shop", None, KEY)
        process = Process(store, folder, next(names))
        await process.writes(project, sighting())
        wire.lose_answers()
        await process.writer.write(project.id, sighting())
        await process.writer.flush()  # it gets there, and nobody hears of it
        assert await total(direct, project) == 2
        await process.writer.write(project.id, sighting())
        wire.reset()
        await until_answer(lambda: everything_is_written(process))
        assert await total(direct, project) == 3


def through(wire: Wire) -> RedisStore:
    """A store behind a wire, which does not wait long."""
    return redis_store(f"redis://{HOST}:{wire.port}", command_seconds=0.3)


async def everything_is_written(process: Process) -> bool:
    """Try to write what is left."""
    await process.writer.flush()
    return process.writer.unwritten == 0


async def test_a_lost_answer_counts_once_also_after_a_kill(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with Wire(own_redis.port) as wire, redis_store(own_redis.url) as direct, through(wire) as store:
        project = await direct.create("Shop", None, KEY)
        one = Process(store, folder, next(names))
        await one.projects.get(project.id)
        wire.lose_answers()
        await asyncio.gather(one.writer.write(project.id, {**error(now()), **sighting()}), one.writer.flush())
        one.is_killed()
        two = Process(direct, folder, next(names))
        await two.writer.flush()
        assert await total(direct, project) == 1
        assert (await view_of(direct, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_an_error_whose_answer_is_lost_is_not_overtaken_by_one_that_was_stored_before_it(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    """A server that hung goes on with what two processes have sent meanwhile, in whichever order."""
    async with Wire(own_redis.port) as wire, redis_store(own_redis.url) as direct, through(wire) as store:
        project = await direct.create("Shop", None, KEY)
        one, other = Process(store, folder, next(names)), Process(direct, folder, next(names))
        await one.writes(project, beat(now()))
        wire.lose_answers()
        at = now()
        await other.writes(project, error(now(), "e2"))
        await one.writes(project, {**error(at - 500, "e1"), **sighting()})
        wire.reset()
        await until_answer(lambda: everything_is_written(one))
        assert (await view_of(direct, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'
        assert await total(direct, project) == 1


async def test_an_error_in_doubt_of_one_dead_process_does_not_overtake_an_earlier_one_of_another(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with Wire(own_redis.port) as wire, redis_store(own_redis.url) as direct, through(wire) as store:
        watched = WatchedStore(direct)
        project = await direct.create("Shop", None, KEY)
        one, other = Process(watched, folder, next(names)), Process(store, folder, next(names))
        for process in (one, other):
            await process.writes(project, beat(now()))
        watched.is_away = True
        await one.writes(project, error(now() - 500, "e1"))
        wire.lose_answers()
        later = {**error(now(), "e2"), **sighting()}
        await asyncio.gather(other.writer.write(project.id, later), other.writer._write_at_once())
        for process in (one, other):
            process.is_killed()
        heir = Process(direct, folder, next(names))
        await heir.writer.flush()
        assert (await view_of(direct, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'
        assert await total(direct, project) == 1


async def test_reset_connections_are_an_outage_and_no_mistake(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with Wire(own_redis.port) as wire, redis_store(f"redis://{HOST}:{wire.port}") as store:
        project = await store.create("Shop", None, KEY)
        process = Process(store, folder, next(names))
        for number in range(20):
            reads = [store.read(project.id) for _ in range(10)]
            wire.reset()
            answers = await asyncio.gather(*reads, return_exceptions=True)
            assert {type(answer) for answer in answers} <= {View, StoreUnavailable}
            await process.writes(project, error(now(), f"e{number}"))
        await until_answer(lambda: everything_is_written(process))
        assert (await view_of(store, project)).text(FIRST_ERROR) == '{"event_id":"e0"}'


async def test_one_spoilt_key_costs_nobody_else_anything(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        spoilt, *others = [await store.create("Shop", None, KEY) for _ in range(5)]
        process = Process(store, folder, next(names))
        for project in (spoilt, *others):
            await process.projects.get(project.id)
        own_redis.command("SET", f"firstlight:{{{spoilt.id}}}:state", "a stranger's")
        for _ in range(3):
            writing = [process.writer.write(project.id, sighting()) for project in (spoilt, *others)]
            await asyncio.gather(*writing, flushing(process.writer))
        assert [await total(store, project) for project in others] == [3] * 4
        assert not process.writer.is_away
        with pytest.raises(StoreRejected):
            await store.read(spoilt.id)
        assert process.writer.unwritten == 1
        own_redis.command("DEL", f"firstlight:{{{spoilt.id}}}:state")
        process.writer.try_rejected_again()
        assert await everything_is_written(process)


@pytest.mark.parametrize(
    ("name", "value", "usual"), [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")], ids=["full", "too few"]
)
async def test_a_server_that_takes_no_writes_is_away(
    own_redis: RedisServer, folder: Path, names: Iterator[str], name: str, value: str, usual: str
) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", None, KEY)
        process = Process(store, folder, next(names))
        await process.writes(project, beat(now()))
        own_redis.command("CONFIG", "SET", name, value)
        await process.writes(project, error(now(), "e1"))
        assert process.writer.is_away
        await process.writes(project, error(now(), "e2"))
        own_redis.command("CONFIG", "SET", name, usual)
        await until_answer(lambda: everything_is_written(process))
        assert (await view_of(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


# A project starts over.


async def test_what_waited_is_not_written_into_the_next_epoch(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))
    await process.writes(project, beat(now()))
    await process.writer.write(project.id, beat(now()))  # can wait
    await watched.reset(project.id, "the next one")
    await process.writer.flush()
    assert dict((await view_of(watched, project)).state) == {}


async def test_an_error_that_overtakes_the_news_of_a_reset_is_not_lost(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))  # hears no wake-up
    await process.writes(project, beat(now()))
    await watched.reset(project.id, "the next one")
    await process.writes(project, error(now()))
    assert (await view_of(watched, project)).stage is Stage.FIRST_ERROR_RECEIVED


@pytest.mark.parametrize("call", ["restore", "apply"])
async def test_nor_is_it_when_the_store_goes_away_on_the_second_try(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))
    await process.writes(project, beat(now()))
    await watched.reset(project.id, "the next one")
    restore = watched.restore

    async def goes_away(view: View) -> bool:
        watched.is_away = call == "restore"
        answer = await restore(view)
        watched.is_away = True
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(watched, "restore", goes_away)
        await process.writes(project, error(now()))
    assert process.writer.is_away
    watched.is_away = False
    await until_answer(lambda: everything_is_written(process))
    assert (await view_of(watched, project)).stage is Stage.FIRST_ERROR_RECEIVED


# The store comes back with less than it had.


async def settled(process: Process) -> None:
    """What its tasks do after the link was lost."""
    await process.projects.heal()
    await process.writer.flush()


@pytest.mark.parametrize("loses", ["everything", "the last writes"])
async def test_a_store_that_has_lost_something_is_given_it_back(
    own_redis: RedisServer, folder: Path, names: Iterator[str], loses: str
) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", "python", KEY)
        process = Process(store, folder, next(names))
        await process.writes(project, sighting())
        own_redis.command("COPY", f"firstlight:{{{project.id}}}:state", "old")
        await process.writes(project, error(now()))
        before = await view_of(store, project)
        if loses == "everything":
            own_redis.command("FLUSHALL")
        else:
            own_redis.command("RENAME", "old", f"firstlight:{{{project.id}}}:state")
        await settled(process)
        after = await view_of(store, project)
        assert (after.project, after.epoch, after.stage) == (before.project, before.epoch, before.stage)
        assert set(after.state) == set(before.state)
        assert after.text(FIRST_ERROR) == before.text(FIRST_ERROR)
        # A process remembers times by its own clock, a few milliseconds off the server's.
        assert abs((after.time(LAST_SEEN_AT) or 0) - (before.time(LAST_SEEN_AT) or 0)) < 1000
        assert after.version > before.version
        assert await total(store, project) == 1
        assert [found.name for found in await store.list(0, 10)] == ["Shop"]
        assert await store.owner_of(KEY) == project.id


def saved(redis: RedisServer, project: Project) -> None:
    """What a replica has of a project."""
    redis.command("COPY", f"firstlight:{{{project.id}}}:state", "old", "REPLACE")


def takes_over(redis: RedisServer, project: Project) -> None:
    """That replica is the master."""
    redis.command("RENAME", "old", f"firstlight:{{{project.id}}}:state")


async def two(store: Store, folder: Path, names: Iterator[str]) -> tuple[Project, Process, Process]:
    """Two processes that know a project, of which the second one alone has written its first error; `saved` before."""
    project = await store.create("Shop", None, KEY)
    one, other = (Process(store, folder, next(names)) for _ in range(2))
    for process in (one, other):
        await process.writes(project, beat(now()))
    return project, one, other


async def test_what_one_process_gives_back_does_not_hide_what_another_knows(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, other = await two(store, folder, names)
        await other.writes(project, error(now()))
        own_redis.command("FLUSHALL")
        await settled(one)  # raises the version, and knows less
        await settled(other)
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


@pytest.mark.parametrize("writer", [0, 1], ids=["another", "itself"])
async def test_what_is_written_after_a_failover_does_not_hide_what_it_lost(
    own_redis: RedisServer, folder: Path, names: Iterator[str], writer: int
) -> None:
    async with redis_store(own_redis.url) as store:
        project, *processes = await two(store, folder, names)
        saved(own_redis, project)
        await processes[1].writes(project, error(now()))
        takes_over(own_redis, project)
        await processes[writer].writes(project, sighting())  # raises the version before anybody has noticed
        await settled(processes[1])
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_what_is_in_doubt_when_the_store_loses_everything_is_stored(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        watched = WatchedStore(store)
        project = await store.create("Shop", None, KEY)
        process = Process(watched, folder, next(names))
        await process.writes(project, beat(now()))
        watched.is_away = True
        await process.writes(project, {**error(now()), **sighting()})  # has a number, as it counts
        own_redis.command("FLUSHALL")
        watched.is_away = False
        await process.writer.flush()
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED
        assert await total(store, project) == 1


async def test_what_waits_for_a_project_that_another_process_gives_back_is_stored_after_it(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, other = await two(store, folder, names)
        for process in (one, other):
            process.projects.away()
        one.projects._wholes.pop(project.id)  # as of one that has met many others since
        own_redis.command("FLUSHALL")
        await one.writes(project, error(now(), "e1"))  # answered, as it stands on disk
        await one.writes(project, {**error(now(), "e2"), **sighting()})
        assert await store.read(project.id) is None
        await settled(other)
        await until_answer(lambda: everything_is_written(one))
        assert (await view_of(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'
        assert await total(store, project) == 1


async def test_an_error_that_comes_before_the_first_one_is_given_back_does_not_take_its_place(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, other = await two(store, folder, names)
        await other.writes(project, error(now() - 500, "e1"))
        own_redis.command("FLUSHALL")
        await one.writes(project, error(now(), "e2"))
        await settled(other)
        assert (await view_of(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


@pytest.mark.parametrize("loses", ["everything", "the last writes"])
async def test_a_reset_of_the_last_moment_is_not_hidden_by_who_has_not_heard_of_it(
    own_redis: RedisServer, folder: Path, names: Iterator[str], loses: str
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, other = await two(store, folder, names)
        saved(own_redis, project)
        await store.reset(project.id, "next")
        other.projects.edited(project.id)
        await other.projects.get(project.id)
        if loses == "everything":
            own_redis.command("FLUSHALL")
        else:
            takes_over(own_redis, project)
        await settled(one)
        await one.writes(project, sighting())  # raises the version in the past epoch
        await settled(other)
        await settled(one)
        view = await view_of(store, project)
        assert (view.epoch, view.stage) == ("next", Stage.AWAITING)


async def test_a_read_of_less_does_not_take_the_place_of_what_is_remembered(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, _ = await two(store, folder, names)
        saved(own_redis, project)
        await one.writes(project, error(now()))
        takes_over(own_redis, project)
        one.projects.edited(project.id)
        await one.projects.get(project.id)
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_two_reads_of_less_do_not_take_its_place_either(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        watched = WatchedStore(store)
        project = await watched.create("Shop", None, KEY)
        one, other = (Process(watched, folder, next(names)) for _ in range(2))
        await other.writes(project, beat(now()))
        await one.writes(project, error(now()))
        own_redis.command("FLUSHALL")
        await settled(other)  # raises the version, and knows less
        with watched.holding("read"):
            one.projects.edited(project.id)
            await until(lambda: watched.held("read") == 1)
            one.projects.edited(project.id)
            await until(lambda: watched.held("read") == 2)
        await one.projects.get(project.id)
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_a_project_that_its_owner_makes_anew_after_a_loss_has_what_it_had(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, _ = await two(store, folder, names)
        await one.writes(project, error(now()))
        own_redis.command("FLUSHALL")
        await store.put(replace(project, name="Shop, again"))  # as a host application does that syncs its own
        await settled(one)
        after = await view_of(store, project)
        assert (after.project.name, after.stage) == ("Shop, again", Stage.FIRST_ERROR_RECEIVED)


async def test_what_comes_to_a_project_that_was_made_anew_after_a_loss_stays_with_what_it_had(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, _ = await two(store, folder, names)
        own_redis.command("FLUSHALL")
        await store.put(project)
        other = Process(store, folder, next(names))  # knows only what there is now
        await other.writes(project, error(now()))
        await settled(one)
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_a_project_that_was_just_made_and_sent_nothing_yet_is_given_back(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        one = Process(store, folder, next(names))
        store.listen(one.projects)
        project = await store.create("Shop", "python", KEY)
        await until(lambda: one.projects.remembered(project.id) is not None)
        own_redis.command("FLUSHALL")
        await settled(one)
        assert (await view_of(store, project)).project == project


async def test_what_was_stored_in_an_epoch_that_was_not_heard_of_is_given_back(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, _ = await two(store, folder, names)
        await store.reset(project.id, "the next one")
        await one.writes(project, error(now()))
        await until(lambda: one.projects.epoch_of(project.id) == "the next one")
        own_redis.command("FLUSHALL")
        await settled(one)
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_a_first_error_that_came_second_is_not_given_back_as_the_first(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, other = await two(store, folder, names)
        at = now()
        await other.writes(project, error(at, "e1"))
        await one.writes(project, error(at - 1000, "e2"))  # its clock is behind
        await settled(one)
        own_redis.command("FLUSHALL")
        for process in (one, other):
            await settled(process)
        assert (await view_of(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


async def test_an_answer_from_before_the_end_of_a_project_brings_it_back_for_nobody(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        watched = WatchedStore(store)
        project = await watched.create("Shop", None, KEY)
        one = Process(watched, folder, next(names))
        store.listen(one.projects)
        view = await view_of(watched, project)
        with watched.holding("read"):
            asking = asyncio.create_task(one.projects.get(project.id))
            await until(lambda: watched.held("read") == 1)
            await watched.delete(project.id)
            await until(lambda: not one.projects.may_be_restored(view))
        await asking
        one.projects.met(view)  # as of a page
        assert one.projects.remembered(project.id) is None
        own_redis.command("FLUSHALL")
        assert not await one.projects.restore(view)
        assert await watched.read(project.id) is None


@pytest.mark.parametrize("deed", ["deletes", "resets"])
async def test_a_store_that_comes_back_empty_is_not_given_what_an_owner_has_ended(
    own_redis: RedisServer, folder: Path, names: Iterator[str], deed: str
) -> None:
    async with redis_store(own_redis.url) as store:
        project, one, _ = await two(store, folder, names)
        store.listen(one.projects)
        if deed == "deletes":
            await store.delete(project.id)
            await until(lambda: one.projects.remembered(project.id) is None)
        else:
            await store.reset(project.id, "the next one")
            await until(lambda: one.projects.epoch_of(project.id) == "the next one")
        own_redis.command("FLUSHALL")
        await settled(one)
        found = await store.read(project.id)
        assert found is None if deed == "deletes" else found and dict(found.state) == {}


async def test_a_project_that_is_missing_after_a_lost_link_is_out_of_reach_and_not_unknown(
    store: Store, folder: Path, names: Iterator[str]
) -> None:
    one = Process(store, folder, next(names))
    assert await one.projects.get(UNKNOWN) is None
    one.projects.away()
    one.projects.resync()
    with pytest.raises(StoreUnavailable):
        await one.projects.get(UNKNOWN)
    await one.unverified.take(HOME, UNKNOWN, KEY, error(now()))
    with pytest.raises(StoreUnavailable):
        await one.unverified.judge()


# The first error is the one that was taken first.


async def test_an_error_of_an_outage_is_not_overtaken_when_it_is_over(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    projects = [await watched.create("Shop", None, KEY) for _ in range(2)]
    one = Process(watched, folder, next(names))
    for project in projects:
        await one.writes(project, beat(now()))
    watched.is_away = True
    await one.writes(projects[0], error(now(), "e1"))
    watched.is_away = False
    await asyncio.gather(one.writer.write(projects[1].id, sighting(), at_once=True), one.writer._write_at_once())
    one.writer._is_away = False  # as after any write that worked
    await asyncio.gather(one.writer.write(projects[0].id, error(now(), "e2"), at_once=True), flushing(one.writer))
    assert (await view_of(watched, projects[0])).text(FIRST_ERROR) == '{"event_id":"e1"}'


async def test_an_error_that_is_judged_later_is_not_overtaken_by_one_that_is_known_by_then(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    one, other = (Process(watched, folder, next(names)) for _ in range(2))
    await one.unverified.take(HOME, project.id, KEY, error(now() - 500, "e1"))
    await other.writes(project, error(now(), "e2"))
    await one.projects.get(project.id)
    await asyncio.gather(one.unverified.judge(), flushing(one.writer))
    assert (await view_of(watched, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


async def test_a_request_stands_behind_one_that_is_not_judged_yet(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    one = Process(watched, folder, next(names), UnverifiedLimits(per_address=1))
    await one.unverified.take(HOME, UNKNOWN, KEY, error(now()))
    assert one.unverified.comes_before("192.0.2.77", UNKNOWN)
    assert not one.unverified.comes_before("192.0.2.77", UNKNOWN + 1)
    assert not one.unverified.comes_before(HOME, UNKNOWN)  # has no place behind it


async def test_one_spoilt_key_keeps_nobody_else_from_being_healed(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        spoilt, *others = [await store.create("Shop", None, KEY) for _ in range(3)]
        process = Process(store, folder, next(names))
        for project in (spoilt, *others):
            await process.writes(project, beat(now()))
        own_redis.command("FLUSHALL")
        own_redis.command("SET", f"firstlight:{{{spoilt.id}}}:state", "a stranger's")
        await process.projects.heal()
        assert [(await view_of(store, project)).stage for project in others] == [Stage.CONNECTED] * 2
        await asyncio.gather(process.writer.write(spoilt.id, error(now())), flushing(process.writer))
        assert process.writer.unwritten == 1  # set aside, and the lane lives


async def test_a_call_that_fails_does_not_end_the_healing(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    """The link is up, and nobody says so again."""
    async with redis_store(own_redis.url) as store:
        watched = WatchedStore(store)
        project = await store.create("Shop", None, KEY)
        process = Process(watched, folder, next(names))
        await process.writes(project, error(now()))
        healing = asyncio.create_task(process.projects.run())
        own_redis.command("FLUSHALL")
        process.projects.away()
        watched.is_away = True
        asked = watched.count("read")
        process.projects.resync()
        await until(lambda: watched.count("read") > asked)
        watched.is_away = False
        await until_answer(lambda: store.read(project.id))
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED
        healing.cancel()


async def test_a_first_error_that_comes_before_anybody_noticed_the_loss(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", "python", KEY)
        process = Process(store, folder, next(names))
        await process.writes(project, beat(now()))
        own_redis.command("FLUSHALL")
        await process.writes(project, error(now()))
        assert (await view_of(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_what_was_deleted_is_not_given_back(own_redis: RedisServer, folder: Path, names: Iterator[str]) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", "python", KEY)
        process = Process(store, folder, next(names))  # hears no wake-up
        await process.writes(project, error(now()))
        await store.delete(project.id)
        await process.writes(project, error(now()))
        await settled(process)
        assert await store.read(project.id) is None
        assert await store.list(0, 10) == []
        again = await store.put(project)
        assert dict((await view_of(store, again)).state) == {}


async def test_a_reset_is_not_undone(own_redis: RedisServer, folder: Path, names: Iterator[str]) -> None:
    async with redis_store(own_redis.url) as store:
        project = await store.create("Shop", "python", KEY)
        process = Process(store, folder, next(names))  # hears no wake-up
        await process.writes(project, error(now()))
        await store.reset(project.id, "the next one")
        await settled(process)
        after = await view_of(store, project)
        assert (after.epoch, dict(after.state)) == ("the next one", {})


async def test_what_is_forgotten_in_time_is_not_given_back(
    own_redis: RedisServer, folder: Path, names: Iterator[str]
) -> None:
    async with redis_store(own_redis.url, keep_seconds=1000) as store:
        project = await store.create("Shop", "python", KEY)
        process = Process(store, folder, next(names))
        await process.writes(project, error(now()))
        own_redis.command("DEL", f"firstlight:{{{project.id}}}:state")  # as it expires
        await settled(process)
        assert dict((await view_of(store, project)).state) == {}


# What should not happen.


async def test_a_mistake_in_one_update_costs_nobody_else_anything(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = [await watched.create("Shop", None, KEY) for _ in range(2)]
    process = Process(watched, folder, next(names))
    apply = watched.apply

    async def fails(updates: Any, *more: Any) -> Any:
        if bad.id in updates:
            raise ZeroDivisionError
        return await apply(updates, *more)

    for project in (bad, good):
        await process.projects.get(project.id)
    with monkeypatch.context() as patch:
        patch.setattr(watched, "apply", fails)
        writing = [process.writer.write(project.id, error(now())) for project in (bad, good)]
        await asyncio.gather(*writing, flushing(process.writer))
    assert (await view_of(watched, good)).stage is Stage.FIRST_ERROR_RECEIVED
    assert process.writer.unwritten == 1
    process.writer.try_rejected_again()
    assert await everything_is_written(process)
    assert (await view_of(watched, bad)).stage is Stage.FIRST_ERROR_RECEIVED


async def test_only_so_much_is_set_aside(
    watched: WatchedStore, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def rejects(updates: Any, *_: Any) -> Any:
        return {number: StoreRejected("spoilt") for number in updates}

    spill = Spill(folder, "me", "updates", 10**7)
    projects = Projects(watched, time.monotonic, ProjectLimits())
    writer = Writer(watched, projects, spill, time.time, WriterLimits(rejected=2), "me")
    monkeypatch.setattr(watched, "apply", rejects)
    for number in range(3):
        writer.write_later(number + 1, error(now()))
    await writer.flush()
    assert writer.unwritten == 2
    assert "is lost" in caplog.text


async def test_what_is_set_aside_survives_an_end_beside_what_waits(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rejects(updates: Any, *_: Any) -> Any:
        return {number: StoreRejected("spoilt") for number in updates}

    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))
    with monkeypatch.context() as patch:
        patch.setattr(watched, "apply", rejects)
        process.writer.write_later(project.id, sighting())
        await process.writer.flush()
    watched.is_away = True
    process.writer.write_later(project.id, beat(now()))
    await process.ends()
    watched.is_away = False
    await Process(watched, folder, next(names)).writer.flush()
    assert await total(watched, project) == 1
    assert (await view_of(watched, project)).stage is Stage.CONNECTED


async def test_what_was_taken_before_is_taken_over_whatever_the_bound(
    watched: WatchedStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rejects(updates: Any, *_: Any) -> Any:
        return {number: StoreRejected("spoilt") for number in updates}

    projects = [await watched.create("Shop", None, KEY) for _ in range(3)]
    memory = Projects(watched, time.monotonic, ProjectLimits())
    spill = Spill(folder, "me", "updates", 10**7)
    writer = Writer(watched, memory, spill, time.time, WriterLimits(pending=1), "me")
    writer.adopt(entry_of(project.id, error(now()), Origin()) for project in projects)
    with monkeypatch.context() as patch:
        patch.setattr(watched, "apply", rejects)
        await writer.flush()
    writer.try_rejected_again()
    with pytest.raises(Overloaded):
        writer.write_later(UNKNOWN, error(now()))
    await writer.flush()
    assert [(await view_of(watched, project)).stage for project in projects] == [Stage.FIRST_ERROR_RECEIVED] * 3


async def test_a_full_disk_while_the_store_is_away_is_said_to_whoever_waits(
    watched: WatchedStore, folder: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await watched.create("Shop", None, KEY)
    process = Process(watched, folder, next(names))
    await process.projects.get(project.id)
    watched.is_away = True

    def full(_: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(Overloaded, match="disk"):
            await process.writes(project, error(now()))
        assert await process.writer.flush() is Left.LOST  # if that were its end
    watched.is_away = False
    assert await everything_is_written(process)  # it was refused, and is written all the same


async def test_what_was_read_meanwhile_is_not_counted_again(
    watched: WatchedStore, folder: Path, names: Iterator[str]
) -> None:
    project = await watched.create("Shop", None, KEY)
    one = Process(watched, folder, next(names))
    await one.projects.get(project.id)
    with watched.holding("apply"):
        writing = asyncio.gather(one.writer.write(project.id, sighting()), one.writer.flush())
        await until(lambda: watched.held("apply"))
        one.projects.edited(project.id)
        await one.projects.get(project.id)  # stored, and not yet answered
    await writing
    memory = one.projects._wholes.get(project.id)
    assert memory
    assert memory.state[PROBLEMS["too_large"].total] == 1
