"""What viewers are sent: the snapshot of one project, and the few other messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from .onboarding import Signal, Stage
from .problems import MAX_SHOWN, PROBLEMS, Cure
from .project import Project
from .state import Record, Value

PING = b'{"type":"ping"}'
DELAYED = b'{"type":"delayed"}'

QUIET_AFTER = 2.5
"""Intervals without a promised beat after which a project is quiet."""


def goodbye(retry_in: float) -> bytes:
    """The message before a planned close. `retry_in` in seconds."""
    return msgspec.json.encode({"type": "goodbye", "retry_in": round(retry_in, 1)})


class Liveness(StrEnum):
    """Whether the application runs now, as far as its signals tell."""

    NEVER = "never"
    LIVE = "live"
    QUIET = "quiet"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Reading:
    """One consistent read of a project from the store.

    Args:
        version: larger than any before it in the same epoch.
        now: the store's clock at the read, in milliseconds.
    """

    project: Project
    epoch: str
    version: int
    state: Record
    now: int

    @property
    def interval(self) -> float | None:
        """Seconds between promised beats."""
        text = _text(self.state.get("interval"))
        return float(text) if text else None

    @property
    def quiet_at(self) -> int | None:
        """When a live project will be quiet, in milliseconds; none for one that promised nothing."""
        seen = self.state.get("last_seen_at")
        if self.interval is None or not isinstance(seen, int):
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

    @property
    def etag(self) -> str:
        """Changes whenever the snapshot does."""
        return f'"{self.epoch}-{self.version}-{self.liveness}"'


def snapshot(reading: Reading, event_url: str | None = None) -> dict[str, Any]:
    """The whole onboarding state of one project.

    Args:
        event_url: where "View my error" leads, with `{project}` and `{event_id}` to be filled in.
    """
    state = reading.state
    stage = state.get("stage", 0)
    return {
        "type": "snapshot",
        "project": str(reading.project.id),
        "epoch": reading.epoch,
        "version": reading.version,
        "now": iso(reading.now),
        "stage": Stage(stage if isinstance(stage, int) else 0).word,
        "connected_at": _time(state.get("connected_at")),
        "first_error": _first_error(state.get("first_error"), reading.project.id, event_url),
        "liveness": {
            "state": reading.liveness.value,
            "last_seen_at": _time(state.get("last_seen_at")),
            "interval": reading.interval,
        },
        "sdk": _sdk(state),
        "app": {name: _text(state.get(name)) for name in ("release", "environment", "runtime")},
        "config": _decoded(state.get("config")) or {},
        "signals": _signals(state),
        "problems": _problems(state),
    }


def encode_snapshot(reading: Reading, event_url: str | None = None) -> bytes:
    """The snapshot as one text frame."""
    return msgspec.json.encode(snapshot(reading, event_url))


def iso(at: int) -> str:
    """A time in milliseconds as `2026-11-22T13:26:28.664Z`."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(value: Value | None) -> str | None:
    return iso(value) if isinstance(value, int) else None


def _text(value: Value | None) -> str | None:
    return value[1] if isinstance(value, tuple) else None


def _decoded(value: Value | None) -> Any:
    text = _text(value)
    return msgspec.json.decode(text) if text else None


def _first_error(value: Value | None, project_id: int, event_url: str | None) -> dict[str, Any] | None:
    if not isinstance(value, tuple):
        return None
    fields = msgspec.json.decode(value[1])
    event_id = fields.pop("event_id")
    url = event_url and event_url.replace("{project}", str(project_id)).replace("{event_id}", event_id)
    return {"event_id": event_id, "received_at": iso(value[0]), **fields, "url": url}


def _sdk(state: Record) -> dict[str, Any] | None:
    """The name with the framework, which only payloads have, as long as both speak of the same SDK."""
    client, payload = state.get("client_sdk"), state.get("payload_sdk")
    if isinstance(client, tuple) and isinstance(payload, tuple):
        outer, inner = msgspec.json.decode(client[1]), msgspec.json.decode(payload[1])
        same = inner["name"].startswith(outer["name"]) and inner["version"] == outer["version"]
        return dict(inner if same or payload[0] >= client[0] else outer)
    fields = _decoded(payload) or _decoded(client)
    return dict(fields) if fields else None


def _signals(state: Record) -> dict[str, dict[str, str | None]]:
    seen = [signal for signal in Signal if f"signal.{signal}.first_at" in state]
    signals = {
        str(signal): {part: _time(state.get(f"signal.{signal}.{part}")) for part in ("first_at", "last_at")}
        for signal in seen
    }
    if Signal.ERROR in signals:
        signals[Signal.ERROR]["event_id"] = _text(state.get("signal.error.event_id"))
    return signals


def _problems(state: Record) -> list[dict[str, Any]]:
    """Unresolved first, then the newest; at most `MAX_SHOWN`."""
    found = [_problem(code, state) for code in PROBLEMS if f"problem.{code}.count" in state]
    found.sort(key=lambda problem: problem["last_at"] or "", reverse=True)
    return sorted(found, key=lambda problem: bool(problem["resolved"]))[:MAX_SHOWN]


def _problem(code: str, state: Record) -> dict[str, Any]:
    rule = PROBLEMS[code]
    return {
        "code": code,
        "severity": rule.severity,
        "summary": rule.summary,
        "hint": rule.hint,
        "evidence": _decoded(state.get(f"problem.{code}.evidence")) or {},
        "count": state.get(f"problem.{code}.count"),
        "first_at": _time(state.get(f"problem.{code}.first_at")),
        "last_at": _time(state.get(f"problem.{code}.last_at")),
        "resolved": _is_resolved(rule.cure, state.get(f"problem.{code}.last_at"), state),
    }


def _is_resolved(cure: Cure, seen: Value | None, state: Record) -> bool:
    if cure is Cure.ERROR:
        return "first_error" in state
    cured = state.get("last_seen_at" if cure is Cure.ANY_KEY else "accepted_at")
    return isinstance(cured, int) and isinstance(seen, int) and cured > seen
