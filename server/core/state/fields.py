"""The one table of meaning: every field that the state of a project can have, how it joins, and what its change means.

Everything that affects what is stored of a project, and who is told of it, is in this file. The stores join by it (in
Python and in Lua), and everything else switches on the effects that the stores report: which lane a write takes, whom a
change wakes, how soon viewers see it.

A field *is* its name, a string, so that stores and JSON need no translation. But only the constants below have the type
`Field`, and a misspelt one is an error at import.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, Self, TypeAlias

from ..model.codes import Code
from ..model.signals import Signal, Stage
from .rows import Table, named, newest


# All are associative, all but `ONCE` commutative, all but `SUM` idempotent, as in state-based CRDTs. So a retry, a late
# request and two workers at once lead to the same state, without a lock and in any order.
class Join(StrEnum):
    """How two values of one field become one. The word is also what the Lua script is told."""

    EARLIEST = "earliest"
    """A time; the smaller one wins."""
    LATEST = "latest"
    """A time; the larger one wins."""
    MAX = "max"
    """A number; the larger one wins."""
    SUM = "sum"
    """A count. The one join that is not idempotent, which is why an update with one is numbered when it is sent."""
    ONCE = "once"
    """A pair of time and text; the one committed first stays, whatever its time; only one that was answered before it
    could be stored takes the place of a later one."""
    LAST = "last"
    """A pair of time and text; the later one wins. Of the same time it is the larger text, so that all agree."""
    NEWEST = "newest"
    """Rows; the newest ones stay."""
    NAMED = "named"
    """Rows; the ones that are first by their text stay, whatever their times."""


class Effect(IntEnum):
    """What a change means, and to whom. A larger one includes the smaller ones."""

    SILENT = 0
    """It is kept, but the version stays and nobody is woken."""
    REFRESH = 1
    """Viewers, when it is convenient: last seen, counts, descriptions. It changes nothing that a person does."""
    NEWS = 2
    """Somebody waits for it."""
    TRANSITION = 3
    """The project is further than before: a stage, the first error, the first signal of a feature."""


class Field(str):
    """One row of the table.

    Args:
        name: as the stores keep it.
        join: how two values become one.
        first: what it means that the field is known at all.
        later: what a changed value means.
    """

    __slots__ = ("first", "joined_by", "kind", "later")

    joined_by: Join
    first: Effect
    later: Effect
    kind: str

    def __new__(  # noqa: D102 - see the class
        cls, name: str, join: Join, first: Effect = Effect.NEWS, later: Effect = Effect.REFRESH
    ) -> Self:
        self = super().__new__(cls, name)
        self.joined_by, self.first, self.later = join, first, later
        # The row as the Lua script is told it. So the script knows no names, and servers of two versions can share one
        # Redis. Made here, since it goes along with each field of each write.
        self.kind = f"{join} {first:d} {later:d}"
        return self


class Time(Field):
    """Milliseconds since the Unix epoch, by the clock of the process or store that holds the mapping."""


class Number(Field):
    """A whole number: a stage, a count."""


class Text(Field):
    """A text with the time that it was received."""


class Rows(Field):
    """A few texts with numbers, see `rows`."""

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return 2 if self.joined_by is Join.NEWEST else 3


Stamped: TypeAlias = tuple[int, str]
Value: TypeAlias = int | Stamped | Table
Update: TypeAlias = Mapping[Field, Value]
"""What one request changes. The same thing as a state: joining is what merging, coalescing and storing all do."""
State: TypeAlias = dict[Field, Value]


# Defaults: that something is known at all is news, and a later value is a refresh. Only exceptions are spelt out.
STAGE = Number("stage", Join.MAX, Effect.TRANSITION, Effect.TRANSITION)
FIRST_ERROR = Text("first_error", Join.ONCE, Effect.TRANSITION)
"""The first error as JSON. Later ones leave it as it is."""

CONNECTED_AT = Time("connected_at", Join.EARLIEST)
LAST_SEEN_AT = Time("last_seen_at", Join.LATEST)
PAYLOAD_AT = Time("payload_at", Join.LATEST)
"""The last request that was accepted with more than a heartbeat, a session or a report of losses. Those are small, take
their own ways, and go on while everything else is refused."""
ENVELOPE_AT = Time("envelope_at", Join.LATEST)
IN_TIME_AT = Time("in_time_at", Join.LATEST)
"""The last envelope whose `sent_at` agreed with this server's clock."""
PREFLIGHT_AT = Time("preflight_at", Join.LATEST)
"""When a browser last asked whether it may send (CORS)."""
CHECKED_AT = Time("checked_at", Join.LATEST, Effect.NEWS, Effect.NEWS)
"""When the page, the command or the doctor last tested the connection. The page is waiting for exactly this."""
CHECKED_BY = Text("checked_by", Join.LAST, Effect.NEWS, Effect.NEWS)
"""The last signal that showed the connection to work without being the app's, and its `Source`, as JSON."""
WATCHED_AT = Time("watched_at", Join.EARLIEST, Effect.SILENT, Effect.SILENT)
"""Since when somebody waits. It only starts a clock."""

# Three rows, for the names that requests of one application give differ; `sdks` sorts them in, and makes one of them.
FRAMEWORK_SDK = Text("sdk.framework", Join.LAST)
"""The SDK by a name with a framework (`sentry.python.flask`), as JSON."""
PLAIN_SDK = Text("sdk.plain", Join.LAST)
"""The SDK by a name without one (`sentry.python`), as JSON."""
UNVERSIONED_SDK = Text("sdk.unversioned", Join.LAST)
"""The SDK where it did not tell its version, as JSON."""
RELEASE = Text("release", Join.LAST)
ENVIRONMENT = Text("environment", Join.LAST)
RUNTIME = Text("runtime", Join.LAST)
CONFIG = Text("config", Join.LAST)
"""The configuration that a heartbeat told, as JSON."""
INTERVAL = Text("interval", Join.LAST)
"""Seconds between promised heartbeats."""
INFERRED: dict[str, Text] = {
    name: Text(f"inferred.{name}", Join.LAST) for name in ("traces_sample_rate", "integrations")
}
"""What is concluded of the configuration from ordinary traffic, as JSON."""
ERROR_EVENT_ID = Text("signal.error.event_id", Join.LAST)
LACKS = Text("lacks", Join.LAST)
"""What the stack of the latest error lacks to be read, and its platform, as JSON."""
ARRIVED = Rows("arrived", Join.NEWEST, Effect.REFRESH)
"""The latest requests with a valid key: what was said of each, with its time and size."""
ENVIRONMENTS = Rows("environments", Join.NAMED, Effect.REFRESH)
"""Where the application was seen: when last, when first, and whether an error came from there."""

RUNS = Rows("runs", Join.NEWEST, Effect.NEWS, Effect.NEWS)
"""Verification runs: when each began, and what was claimed in it. Only who shows a token writes these."""
MARKED = Rows("marked", Join.NEWEST)
"""What arrived with the marker of a run. Apart from the runs: whoever has a key could push them out."""


class SignalFields(NamedTuple):
    """When a signal was first and last seen."""

    first_at: Time
    last_at: Time


# Signals that no row of the feature checklist waits for: their first time is news, and no step forward.
_NO_FEATURES = frozenset({Signal.CLIENT_REPORT, Signal.MESSAGE, Signal.ATTACHMENT, Signal.CSP_REPORT})
SIGNALS: dict[Signal, SignalFields] = {
    signal: SignalFields(
        Time(
            f"signal.{signal}.first_at",
            Join.EARLIEST,
            Effect.NEWS if signal in _NO_FEATURES else Effect.TRANSITION,
        ),
        Time(f"signal.{signal}.last_at", Join.LATEST),
    )
    for signal in Signal
}


class ProblemFields(NamedTuple):
    """The sightings of one problem: how many in total, when, the latest evidence as JSON, and when it was resolved."""

    total: Number
    first_at: Time
    last_at: Time
    evidence: Text
    cured_at: Time


PROBLEMS: dict[str, ProblemFields] = {
    code: ProblemFields(
        Number(f"problem.{code}.count", Join.SUM),
        Time(f"problem.{code}.first_at", Join.EARLIEST),
        Time(f"problem.{code}.last_at", Join.LATEST),
        Text(f"problem.{code}.evidence", Join.LAST),
        # The first request after the last sighting writes it (`diagnosis.rules.cured`); where two processes each took
        # theirs for the first, the later one stays.
        Time(f"problem.{code}.cured_at", Join.LATEST),
    )
    for code in Code
}

# Closed lists again: names of a client report would otherwise become fields, and a stranger with a key could make a
# million of them. "ratelimit_backoff" is not among them, since it is a problem of its own.
DROP_REASONS = (
    "before_send", "callback_error", "event_processor", "sample_rate", "ignored", "invalid", "insufficient_data",
    "no_parent_span", "network_error", "send_error", "queue_overflow", "cache_overflow", "buffer_overflow",
    "backpressure", "internal_sdk_error", "own rules",
)  # fmt: skip
"""Why SDKs drop, as client reports say it; whatever else they say counts as the last."""
DROP_CATEGORIES = (
    "error", "transaction", "span", "session", "attachment", "monitor", "profile", "profile_chunk", "profile_chunk_ui",
    "replay", "feedback", "log_item", "trace_metric", "metric_bucket", "security", "default",
)  # fmt: skip
"""What SDKs drop; whatever else counts as the last. What is counted in bytes (`log_byte`, `trace_metric_byte`) is
counted by its number as well, and that is what people want to know."""
# Most of what SDKs report as dropped is what tracing samples away, on purpose. Only an error that is missing, or a loss
# that nobody asked for, keeps somebody waiting.
ERROR_CATEGORIES = frozenset({"error", "default"})
LOSSES = frozenset({"network_error", "send_error", "queue_overflow", "cache_overflow", "buffer_overflow"})
DROPPED: dict[tuple[str, str], Number] = {
    (reason, category): Number(f"dropped.{reason}.{category}", Join.SUM)
    for reason in DROP_REASONS
    for category in DROP_CATEGORIES
    if category in ERROR_CATEGORIES or reason in LOSSES
}
"""How many of a category an SDK dropped for a reason."""
FILTERED = frozenset({("event_processor", "error"), ("event_processor", "default")})
"""Losses that may be none: SDKs report a duplicate of the last error as dropped by an event processor, too."""
FILTERED_AT = Time("filtered_at", Join.EARLIEST)
"""When the first of those was reported. Apart from the problem, for what arrived before decides what it means."""


# By looking, not by a list: a constant that somebody forgot to list would be written and never read again.
def _rows() -> Iterable[Field]:
    yield from (row for row in globals().values() if isinstance(row, Field))
    yield from INFERRED.values()
    for fields in (*SIGNALS.values(), *PROBLEMS.values()):
        yield from fields
    yield from DROPPED.values()


FIELDS: dict[str, Field] = {str(row): row for row in _rows()}
"""Every row by its name: the state of a project is bounded by this table."""


def known(held: Mapping[str, Value]) -> State:
    """A state as a store holds it, by name. What this version does not know is left out: a newer one may have run."""
    return {FIELDS[name]: value for name, value in held.items() if name in FIELDS}


def stage_of(state: Update) -> Stage:
    """How far a project in this state is."""
    value = state.get(STAGE, 0)
    return _STAGES[value if isinstance(value, int) else 0]


_STAGES = tuple(Stage)  # by their numbers: 0.04 µs, where `Stage(…)` takes 0.4


def lacks(state: Update, known: Update) -> bool:
    """Whether a state has lost something of what it is known to have held: a field, a number that only grows, or what
    was first.

    A later time or text may be missing all the same. The next signal brings it.
    """
    return any(field not in state
               or (field.joined_by in _GROWING and _is_less(state[field], value))
               or (field.joined_by is Join.ONCE and _is_overtaken(state[field], value))
               for field, value in known.items())  # fmt: skip


def _is_less(one: Value, other: Value) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one < other


def _is_overtaken(one: Value, other: Value) -> bool:
    # Not where the texts are the same: the time of one may be the store's, and that of the other an estimate of it.
    return isinstance(one, tuple) and isinstance(other, tuple) and one > other and one[1] != other[1]


_GROWING = frozenset({Join.MAX, Join.SUM})


def join(state: State, update: Update, is_late: bool = False) -> dict[Field, Effect]:
    """Join an update into a state, in place.

    Args:
        is_late: it was answered before it could be stored, see `stores.Origin`.

    Returns:
        What changed, and what each change means; empty where the update said nothing new.
    """
    changed: dict[Field, Effect] = {}
    for field, new in update.items():
        old = state.get(field)
        if old is None:
            state[field] = new
            changed[field] = field.first
        elif old != new or field.joined_by is Join.SUM:  # nearly all are equal: the cheap test comes first
            value = (_EARLIER if is_late else _JOINED)[field.joined_by](old, new)
            if value != old:
                state[field] = value
                changed[field] = field.later
    return changed


_JOINED: dict[Join, Callable[[Any, Any], Value]] = {
    Join.EARLIEST: min,
    Join.LATEST: max,
    Join.MAX: max,
    Join.SUM: operator.add,
    Join.ONCE: lambda old, _: old,
    Join.LAST: max,  # of pairs: by the time, then by the text
    Join.NEWEST: newest,
    Join.NAMED: named,
}
"""How each join is computed, from what is held and what is new."""

_EARLIER: dict[Join, Callable[[Any, Any], Value]] = {**_JOINED, Join.ONCE: min}
"""The same for what was answered before it could be stored."""
