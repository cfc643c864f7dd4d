"""Records as chance makes them."""

from __future__ import annotations

from hypothesis import strategies as st

from server.core.state.fields import JOINS, STAMPED, TIMES, Join, Update, Value


def updates(times: st.SearchStrategy[int]) -> st.SearchStrategy[Update]:
    """Any record over some fields of each join, so that they meet often."""
    chosen = {kind: [field for field in JOINS if JOINS[field] is kind][:2] for kind in Join}
    fields = {field: _values(kind, times) for kind, names in chosen.items() for field in names}
    return st.fixed_dictionaries({}, optional=fields)


def _values(kind: Join, times: st.SearchStrategy[int]) -> st.SearchStrategy[Value]:
    if kind in STAMPED:
        return st.tuples(times, st.text(max_size=3))
    return times if kind in TIMES else st.integers(0, 3)
