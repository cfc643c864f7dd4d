"""What the command asks of a running server: by HTTP for owners and SDKs, by WebSocket to watch."""

from __future__ import annotations

import errno
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from .. import __version__
from ..core.model.close_codes import Close
from ..core.model.origin import is_loopback
from ..core.wire.dsn import Dsn
from .exits import Exit, Failed
from .terminal import plain

TIMEOUT_SECONDS = 15.0
MAX_ANSWER = 4 * 1024 * 1024
FINAL: dict[int, str] = {
    Close.BROKEN_RULE: "The server says that this client broke a rule.",
    Close.TOO_LARGE: "The server says that a message was too large.",
    Close.TOKEN: "The token is missing or has expired. Set FIRSTLIGHT_TOKEN (`firstlight token PROJECT`) or "
    "FIRSTLIGHT_ADMIN_TOKEN.",
    Close.OTHER_PROJECT: "The token in FIRSTLIGHT_TOKEN is for another project.",
    Close.NO_PROJECT: "There is no such project.",
}
"""What to say after a close code that coming back does not help against."""
WANTS_ADMIN = "This server needs its admin token. Set FIRSTLIGHT_ADMIN_TOKEN to the one it was started with."
SENT_ADMIN = "The token that was sent is the one in FIRSTLIGHT_ADMIN_TOKEN."
START_IT = "Start it with `firstlight serve`, or say where it runs with --server URL."
CHECK_DSN = "Check the DSN, and whether the server runs."

SDK = {"name": "firstlight.command", "version": __version__}
_EVENTS: dict[str, dict[str, object]] = {
    "message": {"level": "info", "message": "Hello from firstlight send message"},
    "error": {
        "level": "error",
        "exception": {"values": [{"type": "SampleError", "value": "Hello from firstlight send error"}]},
    },
}


class Refused(Failed):
    """The server said no; the message is its own sentence."""

    def __init__(self, message: str, cause: Exit = Exit.REFUSED) -> None:
        super().__init__(message, cause)


class Unreachable(Failed):
    """Nothing that speaks HTTP answers there."""

    def __init__(self, url: str, reason: str, advice: str) -> None:
        super().__init__(f"Cannot reach {url} ({plain(reason)}). {advice}", Exit.UNREACHABLE)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. `body` is the JSON, or the text where it is none."""

    status: int
    body: Any

    @property
    def detail(self) -> str:
        """Its own words for why not."""
        if isinstance(self.body, dict) and isinstance(self.body.get("detail"), str):
            return plain(self.body["detail"])
        return f"The answer was {self.status}: {plain(self.body)}" if self.body else f"The answer was {self.status}."


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the server that was named, and nowhere else."""

    # urllib would send the Authorization header on to wherever the answer points.
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


def request(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Answer:
    """One HTTP request; whatever status it is answered with is an answer.

    Args:
        seconds: of silence after which there is none; TIMEOUT_SECONDS unless told otherwise.

    Raises:
        Unreachable: there is no answer.
    """
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_local(url):
        # urllib uses HTTP_PROXY for loopback, too, unless NO_PROXY says otherwise; no proxy can reach this machine's
        # loopback.
        handlers.append(urllib.request.ProxyHandler({}))
    sent = {"user-agent": f"firstlight/{__version__}", **(headers or {})}
    wanted = urllib.request.Request(url, body, sent, method=method)  # noqa: S310 - the caller checks the scheme
    try:
        with urllib.request.build_opener(*handlers).open(wanted, timeout=seconds or TIMEOUT_SECONDS) as response:
            # Bounded: the URL may be mistyped, and lead to anything.
            return Answer(response.status, _decode(response.read(MAX_ANSWER)))
    # urllib raises for 4xx and 5xx, though they are answers like any other.
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _decode(error.read(MAX_ANSWER)))
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(url, reason_of(error), CHECK_DSN) from None


def reason_of(error: BaseException) -> str:
    """Why there was no answer, in a few words."""
    inner = getattr(error, "reason", error)  # urllib's, as opposed to the system's
    if isinstance(inner, OSError) and inner.errno is not None:
        known = inner.errno in errno.errorcode  # asyncio puts the address there instead of words
        return os.strerror(inner.errno) if known else inner.strerror or str(inner)
    return str(inner) or type(inner).__name__


def _decode(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return data.decode(errors="replace")


def is_local(url: str) -> bool:
    """Whether an address is of this machine."""
    return is_loopback(urlsplit(url).hostname or "")


@dataclass(frozen=True, slots=True)
class Client:
    """A server and the token to show to it.

    Args:
        url: where it is, with a prefix if it has one.
        token: never shown, as it stays out of the repr.
    """

    url: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    @property
    def headers(self) -> dict[str, str]:
        """Headers that carry the token."""
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def ask(self, method: str, path: str, **fields: object) -> dict[str, Any]:
        """Ask for something, as an owner.

        Raises:
            Refused: with the server's own words, except for a missing token: they speak of the page's link.
            Unreachable: there is no answer.
        """
        body = msgspec.json.encode(fields) if method != "GET" else None
        try:
            answer = request(method, self.url + path, body, {**self.headers, "content-type": "application/json"})
        except Unreachable as error:
            raise Unreachable(self.url, error.reason, START_IT) from None
        if answer.status == 401:
            raise Refused(f"{answer.detail} {SENT_ADMIN}" if self.token else WANTS_ADMIN)
        if answer.status >= 300:
            raise Refused(answer.detail)
        if answer.status == 204:
            return {}
        if not isinstance(answer.body, dict):
            raise Refused(f"{self.url} answers, but is not a Firstlight server.")
        return answer.body


def send(kind: str, dsn: Dsn) -> Answer:
    """Send one signal, as an SDK would; any Sentry-protocol ingest takes it.

    Args:
        kind: `heartbeat`, `error` or `message`.

    Raises:
        Unreachable: there is no answer.
    """
    auth = f"Sentry sentry_version=7, sentry_client={SDK['name']}/{SDK['version']}, sentry_key={dsn.key}"
    headers = {"x-sentry-auth": auth, "content-type": "application/x-sentry-envelope"}
    return request("POST", f"{dsn.ingest_url}/envelope/", _envelope(kind, dsn), headers)


def _envelope(kind: str, dsn: Dsn) -> bytes:
    now = datetime.now(UTC).isoformat()
    header: dict[str, object] = {"dsn": str(dsn), "sent_at": now}
    fields: dict[str, object] = {"type": "heartbeat", "sdk": SDK}
    if kind != "heartbeat":
        header["event_id"] = uuid4().hex
        fields = {"event_id": header["event_id"], "timestamp": now, "platform": "other", "sdk": SDK, **_EVENTS[kind]}
    payload = msgspec.json.encode(fields)
    item = {"type": "heartbeat" if kind == "heartbeat" else "event", "length": len(payload)}
    return b"\n".join([msgspec.json.encode(header), msgspec.json.encode(item), payload])
