"""From facts to records: what is written of a request, an accepted one and a refused one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import msgspec

from ..model.codes import Code
from ..model.errors import Refusal
from ..model.keys import mask
from ..model.signals import TRANSITIONS, Signal, Stage
from ..wire.event import App, Event, Sdk
from ..wire.kept import Keep, kept_of
from ..wire.observation import Dropped, Observation
from ..wire.scrub import scrub
from .fields import DROP_CATEGORIES, DROP_REASONS, Update, Value

MAX_SKEW = 60_000
"""Milliseconds between `sent_at` and the receipt that a slow network explains."""

_ERROR_CATEGORIES = frozenset({"error", "default"})
_LOSSES = frozenset({"network_error", "send_error", "queue_overflow", "cache_overflow", "buffer_overflow"})
_KEY_LIKE = re.compile(r"[0-9A-Fa-f]{12,}")


def update_of(observation: Observation, at: int, keep: Keep = Keep.ALL) -> Update:
    """The record of an accepted request.

    Args:
        at: when it was received, in milliseconds.
        keep: how much of an error is written down.
    """
    event = observation.event and kept_of(observation.event, keep)
    stage, times = _proved(observation.signals)
    update: dict[str, Value] = dict.fromkeys(times, at)
    update["stage"] = stage
    if event and Signal.ERROR in observation.signals:
        update["first_error"] = (at, _first_error(event, observation.event_id))
        update["signal.error.event_id"] = (at, observation.event_id or "")
    for name, text in _told(
        observation.client_sdk, observation.payload_sdk, observation.app, observation.config, observation.interval
    ):
        update[name] = (at, text)
    for name, text in observation.inferred:
        update[f"inferred.{name}"] = (at, text)
    for code, evidence in observation.problems.items():
        titled = {**evidence, "title": event.title} if event and "title" in evidence else evidence
        update.update(update_of_problem(code, titled, at))
    if observation.is_envelope:
        update["envelope_at"] = at
    _record_drops(update, observation.dropped, at)
    _record_skew(update, observation.sent_at, at)
    return update


def _record_drops(update: dict[str, Value], drops: Iterable[Dropped], at: int) -> None:
    """Losses become a problem; what tracing samples away on purpose does not."""
    for drop in drops:
        if drop.reason == "ratelimit_backoff":
            update.update(update_of_problem(Code.RATE_LIMITED, {"category": drop.category}, at, drop.quantity))
        elif drop.category in _ERROR_CATEGORIES or drop.reason in _LOSSES:
            reason = drop.reason if drop.reason in DROP_REASONS else DROP_REASONS[-1]
            category = drop.category if drop.category in DROP_CATEGORIES else DROP_CATEGORIES[-1]
            name = f"dropped.{reason}.{category}"
            update[name] = _count(update, name) + drop.quantity
            known = _count(update, f"problem.{Code.DROPPED_BY_SDK}.count")
            update.update(update_of_problem(Code.DROPPED_BY_SDK, {}, at, known + drop.quantity))


def _count(update: Update, name: str) -> int:
    value = update.get(name, 0)
    return value if isinstance(value, int) else 0


def _record_skew(update: dict[str, Value], sent_at: int | None, at: int) -> None:
    if sent_at is None:
        return
    if abs(at - sent_at) <= MAX_SKEW:
        update["in_time_at"] = at
        return
    skew = f"{_duration(abs(at - sent_at))} {'behind' if sent_at < at else 'ahead'}"
    update.update(update_of_problem(Code.CLOCK_SKEW, {"skew": skew}, at))


def _duration(milliseconds: int) -> str:
    minutes = milliseconds // 60_000
    days, hours = minutes // 1440, minutes // 60
    return f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} min"


@lru_cache(maxsize=1024)
def _proved(signals: frozenset[Signal]) -> tuple[int, tuple[str, ...]]:
    """The stage from nothing, and the times that are now."""
    stage = Stage.CONNECTED
    for signal in signals:
        stage = TRANSITIONS[stage, signal]
    times = [f"signal.{signal}.{part}" for signal in signals for part in ("first_at", "last_at")]
    # A report of losses follows each refusal: it must not count as the cure of what it reports.
    accepted = () if signals == {Signal.CLIENT_REPORT} else ("accepted_at",)
    return int(stage), ("connected_at", "last_seen_at", *accepted, *times)


@lru_cache(maxsize=4096)
def _told(
    client_sdk: Sdk | None, payload_sdk: Sdk | None, app: App, config: str | None, interval: float | None
) -> tuple[tuple[str, str], ...]:
    """What is told of SDK and application, as fields. Cached: an application says the same in every request."""
    told = {
        "client_sdk": _json(client_sdk),
        "payload_sdk": _json(payload_sdk),
        "release": app.release,
        "environment": app.environment,
        "runtime": app.runtime,
        "config": config,
        "interval": None if interval is None else f"{interval:g}",
    }
    return tuple((name, text) for name, text in told.items() if text)


def update_of_key(at: int) -> dict[str, Value]:
    """What any request with a valid key proves, also one whose body is refused."""
    return {"stage": int(Stage.CONNECTED), "connected_at": at, "last_seen_at": at}


def update_of_problem(code: str, evidence: Mapping[str, str], at: int, count: int = 1) -> dict[str, Value]:
    """One sighting of a problem, or a report of several. No secret of what it quotes is kept."""
    scrubbed = {name: scrub(text) for name, text in evidence.items()}
    return {
        f"problem.{code}.count": count,
        f"problem.{code}.first_at": at,
        f"problem.{code}.last_at": at,
        f"problem.{code}.evidence": (at, msgspec.json.encode(scrubbed).decode()),
    }


def update_of_refusal(refusal: Refusal, key_is_valid: bool, at: int) -> Update:
    """The record of a refused request, for the page of the project that it named."""
    update = update_of_key(at) if key_is_valid else {}
    if refusal.code:
        evidence = {name: _without_keys(text)[:200] for name, text in refusal.evidence.items()}
        update.update(update_of_problem(refusal.code, {"detail": _without_keys(refusal.detail)[:300], **evidence}, at))
    return update


def _without_keys(text: str) -> str:
    """Evidence may quote a line with a DSN in it; whatever could be a key, or most of one, is masked."""
    return _KEY_LIKE.sub(lambda found: mask(found[0]), text)


def _json(sdk: Sdk | None) -> str | None:
    return msgspec.json.encode(asdict(sdk)).decode() if sdk else None


def _first_error(event: Event, event_id: str | None) -> str:
    kept = ("title", "level", "platform", "handled", "culprit")
    fields: dict[str, Any] = {"event_id": event_id, **{name: getattr(event, name) for name in kept}}
    fields["frames"] = [asdict(frame) for frame in event.frames]
    return msgspec.json.encode(fields).decode()
