"""One consistent read of a project, and what follows from it at a point in time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import msgspec

from ..model.project import Project
from ..model.signals import Signal, Stage, strongest
from . import fields, sdks
from .fields import Number, Rows, Stamped, Text, Time, Update, lacks
from .rows import Table

QUIET_AFTER = 2.5
"""Intervals without a promised beat after which a project is quiet: one beat may be lost and the next one late."""


class Liveness(StrEnum):
    """Whether the application runs now, as far as its signals tell."""

    NEVER = "never"
    LIVE = "live"
    QUIET = "quiet"
    SEEN = "seen"
    """It promised no beats, so silence says nothing: most programs only send when something happens."""


@dataclass(frozen=True)
class View:
    """One consistent read of a project from the store. It never changes, so what is asked for often is found out once.

    Args:
        version: larger than any before it in the same epoch.
        now: the store's clock at the read, in milliseconds.
        began: the first version of the epoch; 0 where that is not known.
    """

    project: Project
    epoch: str
    version: int
    state: Update
    now: int
    began: int = 0

    def exceeds(self, stored: View) -> bool:
        """Whether a store that holds `stored` has lost something of what was read before: this."""
        if self.project.revision > stored.project.revision or self.project.created_at < stored.project.created_at:
            return True
        return lacks(stored.state, self.state) if self.epoch == stored.epoch else self._is_of_later_epoch(stored)

    def _is_of_later_epoch(self, stored: View) -> bool:
        # Not by the versions, which go on: whoever has not heard of the last reset may have written since.
        if self.began and stored.began:
            return self.began > stored.began
        return self.version > stored.version

    # The readers below check types instead of casting: what the state holds was read from a store, and a value of the
    # wrong type must read as "not known".

    def time(self, field: Time) -> int | None:
        """A time of the state, in milliseconds."""
        value = self.state.get(field)
        return value if isinstance(value, int) else None

    def number(self, field: Number) -> int:
        """A number of the state; 0 where it is not known, as for a count of nothing."""
        value = self.state.get(field)
        return value if isinstance(value, int) else 0

    def stamped(self, field: Text) -> Stamped | None:
        """A text of the state with its time, in milliseconds."""
        value = self.state.get(field)
        return value if isinstance(value, tuple) else None

    def text(self, field: Text) -> str | None:
        """A text of the state."""
        stamped = self.stamped(field)
        return stamped[1] if stamped else None

    def rows(self, field: Rows) -> Table:
        """The rows of a field; empty where nothing is known."""
        value = self.state.get(field)
        return value if isinstance(value, dict) else {}

    def decoded(self, field: Text) -> Any:
        """A text of the state that holds JSON, or None."""
        text = self.text(field)
        return msgspec.json.decode(text) if text else None

    @cached_property
    def firsts(self) -> dict[Signal, int]:
        """When each signal that came was first seen, in the order of the enum."""
        known = ((signal, self.time(row.first_at)) for signal, row in fields.SIGNALS.items())
        return {signal: at for signal, at in known if at is not None}

    def first(self, signal: Signal) -> int | None:
        """When a signal was first seen."""
        return self.firsts.get(signal)

    def last(self, signal: Signal) -> int | None:
        """When a signal was last seen."""
        return self.time(fields.SIGNALS[signal].last_at)

    @property
    def stage(self) -> Stage:
        """How far the project is."""
        return fields.stage_of(self.state)

    @property
    def connected_by(self) -> str | None:
        """What proved the connection: the first signal, or `key` as long as no request held one."""
        if self.time(fields.CONNECTED_AT) is None:
            return None
        earliest = min(self.firsts.values(), default=0)
        return strongest([signal for signal, at in self.firsts.items() if at == earliest])

    @cached_property
    def sdk(self) -> dict[str, str | None] | None:
        """The SDK by the most particular name that it gave."""
        found = sdks.current(map(self.stamped, sdks.KINDS))
        return {"name": found.name, "version": found.version} if found else None

    @property
    def inferred(self) -> dict[str, Any]:
        """What ordinary traffic tells of the configuration: `{"traces_sample_rate": 1.0, "integrations": [...]}`."""
        # Apart from the config that a heartbeat tells: a guess must not look like what the application said of itself.
        found = {name: self.decoded(field) for name, field in fields.INFERRED.items()}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def interval(self) -> float | None:
        """Seconds between promised beats. Kept as text: only texts carry the time by which the latest one wins."""
        text = self.text(fields.INTERVAL)
        return float(text) if text else None

    @property
    def quiet_at(self) -> int | None:
        """When a live project will be quiet, in milliseconds; None for one that promised nothing."""
        # From any signal, not only from beats: an application that sends errors is not quiet.
        seen = self.time(fields.LAST_SEEN_AT)
        if self.interval is None or seen is None:
            return None
        return seen + int(self.interval * QUIET_AFTER * 1000)

    @property
    def liveness(self) -> Liveness:
        """The state of the liveness at `now`."""
        if self.time(fields.LAST_SEEN_AT) is None:
            return Liveness.NEVER
        if self.quiet_at is None:
            return Liveness.SEEN
        return Liveness.LIVE if self.now < self.quiet_at else Liveness.QUIET
