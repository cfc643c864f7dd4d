"""The hub on real stores: whatever gets lost, held up or rolled back, a viewer ends with what is stored."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from server.core.model.close_codes import Close
from server.core.model.errors import Overloaded, StoreUnavailable
from server.core.model.grant import EVERYTHING, Grant, Scope
from server.core.model.project import Project
from server.core.model.signals import Stage
from server.core.state.fields import CHECKED_AT, WATCHED_AT, Effect, Update
from server.core.state.view import View
from server.engine.frames import Frame, Kind, Slot
from server.engine.hub import Hub
from server.engine.seats import Guest
from server.engine.viewer import Viewer
from server.engine.watch import AT_ONCE
from server.limits import ViewerLimits
from server.stores import Origin, Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.redis_server import RedisServer
from ..support.updates import KEY, beat, error, named, now
from ..support.views import PRESENTER
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore

ANYBODY = Guest(EVERYTHING)


class Screen:
    """A sink that shows everything at once: what one viewer was sent, in order."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str | None] = []
        self.ending: tuple[Close, str] | None = None
        self.ended_at = 0.0

    def offer(self, frame: Frame) -> None:
        """Show it."""
        assert self.ending is None
        self.frames.append(frame)
        self.ids.append(frame.id)
        self.messages.append(json.loads(frame.data))

    def close(self, code: Close, reason: str) -> None:
        """Note why."""
        assert self.ending is None
        self.ending, self.ended_at = (code, reason), time.monotonic()

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """The snapshots among the messages."""
        return [message for message in self.messages if message["type"] == "snapshot"]

    @property
    def stage(self) -> str | None:
        """The stage that is shown now."""
        return self.snapshots[-1]["stage"] if self.snapshots else None

    @property
    def release(self) -> str | None:
        """The release that is shown now."""
        return self.snapshots[-1]["app"]["release"] if self.snapshots else None

    @property
    def types(self) -> list[str]:
        """The types of all messages."""
        return [message["type"] for message in self.messages]

    async def ended(self) -> Close:
        """Wait for the end, and return its code."""
        return (await until(lambda: self.ending))[0]


class Slow:
    """A sink that shows nothing until it is read from."""

    def __init__(self) -> None:
        self._slot = Slot()

    def offer(self, frame: Frame) -> None:
        """Keep it, as a connection does that is being written to."""
        self._slot.put(frame)

    def close(self, code: Close, reason: str) -> None:
        """Nothing more comes."""

    def read(self) -> list[Frame]:
        """All that waits."""
        return list(iter(self._slot.take, None))


@asynccontextmanager
async def screen(hub: Hub, project: Project, guest: Guest = ANYBODY, seconds: float = inf) -> AsyncIterator[Screen]:
    """A viewer."""
    shown = Screen()
    with hub.attach(project.id, shown, guest, seconds):
        yield shown


@asynccontextmanager
async def ticking(hub: Hub) -> AsyncIterator[None]:
    """The hub's background task runs."""
    task = asyncio.create_task(hub.tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def watched(store: Store) -> WatchedStore:
    """The store, wrapped."""
    return WatchedStore(store)


class Direct:
    """A write door that leads straight into a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, project_id: int, update: Update, at_once: bool = False) -> None:
        """Write it now."""
        await self._store.apply({project_id: update}, now())

    is_healing = False

    def met(self, view: View) -> None:
        """Nobody remembers it."""

    async def look(self, project_id: int) -> bool:
        """Nothing is held back."""
        return False

    async def go_on_looking(self, project_ids: Iterable[int]) -> None:
        """Nothing is held back."""

    async def restore(self, view: View) -> bool:
        """Give it back now."""
        return await self._store.restore(view)

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        """Raise the versions now."""
        return await self._store.touch(seen)


def hub_of(store: Store, **limits: Any) -> Hub:
    """A hub that hears no wake-up. `limits` as for `ViewerLimits`."""
    return Hub(store, Direct(store), PRESENTER, replace(ViewerLimits(), **limits))


@pytest.fixture
async def hub(watched: WatchedStore) -> Hub:
    """A hub that is woken, without its tick."""
    hub = hub_of(watched)
    watched.listen(hub)
    return hub


@pytest.fixture
async def deaf_hub(watched: WatchedStore) -> Hub:
    """A hub that hears no wake-up at all, and retries without the wait."""
    return hub_of(watched, retry_seconds=0.02)


@pytest.fixture
async def fast_hub(watched: WatchedStore) -> Hub:
    """The same, and ticks without the wait."""
    return hub_of(watched, retry_seconds=0.02, tick_seconds=0.05, refresh_seconds=0.05)


async def connected(store: Store, **more: Any) -> Project:
    """A project that has beaten once."""
    project = await store.create("Shop", None, KEY)
    await apply(store, project, {**beat(now()), **named(more)})
    return project


async def apply(store: Store, project: Project, update: Update) -> None:
    """Store a record that was received now."""
    await store.apply({project.id: update}, now())


async def version_of(store: Store, project: Project) -> int:
    """The stored version."""
    return (await store.versions([project.id]))[project.id][1]


# From the store to the page.


async def test_the_first_message_is_the_snapshot(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    view = await watched.read(project.id)
    assert view is not None
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        assert (shown.stage, shown.ids) == ("connected", [f"{view.epoch}:{view.version}"])


async def test_a_change_is_shown(hub: Hub, watched: WatchedStore) -> None:
    project, other = await connected(watched), await connected(watched)
    async with screen(hub, project) as shown, screen(hub, project) as second, screen(hub, other) as elsewhere:
        await until(lambda: shown.stage == second.stage == elsewhere.stage == "connected")
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == second.stage == "first_error_received")
        assert elsewhere.stage == "connected"


async def test_nothing_is_missed_between_registration_and_read(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    with watched.holding("read"):
        async with screen(hub, project) as shown:
            await until(lambda: watched.held("read"))
            await apply(watched, project, error(now()))  # the read that is held up does not know of it
            async with screen(hub, project) as second:
                watched.release("read")
                await until(lambda: shown.stage == second.stage == "first_error_received")
                assert [snapshot["stage"] for snapshot in shown.snapshots][-1] == "first_error_received"


async def test_wake_ups_during_a_read_cost_one_more(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        watched.calls.clear()
        with watched.holding("read"):
            hub.changed(project.id)
            await until(lambda: watched.held("read") == 1)
            for _ in range(100):
                hub.changed(project.id)
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        assert watched.count("read") <= 3


async def test_what_is_told_is_shown_and_not_asked_for(hub: Hub, watched: WatchedStore) -> None:
    project = await watched.create("Shop", None, KEY)
    async with screen(hub, project) as shown:
        await until(lambda: hub._watches[project.id].turns_at < inf)  # it has noted since when somebody waits
        await until(lambda: hub._watches[project.id].task is None)
        watched.calls.clear()
        for update, stage in ((beat(now()), "connected"), (error(now()), "first_error_received")):
            await watched.apply({project.id: update}, now(), None, {project.id})
            await until(lambda stage=stage: shown.stage == stage)  # type: ignore[misc]
        assert watched.count("read") == 0
        assert shown.snapshots[-1]["version"] == await version_of(watched, project)


async def test_what_is_told_is_asked_for_where_it_is_not_what_comes_next(hub: Hub, watched: WatchedStore) -> None:
    """It came late, or beside other news, or is of another epoch."""
    project = await connected(watched)
    old = await watched.read(project.id)
    assert old
    await apply(watched, project, error(now()))
    async with screen(hub, project) as shown:
        await until(lambda: shown.stage == "first_error_received")
        await until(lambda: hub._watches[project.id].task is None)
        for view in (old, replace(old, epoch="another", version=10**17), None):
            watched.calls.clear()
            hub.changed(project.id, Effect.TRANSITION, lambda view=view: view)  # type: ignore[misc]
            await until(lambda: watched.count("read") == 1)
        watched.calls.clear()
        newer = replace(old, version=10**17)
        for _ in range(2):
            hub.changed(project.id, Effect.TRANSITION, lambda: newer)
        await until(lambda: watched.count("read") == 1)
        assert {snapshot["stage"] for snapshot in shown.snapshots} == {"first_error_received"}


async def test_a_project_is_read_once_for_all_its_viewers(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    watched.calls.clear()
    with attached(hub, project, 50) as viewers:
        await until(lambda: all(viewer.frames for viewer in viewers))
        assert watched.count("read") <= 2
        assert len({id(viewer.frames[0]) for viewer in viewers}) == 1
    hub.changed(project.id)
    await apply(watched, project, error(now()))
    assert watched.count("read") <= 2  # nobody watches


@contextmanager
def attached(hub: Hub, project: Project, count: int, guest: Guest = ANYBODY) -> Iterator[list[Screen]]:
    """So many viewers of a project."""
    screens = [Screen() for _ in range(count)]
    with ExitStack() as stack:
        for shown in screens:
            stack.enter_context(hub.attach(project.id, shown, guest))
        yield screens


async def test_only_so_many_reads_at_once(hub: Hub, watched: WatchedStore) -> None:
    projects = [await connected(watched) for _ in range(ViewerLimits().reads + 5)]
    watched.calls.clear()
    with watched.holding("read"):
        screens = [screen(hub, project) for project in projects]
        shown = [await opened.__aenter__() for opened in screens]
        await until(lambda: watched.held("read") == ViewerLimits().reads)
        assert not any(one.messages for one in shown)
    await until(lambda: all(one.messages for one in shown))
    for opened in screens:
        await opened.__aexit__(None, None, None)


async def test_a_slow_viewer_gets_the_newest_and_no_backlog(watched: WatchedStore) -> None:
    hub = hub_of(watched, refresh_seconds=0.05)
    watched.listen(hub)
    project, slow = await connected(watched), Slow()
    with hub.attach(project.id, slow, ANYBODY):
        async with screen(hub, project) as quick:
            await until(lambda: quick.messages)
            assert len(slow.read()) == 1
            for number in range(20):
                await apply(watched, project, named({"last_seen_at": now(), "release": (now() + number, f"r{number}")}))
                await until(lambda number=number: quick.release == f"r{number}")  # type: ignore[misc]
            (frame,) = slow.read()
            assert json.loads(frame.data) == quick.snapshots[-1]
            await apply(watched, project, error(now()))
            await until(lambda: quick.stage == "first_error_received")
        assert [json.loads(frame.data)["stage"] for frame in slow.read()] == ["first_error_received"]


async def test_a_reset_is_shown(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.stage == "connected")
        await watched.reset(project.id, "the next one")
        await until(lambda: shown.stage == "awaiting")
        assert shown.snapshots[-1]["epoch"] == "the next one"


async def test_a_deleted_project_ends_the_stream(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        await watched.delete(project.id)
        assert await shown.ended() is Close.NO_PROJECT
    async with screen(hub, project) as shown:
        assert await shown.ended() is Close.NO_PROJECT


# The rule of versions.


def frame(epoch: str, version: int) -> Frame:
    """A snapshot, of which only this matters here."""
    return Frame(Kind.SNAPSHOT, b"{}", (epoch, version))


@pytest.mark.parametrize(
    ("offers", "sent"),
    [
        ([("a", 2), ("a", 3)], ["a:3"]),
        ([("a", 3), ("a", 2)], ["a:3"]),
        ([("a", 3), ("a", 3)], ["a:3"]),
        ([("a", 3), ("b", 1)], ["b:1"]),
        ([("a", 3), "sent", ("a", 2), ("a", 3), ("a", 4)], ["a:3", "a:4"]),
        ([("a", 3), "sent", ("b", 1)], ["a:3", "b:1"]),
        ([("a", 3), "sent", "delay", "delay", "sent", ("a", 3)], ["a:3", None, "a:3"]),
        ([("a", 3), "sent", "delay", ("a", 3)], ["a:3", "a:3"]),
    ],
)
async def test_a_snapshot_is_sent_if_it_is_newer(offers: list[Any], sent: list[str | None]) -> None:
    slow, got = Slow(), []
    viewer = Viewer(slow, ANYBODY, 1, lambda _: None)
    for offer in offers:
        if offer == "sent":
            got += [frame.id for frame in slow.read()]
        elif offer == "delay":
            viewer.delay(0)
        else:
            viewer.offer(frame(*offer), 0)
    got += [frame.id for frame in slow.read()]
    assert got == sent
    viewer.dismiss(1)
    assert [json.loads(frame.data)["type"] for frame in slow.read()] == ["goodbye"]


# What gets lost.


async def test_the_tick_makes_up_for_lost_wake_ups(fast_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with ticking(fast_hub), screen(fast_hub, project) as shown:
        await until(lambda: shown.stage == "connected")
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        await watched.delete(project.id)
        assert await shown.ended() is Close.NO_PROJECT


async def test_a_tick_without_a_change_sends_and_reads_nothing(fast_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with ticking(fast_hub), screen(fast_hub, project) as shown:
        await until(lambda: shown.messages)
        watched.calls.clear()
        await until(lambda: watched.count("versions") > 3)
        assert set(watched.calls) == {"versions"}
        assert len(shown.messages) == 1


async def test_a_lost_link_is_made_up_for_by_a_resync(deaf_hub: Hub, watched: WatchedStore) -> None:
    projects = [await connected(watched) for _ in range(3)]
    screens = [screen(deaf_hub, project) for project in projects]
    shown = [await opened.__aenter__() for opened in screens]
    await until(lambda: all(one.messages for one in shown))
    deaf_hub.away()
    for project in projects:
        await apply(watched, project, error(now()))
    deaf_hub.resync()
    await until(lambda: all(one.stage == "first_error_received" for one in shown))
    assert all(one.types in (["snapshot", "delayed", "snapshot"], ["snapshot", "snapshot"]) for one in shown)
    for opened in screens:
        await opened.__aexit__(None, None, None)


async def test_an_absent_store_is_said_once_and_its_return_is_noticed(deaf_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with ticking(deaf_hub), screen(deaf_hub, project) as shown:
        await until(lambda: shown.messages)
        watched.is_away = True
        deaf_hub.changed(project.id)
        await until(lambda: shown.types == ["snapshot", "delayed"])
        watched.calls.clear()
        await until(lambda: watched.count("versions") > 2)
        watched.is_away = False
        await until(lambda: shown.types == ["snapshot", "delayed", "snapshot"])
        assert shown.snapshots[0]["version"] == shown.snapshots[1]["version"]


async def test_a_viewer_may_come_while_the_store_is_away(deaf_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    watched.is_away = True
    async with ticking(deaf_hub), screen(deaf_hub, project) as shown:
        await until(lambda: shown.types == ["delayed"])
        watched.is_away = False
        await until(lambda: shown.types == ["delayed", "snapshot"])


async def test_lost_writes_are_given_back(own_redis: RedisServer, tmp_path: Path) -> None:
    async with redis_store(own_redis.url) as store:
        hub = hub_of(store, retry_seconds=0.02, tick_seconds=0.05)
        store.listen(hub)
        project = await connected(store)
        kept = tmp_path / "kept"
        own_redis.kill()
        shutil.copytree(own_redis.folder, kept)
        own_redis.start()
        async with ticking(hub), screen(hub, project) as shown:
            await until_answer(lambda: recorded(store, project))
            await until(lambda: shown.stage == "first_error_received")
            own_redis.kill()
            shutil.rmtree(own_redis.folder)
            shutil.copytree(kept, own_redis.folder)  # a failover to a replica that lagged behind
            own_redis.start()
            await until_answer(lambda: has_first_error(store, project))
            await until(lambda: shown.types[-1] == "snapshot")
            assert {snapshot["stage"] for snapshot in shown.snapshots[1:]} == {"first_error_received"}  # it never falls
            stored = await version_of(store, project)
            await until(lambda: shown.snapshots[-1]["version"] >= stored)
            versions = [snapshot["version"] for snapshot in shown.snapshots]
            assert versions == sorted(versions)  # else the page would not take them


async def has_first_error(store: Store, project: Project) -> bool:
    """Whether the store has it; it may not be back yet."""
    try:
        view = await store.read(project.id)
    except StoreUnavailable:
        return False
    return view is not None and view.stage is Stage.FIRST_ERROR_RECEIVED


async def recorded(store: Store, project: Project) -> bool:
    """Try to record an error; the store may not be back yet."""
    try:
        await apply(store, project, error(now()))
    except Exception:
        return False
    return True


# What changes by time alone.


async def test_a_project_turns_quiet_when_its_beats_stop(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched, interval=(now(), "0.08"))
    async with screen(hub, project) as shown:
        await until(lambda: [one["liveness"]["state"] for one in shown.snapshots] == ["live", "quiet"])
        assert shown.snapshots[1]["version"] > shown.snapshots[0]["version"]
        await apply(watched, project, {**beat(now()), **named({"interval": (now(), "30")})})
        await until(lambda: shown.snapshots[-1]["liveness"]["state"] == "live")


async def test_quiet_is_shown_although_the_store_was_away_meanwhile(watched: WatchedStore) -> None:
    hub = hub_of(watched, retry_seconds=0.02)
    watched.listen(hub)
    project = await connected(watched, interval=(now(), "0.08"))
    async with ticking(hub), screen(hub, project) as shown:
        await until(lambda: shown.snapshots)
        watched.is_away = True
        await until(lambda: shown.types[-1] == "delayed")
        watched.is_away = False
        await until(lambda: shown.snapshots[-1]["liveness"]["state"] == "quiet")
        assert shown.snapshots[-1]["version"] > shown.snapshots[0]["version"]


async def test_quiet_that_nobody_watched_has_a_version_of_its_own(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched, interval=(now(), "0.01"))
    live, beaten = await version_of(watched, project), now()
    await until(lambda: now() > beaten + 50)
    async with screen(hub, project) as shown:
        await until(lambda: shown.snapshots)
        assert shown.snapshots[0]["liveness"]["state"] == "quiet"
        assert shown.snapshots[0]["version"] > live


async def test_since_when_somebody_waits_is_noted(hub: Hub, watched: WatchedStore) -> None:
    project = await watched.create("Shop", None, KEY)
    async with screen(hub, project) as shown:
        await until(lambda: shown.stage == "awaiting")

        async def is_noted() -> bool:
            view = await watched.read(project.id)
            return view is not None and "watched_at" in view.state

        await until_answer(is_noted)
        # And known here, although it is no change: what is said of a long silence follows from it.
        await until(lambda: hub._watches[project.id].turns_at < inf)


async def test_a_silence_of_many_is_told_without_a_read_of_each(hub: Hub, watched: WatchedStore) -> None:
    async with AsyncExitStack() as stack:
        shown = await waiting_since(20_000 - 300, hub, watched, stack, 20)
        watched.calls.clear()
        await until(lambda: all(one.snapshots[-1]["problems"] for one in shown))
        assert watched.count("read") == 0
        assert watched.count("touch") <= 5


async def test_a_silence_is_told_also_where_its_wake_up_is_lost(watched: WatchedStore) -> None:
    hub = hub_of(watched, retry_seconds=0.05)
    async with AsyncExitStack() as stack:
        (shown,) = await waiting_since(20_000 - 300, hub, watched, stack, 1)
        await until(lambda: bool(shown.snapshots[-1]["problems"]))


async def test_a_silence_that_another_process_has_told_is_read(watched: WatchedStore) -> None:
    hub = hub_of(watched)
    async with AsyncExitStack() as stack:
        (shown,) = await waiting_since(20_000 - 300, hub, watched, stack, 1)
        (watch,) = hub._watches.values()
        assert watch.view
        await watched.touch({watch.project_id: (watch.view.epoch, watch.view.version)})
        await until(lambda: bool(shown.snapshots[-1]["problems"]))


async def test_a_silence_while_the_store_is_away_is_a_delay(hub: Hub, watched: WatchedStore) -> None:
    async with AsyncExitStack() as stack:
        shown = await waiting_since(20_000 - 300, hub, watched, stack, 3)
        watched.is_away = True
        await until(lambda: all(one.types[-1] == "delayed" for one in shown))


async def waiting_since(
    milliseconds: int, hub: Hub, watched: WatchedStore, stack: AsyncExitStack, count: int
) -> list[Screen]:
    """What is shown of new projects, once it is known that somebody waits for each for so long."""
    projects = [await watched.create("Shop", None, KEY) for _ in range(count)]
    await watched.apply({project.id: {WATCHED_AT: now() - milliseconds} for project in projects}, now())
    shown = [await stack.enter_async_context(screen(hub, project)) for project in projects]
    await until(lambda: all(one.snapshots for one in shown))
    await until(lambda: all(watch.task is None for watch in hub._watches.values()))
    return shown


async def test_a_clock_that_goes_back_does_not_make_the_hub_spin(tmp_path: Path) -> None:
    ahead = 3600.0
    async with EmbeddedStore(tmp_path / "firstlight.db", lambda: time.time() + ahead, new_epoch) as store:
        watched = WatchedStore(store)
        hub = hub_of(watched)
        store.listen(hub)
        project = await watched.create("Shop", None, KEY)
        ahead = 0.0
        async with screen(hub, project) as shown:
            await until(lambda: shown.stage == "awaiting")
        assert watched.count("read") < 5


async def test_silence_is_filled_with_pings(watched: WatchedStore) -> None:
    hub = hub_of(watched, ping_seconds=0.02)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.snapshots)  # on a busy machine that is read for longer than the silence may last
        after = shown.types.index("snapshot") + 1
        await until(lambda: len(shown.messages) >= after + 2)
        assert shown.types[after : after + 2] == ["ping", "ping"]
        assert shown.ids[after : after + 2] == [None, None]


# Who is told how soon.


async def test_what_nobody_waits_for_is_shown_once_in_a_while(watched: WatchedStore) -> None:
    """However often it changes: at most one push a second, the first at once, and the last is never left out."""
    hub = hub_of(watched, refresh_seconds=0.3)
    watched.listen(hub)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        began = time.monotonic()
        for number in range(60):
            await apply(watched, project, named({"last_seen_at": now(), "release": (now() + number, f"r{number}")}))
        await until(lambda: shown.release == "r59")
        assert len(shown.snapshots) <= 3 + (time.monotonic() - began) / 0.3


async def test_what_comes_during_a_push_waits_for_the_next(watched: WatchedStore) -> None:
    """It is not part of the read that is in flight, nor is it worth another one at once."""
    hub = hub_of(watched, refresh_seconds=0.3)
    watched.listen(hub)
    project = await connected(watched, release=(now(), "old"))
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        await apply(watched, project, named({"release": (now() + 1, "before")}))
        await until(lambda: shown.release == "before")  # so all that was published until now has been heard
        known = len(shown.snapshots)
        with watched.holding("read"):
            hub.changed(project.id)
            await until(lambda: watched.held("read") == 1)
            await apply(watched, project, named({"release": (now() + 2, "new")}))
            began = time.monotonic()
        await until(lambda: shown.release == "new")
        assert time.monotonic() - began > 0.2
        assert len(shown.snapshots) == known + 1


async def test_a_transition_is_shown_at_once(watched: WatchedStore) -> None:
    """Also where something else was shown a moment ago, and what waited comes with it."""
    hub = hub_of(watched, refresh_seconds=1000.0)
    watched.listen(hub)
    project = await connected(watched, release=(now(), "old"))
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        await apply(watched, project, named({"release": (now() + 1, "held back")}))
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        assert shown.release == "held back"
        assert len(shown.snapshots) == 2


async def test_news_is_shown_at_once_until_it_is_too_much(watched: WatchedStore) -> None:
    hub = hub_of(watched, news_seconds=1000.0, news_at_once=3)
    watched.listen(hub)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.messages)
        for number in range(10):
            await apply(watched, project, {CHECKED_AT: now() + number})
        await until(lambda: len(shown.snapshots) > 1)
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        assert len(shown.snapshots) <= 1 + 3 + 1


# Who may no longer watch.


async def test_a_token_that_expires_ends_the_stream(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as stays, screen(hub, project, seconds=0.1) as shown:
        await until(lambda: shown.messages)
        assert await shown.ended() is Close.TOKEN
        assert stays.ending is None


async def test_a_token_that_is_revoked_ends_the_stream(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    theirs, mine = (Guest(Grant(project.id, Scope.VIEW, inf, name)) for name in ("theirs", "mine"))
    async with screen(hub, project, theirs) as shown, screen(hub, project, mine) as other:
        await until(lambda: shown.messages and other.messages)
        await watched.revoke(project.id, "theirs", now())
        assert await shown.ended() is Close.TOKEN
    async with screen(hub, project, theirs) as late:
        assert await late.ended() is Close.TOKEN
        assert late.messages == []
    assert other.ending is None


async def test_nobody_stays_for_ever(watched: WatchedStore) -> None:
    hub = hub_of(watched, stay_seconds=0.1)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        assert await shown.ended() is Close.GOING_AWAY
        assert shown.types == ["snapshot", "goodbye"]


async def test_an_absence_in_the_middle_of_a_push_is_not_covered_up(hub: Hub, watched: WatchedStore) -> None:
    """Who was just told that the store is away is not shown what was read before, as if it were back."""
    loop = asyncio.get_running_loop()

    class Herald(Screen):
        """Whoever sees the error first has the store go away at the next turn of the loop."""

        is_first = True

        def offer(self, frame: Frame) -> None:
            super().offer(frame)
            if Herald.is_first and self.stage == "first_error_received":
                Herald.is_first = False
                loop.call_soon(hub.away)

    project, viewers = await connected(watched), [Herald() for _ in range(3 * AT_ONCE)]
    with ExitStack() as stack:
        for viewer in viewers:
            stack.enter_context(hub.attach(project.id, viewer, ANYBODY))
        await until(lambda: all(viewer.messages for viewer in viewers))
        await apply(watched, project, error(now()))
        await until(lambda: all(viewer.types[-1] == "delayed" for viewer in viewers))
        unseen = [viewer for viewer in viewers if viewer.stage == "connected"]
        assert len(unseen) == 2 * AT_ONCE
        hub.resync()
        await until(lambda: all(viewer.types[-1] == "snapshot" for viewer in viewers))
        assert all(viewer.types == ["snapshot", "delayed", "snapshot"] for viewer in unseen)


# Bounds, and the end.


async def test_viewers_are_bounded(watched: WatchedStore) -> None:
    hub = hub_of(watched, per_process=4, per_project=4)
    one, two = await connected(watched), await connected(watched)
    with attached(hub, one, 3), attached(hub, two, 1):
        for project in (one, two):
            with pytest.raises(Overloaded), attached(hub, project, 1):
                pass
        assert hub.viewers == 4
    assert hub.viewers == 0
    with attached(hub, one, 4):
        assert hub.viewers == 4


class Hall:
    """Viewers of one project; who is sent away leaves at once."""

    def __init__(self, hub: Hub, project: Project, count: int = 0) -> None:
        self._hub, self.project = hub, project
        self.seated: dict[Screen, Viewer] = {}
        for _ in range(count):
            self.enter()

    def enter(self, guest: Guest = ANYBODY) -> Screen:
        """One more."""
        shown = _Leaving(self)
        self.seated[shown] = self._hub.attach(self.project.id, shown, guest)
        return shown

    def leave(self, shown: Screen) -> None:
        """One less."""
        self.seated.pop(shown).leave()


class _Leaving(Screen):
    def __init__(self, hall: Hall) -> None:
        super().__init__()
        self._hall = hall

    def close(self, code: Close, reason: str) -> None:
        super().close(code, reason)
        self._hall.leave(self)


async def test_one_project_has_all_places_until_others_want_some(watched: WatchedStore) -> None:
    """And keeps what each may keep, or as many as the others have."""
    hub = hub_of(watched, per_process=8, per_project=3)
    crowd, guests, few = [Hall(hub, await connected(watched)) for _ in range(3)]
    everybody = [crowd.enter() for _ in range(8)]
    with pytest.raises(Overloaded):
        crowd.enter()  # no project makes room for itself
    for _ in range(4):
        guests.enter()
    with pytest.raises(Overloaded):  # they have as many
        guests.enter()
    sent_away = [shown for shown in everybody if shown.ending]
    assert (len(crowd.seated), len(guests.seated), len(sent_away)) == (4, 4, 4)
    assert {shown.ending[0] for shown in sent_away if shown.ending} == {Close.OVERLOADED}
    assert all(shown.messages[-1]["retry_in"] > 1 for shown in sent_away)
    for _ in range(2):
        few.enter()
    assert (len(crowd.seated), len(guests.seated)) == (3, 3)
    with pytest.raises(Overloaded):  # the others have no more than each may keep
        few.enter()
    for hall in (crowd, guests, few):
        for shown in list(hall.seated):
            hall.leave(shown)
    assert (hub.viewers, hub._fair._large) == (0, set())


async def test_an_owner_is_the_last_to_make_room(watched: WatchedStore) -> None:
    hub = hub_of(watched, per_process=3, per_project=1)
    crowd, others = Hall(hub, await connected(watched)), Hall(hub, await connected(watched))
    owner, viewer = (Guest(Grant(crowd.project.id, scope, inf, scope)) for scope in (Scope.OWNER, Scope.VIEW))
    shown = [crowd.enter(guest) for guest in (owner, viewer, owner)]
    others.enter()
    assert [each.ending and each.ending[0] for each in shown] == [None, Close.OVERLOADED, None]


async def test_few_viewers_are_dismissed_at_once(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as shown, screen(hub, project) as second:
        await until(lambda: shown.messages and second.messages)
        began = time.monotonic()
        await hub.dismiss(batch=10, pause=60, seconds=60)
        assert await shown.ended() is await second.ended() is Close.RESTART
        assert time.monotonic() - began < 1
        assert shown.types == second.types == ["snapshot", "goodbye"]
        assert all(0.5 <= one.messages[-1]["retry_in"] <= 1.5 for one in (shown, second))
        with pytest.raises(Overloaded), hub.attach(project.id, Screen(), ANYBODY):
            pass


async def test_many_viewers_are_dismissed_over_time(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    with attached(hub, project, 30) as viewers:
        began = time.monotonic()
        dismissal = asyncio.create_task(hub.dismiss(batch=2, pause=0.1, seconds=0.3))
        await until(lambda: any(viewer.ending for viewer in viewers))
        assert sum(viewer.ending is not None for viewer in viewers) == 10  # all in three batches
        await until(lambda: all(viewer.ending for viewer in viewers))
        await dismissal
    ends = [(viewer.ended_at, viewer.messages[-1]["retry_in"]) for viewer in viewers]
    assert max(at for at, _ in ends) - began >= 0.2
    assert all(0.5 <= retry_in <= 1.5 for _, retry_in in ends)
    assert len({retry_in for _, retry_in in ends}) > 1


async def check_that_an_earlier_one_is_shown_alone(
    hub: Hub, watched: WatchedStore, project: Project, shown: Screen, at: int
) -> None:
    """Another process writes what it took at that time; then the outage is settled."""
    await watched.apply({project.id: error(at, "first")}, now(), {project.id: Origin(is_late=True)})
    hub._outage = hub._outage[0], hub._wheel.now()
    hub.changed(project.id)
    await until(lambda: shown.stage == "first_error_received")
    assert {told["first_error"]["event_id"] for told in shown.snapshots if told["first_error"]} == {"first"}


async def test_of_an_outage_that_is_over_no_first_error_is_shown_before_all_processes_had_their_turn(
    watched: WatchedStore,
) -> None:
    hub = hub_of(watched, settle_seconds=3600.0)
    watched.listen(hub)
    project, known = await connected(watched), await connected(watched)
    await apply(watched, known, error(now(), "known"))
    async with screen(hub, project) as shown, screen(hub, known) as other:
        await until(lambda: shown.stage == "connected" and other.stage)
        hub.away()
        await asyncio.sleep(0.002)  # times are in milliseconds
        taken = now()
        hub.resync()
        await apply(watched, project, error(now(), "second"))
        await until(lambda: hub._watches[project.id].waits_until < inf)
        await apply(watched, known, beat(now()))
        await until(lambda: len(other.snapshots) > 1)  # all else is shown
        await check_that_an_earlier_one_is_shown_alone(hub, watched, project, shown, taken - 1000)


async def test_nor_is_one_that_was_taken_before_the_outage_was_noticed(watched: WatchedStore) -> None:
    """A store that hangs, and goes on with what two processes have sent before its link is back."""
    hub = hub_of(watched, settle_seconds=3600.0)
    watched.listen(hub)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.stage == "connected")
        taken, watch = now(), hub._watches[project.id]
        hub.away()
        await apply(watched, project, error(taken - 1000, "second"))
        await until(lambda: not watch.is_dirty and watch.task is None)
        hub.resync()
        await until(lambda: watch.waits_until < inf)
        await check_that_an_earlier_one_is_shown_alone(hub, watched, project, shown, taken - 2000)


async def test_nor_is_one_that_comes_late_from_a_store_that_nobody_noticed_to_hang(watched: WatchedStore) -> None:
    hub = hub_of(watched, settle_seconds=3600.0)
    watched.listen(hub)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: shown.stage == "connected")
        taken, watch = now(), hub._watches[project.id]
        await apply(watched, project, error(taken - 2000, "second"))
        await until(lambda: watch.waits_until < inf)
        await check_that_an_earlier_one_is_shown_alone(hub, watched, project, shown, taken - 3000)
