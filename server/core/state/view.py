"""One consistent read of a project, and what follows from it at a point in time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from ..model.project import Project
from ..model.signals import Signal, Stage
from .fields import INFERRED, Update

QUIET_AFTER = 2.5
"""Intervals without a promised beat after which a project is quiet."""


class Liveness(StrEnum):
    """Whether the application runs now, as far as its signals tell."""

    NEVER = "never"
    LIVE = "live"
    QUIET = "quiet"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class View:
    """One consistent read of a project from the store.

    Args:
        version: larger than any before it in the same epoch.
        now: the store's clock at the read, in milliseconds.
    """

    project: Project
    epoch: str
    version: int
    state: Update
    now: int

    def time(self, field: str) -> int | None:
        """A time of the state, in milliseconds."""
        value = self.state.get(field)
        return value if isinstance(value, int) else None

    def text(self, field: str) -> str | None:
        """A text of the state."""
        value = self.state.get(field)
        return value[1] if isinstance(value, tuple) else None

    def decoded(self, field: str) -> Any:
        """A text of the state that holds JSON, or None."""
        text = self.text(field)
        return msgspec.json.decode(text) if text else None

    def first(self, signal: Signal) -> int | None:
        """When a signal was first seen."""
        return self.time(f"signal.{signal}.first_at")

    def last(self, signal: Signal) -> int | None:
        """When a signal was last seen."""
        return self.time(f"signal.{signal}.last_at")

    @property
    def stage(self) -> Stage:
        """How far the project is."""
        return Stage(self.time("stage") or 0)

    @property
    def sdk(self) -> dict[str, str | None] | None:
        """The name with the framework, which only payloads have, as long as both sources speak of the same SDK."""
        client, payload = self.state.get("client_sdk"), self.state.get("payload_sdk")
        if isinstance(client, tuple) and isinstance(payload, tuple):
            outer, inner = msgspec.json.decode(client[1]), msgspec.json.decode(payload[1])
            same = inner["name"].startswith(outer["name"]) and inner["version"] == outer["version"]
            return dict(inner if same or payload[0] >= client[0] else outer)
        fields = self.decoded("payload_sdk") or self.decoded("client_sdk")
        return dict(fields) if fields else None

    @property
    def inferred(self) -> dict[str, Any]:
        """What ordinary traffic tells of the configuration: `{"traces_sample_rate": 1.0, "integrations": [...]}`."""
        found = {name: self.decoded(f"inferred.{name}") for name in INFERRED}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def family(self) -> str:
        """The family of platforms that words and code are chosen by: as the owner chose it, else as the SDK is."""
        chosen = (self.project.platform or "").partition("-")[0]
        if chosen:
            return chosen
        parts = ((self.sdk or {}).get("name") or "").split(".")[1:]
        return "node" if parts[1:2] in (["node"], ["nestjs"], ["express"]) else parts[0] if parts else ""

    @property
    def interval(self) -> float | None:
        """Seconds between promised beats."""
        text = self.text("interval")
        return float(text) if text else None

    @property
    def quiet_at(self) -> int | None:
        """When a live project will be quiet, in milliseconds; none for one that promised nothing."""
        seen = self.time("last_seen_at")
        if self.interval is None or seen is None:
            return None
        return seen + int(self.interval * QUIET_AFTER * 1000)

    @property
    def liveness(self) -> Liveness:
        """The state of the liveness at `now`."""
        if "last_seen_at" not in self.state:
            return Liveness.NEVER
        if self.quiet_at is None:
            return Liveness.SEEN
        return Liveness.LIVE if self.now < self.quiet_at else Liveness.QUIET
