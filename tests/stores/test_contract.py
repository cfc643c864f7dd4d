"""What every store promises: one suite, run on each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from server.core.model.errors import StoreRejected
from server.core.model.keys import MAX_PROJECT_ID
from server.core.model.project import Key, Project
from server.core.model.signals import Stage
from server.core.state.change import Change
from server.core.state.fields import (
    CONNECTED_AT,
    FIRST_ERROR,
    LAST_SEEN_AT,
    PAYLOAD_AT,
    RELEASE,
    WATCHED_AT,
    Effect,
    Update,
)
from server.core.state.view import View
from server.stores import Origin, Store

from ..support.listening import Ears
from ..support.updates import KEY, beat, error, firsts, named, now
from ..support.waiting import until

MINUTE = 60_000
UNKNOWN = 404


async def made(store: Store, **fields: object) -> Project:
    """A project, as most tests need one."""
    project = await store.create("Shop", "python", KEY)
    return await store.put(replace(project, **fields)) if fields else project  # type: ignore[arg-type]


async def read(store: Store, project: Project) -> View:
    """The project's view, which must be there."""
    view = await store.read(project.id)
    assert view is not None
    return view


async def test_a_new_project_is_empty(store: Store) -> None:
    project = await store.create("Shop", "python", KEY)
    assert (project.name, project.platform, project.keys) == ("Shop", "python", (Key(KEY),))
    assert abs(project.created_at - now()) < MINUTE
    view = await read(store, project)
    assert (view.project, dict(view.state)) == (project, {})
    assert view.version > 0
    assert len(view.epoch) == 32
    assert abs(view.now - now()) < MINUTE


async def test_ids_are_free_ones(store: Store) -> None:
    first = await made(store)
    for number in range(first.id + 1, first.id + 4):
        await store.put(Project(number, "of the host", None, (), 0))
    projects = await asyncio.gather(*(made(store) for _ in range(5)))
    ids = [project.id for project in projects]
    assert len(set(ids)) == 5
    assert not set(ids) & set(range(first.id, first.id + 4))
    assert [project.name for project in await store.list(first.id, 3)] == ["of the host"] * 3


async def test_an_id_is_not_given_out_again(store: Store) -> None:
    project = await made(store)
    await store.delete(project.id)
    assert (await made(store)).id != project.id


async def test_the_largest_id_leaves_room_for_others(store: Store) -> None:
    await store.put(Project(MAX_PROJECT_ID, "the last", None, (), 0))
    one, two = await made(store), await made(store)
    assert len({one.id, two.id, MAX_PROJECT_ID}) == 3
    assert (await read(store, Project(MAX_PROJECT_ID, "", None, (), 0))).project.name == "the last"


async def test_put_makes_a_project_under_its_id(store: Store) -> None:
    project = await store.put(Project(42, "Ünïcode ☃ \0\n", None, (Key(KEY, enabled=False), Key(KEY[::-1])), 0))
    assert abs(project.created_at - now()) < MINUTE
    view = await read(store, project)
    assert view.project == project
    assert view.project.keys == (Key(KEY, enabled=False), Key(KEY[::-1]))


async def test_put_keeps_what_is_known(store: Store) -> None:
    project = await made(store)
    await store.apply({project.id: beat(now())}, now())
    before = await read(store, project)
    changed = await store.put(replace(project, name="Cart", keys=(), created_at=7))
    assert changed == replace(project, name="Cart", keys=())
    after = await read(store, project)
    assert after.project == changed
    assert (after.epoch, after.state) == (before.epoch, before.state)
    assert after.version > before.version


async def test_of_two_edits_at_the_same_moment_one_has_to_read_again(store: Store) -> None:
    project = await made(store)
    first = await store.edit(replace(project, name="First"))
    assert first is not None
    assert (first.name, first.revision > project.revision) == ("First", True)
    assert await store.edit(replace(project, name="Second")) is None
    assert (await read(store, project)).project == first
    again = await store.edit(replace(first, name="Second"))
    assert again is not None
    await store.put(replace(project, name="Synced"))  # whoever owns it all need not have read it
    assert await store.edit(again) is None
    assert (await read(store, project)).project.name == "Synced"
    assert await store.edit(replace(project, id=UNKNOWN)) is None
    assert await store.read(UNKNOWN) is None


async def test_tokens_are_revoked_and_stay_so(store: Store) -> None:
    project = await made(store)
    before = await read(store, project)
    assert (before.project.tokens_valid_from, before.project.revoked) == (0, frozenset())
    for token_id in ("abc", "bc", "abc", 'with:/~"\\', "bc"):
        assert await store.revoke(project.id, token_id, now())
    ids = frozenset({"abc", "bc", 'with:/~"\\'})
    await store.put(replace(project, name="Other"))  # as it was read before
    await store.reset(project.id, "f" * 32)
    after = await read(store, project)
    assert (after.project.name, after.project.revoked, after.version > before.version) == ("Other", ids, True)
    assert (await store.list(project.id - 1, 1))[0].revoked == ids


async def test_all_tokens_are_revoked_by_the_later_clock(store: Store) -> None:
    project = await made(store)
    await store.revoke(project.id, "abc", now())
    assert await store.revoke(project.id, None, now() + MINUTE)
    held = (await read(store, project)).project
    assert abs(held.tokens_valid_from - now() - MINUTE) < MINUTE / 2
    assert held.revoked == frozenset()
    assert await store.revoke(project.id, None, 0)
    assert (await read(store, project)).project.tokens_valid_from == held.tokens_valid_from  # never earlier again
    assert await store.revoke((other := await made(store)).id, None, 0)
    assert abs((await read(store, other)).project.tokens_valid_from - now()) < MINUTE / 2


async def test_nothing_is_revoked_of_a_project_that_is_none(store: Store) -> None:
    assert not await store.revoke(UNKNOWN, None, now())
    assert not await store.revoke(UNKNOWN, "abc", now())
    assert await store.read(UNKNOWN) is None


async def test_a_deleted_project_is_gone(store: Store) -> None:
    project, other = await made(store), await made(store)
    await store.apply({project.id: beat(now())}, now())
    epoch = (await read(store, project)).epoch
    assert await store.delete(project.id)
    assert not await store.delete(project.id)
    assert await store.read(project.id) is None
    assert set(await store.versions([project.id, other.id])) == {other.id}
    assert await store.list(0, 1) == [other]
    await store.put(project)
    again = await read(store, project)
    assert (again.epoch != epoch, dict(again.state)) == (True, {})


async def test_projects_are_listed_by_id_in_pages(store: Store) -> None:
    ids = [1, 9, 10, 2**53, 2**53 + 1, 2**53 + 2, MAX_PROJECT_ID]  # doubles cannot tell the middle ones apart
    for number in reversed(ids):
        await store.put(Project(number, str(number), None, (), 0))
    assert [project.id for project in await store.list(0, 100)] == ids
    assert [project.id for project in await store.list(9, 3)] == [10, 2**53, 2**53 + 1]
    assert [project.id for project in await store.list(2**53, 3)] == [2**53 + 1, 2**53 + 2, MAX_PROJECT_ID]
    assert await store.list(MAX_PROJECT_ID, 3) == []


async def test_an_update_is_kept(store: Store) -> None:
    project = await made(store)
    at = now()
    await store.apply({project.id: error(at)}, at)
    view = await read(store, project)
    assert set(view.state) == set(error(at))
    assert view.stage == 2
    assert view.time(CONNECTED_AT) == view.time(LAST_SEEN_AT)
    seen, text = view.stamped(FIRST_ERROR) or (0, "")
    assert (seen, text) == (view.time(LAST_SEEN_AT), '{"event_id":"e1"}')
    assert at <= seen <= at + MINUTE


@pytest.mark.parametrize("text", ["", " ", "1 2", "a\nb\r\n", "\0", "日本 \U0001f600", '{"a": "b"}', "x" * 10_000])
async def test_texts_come_back_as_they_were(store: Store, text: str) -> None:
    project = await made(store)
    await store.apply({project.id: {RELEASE: (now(), text), FIRST_ERROR: (now(), text)}}, now())
    view = await read(store, project)
    assert (view.text(RELEASE), view.text(FIRST_ERROR)) == (text, text)


async def test_what_is_older_only_moves_the_first_times(store: Store) -> None:
    project = await made(store)
    at = now()
    await store.apply({project.id: {**beat(at), RELEASE: (at, "new")}}, at)
    old: Update = {CONNECTED_AT: at - MINUTE, LAST_SEEN_AT: at - MINUTE, RELEASE: (at - MINUTE, "old")}
    await store.apply({project.id: {**old, PAYLOAD_AT: at}}, at)
    view = await read(store, project)
    assert view.text(RELEASE) == "new"
    apart = (view.time(LAST_SEEN_AT) or 0) - (view.time(CONNECTED_AT) or 0)
    assert MINUTE - 1000 < apart < MINUTE + 1000


async def test_first_is_decided_once(store: Store) -> None:
    project = await made(store)
    calls = (store.apply({project.id: error(now(), f"e{number}")}, now()) for number in range(50))
    answers = await asyncio.gather(*calls)
    assert sum(firsts(answer[project.id]) == {"first_error"} for answer in answers) == 1
    assert sum(firsts(answer[project.id]) == set() for answer in answers) == 49
    winner = next(number for number, answer in enumerate(answers) if firsts(answer[project.id]))
    view = await read(store, project)
    assert view.text(FIRST_ERROR) == f'{{"event_id":"e{winner}"}}'


async def test_one_call_updates_for_many_projects(store: Store) -> None:
    known = [await made(store) for _ in range(3)]
    at = now()
    answers = await store.apply({**{project.id: error(at) for project in known}, UNKNOWN: error(at)}, at)
    assert {number: firsts(change) for number, change in answers.items()} == {p.id: {"first_error"} for p in known}
    assert await store.read(UNKNOWN) is None
    assert set(await store.versions([UNKNOWN, *(project.id for project in known)])) == {p.id for p in known}
    assert await store.apply({}, at) == {}


async def test_the_version_rises_with_every_change(store: Store) -> None:
    project = await made(store)
    versions = [(await read(store, project)).version]
    for at in (now() + 1, now() + 2):
        await store.apply({project.id: named({"problem.too_large.count": 1, "last_seen_at": at})}, at)
        versions.append((await read(store, project)).version)
    await store.put(project)
    versions.append((await read(store, project)).version)
    await store.reset(project.id, "next")
    versions.append((await read(store, project)).version)
    assert sorted(set(versions)) == versions
    assert await store.versions([project.id]) == {project.id: ("next", versions[-1])}
    assert await store.versions([]) == {}


async def test_what_says_nothing_new_changes_nothing(store: Store) -> None:
    project = await made(store)
    at = now()
    await store.apply({project.id: {**error(at), RELEASE: (at, "b")}}, at)
    before = await read(store, project)
    old: list[Update] = [
        named({"stage": 1, "connected_at": at, "last_seen_at": at - MINUTE, "release": (at - MINUTE, "z")}),
        {},
        named({"stage": 2}),
    ]
    for update in old:
        await store.apply({project.id: update}, at)
    after = await read(store, project)
    assert after == replace(before, now=after.now)


async def test_a_silent_update_is_kept_in_silence(store: Store) -> None:
    project, ears = await made(store), Ears()
    before = await read(store, project)
    at = now()
    await store.apply({project.id: {WATCHED_AT: at}}, at)
    after = await read(store, project)
    assert after.state == {WATCHED_AT: after.time(WATCHED_AT)}
    assert after.version == before.version
    store.listen(ears)
    await store.apply({project.id: {WATCHED_AT: at, LAST_SEEN_AT: at}}, at)
    await until(lambda: ears.count("changed") == 1)
    assert (await read(store, project)).version > before.version


async def test_a_reset_starts_over(store: Store) -> None:
    project = await made(store)
    await store.apply({project.id: error(now())}, now())
    before = await read(store, project)
    assert await store.reset(project.id, "the next one")
    after = await read(store, project)
    assert (after.project, after.epoch, dict(after.state)) == (before.project, "the next one", {})
    assert after.version > before.version
    assert not await store.reset(UNKNOWN, "nothing to start over")
    assert await store.read(UNKNOWN) is None


async def test_updates_of_another_epoch_are_dropped(store: Store) -> None:
    project = await made(store)
    before = (await read(store, project)).epoch
    await store.reset(project.id, "the next one")
    at = now()
    assert await store.apply({project.id: error(at)}, at, {project.id: Origin(before)}) == {}
    assert dict((await read(store, project)).state) == {}
    change = (await store.apply({project.id: error(at)}, at, {project.id: Origin("the next one")}))[project.id]
    assert firsts(change) == {"first_error"}


@pytest.mark.parametrize("step", [-3_600_000, -3000, 3_600_000])
async def test_a_clock_that_steps_loses_nothing(store: Store, step: int) -> None:
    """Whoever sends the update has another clock than whoever made the project; only the epoch's name counts."""
    project = await made(store)
    epoch = (await read(store, project)).epoch
    at = now() + step
    change = (await store.apply({project.id: error(at)}, at, {project.id: Origin(epoch)}))[project.id]
    assert changed(change).after is Stage.FIRST_ERROR_RECEIVED
    assert (await read(store, project)).stage is Stage.FIRST_ERROR_RECEIVED


def changed(change: Change | StoreRejected) -> Change:
    """The change, which must be one."""
    assert isinstance(change, Change)
    return change


async def test_touch_raises_the_version_beyond(store: Store) -> None:
    project = await made(store)
    before = await read(store, project)
    assert not await store.touch({project.id: (before.epoch, before.version - 1)})  # it is beyond that
    assert not await store.touch({project.id: ("another epoch", before.version)})
    assert not await store.touch({UNKNOWN: (before.epoch, before.version)})
    assert not await store.touch({})
    assert await store.versions([project.id, UNKNOWN]) == {project.id: (before.epoch, before.version)}
    seen = before.epoch, before.version
    assert list(await store.touch({UNKNOWN: seen, project.id: seen})) == [project.id]
    raised = (await read(store, project)).version
    assert raised > before.version
    ahead = raised + 10**9  # a store that lost its last writes
    assert await store.touch({project.id: (before.epoch, ahead)})
    assert (await read(store, project)).version == ahead + 1
    await store.apply({project.id: beat(now())}, now())
    assert (await read(store, project)).version == ahead + 2
    await store.put(project)
    await store.reset(project.id, "next")
    assert (await read(store, project)).version == ahead + 4


async def test_changes_wake(store: Store) -> None:
    project = await made(store)
    ears = Ears()
    store.listen(ears)
    await until(lambda: store_is_quiet(ears))
    at = now()
    await store.apply({project.id: beat(at), UNKNOWN: beat(at)}, at)
    await store.apply({project.id: named({"stage": 1, "connected_at": at})}, at)  # nothing new: nobody is woken
    view = await read(store, project)
    await store.touch({project.id: (view.epoch, view.version)})
    await store.touch({project.id: (view.epoch, view.version)})  # is beyond already
    await store.put(project)
    await store.reset(project.id, "next")
    await store.delete(project.id)
    other = await made(store)
    await until(lambda: ("edited", other.id) in ears.heard)
    one, word = project.id, [heard for heard in ears.heard if heard[0] != "resync"]
    assert word == [("changed", one)] * 2 + [("edited", one)] * 2 + [("deleted", one), ("edited", other.id)]


def store_is_quiet(ears: Ears) -> bool:
    """Whether wake-ups of what was done before have passed by; then forget them."""
    ears.heard.clear()
    return True


async def test_whoever_looks_is_told_the_state_with_the_news(store: Store) -> None:
    project, ears = await made(store), Ears()
    await store.revoke(project.id, "a token", now())
    store.listen(ears)
    await store.apply({project.id: {WATCHED_AT: now(), **beat(now())}}, now(), None, {project.id})
    await until(lambda: ears.count("changed") == 1)
    connected = await read(store, project)
    await store.apply({project.id: error(now())}, now(), None, {project.id})
    await until(lambda: ears.count("changed") == 2)
    failed = await read(store, project)
    told = [view and replace(view, now=0) for view in ears.told]
    assert told == [replace(connected, now=0), replace(failed, now=0)]
    assert all(view and view.now <= failed.now for view in ears.told)


async def test_every_listener_is_told(store: Store) -> None:
    ears = [Ears(), Ears()]
    for listener in ears:
        store.listen(listener)
    project = await made(store)
    await until(lambda: all(("edited", project.id) in listener.heard for listener in ears))


async def test_it_can_serve(store: Store) -> None:
    await store.ping()


async def test_the_owner_of_a_key(store: Store) -> None:
    first = await store.create("one", None, "a" * 32)
    other = await store.put(Project(first.id + 7, "two", None, (Key("b" * 32), Key("c" * 32, enabled=False)), 0))
    assert await store.owner_of("a" * 32) == first.id
    assert [await store.owner_of(key * 32) for key in "bc"] == [other.id, other.id]
    assert await store.owner_of("d" * 32) is None
    await store.put(Project(other.id, "two", None, (Key("d" * 32), Key("a" * 32)), 0))
    assert await store.owner_of("b" * 32) is None
    assert await store.owner_of("a" * 32) == first.id
    await store.delete(first.id)
    assert await store.owner_of("a" * 32) == other.id


async def test_what_was_answered_before_it_could_be_stored_is_not_overtaken(store: Store) -> None:
    project, at, late = await made(store), now(), Origin(is_late=True)
    await store.apply({project.id: error(at, "e2")}, at)
    change = changed((await store.apply({project.id: error(at - MINUTE, "e1")}, at, {project.id: late}))[project.id])
    assert FIRST_ERROR in change.fields
    assert (await read(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'
    for origin in (late, Origin()):  # the later one never does, and the earlier one only if it was answered
        at = now()
        update = error(at if origin.is_late else at - 2 * MINUTE, "e0")
        await store.apply({project.id: update}, at, {project.id: origin})
    assert (await read(store, project)).text(FIRST_ERROR) == '{"event_id":"e1"}'


async def test_a_change_is_told_with_what_it_means(store: Store) -> None:
    project = await made(store)
    at = now()
    first = changed((await store.apply({project.id: beat(at)}, at))[project.id])
    assert (first.before, first.after, first.effect) == (Stage.AWAITING, Stage.CONNECTED, Effect.TRANSITION)
    assert set(first.fields) == set(beat(at))
    view = await store.read(project.id)
    seen = view.time(LAST_SEEN_AT) if view else None
    await until(lambda: now() > (seen or 0) + 1)  # by the store's clock, of whole milliseconds
    again = changed((await store.apply({project.id: beat(now())}, now()))[project.id])
    assert again.effect is Effect.REFRESH
    error_came = changed((await store.apply({project.id: error(at)}, at))[project.id])
    assert (error_came.before, error_came.after) == (Stage.CONNECTED, Stage.FIRST_ERROR_RECEIVED)
    update = named({"stage": 1, "connected_at": at})
    nothing = changed((await store.apply({project.id: update}, at))[project.id])
    assert (nothing.effect, dict(nothing.fields)) == (Effect.SILENT, {})


async def test_a_wake_up_tells_its_effect(store: Store) -> None:
    project, ears = await made(store), Ears()
    store.listen(ears)
    at = now()
    await store.apply({project.id: beat(at)}, at)
    view = await store.read(project.id)
    seen = view.time(LAST_SEEN_AT) if view else None
    await until(lambda: now() > (seen or 0) + 1)  # by the store's clock, of whole milliseconds
    await store.apply({project.id: beat(now())}, now())
    await until(lambda: ears.count("changed") == 2)
    assert ears.effects == [Effect.TRANSITION, Effect.REFRESH]
