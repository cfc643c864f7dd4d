"""From a request to a record: what one request proves, and what it tells of the SDK and the application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import lru_cache
from typing import Any

import msgspec

from .envelope import Envelope, Item, check_event_size
from .errors import InvalidJSON, Refusal
from .events import App, Event, Sdk, parse_client, parse_event, parse_event_id, parse_object, sdk_of
from .heartbeat import Heartbeat, parse_heartbeat
from .onboarding import ITEM_SIGNALS, TRANSITIONS, Signal, Stage
from .state import Record, Value


@dataclass(frozen=True, slots=True)
class Facts:
    """What one accepted request proves.

    Args:
        signals: in no order; may be empty (an envelope of unknown items), which still proves the key.
        event: the error or message in it.
        event_id: what the answer names.
        payload_sdk: the SDK's name as only the payload has it, with the framework.
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
    problems: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def facts_of_heartbeat(body: bytes, client: Sdk | None = None) -> Facts:
    """Read a `/heartbeat/` body.

    Raises:
        InvalidJSON, WrongType: as `parse_heartbeat`.
    """
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
        return facts_of_heartbeat(msgspec.json.encode(headers), client)
    facts = Facts(
        signals=frozenset(ITEM_SIGNALS[item.type] for item in envelope.items if item.type in ITEM_SIGNALS),
        event_id=parse_event_id(headers.get("event_id")),
        client_sdk=client or sdk_of(headers.get("sdk")),
        app=_app_of_envelope(envelope),
    )
    for item in envelope.items:
        if item.type in ("event", "transaction"):
            facts = _with_event(facts, parse_event(item.payload), new_id)
        elif item.type == "heartbeat":
            facts = _with_heartbeat(facts, parse_heartbeat(bytes(item.payload)))
    return facts


def facts_of_store(body: bytes, new_id: str, client: Sdk | None = None) -> Facts:
    """Read a `/store/` body: one event, as old SDKs send it.

    Raises:
        InvalidJSON: it is no JSON object.
        TooLarge: it is over 1 MiB.
    """
    check_event_size("event", len(body))
    return _with_event(Facts(client_sdk=client), parse_event(body), new_id)


def facts_of_security(body: bytes, client: Sdk | None = None) -> Facts:
    """Read a browser's report: `{"csp-report": …}`, or the list that the Reporting API sends.

    Raises:
        InvalidJSON: it is neither.
    """
    try:
        reports = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        reports = None
    if not isinstance(reports, dict | list) or not reports:
        raise InvalidJSON("A security report must be a JSON object, or a list of them.")
    return Facts(signals=frozenset({Signal.CSP_REPORT}), client_sdk=client)


def envelope_dsn(envelope: Envelope) -> str | None:
    """The DSN in the envelope header, for tunnels that have no other key."""
    dsn = envelope.headers.get("dsn")
    return dsn if isinstance(dsn, str) and dsn else None


@lru_cache(maxsize=1024)
def client_of(sentry_client: str | None, user_agent: str | None) -> Sdk | None:
    """The SDK as the request's surroundings name it: `sentry_client`, else a User-Agent that is no browser's."""
    return parse_client(sentry_client) or (
        parse_client(user_agent) if user_agent and "/" in user_agent and not user_agent.startswith("Mozilla/") else None
    )


def record_of(facts: Facts, at: int) -> Record:
    """The record of an accepted request that was received at `at` (milliseconds)."""
    record = record_of_key(at)
    record["accepted_at"] = at
    stage = Stage.CONNECTED
    for signal in facts.signals:
        stage = TRANSITIONS[stage, signal]
        record[f"signal.{signal}.first_at"] = record[f"signal.{signal}.last_at"] = at
    record["stage"] = int(stage)
    if facts.event and Signal.ERROR in facts.signals:
        record["first_error"] = (at, _first_error(facts.event, facts.event_id))
        record["signal.error.event_id"] = (at, facts.event_id or "")
    told = {
        "client_sdk": _json(facts.client_sdk),
        "payload_sdk": _json(facts.payload_sdk),
        "release": facts.app.release,
        "environment": facts.app.environment,
        "runtime": facts.app.runtime,
        "config": facts.config,
        "interval": None if facts.interval is None else f"{facts.interval:g}",
    }
    record.update({name: (at, text) for name, text in told.items() if text})
    for code, evidence in facts.problems.items():
        record.update(record_of_problem(code, evidence, at))
    return record


def record_of_key(at: int) -> dict[str, Value]:
    """What any request with a valid key proves, also one whose body is refused."""
    return {"stage": int(Stage.CONNECTED), "connected_at": at, "last_seen_at": at}


def record_of_problem(code: str, evidence: Mapping[str, str], at: int) -> dict[str, Value]:
    """One sighting of a problem."""
    return {
        f"problem.{code}.count": 1,
        f"problem.{code}.first_at": at,
        f"problem.{code}.last_at": at,
        f"problem.{code}.evidence": (at, msgspec.json.encode(evidence).decode()),
    }


def record_of_refusal(refusal: Refusal, key_is_valid: bool, at: int) -> Record:
    """The record of a refused request, for the page of the project that it named."""
    record = record_of_key(at) if key_is_valid else {}
    if refusal.code:
        evidence = {name: text[:200] for name, text in refusal.evidence.items()}
        record.update(record_of_problem(refusal.code, {"detail": refusal.detail[:300], **evidence}, at))
    return record


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
    if item.type not in ("session", "sessions"):
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
