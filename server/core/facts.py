"""From a request to a record: what one request proves, and what it tells of the SDK and the application."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from .codes import Code
from .dsn import mask
from .envelope import Envelope, Item, check_size
from .errors import BadRequest, InvalidJSON, Refusal
from .events import App, Event, Sdk, parse_client, parse_event, parse_event_id, parse_object, sdk_of
from .heartbeat import Heartbeat, heartbeat_of, parse_heartbeat
from .onboarding import ITEM_SIGNALS, TRANSITIONS, Signal, Stage
from .otlp import parse_otlp
from .state import DROP_CATEGORIES, DROP_REASONS, Record, Value

MAX_SESSION_BYTES = 100 * 1024
"""A larger session item is counted and not looked into: decoding 20 MiB of JSON would cost hundreds of memory."""

MAX_CACHED_BYTES = 1024
"""Of a heartbeat that is remembered: one with every field is smaller, and 4096 of them stay under 4 MiB."""

MINIDUMP = b"MDMP"
"""What a minidump starts with."""
NATIVE_CRASH = Event(
    event_id=None,
    signal=Signal.ERROR,
    is_sample=False,
    title="Native crash (minidump)",
    level="fatal",
    platform="native",
    handled=False,
    culprit=None,
    frames=(),
    sdk=None,
    app=App(),
)
_CRASH_ATTACHMENTS = frozenset({"event.minidump", "event.applecrashreport"})
MAX_SKEW = 60_000
"""Milliseconds between `sent_at` and the receipt that a slow network explains."""

MAX_DROPPED = 100
"""Lines of a client report that are read: SDKs send one for each reason and category."""

_ERROR_CATEGORIES = frozenset({"error", "default"})
_LOSSES = frozenset({"network_error", "send_error", "queue_overflow", "cache_overflow", "buffer_overflow"})
_KEY_LIKE = re.compile(r"[0-9A-Fa-f]{12,}")


@dataclass(frozen=True, slots=True)
class Dropped:
    """One line of a client report: so many were not sent, for this reason."""

    reason: str
    category: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What one accepted request proves.

    Args:
        signals: in no order; may be empty (an envelope of unknown items), which still proves the key.
        event: the error or message in it.
        event_id: what the answer names.
        payload_sdk: the SDK's name as only the payload has it, with the framework.
        inferred: what the traffic tells of the configuration, by name, as JSON.
        sent_at: when the SDK sent it by its own clock, in milliseconds.
        dropped: what a client report says was not sent.
        problems: codes with their evidence, seen in what was accepted.
    """

    signals: frozenset[Signal] = frozenset()
    event: Event | None = None
    event_id: str | None = None
    client_sdk: Sdk | None = None
    payload_sdk: Sdk | None = None
    app: App = field(default_factory=App)
    config: str | None = None
    interval: float | None = None
    inferred: tuple[tuple[str, str], ...] = ()
    sent_at: int | None = None
    dropped: tuple[Dropped, ...] = ()
    is_envelope: bool = False
    problems: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def facts_of_heartbeat(body: bytes, client: Sdk | None = None) -> Facts:
    """Read a `/heartbeat/` body. Cached, as long as it is small: an app's beats are all alike.

    Raises:
        InvalidJSON, WrongType, TooLarge: as `parse_heartbeat`.
    """
    return (_facts_of_heartbeat if len(body) <= MAX_CACHED_BYTES else _facts_of_heartbeat.__wrapped__)(body, client)


@lru_cache(maxsize=4096)
def _facts_of_heartbeat(body: bytes, client: Sdk | None) -> Facts:
    return _with_heartbeat(Facts(client_sdk=client), parse_heartbeat(body))


def facts_of_envelope(envelope: Envelope, new_id: str, client: Sdk | None = None) -> Facts:
    """Read an envelope.

    Args:
        new_id: 32 hex digits to name an event that has no id of its own.
        client: the SDK as authentication or the User-Agent names it.

    Raises:
        InvalidJSON: an event or heartbeat item is no JSON object.
        WrongType: a heartbeat item has a field of the wrong type.
        TooLarge: an event is over its limit.
    """
    headers = envelope.headers
    if not envelope.items and headers.get("type") == "heartbeat":  # a bare {"type": "heartbeat"}
        return _with_heartbeat(Facts(client_sdk=client), heartbeat_of(headers))
    facts = Facts(
        signals=frozenset(ITEM_SIGNALS[item.type] for item in envelope.items if item.type in ITEM_SIGNALS),
        event_id=parse_event_id(headers.get("event_id")),
        client_sdk=client or sdk_of(headers.get("sdk")),
        app=_app_of_envelope(envelope),
        inferred=tuple(_inferred_from_trace(headers.get("trace"))),
        sent_at=_time_of(headers.get("sent_at")),
        dropped=tuple(_dropped(envelope)),
        is_envelope=True,
    )
    for item in envelope.items:
        if item.type == "event":
            facts = _with_event(facts, parse_event(item.payload), new_id)
        elif item.type == "transaction":  # whatever its payload says: only an event can be an error
            transaction = replace(parse_event(item.payload), signal=Signal.TRANSACTION, is_sample=False)
            facts = _with_event(facts, transaction, new_id)
        elif item.type == "attachment" and item.headers.get("attachment_type") in _CRASH_ATTACHMENTS:
            facts = facts if facts.event else _with_event(facts, NATIVE_CRASH, new_id)
        elif item.type == "heartbeat":
            facts = _with_heartbeat(facts, parse_heartbeat(bytes(item.payload)))
    return facts


def facts_of_store(body: bytes, new_id: str, client: Sdk | None = None) -> Facts:
    """Read a `/store/` body: one event, as old SDKs send it.

    Raises:
        InvalidJSON: it is no JSON object.
        TooLarge: it is over 1 MiB.
    """
    check_size("event", len(body))
    return _with_event(Facts(client_sdk=client, problems={Code.LEGACY_STORE_ENDPOINT: {}}), parse_event(body), new_id)


def facts_of_security(body: bytes, client: Sdk | None = None) -> Facts:
    """Read a browser's report: `{"csp-report": …}`, or the list that the Reporting API sends.

    Raises:
        InvalidJSON: it is neither.
        TooLarge: it is over 1 MiB.
    """
    check_size("security", len(body))
    try:
        reports = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        reports = None
    if not isinstance(reports, dict | list) or not reports:
        raise InvalidJSON("A security report must be a JSON object, or a list of them.")
    return Facts(signals=frozenset({Signal.CSP_REPORT}), client_sdk=client)


def _inferred_from_trace(trace: Any) -> Iterable[tuple[str, str]]:
    """The rate that a trace was sampled with: the SDK repeats its traces_sample_rate there, as text."""
    rate = trace.get("sample_rate") if isinstance(trace, dict) else None
    try:
        number = float(rate) if isinstance(rate, str) and len(rate) < 20 else -1.0
    except ValueError:
        return
    if 0 <= number <= 1:
        yield "traces_sample_rate", f"{number:g}"


def _inferred_from_event(event: Event) -> Iterable[tuple[str, str]]:
    if event.integrations:
        yield "integrations", msgspec.json.encode(event.integrations).decode()


def _dropped(envelope: Envelope) -> Iterable[Dropped]:
    """What the client reports of an envelope say; lines that make no sense are passed over."""
    for item in envelope.items:
        if item.type != "client_report":
            continue
        try:
            lines = parse_object(item.payload, "The client report").get("discarded_events")
        except InvalidJSON:
            continue
        for line in lines[:MAX_DROPPED] if isinstance(lines, list) else ():
            fields = line if isinstance(line, dict) else {}
            reason, category, quantity = (fields.get(name) for name in ("reason", "category", "quantity"))
            if isinstance(reason, str) and isinstance(category, str) and type(quantity) is int and quantity > 0:
                yield Dropped(reason, category, min(quantity, 2**31))


def _time_of(value: Any) -> int | None:
    """A time as SDKs write it, ISO 8601 or seconds, in milliseconds; or None."""
    try:
        if isinstance(value, str):
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        return int(value * 1000) if type(value) in (int, float) else None
    except (ValueError, OverflowError):
        return None


def facts_of_minidump(body: bytes, new_id: str, client: Sdk | None = None) -> Facts:
    """Read a native crash: a minidump as it is, or as a file of a form.

    Raises:
        BadRequest: there is no minidump in it.
    """
    if not body.startswith(MINIDUMP) and b"\r\n\r\n" + MINIDUMP not in body:
        raise BadRequest("There is no minidump in this request. Upload it as the form's file upload_file_minidump.")
    return _with_event(Facts(client_sdk=client), NATIVE_CRASH, new_id)


def facts_of_otlp(body: bytes, content_type: str, signal: Signal, client: Sdk | None = None) -> Facts:
    """Read an export of OpenTelemetry.

    Raises:
        BadRequest, InvalidJSON, TooLarge: as `parse_otlp`.
    """
    sdk, app = parse_otlp(body, content_type, signal)
    is_sentry = client is not None and client.name.startswith("sentry.")  # its OTLP integration; else an exporter
    told = {"client_sdk": client} if is_sentry else {"payload_sdk": sdk}
    return Facts(signals=frozenset({signal}), app=app, **told)


def envelope_dsn(envelope: Envelope) -> str | None:
    """The DSN in the envelope header, for tunnels that have no other key."""
    dsn = envelope.headers.get("dsn")
    return dsn if isinstance(dsn, str) and dsn else None


@lru_cache(maxsize=1024)
def client_of(sentry_client: str | None, user_agent: str | None) -> Sdk | None:
    """The SDK as the request's surroundings name it: `sentry_client`, else a User-Agent that is no browser's."""
    told = parse_client(sentry_client)
    is_browser = user_agent is None or "/" not in user_agent or user_agent.startswith("Mozilla/")
    agent = None if is_browser else parse_client(user_agent)
    if told and agent and told.name == agent.name and not (told.version or "")[:1].isdigit():
        return agent  # sentry-cli/x86_64, but User-Agent: sentry-cli/3.8.0
    return told or agent


def record_of(facts: Facts, at: int) -> Record:
    """The record of an accepted request that was received at `at` (milliseconds)."""
    stage, times = _proved(facts.signals)
    record: dict[str, Value] = dict.fromkeys(times, at)
    record["stage"] = stage
    if facts.event and Signal.ERROR in facts.signals:
        record["first_error"] = (at, _first_error(facts.event, facts.event_id))
        record["signal.error.event_id"] = (at, facts.event_id or "")
    for name, text in _told(facts.client_sdk, facts.payload_sdk, facts.app, facts.config, facts.interval):
        record[name] = (at, text)
    for name, text in facts.inferred:
        record[f"inferred.{name}"] = (at, text)
    for code, evidence in facts.problems.items():
        record.update(record_of_problem(code, evidence, at))
    if facts.is_envelope:
        record["envelope_at"] = at
    _record_drops(record, facts.dropped, at)
    _record_skew(record, facts.sent_at, at)
    return record


def _record_drops(record: dict[str, Value], drops: Iterable[Dropped], at: int) -> None:
    """Losses become a problem; what tracing samples away on purpose does not."""
    for drop in drops:
        if drop.reason == "ratelimit_backoff":
            record.update(record_of_problem(Code.RATE_LIMITED, {"category": drop.category}, at, drop.quantity))
        elif drop.category in _ERROR_CATEGORIES or drop.reason in _LOSSES:
            reason = drop.reason if drop.reason in DROP_REASONS else DROP_REASONS[-1]
            category = drop.category if drop.category in DROP_CATEGORIES else DROP_CATEGORIES[-1]
            name = f"dropped.{reason}.{category}"
            record[name] = _count(record, name) + drop.quantity
            known = _count(record, f"problem.{Code.DROPPED_BY_SDK}.count")
            record.update(record_of_problem(Code.DROPPED_BY_SDK, {}, at, known + drop.quantity))


def _count(record: Record, name: str) -> int:
    value = record.get(name, 0)
    return value if isinstance(value, int) else 0


def _record_skew(record: dict[str, Value], sent_at: int | None, at: int) -> None:
    if sent_at is None:
        return
    if abs(at - sent_at) <= MAX_SKEW:
        record["in_time_at"] = at
        return
    skew = f"{_duration(abs(at - sent_at))} {'behind' if sent_at < at else 'ahead'}"
    record.update(record_of_problem(Code.CLOCK_SKEW, {"skew": skew}, at))


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
    return int(stage), ("connected_at", "last_seen_at", "accepted_at", *times)


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


def record_of_key(at: int) -> dict[str, Value]:
    """What any request with a valid key proves, also one whose body is refused."""
    return {"stage": int(Stage.CONNECTED), "connected_at": at, "last_seen_at": at}


def record_of_problem(code: str, evidence: Mapping[str, str], at: int, count: int = 1) -> dict[str, Value]:
    """One sighting of a problem, or a report of several."""
    return {
        f"problem.{code}.count": count,
        f"problem.{code}.first_at": at,
        f"problem.{code}.last_at": at,
        f"problem.{code}.evidence": (at, msgspec.json.encode(evidence).decode()),
    }


def record_of_refusal(refusal: Refusal, key_is_valid: bool, at: int) -> Record:
    """The record of a refused request, for the page of the project that it named."""
    record = record_of_key(at) if key_is_valid else {}
    if refusal.code:
        evidence = {name: _without_keys(text)[:200] for name, text in refusal.evidence.items()}
        record.update(record_of_problem(refusal.code, {"detail": _without_keys(refusal.detail)[:300], **evidence}, at))
    return record


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


def _with_heartbeat(facts: Facts, beat: Heartbeat) -> Facts:
    return replace(
        facts,
        signals=facts.signals | {Signal.HEARTBEAT},
        payload_sdk=beat.sdk or facts.payload_sdk,
        app=_first_known(beat.app, facts.app),
        config=beat.config or facts.config,
        interval=beat.interval or facts.interval,
    )


def _with_event(facts: Facts, event: Event, new_id: str) -> Facts:
    facts = replace(
        facts,
        signals=facts.signals | {Signal.MESSAGE if event.signal is Signal.ERROR and event.is_sample else event.signal},
        event=event,
        event_id=facts.event_id or event.event_id or new_id,  # the envelope's id is the one that SDKs log
        payload_sdk=event.sdk or facts.payload_sdk,
        app=_first_known(event.app, facts.app),
        inferred=(*facts.inferred, *_inferred_from_event(event)),
    )
    if Signal.MESSAGE not in facts.signals:
        return facts
    code = "sample_only" if event.is_sample else "message_not_error"
    return replace(facts, problems={**facts.problems, code: {"title": event.title, "level": event.level}})


def _first_known(*apps: App) -> App:
    return App(*(next((v for v in values if v), None) for values in zip(*map(astuple, apps), strict=True)))


def _app_of_envelope(envelope: Envelope) -> App:
    trace = envelope.headers.get("trace")
    return _first_known(*(_app_of_session(item) for item in envelope.items), _app(trace))


def _app_of_session(item: Item) -> App:
    if item.type not in ("session", "sessions") or len(item.payload) > MAX_SESSION_BYTES:
        return App()
    try:
        return _app(parse_object(item.payload, "The session").get("attrs"))
    except InvalidJSON:
        return App()


def _app(value: Any) -> App:
    fields = value if isinstance(value, dict) else {}
    texts: Iterable[Any] = (fields.get("release"), fields.get("environment"))
    release, environment = (text[:200] if isinstance(text, str) else None for text in texts)
    return App(release, environment)
