"""The state is a join-semilattice, field by field; the one exception counts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.model.signals import Stage
from server.core.state import bits
from server.core.state.change import Change
from server.core.state.clocks import aged, next_version, read
from server.core.state.fields import (
    FIELDS,
    FIRST_ERROR,
    LAST_SEEN_AT,
    RELEASE,
    STAGE,
    Effect,
    Field,
    Join,
    Number,
    Rows,
    State,
    Text,
    Time,
    Update,
    Value,
    join,
    known,
    stage_of,
)

from ...support.strategies import updates
from ...support.updates import beat, error, named, shifted

TIME = st.integers(1_700_000_000_000, 1_700_000_000_005)
NOW = 1_700_000_000_005
UPDATES = updates(TIME)


def joined(*parts: Update) -> State:
    """What is known after these updates, in this order."""
    state: State = {}
    for part in parts:
        join(state, part)
    return state


def effect_of(state: Update, update: Update) -> Effect:
    """What an update means, told by which fields the state has."""
    return bits.effect_of(bits.bits_of(state), bits.bits_of(update))


def without(update: Update, *kinds: Join) -> State:
    """The fields with other joins."""
    return {field: value for field, value in update.items() if field.joined_by not in kinds}


@given(st.lists(UPDATES, max_size=6), st.randoms())
def test_the_order_of_updates_does_not_matter(sequence: list[Update], rng: random.Random) -> None:
    parts = [without(part, Join.ONCE) for part in sequence]
    anyhow = rng.sample(parts, len(parts))
    assert joined(*parts) == joined(*anyhow)


@given(UPDATES, UPDATES, UPDATES)
def test_the_grouping_of_updates_does_not_matter(a: Update, b: Update, c: Update) -> None:
    assert joined(joined(a, b), c) == joined(a, joined(b, c))  # also for `once`: whoever comes first stays


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_an_update_that_comes_twice_counts_once(before: list[Update], update: Update) -> None:
    update = without(update, Join.SUM)
    state = joined(*before, update)
    again = dict(state)
    assert not join(again, update)
    assert again == state


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_a_state_only_grows(before: list[Update], update: Update) -> None:
    old = joined(*before)
    new = joined(old, update)
    assert set(old) | set(update) == set(new)
    assert all(is_at_least(field.joined_by, new[field], value) for field, value in old.items())


def is_at_least(kind: Join, new: Value, old: Value) -> bool:
    """Whether a value is as high as another one, in the order of its join."""
    if kind is Join.ONCE:
        return new == old
    if isinstance(new, dict) and isinstance(old, dict):
        # A row that stays only rises; one that goes made room for others.
        return len(new) >= len(old) and all(new[text][0] >= old[text][0] for text in new.keys() & old.keys())
    low, high = (new, old) if kind is Join.EARLIEST else (old, new)
    return low <= high  # type: ignore[operator]


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_join_says_whether_anything_changed(before: list[Update], update: Update) -> None:
    state = joined(*before)
    copy = dict(state)
    assert bool(join(state, update)) == (state != copy)


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_what_is_no_news_decides_nothing_and_raises_no_stage(before: list[Update], update: Update) -> None:
    state = joined(*before)
    if effect_of(state, update) < Effect.NEWS:
        after = joined(state, update)
        new = set(after) - set(state)
        assert all(field.first < Effect.NEWS for field in new)
        assert after.get(STAGE) == state.get(STAGE)


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_first_is_decided_by_whoever_is_first(before: list[Update], update: Update) -> None:
    state = joined(*before)
    after = dict(state)
    decided = {field for field in join(after, update) if field.joined_by is Join.ONCE}
    assert decided == {field for field in update if field.joined_by is Join.ONCE and state.get(field) is None}
    assert all(after[field] == update[field] for field in decided)
    assert not {field for field in join(after, update) if field.joined_by is Join.ONCE}


@given(st.lists(UPDATES, max_size=4), UPDATES)
def test_the_effect_is_told_before_it_happens(before: list[Update], update: Update) -> None:
    """It may be less: what is told before does not know whether a value is the same as the one that is held."""
    state = joined(*before)
    expected, old, again = effect_of(state, update), stage_of(state), update.keys() & state.keys() - {STAGE}
    found = Change(join(state, update), old, stage_of(state)).effect
    assert found <= expected
    assert found is expected or any(field.later is expected for field in again)


@given(UPDATES, st.integers(-(10**7), 10**7))
def test_ages_carry_an_update_to_another_clock(update: Update, ahead: int) -> None:
    there = NOW + ahead
    rebuilt: State = {}
    for field, number, text in aged(update, NOW):
        rebuilt[field] = read(field, number if isinstance(field, Number) else there - number, text)
    assert rebuilt == shifted(update, ahead)


def test_a_time_that_is_yet_to_come_is_now() -> None:
    update: Update = {LAST_SEEN_AT: NOW + 5, RELEASE: (NOW + 5, "r1"), STAGE: 2}
    assert list(aged(update, NOW)) == [(LAST_SEEN_AT, 0, ""), (RELEASE, 0, "r1"), (STAGE, 2, "")]


@pytest.mark.parametrize(
    ("field", "old", "new", "result"),
    [
        ("stage", 1, 2, 2),
        ("stage", 2, 1, 2),
        ("connected_at", 5, 3, 3),
        ("connected_at", 3, 5, 3),
        ("watched_at", 5, 3, 3),
        ("last_seen_at", 5, 3, 5),
        ("last_seen_at", 3, 5, 5),
        ("problem.too_large.count", 2, 3, 5),
        ("first_error", (5, "a"), (3, "b"), (5, "a")),
        ("release", (5, "a"), (3, "b"), (5, "a")),
        ("release", (3, "b"), (5, "a"), (5, "a")),
        ("release", (5, "a"), (5, "b"), (5, "b")),
        ("release", (5, "b"), (5, "a"), (5, "b")),
    ],
)
def test_two_values_become_one(field: str, old: Value, new: Value, result: Value) -> None:
    state = dict(named({field: old}))
    assert bool(join(state, named({field: new}))) == (result != old)
    assert state == {field: result}


def test_news_is_what_a_viewer_waits_for() -> None:
    state = joined(beat(NOW))
    assert effect_of({}, beat(NOW)) is Effect.TRANSITION
    assert effect_of(state, error(NOW)) is Effect.TRANSITION
    assert effect_of(state, {STAGE: 2}) is Effect.TRANSITION
    assert effect_of(state, named({"problem.too_large.count": 1})) is Effect.NEWS
    assert effect_of(state, named({"checked_at": 1})) is effect_of(named({"checked_at": 1}), named({"checked_at": 2}))
    assert effect_of(state, beat(NOW + 1000)) is Effect.REFRESH
    assert effect_of({RELEASE: (1, "r1")}, {RELEASE: (2, "r2")}) is Effect.REFRESH
    assert effect_of(state, {}) is Effect.SILENT


def test_silent_is_what_nobody_waits_for() -> None:
    assert effect_of({}, named({"watched_at": NOW})) is Effect.SILENT
    assert effect_of({}, named({"watched_at": NOW, "last_seen_at": NOW})) > Effect.SILENT


def test_a_change_tells_the_stages() -> None:
    assert stage_of({}) is Stage.AWAITING
    assert stage_of(error(NOW)) is Stage.FIRST_ERROR_RECEIVED
    change = Change({}, Stage.CONNECTED, Stage.CONNECTED)
    assert change.effect is Effect.SILENT


def test_a_version_is_above_the_last_one_and_tells_the_time() -> None:
    assert next_version(0, 5) == 5000
    assert next_version(4999, 5) == 5000
    assert next_version(5000, 5) == 5001
    assert next_version(9000, 5) == 9001


def test_a_state_is_bounded() -> None:
    assert len(FIELDS) < 400
    assert known({"no such field": 1, "stage": 1}) == {STAGE: 1}
    assert all(isinstance(field, Time | Number | Text | Rows) for field in FIELDS.values())


def test_every_row_is_what_its_type_says() -> None:
    kinds: dict[type[Field], set[Join]] = {
        Time: {Join.EARLIEST, Join.LATEST},
        Number: {Join.MAX, Join.SUM},
        Text: {Join.ONCE, Join.LAST},
        Rows: {Join.NEWEST, Join.NAMED},
    }
    for name, field in FIELDS.items():
        assert field == name
        assert field.joined_by in kinds[type(field)]
        assert field.later <= field.first
    assert FIELDS["first_error"] is FIRST_ERROR
