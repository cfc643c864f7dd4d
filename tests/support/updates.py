"""Records as requests make them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from server.core.model.errors import StoreRejected
from server.core.state.change import Change
from server.core.state.fields import FIELDS, Field, Join, Time, Update, Value

KEY = "0123456789abcdef" * 2


def now() -> int:
    """The time in milliseconds."""
    return int(time.time() * 1000)


def named(values: Mapping[str, Value]) -> Update:
    """An update by the names of its fields."""
    return {FIELDS[name]: value for name, value in values.items()}


def firsts(change: Change | StoreRejected) -> set[Field]:
    """The fields that this change decided for good."""
    assert isinstance(change, Change)
    return {field for field in change.fields if field.joined_by is Join.ONCE}


def beat(at: int) -> Update:
    """A heartbeat."""
    seen = dict.fromkeys(("connected_at", "last_seen_at"), at)
    return named({"stage": 1, **seen, "signal.heartbeat.first_at": at, "signal.heartbeat.last_at": at})


def error(at: int, event_id: str = "e1") -> Update:
    """An error, told apart by its event id, with the rows that it leaves."""
    rows: dict[str, Value] = {
        "arrived": {f'{{"endpoint":"store","event_id":"{event_id}"}}': (at, 100)},
        "environments": {"0production": (at, at, 1)},
    }
    times = {"connected_at": at, "last_seen_at": at, "signal.error.first_at": at, "signal.error.last_at": at}
    told = {"first_error": (at, f'{{"event_id":"{event_id}"}}'), "signal.error.event_id": (at, event_id)}
    return named({"stage": 2, **times, **told, **rows})


def shifted(update: Update, by: int) -> Update:
    """The same update as another clock would have it, that many milliseconds ahead."""
    return {field: _shifted(field, value, by) for field, value in update.items()}


def _shifted(field: Field, value: Value, by: int) -> Value:
    if isinstance(value, tuple):
        return value[0] + by, value[1]
    if isinstance(value, dict):
        return {text: (*(at + by for at in row[:-1]), row[-1]) for text, row in value.items()}
    return value + by if isinstance(field, Time) else value
