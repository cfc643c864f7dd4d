"""Rows join like everything else, in any order and grouping, also where more come than are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.state.rows import MAX_ROWS, Table, named, newest, packed, unpacked

MANY = st.sets(st.integers(0, MAX_ROWS + 10), max_size=MAX_ROWS)


def table(width: int) -> st.SearchStrategy[Table]:
    """Rows of any of thirty texts, which three tables together are sure to have too many of."""
    numbers = st.tuples(*[st.integers(0, 3)] * width)
    return st.builds(lambda chosen, row: {f"{n:02d}": (row[0] + n % 4, *row[1:]) for n in chosen}, MANY, numbers)


@pytest.mark.parametrize(("join", "width"), [(newest, 2), (named, 3)])
@given(data=st.data())
def test_the_bound_changes_nothing_of_the_laws(
    join: Callable[[Table, Table], Table], width: int, data: st.DataObject
) -> None:
    a, b, c = (data.draw(table(width)) for _ in range(3))
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(join(a, b), b) == join(a, b)
    assert len(join(join(a, b), c)) <= MAX_ROWS


def test_the_newest_stay() -> None:
    rows: Table = {}
    for at in range(30):
        rows = newest(rows, {f"row {at}": (at, 7)})
    assert rows == {f"row {at}": (at, 7) for at in range(10, 30)}
    assert newest(rows, {"row 12": (40, 8)})["row 12"] == (40, 8)
    assert newest(rows, {"row 12": (11, 8)}) == rows


def test_the_first_by_name_stay_with_all_that_is_known_of_them() -> None:
    rows: Table = {}
    for at in range(30):
        rows = named(rows, {f"{at:02d}": (at, at, 0)})
    assert sorted(rows) == [f"{at:02d}" for at in range(20)]
    assert named(rows, {"05": (50, 50, 1)})["05"] == (50, 5, 1)
    assert named(rows, {"05": (1, 1, 0)})["05"] == (5, 1, 0)


def test_rows_travel_as_a_time_and_a_text() -> None:
    assert packed({"a b": (90, 5), "c": (100, 6)}) == (100, "10 5 a b\n0 6 c")
    assert unpacked(1100, "10 5 a b\n0 6 c", 2) == {"a b": (1090, 5), "c": (1100, 6)}
    assert unpacked(*packed({"1x y": (9, 3, 1)}), 3) == {"1x y": (9, 3, 1)}
