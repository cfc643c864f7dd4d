"""One request of an SDK, on its way from bytes to a record: who sends, what the body holds, what it proves."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from ..answers import encode
from ..core.model.codes import Code
from ..core.model.errors import (
    BadRequest,
    FirstlightError,
    KeyOfOtherProject,
    KeyRefused,
    MalformedEnvelope,
    ProjectMismatch,
    RateLimited,
    Refusal,
    UnknownKey,
    WrongMethod,
    WrongPath,
)
from ..core.model.keys import mask, parse_project_id
from ..core.model.project import Project, check_key
from ..core.model.signals import Signal
from ..core.snapshot import Presenter, iso
from ..core.state import fields
from ..core.state.fields import Effect
from ..core.state.update import update_of, update_of_problem, update_of_refusal
from ..core.wire.address import Address
from ..core.wire.body import Body, inflate_store_body
from ..core.wire.budget import Budget
from ..core.wire.dsn import (
    MAX_TEXT,
    Credentials,
    Dsn,
    check_length,
    credentials_of,
    one_of,
    parse_auth_header,
    parse_dsn,
)
from ..core.wire.envelope import Envelope, parse_envelope
from ..core.wire.event import Sdk
from ..core.wire.observation import (
    Observation,
    client_of,
    envelope_dsn,
    observe_envelope,
    observe_heartbeat,
    observe_minidump,
    observe_otlp,
    observe_security,
    observe_store,
)
from ..engine.limits import Limiter, Places
from ..engine.projects import Projects
from ..engine.writer import Writer

BODY_SECONDS = 30.0
"""How long a body may take to arrive; SDKs give up after that, too."""
MAX_FIELDS = 50
"""Fields of a query that are read."""
MAX_SENTRY_DATA = 16 * 1024
"""Bytes of a query that carries a whole event: what old browsers could send."""

_WANTED = frozenset({b"x-sentry-auth", b"authorization", b"content-encoding", b"content-type", b"user-agent"})
_EMPTY_ANSWER = b"{}"


class Intake:
    """One request on its way from bytes to a record."""

    def __init__(self, scope: Scope, receive: Receive, address: Address, max_body: int) -> None:
        self._scope = scope
        self._address = address
        self._receive = receive
        self._max_body = max_body
        self._projects: Projects = scope["state"]["projects"]
        self._writer: Writer = scope["state"]["writer"]
        self._limiter: Limiter[int] = scope["state"]["limiter"]
        self._places: Places[str] = scope["state"]["places"]
        self._presenter: Presenter = scope["state"]["presenter"]
        self._headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED}
        self._project_id = 0
        self._key = ""
        self._project: Project | None = None

    async def take(self) -> bytes:
        """Do what the request asks; return the body of the answer.

        Raises:
            Refusal: it is answered with an error, and stands on the page of the project that it named.
            StoreUnavailable, Overloaded: it cannot be taken now.
        """
        self._project_id = parse_project_id(self._address.project)
        try:
            return await self._handler()(self)
        except Refusal as refusal:
            if (self._scope["method"], self._address.endpoint) not in QUESTIONS:
                await self._note(refusal)
            raise

    def _handler(self) -> Handler:
        address, method = self._address, self._scope["method"]
        if not address.is_exact:
            raise WrongPath(self._scope["path"], f"/api/{self._project_id}/{address.endpoint}/")
        handler = HANDLERS.get((method, address.endpoint))
        if handler is None:
            raise WrongMethod(method, [name for name, endpoint in HANDLERS if endpoint == address.endpoint])
        return handler

    async def _record(self, observation: Observation) -> bytes:
        update = update_of(observation, self._writer.now())
        if not observation.is_beat and self._projects.effect_of(self._project_id, update) < Effect.NEWS:
            self._check_rate()
        await self._writer.write(self._project_id, update)
        return _EMPTY_ANSWER if observation.event_id is None else encode({"id": observation.event_id})

    def _check_rate(self) -> None:
        wait = self._limiter.wait(self._project_id)
        if wait:
            raise RateLimited(math.ceil(wait))

    def now(self) -> int:
        """The time of receipt, in milliseconds."""
        return self._writer.now()

    async def note_preflight(self, asked_at: int) -> None:
        """Remember that a browser asked whether it may send; what it asks for must follow soon.

        Args:
            asked_at: before it was answered, since what follows may overtake this.
        """
        asks = (b"access-control-request-method", b"POST") in self._scope["headers"]
        if asks and self._address.endpoint != "check":
            with suppress(FirstlightError):  # it is answered already
                project = await self._projects.get(parse_project_id(self._address.project))
                if project:
                    await self._writer.write(project.id, {fields.PREFLIGHT_AT: asked_at})

    async def health(self) -> bytes:
        """`GET heartbeat/`: how far the project is, for whoever has its key."""
        await self._authorize(self._credentials())
        view = await self._projects.view(self._project_id)
        return encode(self._presenter.health(view) if view else {})

    async def check(self) -> bytes:
        """`POST check/`: nothing but the way; viewers see that it came, and it proves no SDK."""
        await self._authorize(self._credentials())
        size, now = len(await self._body()), self._writer.now()
        self._check_rate()
        await self._writer.write(self._project_id, {fields.CHECKED_AT: now})
        return encode({"received": size, "now": iso(now)})

    async def heartbeat(self) -> bytes:
        """`POST heartbeat/`."""
        credentials = await self._authorize(self._credentials())
        return await self._record(observe_heartbeat(await self._body(), self._client(credentials)))

    async def store(self) -> bytes:
        """`POST store/`: one event, as old SDKs send it."""
        credentials = await self._authorize(self._credentials())
        return await self._record_event(await self._body(), credentials)

    async def store_by_query(self) -> bytes:
        """`GET store/?sentry_data=`: as old browsers' SDKs sent it, with an image."""
        query = self._scope["query_string"].decode("latin-1")[:MAX_SENTRY_DATA]
        fields = dict(parse_qsl(query, max_num_fields=MAX_FIELDS))
        data = fields.pop("sentry_data", "")
        credentials = await self._authorize(_credentials_of("", "", urlencode(fields).encode()))
        return await self._record_event(data.replace(" ", "+").encode("latin-1", "replace"), credentials)

    async def security(self) -> bytes:
        """`POST security/`, `csp-report/`: a browser's report."""
        credentials = await self._authorize(self._credentials())
        return await self._record(observe_security(await self._body(), self._client(credentials)))

    async def minidump(self) -> bytes:
        """`POST minidump/`: a native crash, as an upload of a form or as it is."""
        credentials = await self._authorize(self._credentials())
        return await self._record(observe_minidump(await self._body(), uuid4().hex, self._client(credentials)))

    async def cron(self) -> bytes:
        """`cron/{slug}/{key}/`: a check-in without an SDK; the key may also stand where it always does."""
        in_path = Credentials(self._address.rest[1]) if len(self._address.rest) > 1 else None
        credentials = await self._authorize(one_of(in_path, self._credentials()))
        await self._body()
        return await self._record(
            Observation(signals=frozenset({Signal.CHECK_IN}), client_sdk=self._client(credentials))
        )

    async def traces(self) -> bytes:
        """`POST integration/otlp/v1/traces`."""
        return await self._otlp(Signal.TRANSACTION)

    async def logs(self) -> bytes:
        """`POST integration/otlp/v1/logs`."""
        return await self._otlp(Signal.LOG)

    async def envelope(self) -> bytes:
        """`POST envelope/`. The key may stand in the envelope's header, as tunnels forward it: the body comes first."""
        credentials = self._credentials()
        if credentials:
            await self._authorize(credentials)
        budget = Budget()
        envelope = parse_envelope(await self._body(), budget)
        dsn = _dsn_of(envelope)
        if dsn:
            credentials = one_of(credentials, Credentials(dsn.key))
        credentials = await self._authorize(credentials)
        if dsn and dsn.project_id != self._project_id:
            raise ProjectMismatch(
                f"The envelope's DSN names project {dsn.project_id}, the URL project {self._project_id}. "
                "Send it to the project of its DSN.",
                evidence={"dsn": str(dsn.project_id), "url": str(self._project_id)},
            )
        return await self._record(observe_envelope(envelope, uuid4().hex, self._client(credentials), budget))

    async def _otlp(self, signal: Signal) -> bytes:
        credentials = await self._authorize(self._credentials())
        content_type = self._headers.get(b"content-type", "")
        return await self._record(observe_otlp(await self._body(), content_type, signal, self._client(credentials)))

    async def _record_event(self, body: bytes, credentials: Credentials) -> bytes:
        event = inflate_store_body(body, self._max_body)
        return await self._record(observe_store(event, uuid4().hex, self._client(credentials)))

    def _credentials(self) -> Credentials | None:
        other = self._headers.get(b"authorization", "")  # often somebody else's, and long
        authorization = other if other[:7].lower() == "sentry " else ""
        return _credentials_of(self._headers.get(b"x-sentry-auth", ""), authorization, self._scope["query_string"])

    def _client(self, credentials: Credentials) -> Sdk | None:
        return client_of(credentials.client, self._headers.get(b"user-agent", "")[:MAX_TEXT])

    async def _authorize(self, credentials: Credentials | None) -> Credentials:
        found = credentials or one_of()
        self._key = found.key
        if self._project is None:
            try:
                self._project = check_key(await self._projects.get(self._project_id), found.key)
            except KeyRefused:  # what is remembered may be old: a corrected key must work at once
                project = await self._projects.get_for_another_key(self._project_id)
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
                with self._places.taken():
                    while message.get("more_body"):
                        self._feed(body, message)
                        message = await self._receive()
                    self._feed(body, message)
                    return body.bytes()
        except TimeoutError:
            raise BadRequest(f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from None

    def _feed(self, body: Body, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body.feed(message.get("body", b""))

    async def _note(self, refusal: Refusal) -> None:
        """Put a refusal on the page of the project that the URL names, if there is one."""
        now = self._writer.now()
        if isinstance(refusal, UnknownKey) and await self._note_owner(now):
            refusal = KeyOfOtherProject(refusal.evidence)
        project = self._project or await self._projects.get(self._project_id)
        if project:
            await self._writer.write(project.id, update_of_refusal(refusal, self._project is not None, now))

    async def _note_owner(self, now: int) -> bool:
        """Where the key is another project's, tell that project's page, which is where somebody waits."""
        owner = await self._projects.owner_of(self._key)
        if owner is None or owner == self._project_id:
            return False
        evidence = {"key": mask(self._key), "sent to project": str(self._project_id)}
        await self._writer.write(owner, update_of_problem(Code.KEY_OF_OTHER_PROJECT, evidence, now))
        return True


Handler: TypeAlias = Callable[[Intake], Awaitable[bytes]]

HANDLERS: dict[tuple[str, str], Handler] = {
    ("POST", "heartbeat"): Intake.heartbeat,
    ("GET", "heartbeat"): Intake.health,
    ("POST", "envelope"): Intake.envelope,
    ("POST", "store"): Intake.store,
    ("GET", "store"): Intake.store_by_query,
    ("POST", "security"): Intake.security,
    ("POST", "csp-report"): Intake.security,
    ("POST", "minidump"): Intake.minidump,
    ("POST", "cron"): Intake.cron,
    ("PUT", "cron"): Intake.cron,
    ("GET", "cron"): Intake.cron,
    ("POST", "integration/otlp/v1/traces"): Intake.traces,
    ("POST", "integration/otlp/v1/logs"): Intake.logs,
    ("POST", "check"): Intake.check,
}
"""What each method on each endpoint does. What a body proves is decided in `core.facts`."""

QUESTIONS = frozenset({("GET", "heartbeat"), ("POST", "check")})
"""What the page and the doctor ask: whoever asks gets the answer, and no SDK did anything wrong."""


def _dsn_of(envelope: Envelope) -> Dsn | None:
    text = envelope_dsn(envelope)
    try:
        return parse_dsn(text) if text else None
    except BadRequest as error:
        raise MalformedEnvelope(f"its header's dsn is not a DSN ({error})", 0, (text or "")[:8] + "…") from None


@lru_cache(maxsize=4096)
def _credentials_of(x_sentry_auth: str, authorization: str, query: bytes) -> Credentials | None:
    """The key that stands around the body, or None. Cached: an SDK repeats it with every request."""
    found = (parse_auth_header(x_sentry_auth), parse_auth_header(authorization), _query_credentials(query))
    return one_of(*found) if any(found) else None


def _query_credentials(query: bytes) -> Credentials | None:
    text = query.decode("latin-1")
    check_length("query", text)
    try:
        return credentials_of(parse_qsl(text, max_num_fields=MAX_FIELDS)) if text else None
    except ValueError:
        raise BadRequest("The query has too many fields.") from None
