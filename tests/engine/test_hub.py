"""The hub on real stores: whatever gets lost, held up or rolled back, a viewer ends with what is stored."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from server.core.model.errors import NotFound, Overloaded
from server.core.model.project import Project
from server.core.state.fields import Update
from server.core.state.view import View
from server.engine import hub as hub_module
from server.engine.hub import Hub, Viewer
from server.stores import Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.redis_server import RedisServer
from ..support.updates import KEY, beat, error, named, now
from ..support.views import PRESENTER
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore


class Screen:
    """What one viewer was sent, in order, as long as it keeps reading."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str | None] = []
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for name, text in self.viewer.messages():
            self.ids.append(name)
            self.messages.append(json.loads(text))

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

    async def ended(self) -> None:
        """Wait for the end of the stream; raise what it raised."""
        async with asyncio.timeout(5):
            await self._task

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.wait([self._task])


@asynccontextmanager
async def screen(hub: Hub, project: Project) -> AsyncIterator[Screen]:
    """A viewer that reads."""
    with hub.attach(project.id) as viewer:
        shown = Screen(viewer)
        try:
            yield shown
        finally:
            await shown.close()


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


@pytest.fixture
def hub(watched: WatchedStore) -> Hub:
    """A hub that is woken, without its tick."""
    hub = Hub(watched, PRESENTER)
    watched.listen(hub)
    return hub


@pytest.fixture
def deaf_hub(watched: WatchedStore) -> Hub:
    """A hub that hears no wake-up at all."""
    return Hub(watched, PRESENTER)


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without the wait; no tick comes to help."""
    monkeypatch.setattr(hub_module, "RETRY_SECONDS", 0.02)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch, fast_retries: None) -> None:
    """Ticks and retries without the wait."""
    monkeypatch.setattr(hub_module, "TICK_SECONDS", 0.05)


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
            await until(lambda: watched.count("read"))
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
            await until(lambda: watched.count("read") == 1)
            for _ in range(100):
                hub.changed(project.id)
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        assert watched.count("read") <= 3


async def test_a_project_is_read_once_for_all_its_viewers(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    watched.calls.clear()
    with attached(hub, project, 50) as viewers:
        frames = [await anext(viewer.messages()) for viewer in viewers]
        assert watched.count("read") <= 2
        assert len({id(frame) for _, frame in frames}) == 1
    hub.changed(project.id)
    await apply(watched, project, error(now()))
    assert watched.count("read") <= 2  # nobody watches


@contextmanager
def attached(hub: Hub, project: Project, count: int) -> Iterator[list[Viewer]]:
    """So many viewers of a project."""
    places = [hub.attach(project.id) for _ in range(count)]
    viewers = [place.__enter__() for place in places]
    try:
        yield viewers
    finally:
        for place in places:
            place.__exit__(None, None, None)


async def test_only_so_many_reads_at_once(hub: Hub, watched: WatchedStore) -> None:
    projects = [await connected(watched) for _ in range(hub_module.MAX_READS + 5)]
    watched.calls.clear()
    with watched.holding("read"):
        screens = [screen(hub, project) for project in projects]
        shown = [await opened.__aenter__() for opened in screens]
        await until(lambda: watched.count("read") == hub_module.MAX_READS)
        assert not any(one.messages for one in shown)
    await until(lambda: all(one.messages for one in shown))
    for opened in screens:
        await opened.__aexit__(None, None, None)


async def test_a_slow_viewer_gets_the_newest_and_no_backlog(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    with hub.attach(project.id) as viewer:
        messages = viewer.messages()
        await anext(messages)
        async with screen(hub, project) as quick:
            for number in range(20):
                await apply(watched, project, named({"last_seen_at": now(), "release": (now() + number, f"r{number}")}))
                await until(lambda number=number: quick.release == f"r{number}")  # type: ignore[misc]
            _, text = await anext(messages)
            assert json.loads(text) == quick.snapshots[-1]
        await apply(watched, project, error(now()))
        _, text = await anext(messages)
        assert json.loads(text)["stage"] == "first_error_received"


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
        with pytest.raises(NotFound):
            await shown.ended()
    async with screen(hub, project) as shown:
        with pytest.raises(NotFound):
            await shown.ended()


# The rule of versions.


def view(epoch: str, version: int) -> View:
    """A reading, of which only this matters here."""
    return View(Project(1, "Shop", None, (), 0), epoch, version, {}, 0)


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
    viewer = Viewer()
    messages, got = viewer.messages(), []
    for offer in offers:
        if offer == "sent":
            got.append((await anext(messages))[0])
        elif offer == "delay":
            viewer.delay()
        else:
            viewer.offer(view(*offer), b"{}")
    got.append((await anext(messages))[0])
    assert got == sent
    viewer.dismiss(1)
    assert [json.loads(text)["type"] async for _, text in messages] == ["goodbye"]


# What gets lost.


@pytest.mark.usefixtures("fast")
async def test_the_tick_makes_up_for_lost_wake_ups(deaf_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with ticking(deaf_hub), screen(deaf_hub, project) as shown:
        await until(lambda: shown.stage == "connected")
        await apply(watched, project, error(now()))
        await until(lambda: shown.stage == "first_error_received")
        await watched.delete(project.id)
        with pytest.raises(NotFound):
            await shown.ended()


@pytest.mark.usefixtures("fast")
async def test_a_tick_without_a_change_sends_and_reads_nothing(deaf_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with ticking(deaf_hub), screen(deaf_hub, project) as shown:
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


@pytest.mark.usefixtures("fast_retries")
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


@pytest.mark.usefixtures("fast_retries")
async def test_a_viewer_may_come_while_the_store_is_away(deaf_hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    watched.is_away = True
    async with ticking(deaf_hub), screen(deaf_hub, project) as shown:
        await until(lambda: shown.types == ["delayed"])
        watched.is_away = False
        await until(lambda: shown.types == ["delayed", "snapshot"])


@pytest.mark.usefixtures("fast")
async def test_lost_writes_are_shown_as_lost(own_redis: RedisServer, tmp_path: Path) -> None:
    async with redis_store(own_redis.url) as store:
        hub = Hub(store, PRESENTER)
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
            await until(lambda: shown.stage == "connected")
            versions = [snapshot["version"] for snapshot in shown.snapshots]
            assert versions[-1] == await version_of(store, project)
            assert versions[-1] > max(versions[:-1])  # else the page would not take it


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


@pytest.mark.usefixtures("fast_retries")
async def test_quiet_is_shown_although_the_store_was_away_meanwhile(hub: Hub, watched: WatchedStore) -> None:
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


async def test_a_clock_that_goes_back_does_not_make_the_hub_spin(tmp_path: Path) -> None:
    ahead = 3600.0
    async with EmbeddedStore(tmp_path / "firstlight.db", lambda: time.time() + ahead, new_epoch) as store:
        watched = WatchedStore(store)
        hub = Hub(watched, PRESENTER)
        store.listen(hub)
        project = await watched.create("Shop", None, KEY)
        ahead = 0.0
        async with screen(hub, project) as shown:
            await until(lambda: shown.stage == "awaiting")
        assert watched.count("read") < 5


async def test_silence_is_filled_with_pings(hub: Hub, watched: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PING_SECONDS", 0.02)
    project = await connected(watched)
    async with screen(hub, project) as shown:
        await until(lambda: len(shown.messages) >= 3)
        assert shown.types[:3] == ["snapshot", "ping", "ping"]
        assert shown.ids[1:3] == [None, None]


# Bounds, and the end.


async def test_viewers_are_bounded(hub: Hub, watched: WatchedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_VIEWERS", 4)
    monkeypatch.setattr(hub_module, "MAX_VIEWERS_PER_PROJECT", 3)
    one, two = await connected(watched), await connected(watched)
    with attached(hub, one, 3):
        with pytest.raises(Overloaded), attached(hub, one, 1):
            pass
        with attached(hub, two, 1), pytest.raises(Overloaded), attached(hub, two, 1):
            pass
        assert hub.viewers == 3
    assert hub.viewers == 0
    with attached(hub, one, 3):
        assert hub.viewers == 3


async def test_few_viewers_are_dismissed_at_once(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    async with screen(hub, project) as shown, screen(hub, project) as second:
        await until(lambda: shown.messages and second.messages)
        began = time.monotonic()
        await hub.drain(per_second=10, seconds=60)
        await shown.ended()
        await second.ended()
        assert time.monotonic() - began < 1
        assert shown.types == second.types == ["snapshot", "goodbye"]
        assert all(0.5 <= one.messages[-1]["retry_in"] <= 1.5 for one in (shown, second))
        with pytest.raises(Overloaded), hub.attach(project.id):
            pass


async def test_many_viewers_are_dismissed_over_time(hub: Hub, watched: WatchedStore) -> None:
    project = await connected(watched)
    with attached(hub, project, 30) as viewers:
        began = time.monotonic()
        draining = asyncio.create_task(hub.drain(per_second=20, seconds=0.4))
        ends = await asyncio.gather(*(goodbye_of(viewer) for viewer in viewers))
        await draining
    assert 0.4 <= max(at for at, _ in ends) - began < 2
    assert sum(at - began < 0.2 for at, _ in ends) < 20
    assert all(0.5 <= retry_in <= 0.9 for _, retry_in in ends)
    assert len({retry_in for _, retry_in in ends}) > 1


async def goodbye_of(viewer: Viewer) -> tuple[float, float]:
    """When the goodbye came, and when the client shall be back."""
    async for _, text in viewer.messages():
        message = json.loads(text)
        if message["type"] == "goodbye":
            return time.monotonic(), message["retry_in"]
    raise AssertionError("no goodbye")
