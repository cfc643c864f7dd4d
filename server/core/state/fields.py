"""The state of a project as a join-semilattice, so that no order, duplicate or delay can spoil it.

A *record* (what one request proves) and a *state* (what is known of a project) are the same thing: a flat mapping from
field to value. Each field has one way to be joined, given by `JOINS`; joining is what merging, coalescing and storing
all do. The stores carry the joins out (in Python and in Lua) and know nothing else about onboarding.

Times are whole milliseconds since the Unix epoch, by the clock of whoever holds the mapping.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from ..model.codes import RECORDED
from ..model.signals import Signal


class Join(StrEnum):
    """How two values of one field become one. The word is also what the Lua script is told."""

    EARLIEST = "earliest"
    """A time; the smaller one wins."""
    MARK = "mark"
    """A time that no viewer waits for; the smaller one wins, and the version stays."""
    LATEST = "latest"
    """A time; the larger one wins."""
    MAX = "max"
    """A number; the larger one wins."""
    SUM = "sum"
    """A count. The one join that is not idempotent: a retry whose first try did get through counts twice."""
    ONCE = "once"
    """A pair of time and text; whichever is committed first stays for good."""
    LAST = "last"
    """A pair of time and text; the later one wins, ties by the text."""


Stamped: TypeAlias = tuple[int, str]
Value: TypeAlias = int | Stamped
Update: TypeAlias = Mapping[str, Value]
State: TypeAlias = dict[str, Value]

TIMES = frozenset({Join.EARLIEST, Join.LATEST, Join.MARK})
STAMPED = frozenset({Join.ONCE, Join.LAST})

INFERRED = ("traces_sample_rate", "integrations")
"""What is concluded of the configuration from ordinary traffic, as JSON."""
DROP_REASONS = (
    "before_send", "event_processor", "sample_rate", "network_error", "send_error", "queue_overflow",
    "cache_overflow", "buffer_overflow", "backpressure", "internal_sdk_error", "own rules",
)  # fmt: skip
"""Why SDKs drop, as client reports say it; whatever else they say counts as the last."""
DROP_CATEGORIES = (
    "error", "transaction", "span", "session", "attachment", "monitor", "profile", "profile_chunk", "replay",
    "feedback", "log_item", "log_byte", "trace_metric", "metric_bucket", "security", "default",
)  # fmt: skip
"""What SDKs drop; whatever else counts as the last."""


def _joins() -> Iterable[tuple[str, Join]]:
    yield "stage", Join.MAX
    yield "connected_at", Join.EARLIEST
    yield "last_seen_at", Join.LATEST
    for field in ("accepted_at", "envelope_at", "in_time_at", "checked_at", "preflight_at"):
        yield field, Join.LATEST
    yield "watched_at", Join.MARK
    yield "first_error", Join.ONCE
    for field in ("client_sdk", "payload_sdk", "release", "environment", "runtime", "config", "interval"):
        yield field, Join.LAST
    for name in INFERRED:
        yield f"inferred.{name}", Join.LAST
    for signal in Signal:
        yield f"signal.{signal}.first_at", Join.EARLIEST
        yield f"signal.{signal}.last_at", Join.LATEST
    yield "signal.error.event_id", Join.LAST
    for code in RECORDED:
        yield f"problem.{code}.count", Join.SUM
        yield f"problem.{code}.first_at", Join.EARLIEST
        yield f"problem.{code}.last_at", Join.LATEST
        yield f"problem.{code}.evidence", Join.LAST
    for reason in DROP_REASONS:
        for category in DROP_CATEGORIES:
            yield f"dropped.{reason}.{category}", Join.SUM


JOINS: dict[str, Join] = dict(_joins())
"""Every field that a state can have: the state of a project is bounded by this table."""


def join(state: State, update: Update) -> bool:
    """Join a record into a state, in place. Returns whether anything changed."""
    changed = False
    for field, new in update.items():
        old = state.get(field)
        if old is None:
            state[field] = new
            changed = True
        elif old != new or JOINS[field] is Join.SUM:
            value = _JOINED[JOINS[field]](old, new)
            if value != old:
                state[field] = value
                changed = True
    return changed


_JOINED: dict[Join, Callable[[Any, Any], Value]] = {
    Join.EARLIEST: min,
    Join.MARK: min,
    Join.LATEST: max,
    Join.MAX: max,
    Join.SUM: operator.add,
    Join.ONCE: lambda old, _: old,
    Join.LAST: max,  # of pairs: the later, ties by the text
}
"""How each join is computed, from what is held and what is new."""


def is_news(state: Update, update: Update) -> bool:
    """Whether a record says something that a viewer waits for.

    A field that was not known before is news, and so is a higher stage. Later times, higher counts and changed
    descriptions of a known project are not: they can wait for the next coalesced write.
    """
    for field, new in update.items():
        old = state.get(field)
        if old is None or (JOINS[field] is Join.MAX and new > old):  # type: ignore[operator]
            return True
    return False


def is_silent(update: Update) -> bool:
    """Whether nothing in a record is for viewers."""
    return all(JOINS[field] is Join.MARK for field in update)


def decided(state: Update, update: Update) -> frozenset[str]:
    """The fields with the join `once` that a record would decide, were it joined now."""
    return frozenset(field for field in update if JOINS[field] is Join.ONCE and field not in state)


def newest(update: Update) -> int:
    """When the newest thing in a record was received."""
    return max(
        (v[0] if isinstance(v, tuple) else v for f, v in update.items() if JOINS[f] not in (Join.MAX, Join.SUM)),
        default=0,
    )


def next_version(version: int, now: int) -> int:
    """A version above `version`, in microseconds of the store's clock.

    A clock and not a counter, so that a store that lost its last writes never gives out the same version twice.
    """
    return max(version + 1, now * 1000)


def aged(update: Update, now: int) -> Iterable[tuple[Join, str, int, str]]:
    """A record as (join, field, number, text) with times as ages in milliseconds.

    A store on another host with another clock turns the ages into its own times.
    """
    for field, value in update.items():
        kind = JOINS[field]
        if kind in STAMPED:
            at, text = value  # type: ignore[misc]
            yield kind, field, max(0, now - at), text
        else:
            number: int = value  # type: ignore[assignment]
            yield kind, field, max(0, now - number) if kind in TIMES else number, ""
