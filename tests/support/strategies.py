"""Updates as chance makes them."""

from __future__ import annotations

from hypothesis import strategies as st

from server.core.state.fields import FIELDS, Effect, Field, Join, Rows, Text, Time, Update, Value


def updates(times: st.SearchStrategy[int]) -> st.SearchStrategy[Update]:
    """Any update over some fields of each join and effect, so that they meet often."""
    chosen: dict[tuple[Join, Effect], list[Field]] = {}
    for field in FIELDS.values():
        chosen.setdefault((field.joined_by, field.first), []).append(field)
    fields = {field: _values(field, times) for rows in chosen.values() for field in rows[:2]}
    return st.fixed_dictionaries({}, optional=fields)


def _values(field: Field, times: st.SearchStrategy[int]) -> st.SearchStrategy[Value]:
    if isinstance(field, Text):
        return st.tuples(times, st.text(max_size=3))
    if isinstance(field, Rows):
        # Few texts, so that they meet. How many are kept is tried in tests/core/state/test_rows.py.
        # A row's times begin with the last.
        told = st.lists(times, min_size=field.width - 1, max_size=field.width - 1)
        rows = st.builds(lambda seen, number: (*sorted(seen, reverse=True), number), told, st.integers(0, 2))
        return st.dictionaries(st.sampled_from(["a", "a b", "\u0100"]), rows, min_size=1, max_size=2)
    return times if isinstance(field, Time) else st.integers(0, 2)
