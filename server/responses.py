"""How errors are answered: one table from error to status, one form of body, CORS for SDKs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .core.model import errors

RETRY_SECONDS = 5
"""What a client is told to wait when the server cannot take a request now. Whole seconds: SDKs read it with `int()`."""

STATUS: dict[type[errors.FirstlightError], int] = {
    errors.BadRequest: 400,
    errors.MissingKey: 401,
    errors.TokenRejected: 401,
    errors.TooManyRequests: 429,
    errors.KeyRefused: 403,
    errors.AccessDenied: 403,
    errors.Conflict: 409,
    errors.NotFound: 404,
    errors.WrongPath: 404,
    errors.WrongMethod: 405,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.StoreUnavailable: 503,
    errors.StoreRejected: 503,
    errors.Overloaded: 503,
}
"""The status of an error, or of the nearest of its bases that stands here."""

LIMITED_CATEGORIES = (
    "error;transaction;span;session;attachment;profile;profile_chunk;replay;log_item;trace_metric;feedback"
)
"""What a 429 holds back, named one by one: a limit for everything would silence the heartbeats, too."""

CORS_HEADERS: dict[str, str] = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-sentry-error, x-sentry-rate-limits, retry-after",
}
SAFE_HEADERS: dict[str, str] = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
}
"""So that no browser takes an answer for anything but JSON. What SDKs get may be read by any page, as CORS says."""
# A header that an SDK in a browser sends and that is missing here blocks all of its requests. An hour of memory:
# Chromium caps it at two.
PREFLIGHT_HEADERS: dict[str, str] = {
    **CORS_HEADERS,
    "access-control-allow-methods": "GET, POST, PUT, OPTIONS",
    "access-control-allow-headers": "x-sentry-auth, authorization, content-type, content-encoding, "
    "transfer-encoding, x-requested-with, origin, accept, referer, baggage, sentry-trace, traceparent",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "3600",
}


def status_of(error: errors.FirstlightError) -> int:
    """The HTTP status of an error."""
    # By the nearest base, so that a new kind of refusal has a status before anybody thinks of it.
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: errors.FirstlightError) -> dict[str, object]:
    """`{"detail": "<a sentence>", "causes": […]}`."""
    if isinstance(error, errors.StoreUnavailable | errors.StoreRejected):  # its own words are for the log
        return {"detail": "The server cannot reach its store. Try again in a few seconds.", "causes": []}
    causes = error.causes if isinstance(error, errors.Refusal) else ()
    return {"detail": str(error), "causes": list(causes)}


def sdk_body_of(error: errors.FirstlightError) -> dict[str, object]:
    """The same for SDKs, with the name of the sentence: a page in another language has it among its own."""
    cause = error.cause if isinstance(error, errors.Refusal) else None
    return {**body_of(error), "code": cause or _name_of(type(error).__name__).replace("-", "_")}


@lru_cache(maxsize=64)  # there are half as many kinds
def _name_of(name: str) -> str:
    """By the class: stable for programs, while the words may get better."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


PROBLEM_JSON = "application/problem+json"


def problem_of(error: errors.FirstlightError) -> dict[str, object]:
    """The body of an error for viewers and owners (RFC 9457). SDKs get `sdk_body_of`, in the form that they know."""
    status = status_of(error)
    return {
        "type": f"urn:firstlight:{_name_of(type(error).__name__)}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        **body_of(error),
    }


def headers_of(error: errors.FirstlightError) -> Mapping[str, str]:
    """`Retry-After` where coming back helps, and the scheme where a token is needed."""
    # `X-Sentry-Rate-Limits: seconds:categories:scope`. SDKs read it before Retry-After, which holds back all
    # categories.
    if isinstance(error, errors.RateLimited):
        limits = f"{error.retry_after}:{LIMITED_CATEGORIES}:project"
        return {"retry-after": str(error.retry_after), "x-sentry-rate-limits": limits}
    if isinstance(error, errors.TooManyRequests):
        return {"retry-after": str(error.retry_after)}
    if isinstance(error, errors.WrongMethod):
        return {"allow": ", ".join([*error.allowed, "OPTIONS"])}
    status = status_of(error)
    if status == 503:
        return {"retry-after": str(RETRY_SECONDS)}
    if isinstance(error, errors.TokenRejected):
        return {"www-authenticate": "Bearer"}
    return {"x-sentry-error": _header_text(str(error))} if isinstance(error, errors.Refusal) else {}


def _header_text(text: str) -> str:
    """A sentence, made safe for a header line."""
    return _NOT_PLAIN.sub("?", text[:300])


_NOT_PLAIN = re.compile(r"[^ -~]")


class SafeResponses:
    """ASGI middleware: what holds for all data that is not for SDKs. Pages and scripts speak for themselves.

    Args:
        app: the application whose responses get the headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the headers added."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith(_DATA):
                    headers.setdefault("x-content-type-options", "nosniff")
                    headers.setdefault("cross-origin-resource-policy", "same-origin")
            await send(message)

        await self._app(scope, receive, send_safely if scope["type"] == "http" else send)


_DATA = ("application/json", PROBLEM_JSON, "text/event-stream")


def encode(value: object) -> bytes:
    """JSON as bytes."""
    return msgspec.json.encode(value)
