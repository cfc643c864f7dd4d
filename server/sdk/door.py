"""The edge for SDKs: one plain ASGI application in front of all routes. A framework's routing would halve its speed.

It takes every path with `/api/{project}/{endpoint}` in it, with or without a prefix, a trailing slash, doubled slashes,
and the near misses. `server.sdk.request` does the work.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ..answers import CORS_HEADERS, PREFLIGHT_HEADERS, body_of, encode, headers_of, status_of
from ..core.model.errors import FirstlightError
from ..core.wire.address import address_of
from .request import Intake

log = logging.getLogger("firstlight.ingest")


class Ingest:
    """The application. Finds the recorder and the limiter in the lifespan's state.

    Args:
        max_body: bytes of one request, as sent and decompressed.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body

    @staticmethod
    def matches(path: str) -> bool:
        """Whether a path is meant for this edge."""
        return address_of(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; see the module."""
        address = address_of(scope["path"])
        assert address is not None  # the caller asked `matches`
        intake = Intake(scope, receive, address, self._max_body)
        try:
            if scope["method"] == "OPTIONS":
                asked_at = intake.now()
                await _answer(send, 204, b"", PREFLIGHT_HEADERS)
                await intake.note_preflight(asked_at)
                return
            await _answer(send, 200, await intake.take())
        except FirstlightError as error:
            log.debug("Refused %s: %s", scope["path"], error)
            await _answer(send, status_of(error), encode(body_of(error)), headers_of(error))
        except ClientDisconnect:
            log.debug("The client left before its body was whole: %s", scope["path"])
        except Exception:  # a bug here; without CORS headers a browser's SDK could not even see the status
            log.exception("A request to %s failed", scope["path"])
            await _answer(send, 500, encode({"detail": "The server failed; its log says why.", "causes": []}))


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
