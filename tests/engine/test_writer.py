"""The writer and what it knows, on real stores: what costs a round trip, what waits, what happens while it is away."""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from server.core.model.codes import Code
from server.core.model.errors import Overloaded, StoreUnavailable
from server.core.model.project import Project
from server.core.model.signals import Stage
from server.core.state.fields import FIRST_ERROR, LAST_SEEN_AT, PROBLEMS, Effect, Update
from server.core.state.update import update_of_problem
from server.core.state.view import View
from server.engine.projects import Projects
from server.engine.spill import Spill
from server.engine.writer import Writer
from server.limits import ProjectLimits, WriterLimits
from server.stores import Store

from ..conftest import redis_store
from ..support.redis_server import RedisServer
from ..support.updates import KEY, beat, error, named, now
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore

UNKNOWN = 404
LAZY_SECONDS = WriterLimits().lazy_seconds
RECHECK_SECONDS = ProjectLimits().recheck_seconds
UNKNOWN_SECONDS = ProjectLimits().unknown_seconds


class Clock:
    """A monotonic clock that a test can put forward; otherwise it runs."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    """The monotonic clock."""
    return Clock()


@pytest.fixture
async def watched(store: Store) -> WatchedStore:
    """The store, wrapped."""
    return WatchedStore(store)


class Engine:
    """Projects and writer on one store, as the application puts them together."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        projects: ProjectLimits | None = None,
        writer: WriterLimits | None = None,
        folder: Path | None = None,
    ) -> None:
        limits, name = writer or WriterLimits(), uuid.uuid4().hex
        self.spill = Spill(folder or Path(tempfile.mkdtemp()), name, "updates", limits.spill_bytes)
        self.projects = Projects(store, clock, projects or ProjectLimits())
        self.writer = Writer(store, self.projects, self.spill, time.time, limits, name)
        self.writer.adopt(self.spill.adopt())

    async def get(self, project_id: int) -> Project | None:
        """The project, as it is remembered."""
        return await self.projects.get(project_id)

    async def write(self, project_id: int, update: Update) -> None:
        """Take an update."""
        await self.writer.write(project_id, update)


@pytest.fixture
async def engine(watched: WatchedStore, clock: Clock) -> AsyncIterator[Engine]:
    """A running one."""
    async with running(watched, clock) as engine:
        yield engine


@asynccontextmanager
async def running(
    store: Store, clock: Clock, projects: ProjectLimits | None = None, writer: WriterLimits | None = None
) -> AsyncIterator[Engine]:
    """An engine that listens to its store and writes."""
    engine = Engine(store, clock, projects, writer)
    store.listen(engine.projects)
    task = asyncio.create_task(engine.writer.run())
    try:
        yield engine
    finally:
        task.cancel()
        await asyncio.wait([task])


async def known(watched: Store, engine: Engine) -> Project:
    """A project that is connected, and remembered."""
    project = await watched.create("Shop", None, KEY)
    assert await until_answer(lambda: engine.get(project.id))
    await engine.write(project.id, beat(now()))
    return project


async def view_of(store: Store, project_id: int) -> View:
    """What is stored."""
    view = await store.read(project_id)
    assert view is not None
    return view


async def state_of(store: Store, project_id: int) -> dict[str, object]:
    """What is stored, by the names of the fields."""
    return {str(field): value for field, value in (await view_of(store, project_id)).state.items()}


# What costs a round trip.


async def test_a_repeated_heartbeat_makes_no_call(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    watched.calls.clear()
    for _ in range(1000):
        assert await engine.get(project.id) == project
        await engine.write(project.id, beat(now()))
    assert watched.calls == []


async def test_the_end_of_a_problem_is_told_once_by_whichever_process_sees_it(
    watched: WatchedStore, engine: Engine, clock: Clock
) -> None:
    """And the other one, which saw the problem, does not take a later request for the first."""
    project, at = await known(watched, engine), now() - 60_000
    row = PROBLEMS[Code.DROPPED_BY_SDK]
    await engine.write(project.id, update_of_problem(Code.DROPPED_BY_SDK, {}, at))
    async with running(watched, clock) as other:
        assert await other.get(project.id)
        await other.write(project.id, error(at + 20_000))
        cured = (await view_of(watched, project.id)).time(row.cured_at)
        assert cured is not None
        await until(lambda: engine.projects.current(project.id) is None)  # asks again before it judges
        assert await engine.get(project.id)
        await engine.write(project.id, {**error(at + 40_000), **named({"signal.log.first_at": at})})
        assert (await view_of(watched, project.id)).time(row.cured_at) == cured


async def test_news_is_committed_before_the_answer(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    await engine.write(project.id, error(now()))
    assert (await state_of(watched, project.id))["stage"] == 2


async def test_a_request_waits_for_the_commit_of_its_news(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    with watched.holding("apply"):
        waiting = asyncio.create_task(engine.write(project.id, error(now())))
        await until(lambda: watched.held("apply") == 1)
        assert not waiting.done()
        await engine.write(project.id, beat(now()))  # no news: does not wait for anybody
        assert not waiting.done()
    await waiting


async def test_news_of_many_requests_share_writes(watched: WatchedStore, engine: Engine) -> None:
    projects = [await watched.create("Shop", None, KEY) for _ in range(50)]
    watched.calls.clear()
    await asyncio.gather(*(engine.write(project.id, error(now())) for project in projects for _ in range(4)))
    assert watched.count("apply") <= 3
    assert all([(await state_of(watched, project.id))["stage"] == 2 for project in projects])


async def test_what_can_wait_is_written_once_within_a_second(watched: WatchedStore, engine: Engine) -> None:
    """Where somebody looks; see `test_looking`."""
    projects = [await known(watched, engine) for _ in range(3)]
    for project in projects:
        engine.projects.watched(project.id)
        await engine.write(project.id, limited())
    before = await state_of(watched, projects[2].id)
    watched.calls.clear()
    await until(lambda: now() > before["last_seen_at"])  # type: ignore[operator]  # a clock of whole milliseconds
    began = time.monotonic()
    for project in projects:
        for _ in range(100):
            await engine.write(project.id, limited())
    await until(lambda: watched.count("apply"))
    assert time.monotonic() - began < LAZY_SECONDS + 0.5
    state = await until_answer(lambda: with_count(watched, projects[2].id, 101))
    assert watched.count("apply") == 1
    assert state["last_seen_at"] > before["last_seen_at"]  # type: ignore[operator]


def limited() -> Update:
    """A heartbeat that is also counted as something."""
    return {**beat(now()), **named({"problem.rate_limited.count": 1})}


async def with_count(store: Store, project_id: int, count: int) -> dict[str, object] | None:
    """The state, once it has counted so many."""
    state = await state_of(store, project_id)
    return state if state["problem.rate_limited.count"] == count else None


async def test_a_large_backlog_is_written_in_parts(watched: WatchedStore, clock: Clock) -> None:
    projects = [await watched.create("Shop", None, KEY) for _ in range(25)]
    async with running(watched, clock, writer=WriterLimits(batch=10)) as engine:
        await asyncio.gather(*(engine.write(project.id, error(now())) for project in projects))
    assert watched.count("apply") == 3
    assert all([(await state_of(watched, project.id))["stage"] == 2 for project in projects])


async def test_a_cancelled_request_leaves_its_record_and_the_others(watched: WatchedStore, engine: Engine) -> None:
    one, two = await known(watched, engine), await known(watched, engine)
    requests = [asyncio.create_task(engine.write(project.id, error(now()))) for project in (one, two)]
    await asyncio.sleep(0)
    requests[0].cancel()
    await requests[1]
    assert (await state_of(watched, one.id))["stage"] == (await state_of(watched, two.id))["stage"] == 2


async def test_flush_writes_what_waits(watched: WatchedStore, clock: Clock) -> None:
    async with running(watched, clock) as engine:
        project = await known(watched, engine)
        await engine.write(project.id, named({"problem.rate_limited.count": 1, "last_seen_at": now()}))
        await engine.write(project.id, named({"problem.rate_limited.count": 1, "last_seen_at": now()}))
    await engine.writer.flush()
    assert (await state_of(watched, project.id))["problem.rate_limited.count"] == 2


# While the store is away.


async def test_away_requests_are_answered_and_kept_and_written_later(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    watched.is_away = True
    for number in range(3):
        await engine.write(project.id, {**error(now(), f"e{number}"), **named({"problem.too_large.count": 1})})
    watched.is_away = False
    await until_answer(lambda: counted(watched, project.id, 3))
    state = await state_of(watched, project.id)
    assert state["stage"] == 2
    assert state["first_error"][1] == '{"event_id":"e0"}'  # type: ignore[index]


async def counted(store: Store, project_id: int, count: int) -> bool:
    """Whether so many sightings are stored."""
    return (await state_of(store, project_id)).get("problem.too_large.count") == count


async def stage_two(store: Store, project_id: int) -> dict[str, object] | None:
    """The state, once an error is stored."""
    state = await state_of(store, project_id)
    return state if state["stage"] == 2 else None


async def test_only_a_full_map_refuses(watched: WatchedStore, clock: Clock) -> None:
    async with running(watched, clock, writer=WriterLimits(pending=3)) as engine:
        projects = [await known(watched, engine) for _ in range(4)]
        watched.is_away = True
        for project in projects[:3]:
            await engine.write(project.id, error(now()))
        with pytest.raises(Overloaded):
            await engine.write(projects[3].id, error(now()))
        await engine.write(projects[0].id, beat(now()))  # has its place
        watched.is_away = False
        for project in projects[:3]:
            await until_answer(lambda project=project: stage_two(watched, project.id))  # type: ignore[misc]
        await engine.write(projects[3].id, error(now()))
        assert await stage_two(watched, projects[3].id)


async def test_away_a_remembered_project_serves_on(watched: WatchedStore, engine: Engine, clock: Clock) -> None:
    project = await known(watched, engine)
    watched.is_away = True
    clock.ahead = RECHECK_SECONDS + 1
    assert await engine.get(project.id) == project
    with pytest.raises(StoreUnavailable):
        await engine.get(UNKNOWN)


async def test_a_killed_redis_loses_nothing_that_came_meanwhile(own_redis: RedisServer, clock: Clock) -> None:
    async with redis_store(own_redis.url) as store, running(store, clock) as engine:
        project = await known(store, engine)
        own_redis.kill()
        await engine.write(project.id, error(now(), "meanwhile"))
        own_redis.start()
        state = await until_answer(lambda: stage_two(store, project.id))
        assert state["first_error"][1] == '{"event_id":"meanwhile"}'  # type: ignore[index]
        await until(lambda: not engine.writer.is_away)  # it is stored a moment before the writer has read so
        await engine.write(project.id, named({"problem.too_large.count": 1, "last_seen_at": now()}))
        assert (await state_of(store, project.id))["problem.too_large.count"] == 1  # news are committed at once again


# What is remembered of projects.


async def test_lookups_at_once_share_a_read(watched: WatchedStore, engine: Engine) -> None:
    project = await watched.create("Shop", None, KEY)
    found = await asyncio.gather(*(engine.get(project.id) for _ in range(50)))
    assert found == [project] * 50
    assert watched.count("read") == 1


async def test_an_unknown_project_costs_one_read_a_second(watched: WatchedStore, engine: Engine, clock: Clock) -> None:
    for _ in range(100):
        assert await engine.get(UNKNOWN) is None
    assert watched.count("read") == 1
    clock.ahead = UNKNOWN_SECONDS + 0.1
    assert await engine.get(UNKNOWN) is None
    assert watched.count("read") == 2


async def test_a_project_that_was_just_created_is_known(watched: WatchedStore, engine: Engine) -> None:
    assert await engine.get(7) is None
    await watched.put(Project(7, "Shop", None, (), 0))
    assert await until_answer(lambda: engine.get(7), UNKNOWN_SECONDS / 2)


async def test_news_that_meet_a_reset_bring_no_stage_without_its_error(watched: WatchedStore, clock: Clock) -> None:
    """What is left out, since this process knows the first error, is not known to the epoch that has begun."""
    engine = Engine(watched, clock)  # hears of no reset
    writing = asyncio.create_task(engine.writer.run())
    project = await watched.create("Shop", None, KEY)
    await engine.get(project.id)
    await engine.write(project.id, error(now()))
    await watched.reset(project.id, "another")
    await engine.write(project.id, {**error(now(), "e2"), **named({"signal.transaction.first_at": now()})})
    view = await watched.read(project.id)
    assert view
    assert (view.epoch, view.stage) == ("another", Stage.CONNECTED)
    assert view.text(FIRST_ERROR) is None
    writing.cancel()
    await asyncio.wait([writing])


async def test_a_project_is_asked_for_again_in_time(watched: WatchedStore, clock: Clock) -> None:
    engine = Engine(watched, clock)  # hears no wake-up
    project = await watched.create("Shop", None, KEY)
    await engine.get(project.id)
    changed = await watched.put(replace(project, name="Cart"))
    assert await engine.get(project.id) == project
    assert await engine.projects.get_for_another_key(project.id) == changed
    await watched.put(project)
    clock.ahead = RECHECK_SECONDS + 1
    assert await engine.get(project.id) == project


async def test_an_edit_is_seen_at_once(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    changed = await watched.put(replace(project, keys=()))

    async def is_seen() -> bool:
        return await engine.get(project.id) == changed

    await until_answer(is_seen, UNKNOWN_SECONDS)


async def test_an_edit_during_a_lookup_is_not_missed(watched: WatchedStore, clock: Clock) -> None:
    engine = Engine(watched, clock)  # is told by the test
    project = await watched.create("Shop", None, KEY)
    for found, edit in ((project, "Cart"), (replace(project, name="Cart"), "Till")):
        engine.projects.edited(project.id)
        with watched.holding("read"):
            lookup = asyncio.create_task(engine.get(project.id))
            await until(lambda: watched.held("read"))
            changed = await watched.put(replace(project, name=edit))
            if edit == "Cart":
                engine.projects.edited(project.id)
            else:
                engine.projects.resync()
        assert await lookup == found
        assert await engine.get(project.id) == changed


async def test_a_lost_link_makes_every_project_be_asked_for_again(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    assert await engine.get(UNKNOWN) is None
    watched.calls.clear()
    engine.projects.resync()
    assert await engine.get(project.id) == project
    assert await engine.get(UNKNOWN) is None
    assert watched.count("read") == 2


async def test_only_so_many_projects_are_remembered(watched: WatchedStore, clock: Clock) -> None:
    engine = Engine(watched, clock, ProjectLimits(remembered=20, missing=20))
    projects = [await watched.create("Shop", None, KEY) for _ in range(21)]
    for number in [project.id for project in projects[:20]] + list(range(1000, 1021)):
        await engine.get(number)
    assert engine.projects.current(projects[0].id)  # in use, when one has to go
    await engine.get(projects[20].id)
    watched.calls.clear()
    await engine.get(projects[0].id)
    await engine.get(1002)
    assert watched.calls == []
    await engine.get(projects[1].id)  # not used since
    await engine.get(1001)  # the oldest tenth had to go
    assert watched.calls == ["read", "read"]


async def test_a_project_of_which_little_is_remembered_costs_no_call(watched: WatchedStore, clock: Clock) -> None:
    """And nothing else is different: what is news, whose key it is, and what becomes of a reset."""
    async with running(watched, clock, ProjectLimits(whole=1)) as engine:
        project, _ = await known(watched, engine), await known(watched, engine)
        await engine.write(project.id, error(now()))
        other = await known(watched, engine)
        watched.calls.clear()
        assert (await engine.get(project.id)) == Project(project.id, "", None, project.keys, 0)
        assert engine.projects.effect_of(project.id, error(now() + 5)) is Effect.REFRESH
        assert engine.projects.epoch_of(project.id) == (await watched._store.read(project.id)).epoch  # type: ignore[union-attr]
        assert engine.projects.has_whole_first_error(project.id)
        await engine.write(project.id, beat(now()))
        assert watched.calls == []
        await watched.reset(project.id, "another")
        await until(lambda: engine.projects.epoch_of(project.id) == "another")
        assert engine.projects.effect_of(project.id, error(now())) is Effect.TRANSITION
        assert other


async def test_a_problem_of_which_little_is_remembered_ends_all_the_same(watched: WatchedStore, clock: Clock) -> None:
    async with running(watched, clock, ProjectLimits(whole=1)) as engine:
        project, at = await known(watched, engine), now() - 60_000
        row = PROBLEMS[Code.DROPPED_BY_SDK]
        await engine.write(project.id, update_of_problem(Code.DROPPED_BY_SDK, {}, at))
        await known(watched, engine)
        assert engine.projects.current(project.id) is None  # its times are forgotten: it is asked for again
        assert await engine.get(project.id)
        await engine.write(project.id, error(at + 20_000))
        assert (await view_of(watched, project.id)).time(row.cured_at) is not None


async def test_what_somebody_waits_for_never_stands_behind_what_can_wait(watched: WatchedStore, clock: Clock) -> None:
    limits = WriterLimits(lazy_batch=2)
    async with running(watched, clock, writer=limits) as engine:
        projects = [await known(watched, engine) for _ in range(6)]
        for project in projects:
            engine.projects.watched(project.id)
        with watched.holding("apply"):
            calls = watched.count("apply")
            for project in projects:
                await engine.write(project.id, {LAST_SEEN_AT: now()})
            await until(lambda: watched.count("apply") == calls + 1)  # the first part of what can wait hangs
            first = asyncio.create_task(engine.write(projects[0].id, error(now())))
            await until_answer(lambda: stage_two(watched, projects[0].id))  # and is committed all the same
            assert watched.count("apply") == calls + 2
            assert not first.done()
        await first


async def test_news_do_not_wait_for_what_can_wait_of_the_same_project(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    await engine.write(project.id, {LAST_SEEN_AT: now() + 5})
    await engine.write(project.id, error(now()))
    assert await stage_two(watched, project.id)  # stored, not put aside
    assert not engine.writer.is_away


async def test_an_effect_is_told_from_what_is_known(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    assert engine.projects.effect_of(project.id, beat(now() + 5)) is Effect.REFRESH
    assert engine.projects.effect_of(project.id, error(now())) is Effect.TRANSITION
    assert engine.projects.effect_of(UNKNOWN, beat(now())) is Effect.TRANSITION


async def test_a_reset_drops_what_was_received_before(watched: WatchedStore, engine: Engine) -> None:
    project = await known(watched, engine)
    await engine.write(project.id, beat(now()))  # waits to be written
    received = now()
    await until(lambda: now() > received + 5)
    assert await watched.reset(project.id, "the next one")
    await until(lambda: now() > received + 10)
    await engine.writer.flush()
    assert await state_of(watched, project.id) == {}
    await until_answer(lambda: engine.get(project.id))
    await engine.write(project.id, beat(now()))
    assert await until_answer(lambda: state_of(watched, project.id))


async def test_an_outage_does_not_pile_up_what_is_in_doubt(watched: WatchedStore, engine: Engine) -> None:
    """A count that may have been stored is sent again just as it was; what came after it waits behind, as one."""
    project = await known(watched, engine)
    watched.is_away = True
    for _ in range(30):
        engine.writer.write_later(project.id, update_of_problem(Code.RATE_LIMITED, {}, now()))
        await engine.writer.flush()
    watched.is_away = False
    before = watched.count("apply")
    await engine.writer.flush()
    assert watched.count("apply") - before <= 3
    view = await watched.read(project.id)
    assert view
    assert view.state[PROBLEMS[Code.RATE_LIMITED].total] == 30
