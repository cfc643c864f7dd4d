"""From a request to an observation: what it proves, and what it tells of the SDK and the application."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from ..model.codes import Code
from ..model.errors import BadRequest, InvalidJSON
from ..model.signals import Signal, Source
from .budget import Budget
from .client import source_of
from .container import TYPES, Told, parse_container
from .envelope import Envelope, Item, check_size
from .event import MAX_TEXT, App, Event, Sdk, parse_event, parse_event_id, sdk_of
from .heartbeat import Heartbeat, heartbeat_of, parse_heartbeat
from .lenient import decode, parse_object

MAX_SESSION_BYTES = 100 * 1024
"""A larger session item still proves a session, but is not decoded: 20 MiB of JSON would take hundreds of memory."""

MAX_CACHED_BYTES = 1024
"""Bytes of a heartbeat that is cached: one with every field is smaller, and 4,096 of them stay under 4 MiB."""

MINIDUMP = b"MDMP"
"""What a minidump starts with (MINIDUMP_HEADER.Signature)."""
# A minidump is not unpacked: symbols and stacks are the work of the product behind this server, and parsers of such
# files are a favourite of attackers. That it came is all that a page needs.
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
_SESSION_TYPES = frozenset({"session", "sessions"})
# How native SDKs mark a crash in an envelope that has no event of its own (Relay: `AttachmentType`).
_CRASH_ATTACHMENTS = frozenset({"event.minidump", "event.applecrashreport"})
MAX_DROPPED = 100
"""Lines of client reports that are read in one request: SDKs send one for each reason and category."""
MAX_QUANTITY = 1_000_000
"""The most that one line may count. SDKs send a report a minute; counts add up for as long as a project lives."""
MAX_REPORTS = 10
"""Client reports that are read in one request: SDKs send one."""
MAX_TIME = 10**10
"""Seconds since the Unix epoch that a clock may show, up to the year 2286. More is not a time, and may have 4,000
digits."""

ITEM_SIGNALS: dict[str, Signal] = {
    "heartbeat": Signal.HEARTBEAT,
    "session": Signal.SESSION,
    "sessions": Signal.SESSION,
    "client_report": Signal.CLIENT_REPORT,
    "transaction": Signal.TRANSACTION,
    "span": Signal.TRANSACTION,  # what Node 11 and Browser 11 send in place of transactions
    "profile": Signal.PROFILE,
    "profile_chunk": Signal.PROFILE,
    "profile_chunk_ui": Signal.PROFILE,
    "replay_event": Signal.REPLAY,
    "replay_recording": Signal.REPLAY,
    "replay_video": Signal.REPLAY,
    "log": Signal.LOG,
    "trace_metric": Signal.METRIC,
    "statsd": Signal.METRIC,  # this and the next: the metrics of 2024, which SDKs have given up
    "metric_buckets": Signal.METRIC,
    "check_in": Signal.CHECK_IN,
    "feedback": Signal.FEEDBACK,
    "user_report": Signal.FEEDBACK,
    "attachment": Signal.ATTACHMENT,
    "security": Signal.CSP_REPORT,
    "raw_security": Signal.CSP_REPORT,
    "nel": Signal.CSP_REPORT,
}
"""What an envelope item proves by its type alone. An `event` is looked into. An unknown type proves only the key: new
SDKs have new types, and refusing them would hide that the SDK is connected."""


class _Session(Struct):
    """What is read of a session. Everything else is skipped without building objects."""

    attrs: Raw = Raw(b"null")


class Dropped(Struct, frozen=True, gc=False):
    """One line of a client report: how many of a category were not sent, and for what reason."""

    reason: str
    category: str
    quantity: int


class Observation(Struct, frozen=True, gc=False):
    """What one accepted request proves.

    Args:
        signals: in no order; may be empty (an envelope of unknown items), which still proves the key.
        event: the error or message in it.
        event_id: what the answer names.
        payload_sdk: the SDK's name as only the payload has it, with the framework.
        inferred: what the traffic tells of the configuration, by name, as JSON.
        sent_at: when the SDK sent it by its own clock, in milliseconds.
        dropped: what a client report says was not sent.
        is_beat: whether it is a heartbeat and nothing else. Only then is it exempt from a project's limit.
        problems: codes with their evidence, seen in what was accepted.
        has_no_client: whether its kind of sender never names an SDK: a browser's security report, a check-in, a
            minidump, an exporter of OpenTelemetry.
    """

    signals: frozenset[Signal] = frozenset()
    event: Event | None = None
    event_id: str | None = None
    client_sdk: Sdk | None = None
    payload_sdk: Sdk | None = None
    app: App = App()
    config: str | None = None
    interval: float | None = None
    inferred: tuple[tuple[str, str], ...] = ()
    sent_at: int | None = None
    dropped: tuple[Dropped, ...] = ()
    is_envelope: bool = False
    is_beat: bool = False
    problems: Mapping[str, Mapping[str, str]] = {}
    has_no_client: bool = False

    @property
    def source(self) -> Source:
        """Who sent it."""
        source = source_of(self.client_sdk, self.payload_sdk)
        return Source.APP if self.has_no_client and source is Source.PROBE else source


def observe_heartbeat(body: bytes, client: Sdk | None = None) -> Observation:
    """Read a `/heartbeat/` body. Cached, as long as it is small: an app's beats are all alike (22 µs to read, 0.2 to
    look up).

    Raises:
        InvalidJSON, WrongType, TooLarge: as `parse_heartbeat`.
    """
    return (_observe_heartbeat if len(body) <= MAX_CACHED_BYTES else _observe_heartbeat.__wrapped__)(body, client)


# The client is part of the key: the same body from another SDK is another observation.
@lru_cache(maxsize=4096)
def _observe_heartbeat(body: bytes, client: Sdk | None) -> Observation:
    return _with_heartbeat(Observation(client_sdk=client, is_beat=True), parse_heartbeat(body))


def observe_envelope(
    envelope: Envelope, new_id: str, client: Sdk | None = None, budget: Budget | None = None
) -> Observation:
    """Read an envelope.

    Args:
        new_id: 32 hex digits to name an event that has no id of its own.
        client: the SDK as authentication or the User-Agent names it.
        budget: what may be read the slow way; a whole one where none is given.

    Raises:
        InvalidJSON: an event or heartbeat item is no JSON object.
        WrongType: a heartbeat item has a field of the wrong type.
    """
    headers, budget = envelope.headers, budget or Budget()
    # A bare {"type": "heartbeat"}: the first thing people try by hand, and by the grammar an envelope without items.
    if not envelope.items and headers.get("type") == "heartbeat":
        return _with_heartbeat(Observation(client_sdk=client, is_beat=True), heartbeat_of(headers))
    beats = sum(item.type == "heartbeat" for item in envelope.items)
    # One container is enough, since all are of one process.
    containers = islice((item for item in envelope.items if item.type in TYPES), 1)
    told = next((parse_container(item.payload, budget) for item in containers), Told(App()))
    observation = Observation(
        signals=frozenset(ITEM_SIGNALS[item.type] for item in envelope.items if item.type in ITEM_SIGNALS),
        event_id=parse_event_id(headers.get("event_id")),
        client_sdk=client or sdk_of(headers.get("sdk")),  # JavaScript's SDKs name themselves there as well
        app=_app_of_envelope(envelope, told.app, budget),
        inferred=(*inferred_from_trace(headers.get("trace")), *_inferred_from_names(told.integrations)),
        sent_at=time_of(headers.get("sent_at")),
        dropped=tuple(islice(_dropped(envelope, budget), MAX_DROPPED)),
        is_envelope=True,
        is_beat=0 < beats == len(envelope.items),
    )
    for item in envelope.items:
        observation = _with_item(observation, item, new_id, budget)
    return observation


def _with_item(observation: Observation, item: Item, new_id: str, budget: Budget) -> Observation:
    """What is looked into. All other items prove what their type says, and nothing else."""
    if item.type == "event":
        return with_event(observation, parse_event(item.payload, budget), new_id)
    if item.type == "transaction":  # whatever its payload says: only an event can be an error
        transaction = replace(parse_event(item.payload, budget), signal=Signal.TRANSACTION, is_sample=False)
        return with_event(observation, transaction, new_id)
    if item.type == "attachment" and item.attachment_type in _CRASH_ATTACHMENTS:
        # Beside an event it is that event's own dump, and the event says more.
        return observation if observation.event else with_event(observation, NATIVE_CRASH, new_id)
    if item.type == "heartbeat":
        return _with_heartbeat(observation, parse_heartbeat(bytes(item.payload), budget))
    return observation


def observe_store(body: bytes, new_id: str, client: Sdk | None = None, budget: Budget | None = None) -> Observation:
    """Read a `/store/` body: one event, as old SDKs send it.

    Raises:
        InvalidJSON: it is not a JSON object.
        TooLarge: it is over 1 MiB.
    """
    check_size("event", len(body))
    observation = Observation(client_sdk=client, problems={Code.LEGACY_STORE_ENDPOINT: {}})
    return with_event(observation, parse_event(body, budget), new_id)


def observe_security(body: bytes, client: Sdk | None = None) -> Observation:
    """Read a browser's report: `{"csp-report": …}` (CSP 2, `report-uri`), or the list that the Reporting API sends.

    Raises:
        InvalidJSON: it is neither.
        TooLarge: it is over 1 MiB.
    """
    check_size("security", len(body))
    try:
        msgspec.json.decode(body, type=Raw)  # whether it is JSON; nothing of it is read
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = b""
    if not _REPORTS.match(body):
        raise InvalidJSON("A security report must be a JSON object, or a list of them.", cause="not_object")
    return Observation(signals=frozenset({Signal.CSP_REPORT}), client_sdk=client, has_no_client=True)


_REPORTS = re.compile(rb"""[ \t\r\n]*(?:\{[ \t\r\n]*"|\[[ \t\r\n]*[^ \t\r\n\]])""")
"""An object or a list with something in it. Its start is enough: nothing else of a report is read."""


def inferred_from_trace(trace: Any) -> Iterable[tuple[str, str]]:
    """The rate that a trace was sampled with, as text: SDKs repeat their traces_sample_rate there, so that services
    further on decide alike. With a `traces_sampler` it is the rate of this one trace.
    """
    rate = trace.get("sample_rate") if isinstance(trace, dict) else None
    try:
        number = float(rate) if isinstance(rate, str) and len(rate) < 20 else -1.0
    except ValueError:
        return
    if 0 <= number <= 1:
        yield "traces_sample_rate", f"{number:g}"


def _inferred_from_names(integrations: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    if integrations:
        yield "integrations", msgspec.json.encode(integrations).decode()


def _dropped(envelope: Envelope, budget: Budget) -> Iterable[Dropped]:
    """What the client reports of an envelope say. Lines that make no sense are passed over: reports are a side channel,
    and what came along with one must not be refused for it.
    """
    for item in islice((item for item in envelope.items if item.type == "client_report"), MAX_REPORTS):
        try:
            lines = parse_object(item.payload, "The client report", budget).get("discarded_events")
        except InvalidJSON:
            continue
        for line in lines[:MAX_DROPPED] if isinstance(lines, list) else ():
            fields = line if isinstance(line, dict) else {}
            reason, category, quantity = (fields.get(name) for name in ("reason", "category", "quantity"))
            # type() and not isinstance(): `true` would count as one.
            if isinstance(reason, str) and isinstance(category, str) and type(quantity) is int and quantity > 0:
                yield Dropped(reason[:MAX_TEXT], category[:MAX_TEXT], min(quantity, MAX_QUANTITY))


def time_of(value: Any) -> int | None:
    """A time as SDKs write it, ISO 8601 or seconds since the epoch, in milliseconds; or None."""
    try:
        seconds = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
        return int(seconds * 1000) if type(seconds) in (int, float) and 0 < seconds < MAX_TIME else None
    except (ValueError, OverflowError):
        return None


def observe_minidump(body: bytes, new_id: str, client: Sdk | None = None) -> Observation:
    """Read a native crash: a minidump as it is, or as a file in a form, as Crashpad and Breakpad upload it.

    Raises:
        BadRequest: there is no minidump in it.
    """
    # A form is not parsed: a file starts right behind the empty line that ends the head of its part (RFC 2046, 5.1.1).
    if not body.startswith(MINIDUMP) and b"\r\n\r\n" + MINIDUMP not in body:
        raise BadRequest(
            "There is no minidump in this request. Upload it as the form's file upload_file_minidump.",
            cause="no_minidump",
        )
    return with_event(Observation(client_sdk=client, has_no_client=True), NATIVE_CRASH, new_id)


def envelope_dsn(headers: Mapping[str, Any]) -> str | None:
    """The DSN in an envelope's header, for tunnels that have no other key."""
    dsn = headers.get("dsn")
    return dsn if isinstance(dsn, str) and dsn else None


def _with_heartbeat(observation: Observation, beat: Heartbeat) -> Observation:
    return replace(
        observation,
        signals=observation.signals | {Signal.HEARTBEAT},
        payload_sdk=beat.sdk or observation.payload_sdk,
        app=_first_known(beat.app, observation.app),
        config=beat.config or observation.config,
        interval=beat.interval or observation.interval,
    )


def with_event(observation: Observation, event: Event, new_id: str) -> Observation:
    """What an event adds to an observation."""
    observation = replace(
        observation,
        signals=observation.signals
        | {Signal.MESSAGE if event.signal is Signal.ERROR and event.is_sample else event.signal},
        event=event,
        event_id=observation.event_id or event.event_id or new_id,  # the envelope's is what SDKs return and log
        payload_sdk=event.sdk or observation.payload_sdk,
        app=_first_known(event.app, observation.app),
        inferred=(*observation.inferred, *_inferred_from_names(event.integrations)),
    )
    if Signal.MESSAGE not in observation.signals:
        return observation
    # Accepted, and still a problem: somebody who waits for an error has to learn that this will never be one.
    code = "sample_only" if event.is_sample else "message_not_error"
    return replace(observation, problems={**observation.problems, code: {"title": event.title, "level": event.level}})


# The first source that knows wins, field by field: an event may name the release, and only the trace the environment.
def _first_known(*apps: App) -> App:
    release = environment = runtime = None
    for app in apps:
        release, environment, runtime = release or app.release, environment or app.environment, runtime or app.runtime
    return App(release or None, environment or None, runtime or None)


def _app_of_envelope(envelope: Envelope, told: App, budget: Budget) -> App:
    # Sessions come before the trace: their attributes always name the release, a trace only what its head knew. What
    # sends only logs or metrics has nothing but its containers.
    trace = envelope.headers.get("trace")
    sessions = (item for item in envelope.items if item.type in _SESSION_TYPES)
    return _first_known(*(_app_of_session(item, budget) for item in sessions), app_of(trace), told)


def _app_of_session(item: Item, budget: Budget) -> App:
    if len(item.payload) > MAX_SESSION_BYTES:
        return App()
    try:
        raw = decode(item.payload, _Session, "The session", budget).attrs
        return app_of(parse_object(memoryview(raw), "What a session says of its app", budget))
    except InvalidJSON:
        return App()


def app_of(value: Any) -> App:
    """What a trace, or the attributes of a session, say of the application."""
    if not isinstance(value, dict):
        return _NO_APP
    release, environment = value.get("release"), value.get("environment")
    return App(
        release[:MAX_TEXT] if isinstance(release, str) else None,
        environment[:MAX_TEXT] if isinstance(environment, str) else None,
    )


_NO_APP = App()
