"""Records as requests make them."""

from __future__ import annotations

import time

from server.core.state.fields import JOINS, TIMES, Join, Update, Value

KEY = "0123456789abcdef" * 2


def now() -> int:
    """The time in milliseconds."""
    return int(time.time() * 1000)


def beat(at: int) -> Update:
    """A heartbeat."""
    seen = dict.fromkeys(("connected_at", "last_seen_at", "accepted_at"), at)
    return {"stage": 1, **seen, "signal.heartbeat.first_at": at, "signal.heartbeat.last_at": at}


def error(at: int, event_id: str = "e1") -> Update:
    """An error, told apart by its event id."""
    times = {"connected_at": at, "last_seen_at": at, "signal.error.first_at": at, "signal.error.last_at": at}
    told = {"first_error": (at, f'{{"event_id":"{event_id}"}}'), "signal.error.event_id": (at, event_id)}
    return {"stage": 2, **times, **told}


def shifted(update: Update, by: int) -> Update:
    """The same record as another clock would have it, that many milliseconds ahead."""
    return {field: _shifted(JOINS[field], value, by) for field, value in update.items()}


def _shifted(kind: Join, value: Value, by: int) -> Value:
    if isinstance(value, tuple):
        return value[0] + by, value[1]
    return value + by if kind in TIMES else value
