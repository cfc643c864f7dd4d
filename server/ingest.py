"""The edge for SDKs: a request becomes facts or a refusal, and either becomes a record.

One plain ASGI application in front of all routes (a framework's routing would halve its speed), for every path with
`/api/{project}/{endpoint}` in it: with or without a prefix, a trailing slash, doubled slashes.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from .answers import CORS_HEADERS, PREFLIGHT_HEADERS, body_of, encode, headers_of, status_of
from .core.dsn import Credentials, credentials_of, one_of, parse_auth_header, parse_dsn, parse_project_id
from .core.encoding import Body, inflate_store_body
from .core.envelope import parse_envelope
from .core.errors import BadRequest, FirstlightError, KeyRefused, MalformedEnvelope, ProjectMismatch, Refusal
from .core.events import Sdk
from .core.facts import (
    Facts,
    client_of,
    envelope_dsn,
    facts_of_envelope,
    facts_of_heartbeat,
    facts_of_security,
    facts_of_store,
    record_of,
    record_of_refusal,
)
from .core.onboarding import Signal
from .core.project import Project, check_key
from .recorder import UNKNOWN_SECONDS, Recorder

log = logging.getLogger("firstlight.ingest")

BODY_SECONDS = 30.0
"""How long a body may take to arrive; SDKs give up after that, too."""

_PATH = re.compile(r"/api/+([^/]+)/+(.+?)/*$")
_WANTED = frozenset({b"x-sentry-auth", b"authorization", b"content-encoding", b"user-agent"})
_EMPTY_ANSWER = b"{}"


def matches(path: str) -> bool:
    """Whether a path is meant for this edge."""
    return _endpoint_of(path) is not None


class Ingest:
    """The application. Finds its recorder in the lifespan's state.

    Args:
        max_body: bytes of one request, as sent and decompressed.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see the module."""
        if scope["method"] == "OPTIONS":
            await _answer(send, 204, b"", PREFLIGHT_HEADERS)
            return
        try:
            event_id = await _Request(scope, receive, self._max_body).take()
            body = _EMPTY_ANSWER if event_id is None else encode({"id": event_id})
            await _answer(send, 200, body)
        except _NoSuchEndpoint as error:
            await _answer(send, error.status, encode({"detail": str(error), "causes": []}), error.headers)
        except FirstlightError as error:
            log.debug("Refused %s: %s", scope["path"], error)
            await _answer(send, status_of(error), encode(body_of(error)), headers_of(error))
        except ClientDisconnect:
            log.debug("The client left before its body was whole: %s", scope["path"])


class _NoSuchEndpoint(Exception):
    """A near miss of a path, or another method than POST."""

    def __init__(self, detail: str, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers


class _Request:
    """One request on its way from bytes to a record."""

    def __init__(self, scope: Scope, receive: Receive, max_body: int) -> None:
        self._scope = scope
        self._receive = receive
        self._max_body = max_body
        self._recorder: Recorder = scope["state"]["recorder"]
        self._headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED}
        self._project_id = 0
        self._project: Project | None = None

    async def take(self) -> str | None:
        """Do what the request asks; return the id of its event.

        Raises:
            Refusal: it is answered with an error, and stands on the page of the project that it named.
            StoreUnavailable, Overloaded: it cannot be taken now.
        """
        endpoint = _endpoint_of(self._scope["path"])
        assert endpoint is not None  # the caller asked `matches`
        project_id, name = endpoint
        reader = _READERS.get(name)
        if reader is None:
            raise _NoSuchEndpoint(f"There is no endpoint {name[:60]!r}. SDKs send to /api/PROJECT/envelope/.", 404, {})
        if self._scope["method"] != "POST":
            raise _NoSuchEndpoint("Use POST.", 405, {"allow": "POST, OPTIONS"})
        self._project_id = parse_project_id(project_id)
        try:
            facts = await reader(self)
        except Refusal as refusal:
            await self._note(refusal)
            raise
        await self._recorder.record(self._project_id, record_of(facts, self._recorder.now()))
        return facts.event_id

    async def heartbeat(self) -> Facts:
        credentials = await self._authorize(self._credentials())
        return facts_of_heartbeat(await self._body(), self._client(credentials))

    async def store(self) -> Facts:
        credentials = await self._authorize(self._credentials())
        body = inflate_store_body(await self._body(), self._max_body)
        return facts_of_store(body, uuid4().hex, self._client(credentials))

    async def security(self) -> Facts:
        credentials = await self._authorize(self._credentials())
        return facts_of_security(await self._body(), self._client(credentials))

    async def traces(self) -> Facts:
        return await self._otlp(Signal.TRANSACTION)

    async def logs(self) -> Facts:
        return await self._otlp(Signal.LOG)

    async def envelope(self) -> Facts:
        """The key may also stand in the envelope's header, as tunnels forward it; then the body is read first."""
        credentials = self._credentials()
        if credentials:
            await self._authorize(credentials)
        envelope = parse_envelope(await self._body())
        dsn_text = envelope_dsn(envelope)
        if dsn_text:
            try:
                dsn = parse_dsn(dsn_text)
            except BadRequest as error:
                raise MalformedEnvelope(f"its header's dsn is not a DSN ({error})", 0, dsn_text[:8] + "…") from None
            credentials = one_of(credentials, Credentials(dsn.key))
            if dsn.project_id != self._project_id:
                await self._authorize(credentials)
                raise ProjectMismatch(
                    f"The envelope's DSN names project {dsn.project_id}, the URL project {self._project_id}. "
                    "Send it to the project of its DSN.",
                    evidence={"dsn": str(dsn.project_id), "url": str(self._project_id)},
                )
        credentials = await self._authorize(credentials)
        return facts_of_envelope(envelope, uuid4().hex, self._client(credentials))

    async def _otlp(self, signal: Signal) -> Facts:
        credentials = await self._authorize(self._credentials())
        await self._body()
        return Facts(signals=frozenset({signal}), client_sdk=self._client(credentials))

    def _credentials(self) -> Credentials | None:
        found = (
            parse_auth_header(self._headers.get(b"x-sentry-auth", "")),
            parse_auth_header(self._headers.get(b"authorization", "")),
            _query_credentials(self._scope["query_string"]),
        )
        return one_of(*found) if any(found) else None

    def _client(self, credentials: Credentials) -> Sdk | None:
        return client_of(credentials.client, self._headers.get(b"user-agent"))

    async def _authorize(self, credentials: Credentials | None) -> Credentials:
        found = one_of(credentials)
        if self._project is None:
            try:
                self._project = check_key(await self._recorder.project(self._project_id), found.key)
            except KeyRefused:  # what is remembered may be old: a corrected key must work at once
                project = await self._recorder.project(self._project_id, max_age=UNKNOWN_SECONDS)
                self._project = check_key(project, found.key)
        return found

    async def _body(self) -> bytes:
        """The whole body, decompressed. Stops as soon as it is known to be too large."""
        body = Body(self._headers.get(b"content-encoding", ""), self._max_body)
        message = await self._receive()
        if message.get("more_body"):
            return await self._long_body(body, message)
        self._feed(body, message)
        return body.bytes()

    async def _long_body(self, body: Body, message: Mapping[str, Any]) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    self._feed(body, message)
                    if not message.get("more_body"):
                        return body.bytes()
                    message = await self._receive()
        except TimeoutError:
            raise BadRequest(f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from None

    def _feed(self, body: Body, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body.feed(message.get("body", b""))

    async def _note(self, refusal: Refusal) -> None:
        """Put a refusal on the page of the project that the URL names, if there is one."""
        project = self._project or await self._recorder.project(self._project_id)
        if project:
            record = record_of_refusal(refusal, self._project is not None, self._recorder.now())
            await self._recorder.record(project.id, record)


_READERS: dict[str, Callable[[_Request], Awaitable[Facts]]] = {
    "heartbeat": _Request.heartbeat,
    "envelope": _Request.envelope,
    "store": _Request.store,
    "security": _Request.security,
    "csp-report": _Request.security,
    "integration/otlp/v1/traces": _Request.traces,
    "integration/otlp/v1/logs": _Request.logs,
}
"""The endpoints. What each proves is decided in `core.facts`."""


@lru_cache(maxsize=4096)
def _endpoint_of(path: str) -> tuple[str, str] | None:
    match = _PATH.search(path)
    return (match[1], re.sub("/+", "/", match[2])) if match else None


@lru_cache(maxsize=4096)
def _query_credentials(query: bytes) -> Credentials | None:
    try:
        return credentials_of(dict(parse_qsl(query.decode("latin-1"), max_num_fields=50))) if query else None
    except ValueError:
        raise BadRequest("The query has too many fields.") from None


_HEADERS = [(name.encode(), value.encode()) for name, value in CORS_HEADERS.items()]
_HEADERS.append((b"content-type", b"application/json"))


async def _answer(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    extra = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()] if headers else []
    known = {name for name, _ in extra}
    lines = [line for line in _HEADERS if line[0] not in known] if extra else _HEADERS
    if status != 204:
        extra.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines + extra})
    await send({"type": "http.response.body", "body": body})
