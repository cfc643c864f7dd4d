"""What is held back as long as nobody looks, and is written as soon as somebody does, at whichever process."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest

from server.core.model.project import Key, Project
from server.core.snapshot import iso
from server.core.state import fields
from server.core.state.beat import (
    MAX_OCCURRENCES,
    Beat,
    Complaint,
    Occurrence,
    Saying,
    complaint_of,
    update_of_occurrences,
)
from server.core.state.update import update_of_problem
from server.core.wire.envelope import parse_envelope
from server.core.wire.event import parse_client
from server.core.wire.later import Later, observe_later
from server.core.wire.observation import observe_heartbeat
from server.engine import audience
from server.engine.audience import LEASE_SECONDS, Audience
from server.engine.complaints import MAX_SAID
from server.engine.frames import Frame, Kind
from server.engine.hub import Hub
from server.engine.projects import Projects
from server.engine.spill import Left, Spill
from server.engine.turns import patience
from server.engine.writer import Writer
from server.limits import ProjectLimits, ViewerLimits, WriterLimits
from server.stores import Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.listening import Ears
from ..support.updates import KEY, error, now
from ..support.views import PRESENTER
from ..support.waiting import until, until_answer
from ..support.watched_store import WatchedStore
from .test_hub import ANYBODY

LAG = 20
"""Milliseconds that may be lost where a time travels as an age to another clock; `later` waits for more."""
CLIENT = parse_client("sentry.python/2.75.0")
BEAT: Saying = (observe_heartbeat(b'{"type":"heartbeat"}', CLIENT), "heartbeat", 20, True)
PROMISE: Saying = (observe_heartbeat(b'{"type":"heartbeat","interval":4}', CLIENT), "heartbeat", 33, True)


def an_error(number: int = 1, release: str = "shop@1") -> Later:
    body = '{"event_id":"%032x"}\n{"type":"event"}\n{"release":"%s","exception":{"values":[{"type":"E"}]}}'
    found = observe_later(parse_envelope((body % (number, release)).encode()), CLIENT)
    assert found
    return found


def saying(later: Later) -> Complaint:
    found = complaint_of(later, 0, "envelope", lists=True)
    assert found
    return found


class Process:
    """Projects, writer and hub of one process, as the application puts them together."""

    def __init__(self, store: Store, folder: Path, limits: WriterLimits | None = None) -> None:
        name = uuid.uuid4().hex
        knowing = replace(limits or WriterLimits(), learning_seconds=0.0)
        self.store = store
        self.projects = Projects(store, time.monotonic, ProjectLimits())
        self.writer = Writer(store, self.projects, Spill(folder, name, "updates", 10**7), time.time, knowing, name)
        self.hub = Hub(store, self.writer, PRESENTER, ViewerLimits())

    async def beats(self, project: Project, saying: Saying = BEAT) -> int:
        """Take a heartbeat as the door does. Gives its time."""
        await self.projects.get(project.id)
        at = now()
        if not self.writer.take_again(project.id, saying, at):
            await self.writer.write_beat(project.id, saying, Beat(saying).update(at), at)
        return at

    async def fails(self, project: Project, later: Later, ago: int = 0) -> bool:
        """Take an error as the door does, `ago` milliseconds ago. Gives whether it said nothing new."""
        await self.projects.get(project.id)
        at, complaint = now() - ago, saying(later)
        one = Occurrence(at, later.event_id or "", 7)
        if self.writer.complaints.is_known(project.id, complaint):
            self.writer.complaints.take(project.id, complaint, one)
            return True
        await self.writer.write(project.id, update_of_occurrences(complaint, [one]))
        self.writer.complaints.begin(project.id, complaint)
        return False

    async def seen(self, project: Project) -> int | None:
        """When the project was last seen, as it is stored."""
        view = await self.store.read(project.id)
        return view.time(fields.LAST_SEEN_AT) if view else None


@asynccontextmanager
async def running(store: Store, folder: Path, limits: WriterLimits | None = None) -> AsyncIterator[Process]:
    """A process that listens, writes, and ends in order."""
    process = Process(store, folder, limits)
    store.listen(process.projects)
    store.listen(process.hub)
    task = asyncio.create_task(process.writer.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def watched(store: Store) -> WatchedStore:
    """The store, whose calls are counted."""
    return WatchedStore(store)


class Screen:
    """Keeps what it is shown."""

    shown: dict[str, object] | None = None

    def offer(self, frame: Frame) -> None:
        """Show a snapshot."""
        if frame.kind is Kind.SNAPSHOT:
            self.shown = json.loads(frame.data)

    def close(self, *_: object) -> None:
        """Never here."""

    @property
    def last_seen(self) -> object:
        """As it is shown."""
        return self.shown and self.shown["liveness"]["last_seen_at"]  # type: ignore[index]


async def later(at: int) -> None:
    """Wait until a later time differs from this one, whatever way it takes."""
    await until(lambda: now() > at + 50)


async def test_heartbeats_that_nobody_looks_at_are_written_once_when_it_is_time(
    watched: WatchedStore, tmp_path: Path
) -> None:
    async with running(watched, tmp_path, WriterLimits(lazy_seconds=0.01, unwatched_seconds=1.0)) as process:
        projects = [await watched.create("Shop", None, KEY) for _ in range(3)]
        for project in projects:
            await process.beats(project)
        watched.calls.clear()
        last = [0, 0, 0]
        for _ in range(20):
            last = [await process.beats(project) for project in projects]
            await asyncio.sleep(0)
        assert watched.calls == []

        async def are_stored() -> bool:
            return all([await is_stored(process, *pair) for pair in zip(projects, last, strict=True)])

        await until_answer(are_stored)
        assert watched.count("apply") <= 3  # together, but for a second's edge


async def test_what_somebody_looks_at_is_told_with_its_news(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        seen, unseen = [await watched.create("Shop", None, KEY) for _ in range(2)]
        ears = Ears()
        watched.listen(ears)
        process.projects.watched(seen.id)  # as another process says
        for project in (seen, unseen):
            await process.beats(project)
        await until(lambda: ears.count("changed") == 2)
        changed = [number for word, number in ears.heard if word == "changed"]
        assert dict(zip(changed, ears.told, strict=True))[seen.id]


async def test_a_page_shows_it_before_anything_else_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EmbeddedStore(tmp_path / "firstlight.db", time.time, new_epoch)
    async with store, running(store, tmp_path) as process:
        project, page, shown, learn = await store.create("Shop", None, KEY), Screen(), [], process.projects.learn

        def noting(*values: Any) -> None:
            shown.append(page.shown and page.shown["stage"])
            learn(*values)

        with process.hub.attach(project.id, page, ANYBODY):
            await until(lambda: page.shown)
            await until(lambda: process.hub._watches[project.id].task is None)
            monkeypatch.setattr(process.projects, "learn", noting)
            await process.writer.write(project.id, error(now()))
        assert shown == ["first_error_received"]


async def test_heartbeats_of_many_are_written_in_portions(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path, WriterLimits(lazy_batch=2, unwatched_batch=4)) as process:
        projects = [await watched.create("Shop", None, KEY) for _ in range(7)]
        for project in projects:
            await process.beats(project)
        await process.writer.flush()
        for project in projects:
            await later(await process.beats(project))
        for project in projects[:3]:
            process.projects.watched(project.id)  # and all of those, before any of the others
        watched.calls.clear()
        last = [await process.beats(project) for project in projects]
        await until(lambda: watched.count("apply") == 2)
        await process.writer.flush()
        assert watched.count("apply") >= 4
        for project, at in zip(projects, last, strict=True):
            assert await is_stored(process, project, at)


async def test_whoever_begins_to_look_sees_what_was_held_back(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await later(await process.beats(project))
        at = await process.beats(project)
        assert await process.seen(project) != at
        await process.hub.read(project.id)
        assert await is_stored(process, project, at)


async def test_counts_are_held_back_like_the_rest_and_none_is_lost(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.projects.get(project.id)
        for _ in range(5):
            await process.writer.write(project.id, update_of_problem("rate_limited", {}, now()))
        assert watched.count("apply") == 1
        view = await process.hub.read(project.id)
        assert view.number(fields.PROBLEMS["rate_limited"].total) == 5


async def test_two_processes_write_what_they_have_when_one_is_looked_at(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("redis_url")
    async with (
        redis_store(url) as one,
        redis_store(url) as two,
        running(one, tmp_path) as here,
        running(two, tmp_path) as there,
    ):
        project = await one.create("Shop", None, KEY)
        for process in (here, there):
            await later(await process.beats(project))
        await here.beats(project)
        await later(now())
        at = await there.beats(project)
        screen, began = Screen(), time.monotonic()
        with here.hub.attach(project.id, screen, ANYBODY):
            await until(lambda: screen.last_seen is not None)
            shown = await until_answer(lambda: seen_on(screen, at))
            assert shown
            assert time.monotonic() - began < ViewerLimits().refresh_seconds
            # From now on it is looked at: what comes to either is stored within the second.
            await later(at)
            at = await there.beats(project)
            await until_answer(lambda: is_stored(here, project, at))


async def seen_on(screen: Screen, at: int) -> bool:
    """Whether a screen shows this time, or a later one."""
    return str(screen.last_seen) >= iso(at - LAG)


async def is_stored(process: Process, project: Project, at: int) -> bool:
    """Whether this time is stored, or a later one: what travels to a store of its own clock only gets later."""
    return (await process.seen(project) or 0) >= at - LAG


async def test_an_end_in_order_writes_everything(watched: WatchedStore, tmp_path: Path) -> None:
    limits = WriterLimits(pending=3, unwatched_batch=1)  # so that it takes several turns
    async with running(watched, tmp_path, limits) as process:
        projects = [await watched.create("Shop", None, KEY) for _ in range(8)]
        for project in projects:
            await later(await process.beats(project))
        last = [await process.beats(project) for project in projects]
    assert await process.writer.close() is Left.NOTHING
    gaps = [(await process.seen(project) or 0) - at for project, at in zip(projects, last, strict=True)]
    assert min(gaps) >= -LAG, gaps


async def test_an_end_while_the_store_is_away_leaves_it_on_disk(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await later(await process.beats(project))
        await later(await process.beats(project))
        watched.is_away = True
        at = await process.beats(project)
    assert await process.writer.close() is Left.ON_DISK
    watched.is_away = False
    async with running(watched, tmp_path) as another:
        another.writer.adopt(another.writer._spill.adopt())
        await until_answer(lambda: is_stored(another, project, at))


async def test_an_outage_costs_no_place_for_what_says_nothing_new(watched: WatchedStore, tmp_path: Path) -> None:
    limits = WriterLimits(pending=3, lazy_seconds=0.01, unwatched_seconds=0.01)
    async with running(watched, tmp_path, limits) as process:
        projects = [await watched.create("Shop", None, KEY) for _ in range(10)]
        for project in projects:
            await process.beats(project)
        watched.is_away = True
        await process.writer.write(projects[0].id, {fields.CHECKED_AT: now()})
        assert process.writer.is_away
        for project in projects:
            await process.beats(project)
        assert process.writer.unwritten <= 3
        watched.is_away = False
        at = now()
        await process.beats(projects[9])
        await until_answer(lambda: is_stored(process, projects[9], at))


async def test_a_process_that_has_just_started_meets_more_projects_than_may_be_pending(
    watched: WatchedStore, tmp_path: Path
) -> None:
    limits = WriterLimits(pending=3, lazy_seconds=0.01, unwatched_seconds=0.1)
    projects = [await watched.create("Shop", None, KEY) for _ in range(10)]
    async with running(watched, tmp_path / "before") as before:
        for project in projects:
            await before.beats(project)
    async with running(watched, tmp_path / "after", limits) as process:
        for saying in (BEAT, PROMISE):
            await later(now())
            last = [await process.beats(project, saying) for project in projects]

            async def are_stored(last: list[int] = last) -> bool:
                return all([await is_stored(process, *pair) for pair in zip(projects, last, strict=True)])

            await until_answer(are_stored)
        view = await watched.read(projects[0].id)
        assert view
        assert view.text(fields.INTERVAL) == "4"


async def test_a_heartbeat_of_before_a_reset_is_dropped(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.beats(project)
        await process.beats(project)
        await watched.reset(project.id, "another")
        await until(lambda: process.projects.epoch_of(project.id) == "another")
        await process.writer.flush()
        assert await process.seen(project) is None
        assert not process.writer.take_again(project.id, BEAT, now())  # it is news once more


async def test_what_may_end_a_problem_is_no_repetition(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.beats(project)
        await process.writer.write(project.id, update_of_problem("unknown_key", {}, now()))
        await later(now())
        assert not process.writer.take_again(project.id, BEAT, now())
        await process.beats(project)
        await process.hub.read(project.id)
        view = await watched.read(project.id)
        assert view
        assert view.time(fields.PROBLEMS["unknown_key"].cured_at) is not None


async def test_what_says_something_else_is_no_repetition(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.beats(project)
        assert not process.writer.take_again(project.id, PROMISE, now())
        assert not process.writer.take_again(project.id, (*BEAT[:2], 21, True), now())
        assert process.writer.take_again(project.id, BEAT, now())
        await process.writer.write(project.id, error(now()))
        view = await watched.read(project.id)
        assert view
        assert view.text(fields.FIRST_ERROR)


async def test_errors_that_say_the_same_are_written_together(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        # Before the others by more than what clocks differ: only the latest are listed.
        await process.writer.write(project.id, error(now() - 1000))
        assert not await process.fails(project, an_error(1), ago=1000)
        await process.writer.flush()
        before = watched.count("apply")
        for number in range(2, MAX_OCCURRENCES + 4):
            assert await process.fails(project, an_error(number))
        assert watched.count("apply") == before
        await process.writer.flush()
        assert watched.count("apply") == before + 1
        view = await watched.read(project.id)
        assert view
        assert view.text(fields.ERROR_EVENT_ID) == f"{MAX_OCCURRENCES + 3:032x}"
        listed = {json.loads(text)["event_id"] for text in view.rows(fields.ARRIVED)}
        assert listed == {f"{number:032x}" for number in range(4, MAX_OCCURRENCES + 4)}


async def test_errors_that_say_different_things_in_turn_wait_apart(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.writer.write(project.id, error(now()))
        assert not await process.fails(project, an_error(1, "a"))
        assert await process.fails(project, an_error(2, "a"))
        assert not await process.fails(project, an_error(3, "b"))
        assert await process.fails(project, an_error(4, "b"))
        await later(now())
        assert await process.fails(project, an_error(5, "a"))
        await process.writer.flush()
        view = await watched.read(project.id)
        assert view
        assert view.text(fields.RELEASE) == "a"
        assert {json.loads(text)["event_id"][-1] for text in view.rows(fields.ARRIVED)} == {*"12345"}


async def test_what_says_too_many_things_in_turn_is_written_each_time(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.writer.write(project.id, error(now()))
        for release in range(MAX_SAID):
            said = [await process.fails(project, an_error(number, str(release))) for number in range(2)]
            assert said == [False, True]
        said = [await process.fails(project, an_error(number, "more")) for number in range(2)]
        assert said == [False, False]
        await process.writer.flush()
        said = [await process.fails(project, an_error(number, "more")) for number in range(2)]
        assert said == [False, True]


async def test_what_may_end_a_problem_is_no_repeated_error(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.writer.write(project.id, error(now()))
        assert [await process.fails(project, an_error(number)) for number in (1, 2)] == [False, True]
        await process.writer.write(project.id, update_of_problem("dropped_by_sdk", {}, now()))
        assert not await process.fails(project, an_error(3))


async def test_who_begins_to_look_sees_the_errors_that_waited(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.writer.write(project.id, error(now()))
        await process.fails(project, an_error(1))
        await process.writer.flush()
        await later(now())
        await process.fails(project, an_error(2))
        assert await process.writer.look(project.id)
        view = await watched.read(project.id)
        assert view
        assert view.text(fields.ERROR_EVENT_ID) == f"{2:032x}"


async def test_errors_of_before_a_reset_are_dropped(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path) as process:
        project = await watched.create("Shop", None, KEY)
        await process.writer.write(project.id, error(now()))
        assert [await process.fails(project, an_error(number)) for number in (1, 2)] == [False, True]
        await watched.reset(project.id, "another")
        await until(lambda: process.projects.epoch_of(project.id) == "another")
        assert not process.writer.complaints.is_known(project.id, saying(an_error(3)))
        await process.writer.flush()
        assert await process.seen(project) is None


async def test_errors_of_so_many_projects_wait_and_of_no_more(watched: WatchedStore, tmp_path: Path) -> None:
    async with running(watched, tmp_path, WriterLimits(complaining=1)) as process:
        one, other = [await watched.create("Shop", None, KEY) for _ in range(2)]
        for project in (one, other):
            await process.writer.write(project.id, error(now()))
        turns = [one, one, other, other, one]  # the other one finds no room
        assert [await process.fails(turn, an_error(2)) for turn in turns] == [False, True, False, False, True]
        await process.writer.flush()
        turns = [one, other, other, one]  # and takes it, where nothing waits there
        assert [await process.fails(turn, an_error(2)) for turn in turns] == [True, False, False, True]
        await process.writer.flush()
        turns = [other, other, one]
        assert [await process.fails(turn, an_error(2)) for turn in turns] == [False, True, False]


def test_a_promise_is_kept_an_eye_on() -> None:
    """What is stored is never so old that a reader takes a project for quiet that is not."""
    limits = WriterLimits()
    assert patience(None, limits) == limits.unwatched_seconds
    assert patience(600.0, limits) == limits.unwatched_seconds
    for interval in (1.0, 4.0, 20.0):
        assert patience(interval, limits) + limits.lazy_seconds + interval < 2.5 * interval


def test_an_audience_is_forgotten_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "MAX_WATCHED", 3)
    time = 0.0
    theirs = Audience(lambda: time)
    for number in (1, 2, 3, 4):
        theirs.note(number)
    assert [number for number in (1, 2, 3, 4) if theirs.has(number)] == [1, 2, 3]
    time = LEASE_SECONDS - 1
    theirs.note(1)
    time = LEASE_SECONDS + 1
    assert [number for number in (1, 2, 3) if theirs.has(number)] == [1]
    assert theirs.ends_soon(2)
    assert not theirs.ends_soon(1)
    theirs.note(4)
    assert theirs.has(4)
    assert len(theirs._until) == 2


def test_who_does_not_know_yet_takes_all_for_looked_at() -> None:
    time = 0.0
    theirs = Audience(lambda: time, learning_seconds=20.0)
    assert theirs.has(1)
    time = 20.0
    assert not theirs.has(1)


async def test_as_long_as_wake_ups_are_heard_nothing_is_read_again(watched: WatchedStore) -> None:
    """And what is not heard is noticed by reading, as where nothing proves it."""
    clock = {"ahead": 0.0, "unheard": 0.0}
    projects = Projects(watched, lambda: time.monotonic() + clock["ahead"], ProjectLimits())
    project = await watched.create("Shop", None, KEY)

    async def heard() -> float:
        return clock["unheard"]

    watched.unheard = heard  # type: ignore[method-assign]
    await projects.get(project.id)
    for ahead, unheard, is_known in ((20.0, 0.0, True), (40.0, 10.0, True), (60.0, 16.0, False), (80.0, inf, False)):
        clock.update(ahead=ahead, unheard=unheard)
        proof = asyncio.create_task(projects.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        proof.cancel()
        await asyncio.wait([proof])
        assert (projects.current(project.id) is not None) is is_known
    await projects.get(project.id)
    assert projects.current(project.id) == Project(project.id, "Shop", None, (Key(KEY),), project.created_at)
