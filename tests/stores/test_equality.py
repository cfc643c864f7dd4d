"""The same updates give the same state on both stores: the Lua script joins as the core does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.core.model.project import Project
from server.core.model.signals import Signal
from server.core.state.fields import ARRIVED, ENVIRONMENTS, FIELDS, RELEASE, SIGNALS, Update
from server.core.state.rows import MAX_ROWS
from server.stores import Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.strategies import updates
from ..support.updates import KEY, named, now, shifted

RECENT = st.integers(-5000, 0)
"""Times in milliseconds, relative to the moment of recording."""


@pytest.fixture(params=["redis_url", "cluster_url"])
async def pair(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Store, Store]]:
    """Both stores, empty."""
    embedded = EmbeddedStore(tmp_path / "firstlight.db", time.time, new_epoch)
    async with embedded, redis_store(request.getfixturevalue(request.param)) as redis:
        yield embedded, redis


@given(sequence=st.lists(updates(RECENT), max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_random_records_give_equal_states(pair: tuple[Store, Store], sequence: list[Update]) -> None:
    embedded, redis = pair
    one, two = await embedded.create("", None, KEY), await redis.create("", None, KEY)
    for relative in sequence:
        update = {**relative, SIGNALS[Signal.REPLAY].last_at: 0}
        at = now()
        change = await redis.apply({two.id: shifted(update, at)}, at)
        stored_at = (await state_of(redis, two))[
            SIGNALS[Signal.REPLAY].last_at
        ]  # the server's clock cannot be set, but read
        assert isinstance(stored_at, int)
        same = await embedded.apply({one.id: shifted(update, stored_at)}, stored_at)
        assert change[two.id] == same[one.id]
    assert await state_of(redis, two) == await state_of(embedded, one)


async def test_rows_are_cut_alike(pair: tuple[Store, Store]) -> None:
    embedded, redis = pair
    one, two = await embedded.create("", None, KEY), await redis.create("", None, KEY)
    for ages in (range(30), range(0, 3000, 100), [5, 5, 5]):
        update: Update = {
            ARRIVED: {f"row {age % 7} {age}": (-age, age) for age in ages},
            ENVIRONMENTS: {f"{age % 50}": (-age, -age - 1, age % 2) for age in ages},
            SIGNALS[Signal.REPLAY].last_at: 0,
        }
        at = now()
        await redis.apply({two.id: shifted(update, at)}, at)
        stored_at = (await state_of(redis, two))[SIGNALS[Signal.REPLAY].last_at]
        assert isinstance(stored_at, int)
        await embedded.apply({one.id: shifted(update, stored_at)}, stored_at)
    assert await state_of(redis, two) == await state_of(embedded, one)
    assert {len(value) for value in (await state_of(redis, two)).values() if isinstance(value, dict)} == {MAX_ROWS}


async def test_ties_in_time_go_by_the_text(redis_url: str) -> None:
    async with redis_store(redis_url) as redis:
        ties = 0
        while not ties:  # two calls at once mostly fall into the same millisecond
            project = await redis.create("", None, KEY)
            for text, field in (("b\x7f", "last_seen_at"), ("b", "payload_at"), ("b\u0100", "signal.log.last_at")):
                at = now()
                await redis.apply({project.id: named({"release": (at, text), field: at})}, at)
            state = dict(await state_of(redis, project))
            stamps = [state[FIELDS[field]] for field in ("last_seen_at", "payload_at", "signal.log.last_at")]
            assert state[RELEASE] == max(zip(stamps, ("b\x7f", "b", "b\u0100"), strict=True))
            ties = stamps[0] == stamps[1]


async def state_of(store: Store, project: Project) -> Update:
    """The stored state."""
    view = await store.read(project.id)
    assert view is not None
    return view.state
