"""The state is a join-semilattice, field by field; the one exception counts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.state.fields import (
    JOINS,
    STAMPED,
    TIMES,
    Join,
    State,
    Update,
    Value,
    aged,
    decided,
    is_news,
    is_silent,
    join,
    newest,
    next_version,
)

from ...support.strategies import updates
from ...support.updates import beat, error, shifted

TIME = st.integers(1_700_000_000_000, 1_700_000_000_005)
NOW = 1_700_000_000_005
RECORDS = updates(TIME)


def joined(*parts: Update) -> State:
    """What is known after these records, in this order."""
    state: State = {}
    for part in parts:
        join(state, part)
    return state


def without(update: Update, *kinds: Join) -> State:
    """The fields with other joins."""
    return {field: value for field, value in update.items() if JOINS[field] not in kinds}


@given(st.lists(RECORDS, max_size=6), st.randoms())
def test_the_order_of_records_does_not_matter(sequence: list[Update], rng: random.Random) -> None:
    parts = [without(part, Join.ONCE) for part in sequence]
    anyhow = rng.sample(parts, len(parts))
    assert joined(*parts) == joined(*anyhow)


@given(RECORDS, RECORDS, RECORDS)
def test_the_grouping_of_records_does_not_matter(a: Update, b: Update, c: Update) -> None:
    assert joined(joined(a, b), c) == joined(a, joined(b, c))  # also for `once`: whoever comes first stays


@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_a_record_that_comes_twice_counts_once(before: list[Update], update: Update) -> None:
    update = without(update, Join.SUM)
    state = joined(*before, update)
    again = dict(state)
    assert not join(again, update)
    assert again == state


@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_a_state_only_grows(before: list[Update], update: Update) -> None:
    old = joined(*before)
    new = joined(old, update)
    assert set(old) | set(update) == set(new)
    assert all(is_at_least(JOINS[field], new[field], value) for field, value in old.items())


def is_at_least(kind: Join, new: Value, old: Value) -> bool:
    """Whether a value is as high as another one, in the order of its join."""
    if kind is Join.ONCE:
        return new == old
    low, high = (new, old) if kind in (Join.EARLIEST, Join.MARK) else (old, new)
    return low <= high  # type: ignore[operator]


@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_join_says_whether_anything_changed(before: list[Update], update: Update) -> None:
    state = joined(*before)
    copy = dict(state)
    assert join(state, update) == (state != copy)


@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_what_is_no_news_decides_nothing_and_raises_no_stage(before: list[Update], update: Update) -> None:
    state = joined(*before)
    if not is_news(state, update):
        assert decided(state, update) == frozenset()
        after = joined(state, update)
        assert set(after) == set(state)
        assert after.get("stage") == state.get("stage")


@given(st.lists(RECORDS, max_size=4), RECORDS)
def test_first_is_decided_by_whoever_is_first(before: list[Update], update: Update) -> None:
    state = joined(*before)
    fields = decided(state, update)
    after = joined(state, update)
    assert fields == {field for field in update if JOINS[field] is Join.ONCE and state.get(field) is None}
    assert all(after[field] == update[field] for field in fields)
    assert decided(after, update) == frozenset()


@given(RECORDS, st.integers(-(10**7), 10**7))
def test_ages_carry_a_record_to_another_clock(update: Update, ahead: int) -> None:
    there = NOW + ahead
    rebuilt: State = {}
    for kind, field, number, text in aged(update, NOW):
        assert kind is JOINS[field]
        at = there - number if kind in TIMES | STAMPED else number
        rebuilt[field] = (at, text) if kind in STAMPED else at
    assert rebuilt == shifted(update, ahead)


def test_a_time_that_is_yet_to_come_is_now() -> None:
    update: Update = {"last_seen_at": NOW + 5, "release": (NOW + 5, "r1"), "stage": 2}
    assert list(aged(update, NOW)) == [
        (Join.LATEST, "last_seen_at", 0, ""),
        (Join.LAST, "release", 0, "r1"),
        (Join.MAX, "stage", 2, ""),
    ]


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
    state: State = {field: old}
    assert join(state, {field: new}) == (result != old)
    assert state == {field: result}


@pytest.mark.parametrize(
    ("update", "at"),
    [
        ({}, 0),
        ({"stage": 2, "problem.too_large.count": 7}, 0),
        ({"connected_at": 5, "stage": 9}, 5),
        ({"connected_at": 5, "release": (7, "r1"), "first_error": (6, "e")}, 7),
        ({"watched_at": 8, "last_seen_at": 3}, 8),
    ],
)
def test_the_newest_thing_in_a_record(update: Update, at: int) -> None:
    assert newest(update) == at


def test_news_is_what_a_viewer_waits_for() -> None:
    state = joined(beat(NOW))
    assert is_news({}, beat(NOW))
    assert is_news(state, error(NOW))
    assert is_news(state, {"stage": 2})
    assert not is_news(state, beat(NOW + 1000))
    assert not is_news({"release": (1, "r1")}, {"release": (2, "r2")})
    assert not is_news(state, {})


def test_silent_is_what_nobody_waits_for() -> None:
    assert is_silent({"watched_at": NOW})
    assert not is_silent({"watched_at": NOW, "last_seen_at": NOW})


def test_a_version_is_above_the_last_one_and_tells_the_time() -> None:
    assert next_version(0, 5) == 5000
    assert next_version(4999, 5) == 5000
    assert next_version(5000, 5) == 5001
    assert next_version(9000, 5) == 9001


def test_a_state_is_bounded() -> None:
    assert len(JOINS) < 400
    with pytest.raises(KeyError):
        list(aged({"no such field": 1}, NOW))
