"""What SDKs send to: one table of addresses, methods and handlers, and a function for each.

A handler authenticates, reads the body, finds out what it proves, and records that; what a body proves is decided in
`core.wire.observation`. To add an endpoint, add a function and a row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from ..core.model.errors import BadRequest, MalformedEnvelope, ProjectMismatch
from ..core.model.origin import parse_origin
from ..core.model.signals import Signal, Source
from ..core.snapshot import iso
from ..core.state import fields
from ..core.state.arrived import rows_of
from ..core.state.beat import Complaint, Occurrence, complaint_of
from ..core.state.fields import Effect
from ..core.state.update import update_of
from ..core.wire.body import inflate_store_body
from ..core.wire.dsn import Credentials, Dsn, one_of, parse_dsn
from ..core.wire.envelope import MAX_EVENT_BYTES, parse_envelope
from ..core.wire.integrations import observe_drain, observe_otlp
from ..core.wire.later import Later, observe_later
from ..core.wire.observation import (
    Observation,
    envelope_dsn,
    observe_envelope,
    observe_heartbeat,
    observe_minidump,
    observe_security,
    observe_store,
)
from ..core.wire.otlp import parse_otlp
from ..responses import encode
from .authentication import MAX_FIELDS, authenticate, credentials_around, find_credentials
from .body import Arrival, read_body
from .otlp_answers import taken
from .request import SdkRequest

MAX_SENTRY_DATA = 16 * 1024
"""Bytes of a query that carries a whole event: what old browsers could send."""
_EMPTY_ANSWER = b"{}"


async def heartbeat(request: SdkRequest) -> bytes:
    """`POST heartbeat/`."""
    credentials = await authenticate(request, credentials_around(request))
    body = await read_body(request)
    return await record(request, observe_heartbeat(body, request.client(credentials)))


async def look(request: SdkRequest) -> bytes:
    """`GET heartbeat/`: that the way and the key are right, and the time. A key only writes: it reads nothing."""
    await authenticate(request, credentials_around(request))
    return encode({"now": iso(request.tools.writer.now())})


async def check(request: SdkRequest) -> bytes:
    """`POST check/`: nothing but the way; viewers see that it came, and it proves no SDK."""
    await authenticate(request, credentials_around(request))
    # The body is read: whether a large one comes through is what the doctor asks.
    size, tools = len(await read_body(request)), request.tools
    tools.gate.check_project(request.project_id)
    now = tools.writer.now()
    await show(request, tools.gate.shows_check(request.project_id), {fields.CHECKED_AT: now})
    return encode({"received": size, "now": iso(now)})


async def envelope(request: SdkRequest) -> bytes:
    """`POST envelope/`. Where the key is only in the envelope's header, as tunnels forward it, that is read first."""
    around = credentials_around(request)
    if around:
        credentials = await authenticate(request, around)
        body = await read_body(request)
    else:
        arrival = Arrival(request)
        dsn = _dsn_in(await arrival.header())
        credentials = await authenticate(request, Credentials(dsn.key) if dsn else None)
        body = await arrival.whole()
    parsed = parse_envelope(body, request.budget)
    dsn = _dsn_in(parsed.headers)
    if dsn:
        # Raises where they differ: a tunnel that mixes two applications up would count one's errors for the other.
        credentials = one_of(credentials, Credentials(dsn.key))
        _check_project(request, dsn)
    client = request.client(credentials)
    # Nearly all errors that come are not the first, and say nothing new.
    if request.tools.projects.has_whole_first_error(request.project_id) and (later := observe_later(parsed, client)):
        return await _record_later(request, later)
    return await record(request, observe_envelope(parsed, uuid4().hex, client, request.budget))


async def store(request: SdkRequest) -> bytes:
    """`POST store/`: one event, as old SDKs send it."""
    credentials = await authenticate(request, credentials_around(request))
    return await _record_event(request, await read_body(request), credentials)


async def store_by_query(request: SdkRequest) -> bytes:
    """`GET store/?sentry_data=`: as old browsers' SDKs sent it, with an image."""
    query = request.query.decode("latin-1")[:MAX_SENTRY_DATA]
    told = dict(_fields_of(query))
    data = told.pop("sentry_data", "")
    credentials = await authenticate(request, find_credentials("", "", urlencode(told).encode()))
    # Base64 that was not escaped for a query: its plus signs have become blanks.
    return await _record_event(request, data.replace(" ", "+").encode("latin-1", "replace"), credentials)


async def security(request: SdkRequest) -> bytes:
    """`POST security/`, `csp-report/`: a browser's report."""
    credentials = await authenticate(request, credentials_around(request))
    return await record(request, observe_security(await read_body(request), request.client(credentials)))


async def minidump(request: SdkRequest) -> bytes:
    """`POST minidump/`: a native crash, as an upload of a form or as it is."""
    credentials = await authenticate(request, credentials_around(request))
    body = await read_body(request)
    return await record(request, observe_minidump(body, uuid4().hex, request.client(credentials)))


async def cron(request: SdkRequest) -> bytes:
    """`cron/{slug}/{key}/`: a check-in without an SDK; the key may also stand where it always does."""
    rest = request.address.rest
    in_path = Credentials(rest[1]) if len(rest) > 1 else None
    credentials = await authenticate(request, one_of(in_path, credentials_around(request)))
    await read_body(request)
    seen = Observation(signals=frozenset({Signal.CHECK_IN}), client_sdk=request.client(credentials), has_no_client=True)
    return await record(request, seen)


async def traces(request: SdkRequest) -> bytes:
    """`POST integration/otlp/v1/traces`."""
    return await _otlp(request, Signal.TRANSACTION)


async def logs(request: SdkRequest) -> bytes:
    """`POST integration/otlp/v1/logs`."""
    return await _otlp(request, Signal.LOG)


async def metrics(request: SdkRequest) -> bytes:
    """`POST integration/otlp/v1/metrics`."""
    return await _otlp(request, Signal.METRIC)


async def drain(request: SdkRequest) -> bytes:
    """`POST integration/vercel/logs`: a platform's log drain."""
    credentials = await authenticate(request, credentials_around(request))
    return await record(request, observe_drain(await read_body(request), request.client(credentials)))


async def _record_later(request: SdkRequest, later: Later) -> bytes:
    """Write down an error after the first; as `record`."""
    tools, project_id = request.tools, request.project_id
    now, event_id = tools.writer.now(), later.event_id or uuid4().hex
    complaint = complaint_of(later, now, request.address.endpoint, tools.lists)
    if complaint is None or not (_is_known(request) and tools.writer.complaints.is_known(project_id, complaint)):
        return await record(request, later.whole(event_id), complaint)
    tools.gate.check_project(project_id)
    tools.writer.complaints.take(project_id, complaint, Occurrence(now, event_id, request.size))
    _note_sender(request)
    return encode({"id": event_id})


async def record(request: SdkRequest, observation: Observation, complaint: Complaint | None = None) -> bytes:
    """Write down what a request proves; gives the answer.

    Args:
        complaint: what other errors may say as well, if it is one that says it.

    Raises:
        RateLimited: it says nothing new, and its project sends too much. An app's heartbeat alone always passes.
        Overloaded: the store is away, and too much waits for it.
    """
    tools, project_id = request.tools, request.project_id
    now, source = tools.writer.now(), observation.source
    saying = (observation, request.address.endpoint, request.size, tools.lists)
    # The hot path of this server: an app's heartbeats are all alike.
    answer = _EMPTY_ANSWER if observation.event_id is None else encode({"id": observation.event_id})
    if observation.is_beat and _is_known(request) and tools.writer.take_again(project_id, saying, now):
        _note_sender(request)
        request.is_again = b"origin" not in request.headers  # that is noted, too
        return answer
    update = update_of(observation, now, tools.keep)
    update |= rows_of(observation, source, now, request.address.endpoint, request.size, tools.lists)
    # The store is away and this process has not met the project: taken now, judged later, since SDKs do not send it
    # again. And so is what comes while such a one waits, or a later error would be the first.
    is_later = request.project is None or tools.unverified.comes_before(request.sender, project_id)
    if is_later and request.credentials:
        await tools.unverified.take(request.sender, project_id, request.credentials.key, update)
        return answer
    if source is not Source.APP:
        return await _show_test(request, update, answer)
    # A heartbeat, and whatever says something new, always passes: somebody waits for exactly that.
    if not observation.is_beat and tools.projects.effect_of(project_id, update) < Effect.NEWS:
        tools.gate.check_project(project_id)
    # What somebody waits for is stored, or on disk, when this returns: 200 is a promise. The rest waits in there.
    if observation.is_beat:
        await tools.writer.write_beat(project_id, saying, update, now)
    else:
        await tools.writer.write(project_id, update)
        if complaint:
            tools.writer.complaints.begin(project_id, complaint)
    _note_sender(request)
    return answer


def _is_known(request: SdkRequest) -> bool:
    """Whether its project is known, and nothing of that waits to be judged, which would come first."""
    return request.project is not None and not request.tools.unverified.comes_before(request.sender, request.project_id)


def _note_sender(request: SdkRequest) -> None:
    """Remember where an application sends from."""
    senders, project_id = request.tools.senders, request.project_id
    senders.met(project_id, request.sender)
    origin = parse_origin(request.headers[b"origin"]) if b"origin" in request.headers else None
    if origin:
        senders.met(project_id, origin)


async def _show_test(request: SdkRequest, update: fields.Update, answer: bytes) -> bytes:
    """A signal that is not the app's: the page sees that it came, as it does with `check/`."""
    gate, project_id = request.tools.gate, request.project_id
    gate.check_project(project_id)
    await show(request, gate.shows_check(project_id), update)
    request.tools.senders.met(project_id, request.sender)
    return answer


async def show(request: SdkRequest, at_once: bool, update: fields.Update) -> None:
    """Write down what only the page waits for; what must not be shown at once is gathered for a second."""
    writer = request.tools.writer
    if at_once:
        await writer.write(request.project_id, update)
    else:
        writer.write_later(request.project_id, update)


async def _otlp(request: SdkRequest, signal: Signal) -> bytes:
    credentials = await authenticate(request, credentials_around(request))
    content_type, body = request.headers.get(b"content-type", ""), await read_body(request)
    export = parse_otlp(body, content_type, signal, request.budget)
    await record(request, observe_otlp(export, signal, uuid4().hex, request.client(credentials)))
    return taken(request, export, signal)


async def _record_event(request: SdkRequest, body: bytes, credentials: Credentials) -> bytes:
    event = inflate_store_body(body, min(request.tools.max_body, MAX_EVENT_BYTES))
    return await record(request, observe_store(event, uuid4().hex, request.client(credentials), request.budget))


def _dsn_in(headers: Mapping[str, Any]) -> Dsn | None:
    text = envelope_dsn(headers)
    try:
        return parse_dsn(text) if text else None
    except BadRequest as error:
        raise MalformedEnvelope(
            f"its header's dsn is not a DSN ({error})", 0, (text or "")[:8] + "…", "dsn_damaged"
        ) from None


def _check_project(request: SdkRequest, dsn: Dsn) -> None:
    if dsn.project_id != request.project_id:
        raise ProjectMismatch(
            f"The envelope's DSN names project {dsn.project_id}, the URL project {request.project_id}. "
            "Send it to the project of its DSN.",
            evidence={"dsn": str(dsn.project_id), "url": str(request.project_id)},
        )


def _fields_of(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest("The query has too many fields.", cause="query_fields") from None


Handler: TypeAlias = Callable[[SdkRequest], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row: what each method does.

    Args:
        handlers: by method.
        questions: methods by which the page and the doctor ask: whoever asks gets the answer, and if it is refused,
            no SDK did anything wrong.
        is_otlp: whether it is answered as OpenTelemetry's protocol says.
    """

    handlers: Mapping[str, Handler]
    questions: frozenset[str] = frozenset()
    is_otlp: bool = False


# Where exporters send: they append `/v1/traces` and so on to the base that they are given. The documented base is the
# first, Relay had the second before, and the last is what comes of `…/api/{project}`, as other settings have it.
_BASES = ("integration/otlp/", "otlp/", "")
_OTLP = {
    f"{base}v1/{name}": Endpoint({"POST": handler}, is_otlp=True)
    for base in _BASES
    for name, handler in (("traces", traces), ("logs", logs), ("metrics", metrics))
}


ENDPOINTS: Mapping[str, Endpoint] = {
    "envelope": Endpoint({"POST": envelope}),
    "heartbeat": Endpoint({"POST": heartbeat, "GET": look}, questions=frozenset({"GET"})),
    "store": Endpoint({"POST": store, "GET": store_by_query}),
    "security": Endpoint({"POST": security}),
    "csp-report": Endpoint({"POST": security}),
    "minidump": Endpoint({"POST": minidump}),
    "cron": Endpoint({"POST": cron, "PUT": cron, "GET": cron}),
    "check": Endpoint({"POST": check}, questions=frozenset({"POST"})),
    "integration/vercel/logs": Endpoint({"POST": drain}),
    **_OTLP,
}
"""Every endpoint, below `/api/{project}/`."""
EXACT = frozenset(ENDPOINTS)
"""Their names."""
