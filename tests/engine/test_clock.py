"""What is used stays, however much passes by, and nothing grows beyond its size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.engine.clock import STEPS, Clock


class Entry:
    """Something that is held."""

    def __init__(self, key: int, is_used: bool = False) -> None:
        self.key = key
        self.is_used = is_used


def test_what_is_used_stays_while_others_pass_by() -> None:
    clock: Clock[int, Entry] = Clock(10)
    for key in range(10):
        clock.put(key, Entry(key))
    for key in range(100, 1100):
        for used in (3, 7):
            entry = clock.get(used)
            assert entry, f"{used} is gone after {key - 100} others"
            entry.is_used = True
        assert clock.put(key, Entry(key))
    assert len(clock) == 10


def test_a_load_in_turn_finds_most_of_what_is_held() -> None:
    clock: Clock[int, Entry] = Clock(1000, stays=8)
    for _ in range(3):
        found = 0
        for key in range(1500):
            entry = clock.get(key)
            if entry:
                found += 1
                entry.is_used = True
            else:
                clock.put(key, Entry(key))
    assert found > 800


def test_what_takes_the_place_of_all_others_finds_it() -> None:
    clock: Clock[int, Entry] = Clock(100, stays=8)
    for key in [*range(100), *(list(range(1000, 1050)) * 20)]:
        entry = clock.get(key)
        if entry:
            entry.is_used = True
        else:
            clock.put(key, Entry(key))
    assert sum(key >= 1000 for key in clock) > 40


def test_where_all_are_used_one_goes_all_the_same() -> None:
    clock: Clock[int, Entry] = Clock(2 * STEPS)
    for key in range(2 * STEPS):
        clock.put(key, Entry(key, is_used=True))
    assert clock.put(1000, Entry(1000))
    assert sum(clock.get(key).is_used for key in clock) == STEPS  # type: ignore[union-attr]  # a bounded walk


@given(st.lists(st.tuples(st.sampled_from(["put", "pop", "use"]), st.integers(0, 12)), max_size=200))
def test_it_is_a_mapping_that_does_not_grow(deeds: list[tuple[str, int]]) -> None:
    clock: Clock[int, Entry] = Clock(5)
    held: dict[int, Entry] = {}
    for deed, key in deeds:
        if deed == "put":
            held[key] = Entry(key)
            gone = clock.put(key, held[key])
            if gone:
                assert held.pop(gone.key) is gone
        elif deed == "pop":
            assert clock.pop(key) is held.pop(key, None)
        elif key in held:
            held[key].is_used = True
        assert len(clock) == len(held) <= 5
        assert {each: clock.get(each) for each in clock} == held
        assert len(clock._ring) <= 5
