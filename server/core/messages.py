"""What viewers are sent: the snapshot of one project, and the few other messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from .codes import Code
from .features import Feature, features_of
from .findings import Finding, deadlines
from .onboarding import Signal
from .problems import PROBLEMS, filled, problems_of
from .reading import Reading

PING = b'{"type":"ping"}'
DELAYED = b'{"type":"delayed"}'


def goodbye(retry_in: float) -> bytes:
    """The message before a planned close. `retry_in` in seconds."""
    return msgspec.json.encode({"type": "goodbye", "retry_in": round(retry_in, 1)})


def snapshot(reading: Reading, event_url: str | None = None) -> dict[str, Any]:
    """The whole onboarding state of one project.

    Args:
        event_url: where "View my error" leads, with `{project}` and `{event_id}` to be filled in.
    """
    return {
        "type": "snapshot",
        "project": str(reading.project.id),
        "epoch": reading.epoch,
        "version": reading.version,
        "now": iso(reading.now),
        "stage": reading.stage.word,
        "connected_at": _time(reading.time("connected_at")),
        "first_error": _first_error(reading, event_url),
        "liveness": {
            "state": reading.liveness.value,
            "last_seen_at": _time(reading.time("last_seen_at")),
            "interval": reading.interval,
        },
        "sdk": reading.sdk,
        "app": {name: reading.text(name) for name in ("release", "environment", "runtime")},
        "config": reading.decoded("config") or {},
        "inferred": reading.inferred,
        "features": [_feature(feature) for feature in features_of(reading)],
        "checked_at": _time(reading.time("checked_at")),
        "signals": _signals(reading),
        "problems": [_problem(code, finding, reading.family) for code, finding in problems_of(reading)],
    }


def encode_snapshot(reading: Reading, event_url: str | None = None) -> bytes:
    """The snapshot as one text frame."""
    return msgspec.json.encode(snapshot(reading, event_url))


def health(reading: Reading) -> dict[str, Any]:
    """How far a project is, for whoever has its key: what an SDK or a script may ask."""
    return {
        "stage": reading.stage.word,
        "connected_at": _time(reading.time("connected_at")),
        "last_seen_at": _time(reading.time("last_seen_at")),
        "liveness": reading.liveness.value,
        "problems": [code.value for code, finding in problems_of(reading) if not finding.resolved],
        "now": iso(reading.now),
    }


def next_change(reading: Reading) -> int | None:
    """When the snapshot will change by time alone, in milliseconds, or None."""
    times: Iterable[int] = deadlines(reading) if reading.quiet_at is None else (*deadlines(reading), reading.quiet_at)
    return min((at for at in times if at > reading.now), default=None)


def has_aged(reading: Reading) -> bool:
    """Whether the snapshot has changed by time alone since it got its version, which tells the time in microseconds."""
    at = next_change(replace(reading, now=reading.version // 1000))
    return at is not None and at <= reading.now


def etag(reading: Reading) -> str:
    """Changes whenever the snapshot does, but for its `now`."""
    open_problems = sum(not finding.resolved for _, finding in problems_of(reading))
    return f'"{reading.epoch}-{reading.version}-{reading.liveness}-{open_problems}"'


def iso(at: int) -> str:
    """A time in milliseconds as `2026-11-22T13:26:28.664Z`."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _first_error(reading: Reading, event_url: str | None) -> dict[str, Any] | None:
    value = reading.state.get("first_error")
    if not isinstance(value, tuple):
        return None
    fields = msgspec.json.decode(value[1])
    event_id = fields.pop("event_id")
    url = event_url and event_url.replace("{project}", str(reading.project.id)).replace("{event_id}", event_id)
    return {"event_id": event_id, "received_at": iso(value[0]), **fields, "url": url}


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "state": feature.state.value,
        "first_at": _time(feature.first_at),
        "inferred": feature.inferred,
    }


def _signals(reading: Reading) -> dict[str, dict[str, str | None]]:
    signals: dict[str, dict[str, str | None]] = {
        str(signal): {"first_at": _time(reading.first(signal)), "last_at": _time(reading.last(signal))}
        for signal in Signal
        if reading.first(signal) is not None
    }
    if Signal.ERROR in signals:
        signals[Signal.ERROR]["event_id"] = reading.text("signal.error.event_id")
    return signals


def _problem(code: Code, finding: Finding, family: str) -> dict[str, Any]:
    rule = PROBLEMS[code]
    fix = rule.fix_for(family)
    return {
        "code": code.value,
        "severity": rule.severity.name.lower(),
        "summary": filled(rule.summary, finding.evidence),
        "hint": filled(rule.hint, finding.evidence),
        "checks": finding.checks,
        "fix": fix and filled(fix, finding.evidence),
        "docs": f"problems#{code}",
        "evidence": finding.evidence,
        "count": finding.count,
        "first_at": iso(finding.first_at),
        "last_at": iso(finding.last_at),
        "resolved": finding.resolved,
    }
