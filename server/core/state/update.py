"""From an observation to an update: what is written of a request, an accepted one and a refused one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from ..model.codes import Code
from ..model.errors import Refusal
from ..model.keys import mask
from ..model.signals import TRANSITIONS, Signal, Source, Stage, strongest
from ..wire.event import App, Event, Sdk
from ..wire.kept import Keep, kept_of
from ..wire.observation import Dropped, Observation
from ..wire.scrub import scrub
from . import fields, sdks
from .fields import DROP_CATEGORIES, DROP_REASONS, DROPPED, INFERRED, PROBLEMS, SIGNALS, State, Text, Time, Update

MAX_SKEW = 60_000
"""Milliseconds between `sent_at` and the receipt that a slow network explains; SDKs set it when they send."""

_SMALL = frozenset({Signal.HEARTBEAT, Signal.SESSION, Signal.CLIENT_REPORT})
"""What gets through although nothing else does; a report of losses even follows each refusal."""
_QUOTES = frozenset({"detail", "line"})
"""Evidence that may repeat what was sent, in its words."""
# 12 of 32 digits: an error's evidence may be cut, and most of a key is nearly a key. Event ids are masked as well.
_KEY_LIKE = re.compile(r"[0-9A-Fa-f]{12,}")


def update_of(observation: Observation, at: int, keep: Keep = Keep.ALL) -> State:
    """The update of an accepted request.

    Args:
        at: when it was received, in milliseconds.
        keep: how much of an error is written down.
    """
    if observation.source is not Source.APP:
        return update_of_test(observation, at)
    event = observation.event
    if event and not event.is_later:
        event = kept_of(event, keep)
    stage, times = _proved(observation.signals)
    update: State = dict.fromkeys(times, at)
    update[fields.STAGE] = stage
    if event and Signal.ERROR in observation.signals:
        if not event.is_later:
            update[fields.FIRST_ERROR] = (at, _first_error(event, observation.event_id))
        update[fields.ERROR_EVENT_ID] = (at, observation.event_id or "")
        if event.lacks is not None:
            update[fields.LACKS] = (at, _lacks(event))
    for field, text in _told(
        observation.client_sdk, observation.payload_sdk, observation.app, observation.config, observation.interval
    ):
        update[field] = (at, text)
    for name, text in observation.inferred:
        update[INFERRED[name]] = (at, text)
    # A title in a problem's evidence is the scrubbed one of above, not the one that was sent.
    for code, evidence in observation.problems.items():
        titled = {**evidence, "title": event.title} if event and "title" in evidence else evidence
        update |= update_of_problem(code, titled, at)
    # Shows that an SDK knows the endpoint that replaced /store/.
    if observation.is_envelope:
        update[fields.ENVELOPE_AT] = at
    _add_drops(update, observation.dropped, at)
    _add_skew(update, observation.sent_at, at)
    return update


def _add_drops(update: State, drops: Iterable[Dropped], at: int) -> None:
    """Losses become a problem; what tracing samples away on purpose does not."""
    for drop in drops:
        reason = _reason(drop.reason)
        if drop.category.endswith("_byte"):
            continue  # the size of what another line counts
        if reason == "ratelimit_backoff":  # the SDK obeys a 429: no fault of its own
            update |= update_of_problem(Code.RATE_LIMITED, {"category": drop.category}, at, drop.quantity)
        elif drop.category in fields.ERROR_CATEGORIES or reason in fields.LOSSES:
            reason = reason if reason in DROP_REASONS else DROP_REASONS[-1]
            category = drop.category if drop.category in DROP_CATEGORIES else DROP_CATEGORIES[-1]
            _add(update, DROPPED[reason, category], drop.quantity)
            if (reason, category) in fields.FILTERED:
                update[fields.FILTERED_AT] = at
                continue
            # One sighting with the sum of all lines: the problem counts lost events, not reports.
            known = _number(update, PROBLEMS[Code.DROPPED_BY_SDK].total)
            update |= update_of_problem(Code.DROPPED_BY_SDK, {}, at, known + drop.quantity)


def _reason(told: str) -> str:
    """Some SDKs name the status that they were answered with, as `status_413`."""
    if not told.startswith("status_"):
        return told
    return "ratelimit_backoff" if told == "status_429" else "send_error"


def _add(update: State, field: fields.Number, quantity: int) -> None:
    update[field] = _number(update, field) + quantity


def _number(update: State, field: fields.Number) -> int:
    value = update.get(field, 0)
    return value if isinstance(value, int) else 0


def _add_skew(update: State, sent_at: int | None, at: int) -> None:
    if sent_at is None:
        return  # Python's client reports have no header fields at all
    if abs(at - sent_at) <= MAX_SKEW:
        update[fields.IN_TIME_AT] = at
        return
    skew = _rounded(abs(at - sent_at)) * (-1 if sent_at < at else 1)
    update |= update_of_problem(Code.CLOCK_SKEW, {"skew": str(skew)}, at)


def _rounded(milliseconds: int) -> int:
    """To whole minutes, hours or days, so that it stays the same while the clock is off by the same."""
    unit = next(unit for unit in (86_400_000, 3_600_000, 60_000) if milliseconds >= 2 * unit or unit == 60_000)
    return milliseconds // unit * unit


@lru_cache(maxsize=1024)
def _proved(signals: frozenset[Signal]) -> tuple[int, tuple[Time, ...]]:
    """The stage from nothing, and the times that are now."""
    stage = Stage.CONNECTED
    for signal in signals:
        stage = TRANSITIONS[stage, signal]
    times = [time for signal in signals for time in SIGNALS[signal]]
    payload = (fields.PAYLOAD_AT,) if signals - _SMALL else ()
    return int(stage), (fields.CONNECTED_AT, fields.LAST_SEEN_AT, *payload, *times)


@lru_cache(maxsize=4096)
def _told(
    client_sdk: Sdk | None, payload_sdk: Sdk | None, app: App, config: str | None, interval: float | None
) -> tuple[tuple[Text, str], ...]:
    """What is told of SDK and application, by field.

    Cached, since an application says the same in every request: 10 µs to compute, 0.3 to look up.
    """
    told = {
        **sdks.told(client_sdk, payload_sdk),
        fields.RELEASE: app.release,
        fields.ENVIRONMENT: app.environment,
        fields.RUNTIME: app.runtime,
        fields.CONFIG: config,
        fields.INTERVAL: None if interval is None else f"{interval:g}",
    }
    return tuple((field, text) for field, text in told.items() if text)


def update_of_test(observation: Observation, at: int) -> State:
    """The update of a test from the page, the command or by hand. It only proves that requests get here."""
    told = {"source": observation.source.value, "signal": strongest(observation.signals)}
    return {fields.CHECKED_AT: at, fields.CHECKED_BY: (at, msgspec.json.encode(told).decode())}


def update_of_key(at: int) -> State:
    """What any request of an app with a valid key proves, also one whose body is refused."""
    return {fields.STAGE: int(Stage.CONNECTED), fields.CONNECTED_AT: at, fields.LAST_SEEN_AT: at}


def update_of_problem(code: str, evidence: Mapping[str, str], at: int, count: int = 1) -> State:
    """One sighting of a problem, or a report of several. Secrets in what it quotes are not kept.

    Args:
        at: when it was seen, in milliseconds.
        count: how many sightings it stands for.
    """
    row = PROBLEMS[code]
    # Four fields in one update, so that count, times and evidence are written in one step.
    text = msgspec.json.encode({name: scrub(told) for name, told in evidence.items()}).decode()
    return {row.total: count, row.first_at: at, row.last_at: at, row.evidence: (at, text)}


def update_of_refusal(
    refusal: Refusal, key_is_valid: bool, at: int, keep: Keep = Keep.ALL, is_app: bool = True
) -> Update:
    """The update of a refused request, for the page of the project that it named. A valid key connects an app.

    The sentence that it was answered with may quote what it sent: it is shown only where a valid key came with it, and
    where more than types are kept.
    """
    update = update_of_key(at) if key_is_valid and is_app else {}
    if refusal.code:
        detail = {"detail": _without_keys(refusal.detail)[:300]} if key_is_valid else {}
        if key_is_valid and refusal.cause:
            detail["cause"] = refusal.cause
        # Masked before it is cut: a key across the cut would lose its last digits and pass for harmless.
        evidence = {name: _without_keys(text)[:200] for name, text in refusal.evidence.items()}
        dropped = _QUOTES if keep is Keep.TYPE else ()
        kept = {name: text for name, text in {**detail, **evidence}.items() if name not in dropped}
        update |= update_of_problem(refusal.code, kept, at)
    return update


def update_of_stranger(refusal: Refusal, at: int) -> Update:
    """The update of a request without a valid key that nothing ties to this project: a count, and nothing that it said.

    Anybody can send those, and what they wrote must not reach an owner's page.
    """
    return update_of_problem(Code.KEYLESS_REQUESTS, {"last": refusal.code or "refused"}, at)


def _without_keys(text: str) -> str:
    """Evidence may quote a line with a DSN in it: everything that could be a key, or most of one, is masked."""
    return _KEY_LIKE.sub(lambda found: mask(found[0]), text)


# Asked for each error of a project, and the same text each time.
@lru_cache(maxsize=4096)
def lacks_nothing(first_error: str) -> bool:
    """Whether the stack of a first error, as `FIRST_ERROR` keeps it, can be read; then no later one can mend it."""
    return not msgspec.json.decode(first_error).get("lacks")


def _lacks(event: Event) -> str:
    return msgspec.json.encode({"platform": event.platform, "lacks": event.lacks}).decode()


# What viewers are sent of it, made once here and not for each snapshot. Tags, user and extras never enter it.
def _first_error(event: Event, event_id: str | None) -> str:
    kept = ("title", "level", "platform", "handled", "culprit", "lacks")
    told: dict[str, Any] = {"event_id": event_id, **{name: getattr(event, name) for name in kept}}
    told["frames"] = event.frames
    return msgspec.json.encode(told).decode()
