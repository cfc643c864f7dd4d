"""The same records give the same state on both stores: the Lua script joins as the core does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.core.project import Project
from server.core.state import Record
from server.stores import Store
from server.stores.embedded import EmbeddedStore

from ..conftest import new_epoch, redis_store
from ..support.records import KEY, now, shifted
from ..support.strategies import records

RECENT = st.integers(-5000, 0)
"""Times in milliseconds, relative to the moment of recording."""


@pytest.fixture
async def pair(tmp_path: Path, redis_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Both stores, empty."""
    embedded = EmbeddedStore(tmp_path / "firstlight.db", time.time, new_epoch)
    async with embedded, redis_store(redis_url) as redis:
        yield embedded, redis


@given(sequence=st.lists(records(RECENT), max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_random_records_give_equal_states(pair: tuple[Store, Store], sequence: list[Record]) -> None:
    embedded, redis = pair
    one, two = await embedded.create("", None, KEY), await redis.create("", None, KEY)
    for relative in sequence:
        record = {**relative, "signal.replay.last_at": 0}
        at = now()
        decided = await redis.record({two.id: shifted(record, at)}, at)
        stored_at = (await state_of(redis, two))["signal.replay.last_at"]  # the server's clock cannot be set, but read
        assert isinstance(stored_at, int)
        same = await embedded.record({one.id: shifted(record, stored_at)}, stored_at)
        assert decided[two.id] == same[one.id]
    assert await state_of(redis, two) == await state_of(embedded, one)


async def test_ties_in_time_go_by_the_text(redis_url: str) -> None:
    async with redis_store(redis_url) as redis:
        ties = 0
        while not ties:  # two calls at once mostly fall into the same millisecond
            project = await redis.create("", None, KEY)
            for text, field in (("b\x7f", "last_seen_at"), ("b", "accepted_at"), ("b\u0100", "signal.log.last_at")):
                at = now()
                await redis.record({project.id: {"release": (at, text), field: at}}, at)
            state = await state_of(redis, project)
            stamps = [state[field] for field in ("last_seen_at", "accepted_at", "signal.log.last_at")]
            assert state["release"] == max(zip(stamps, ("b\x7f", "b", "b\u0100"), strict=True))
            ties = stamps[0] == stamps[1]


async def state_of(store: Store, project: Project) -> Record:
    """The stored state."""
    reading = await store.read(project.id)
    assert reading is not None
    return reading.state
