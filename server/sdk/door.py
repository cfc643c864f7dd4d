"""The door for SDKs: one function in front of all routes. A framework's routing would halve its speed.

It takes every path with `/api/{project}/{endpoint}` in it, with or without a prefix, a trailing slash, doubled slashes,
and the near misses. The way of a request, one room after the other:

    gate.admit ─▶ endpoints ─▶ authentication ─▶ body ─▶ core.wire ─▶ record ─▶ answer ─▶ refusals.note

A refusal is answered before anything of it is written: how long it takes must not tell what exists.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ..core.model.errors import FirstlightError, KeyRefused, RateLimited, Refusal, WrongMethod, WrongPath
from ..core.model.keys import parse_project_id
from ..core.state import fields
from ..core.wire.address import address_of, nearest
from ..responses import CORS_HEADERS, PREFLIGHT_HEADERS, SAFE_HEADERS, encode, headers_of, sdk_body_of, status_of
from .authentication import credentials_around
from .endpoints import ENDPOINTS, EXACT, Endpoint, Handler, show
from .otlp_answers import PROTOBUF, is_protobuf, refused
from .refusals import looks_own, note
from .request import SdkRequest
from .tools import Tools

log = logging.getLogger("firstlight.sdk")

Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header lines of an answer."""
Say: TypeAlias = Callable[[int, bytes, Lines], Awaitable[None]]
"""How a request is answered: takes the status, the body, and the header lines without the length."""


def matches(path: str) -> bool:
    """Whether a path is meant for this door."""
    return address_of(path, EXACT) is not None


async def sdk_door(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of ASGI."""
    address, tools = address_of(scope["path"], EXACT), scope["state"]["sdk"]
    assert address is not None  # the caller asked `matches`
    assert isinstance(tools, Tools)
    path, query, fields, client = scope["path"], scope["query_string"], scope["headers"], scope.get("client")
    host = client[0] if client else None

    async def say(status: int, body: bytes, lines: Lines) -> None:
        await send({"type": "http.response.start", "status": status, "headers": with_length(status, body, lines)})
        await send({"type": "http.response.body", "body": body})

    await serve(SdkRequest(address, tools, scope["method"], path, query, fields, host, receive), say)


async def serve(request: SdkRequest, say: Say) -> None:
    """Answer one request; see the module."""
    tally = request.tools.tally
    tally.requests += 1
    try:
        # First of all: what comes after it costs more than a refusal.
        request.tools.gate.admit(request.sender)
        if request.method == "OPTIONS":
            await _preflight(request, say)
        else:
            await _answer(say, 200, await _handler(request)(request), _form(request))
    except Refusal as refusal:
        await _refuse(request, refusal, say)
    except FirstlightError as error:
        await _answer_error(request, error, say)
    except ClientDisconnect:
        log.debug("The client left before its body was whole: %s", request.path)
    except Exception:  # a bug here; without CORS headers a browser's SDK could not even see the status
        log.exception("A request to %s failed", request.path)
        tally.refusals["failed"] += 1
        await _answer(say, 500, encode({"detail": "The server failed; its log says why.", "causes": []}))
    finally:
        request.close()


def _handler(request: SdkRequest) -> Handler:
    """What the table says of address and method.

    Raises:
        BadRequest: the project id is none.
        WrongPath, WrongMethod: they are almost right.
    """
    address = request.address
    request.project_id = parse_project_id(address.project)
    if not address.is_exact:
        expected = f"/api/{request.project_id}/{nearest(address.endpoint, EXACT)}/"
        raise WrongPath(request.path, expected)
    endpoint = ENDPOINTS[address.endpoint]
    handler = endpoint.handlers.get(request.method)
    if handler is None:
        raise WrongMethod(request.method, list(endpoint.handlers))
    request.is_question = request.method in endpoint.questions
    return handler


async def _preflight(request: SdkRequest, say: Say) -> None:
    """A browser asks whether it may send; what it asks for must follow soon, if it is this project's own.

    The time is taken before the answer, since what follows may overtake this.
    """
    asked_at = request.tools.writer.now()
    # Answered without looking whether the project exists: a preflight has no key in a header, and its answer must not
    # tell.
    await _answer(say, 204, b"", PREFLIGHT_HEADERS)
    asks = (b"access-control-request-method", b"POST") in request.fields
    if asks and request.address.endpoint != "check":
        with suppress(FirstlightError):  # it is answered already
            request.project_id = parse_project_id(request.address.project)
            project = await request.tools.projects.get(request.project_id)
            request.credentials = credentials_around(request)  # SDKs of browsers have the key in the query
            if project and looks_own(request, project):
                at_once = request.tools.gate.shows_preflight(project.id)
                await show(request, at_once, {fields.PREFLIGHT_AT: asked_at})


async def _refuse(request: SdkRequest, refusal: Refusal, say: Say) -> None:
    refusal.key_is_valid = request.project is not None
    counted = _counted(request, refusal)
    # Answered first, written after: a write takes longer for a project that exists.
    await _answer_error(request, counted, say)
    endpoint = ENDPOINTS.get(request.address.endpoint, Endpoint({}))
    is_told = counted is refusal or counted.key_is_valid
    if request.project_id and is_told and request.method not in endpoint.questions:
        await note(request, counted)


def _counted(request: SdkRequest, refusal: Refusal) -> Refusal:
    """What is answered, after the refusal is counted as its project's, or as its sender's."""
    log.debug("Refused %s: %s", request.path, refusal)
    if not refusal.key_is_valid:
        return request.tools.gate.refuse(request.sender, refusal)
    if not isinstance(refusal, RateLimited):
        try:
            request.tools.gate.check_project(request.project_id)
        except RateLimited as limited:
            limited.key_is_valid = True
            return limited
    return refusal


async def _answer_error(request: SdkRequest, error: FirstlightError, say: Say) -> None:
    request.tools.tally.refusals[_code_of(error)] += 1
    if isinstance(error, KeyRefused) and not _is_otlp(request):
        await _say(say, *_key_refused())
        return
    body = refused(request, error) if _is_otlp(request) else encode(sdk_body_of(error))
    await _answer(say, status_of(error), body, {**headers_of(error), **(_form(request) or {})})


@cache
def _key_refused() -> tuple[int, bytes, Lines]:
    """The one answer for each key that is refused, whatever the reason."""
    error = KeyRefused()
    return status_of(error), encode(sdk_body_of(error)), _with_headers(headers_of(error))


def _code_of(error: FirstlightError) -> str:
    """What a refusal is counted as; there are as many as kinds of errors."""
    return (error.code if isinstance(error, Refusal) else None) or type(error).__name__.lower()


def _is_otlp(request: SdkRequest) -> bool:
    endpoint = ENDPOINTS.get(request.address.endpoint)
    return endpoint is not None and endpoint.is_otlp


def _form(request: SdkRequest) -> Mapping[str, str] | None:
    """The header that says what an answer is, where it is not JSON."""
    return {"content-type": PROTOBUF} if _is_otlp(request) and is_protobuf(request) else None


def _lines_of(headers: Mapping[str, str]) -> Lines:
    return tuple([(name.encode(), value.encode("latin-1")) for name, value in headers.items()])


USUAL = _lines_of({**CORS_HEADERS, **SAFE_HEADERS, "content-type": "application/json"})
"""The header lines of nearly every answer."""


async def _answer(say: Say, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    # Made once, since nearly every answer has just these.
    await _say(say, status, body, USUAL if headers is None else _with_headers(headers))


async def _say(say: Say, status: int, body: bytes, lines: Lines) -> None:
    try:
        await say(status, body, lines)
    except OSError:  # a client that has left wants no answer (ASGI: "send after disconnect")
        log.debug("The client left before its answer")


def _with_headers(headers: Mapping[str, str]) -> Lines:
    extra = _lines_of(headers)
    known = {name for name, _ in extra}
    return tuple([line for line in USUAL if line[0] not in known]) + extra


def with_length(status: int, body: bytes, lines: Lines) -> Lines:
    """The lines of an answer, with the one that says how long it is."""
    # A 204 has no Content-Length (RFC 9110, section 8.6).
    return lines if status == 204 else (*lines, (b"content-length", b"%d" % len(body)))
