"""`/mcp`: where agents come in, and what they ask is asked of the application itself."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import math
from collections.abc import Mapping
from typing import Any, TypedDict
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..access import Access, bearer
from ..core.model.errors import AccessDenied, NotFound, TooManyRequests
from ..core.model.origin import is_loopback
from ..engine.limits import Limiter
from ..settings import Settings
from .tools import Caller, Reply

log = logging.getLogger("firstlight.agents")

PATH = "/mcp"
MAX_BODY = 64 * 1024
"""Bytes of a request: a tool's name and a few words."""
_FORWARDED = (b"authorization", b"host", b"x-forwarded-proto")


class State(TypedDict):
    """What this door needs of the application."""

    access: Access
    settings: Settings
    pace: Limiter[str]
    agents: Agents


class Agents:
    """The MCP server of this process. It is imported and started by the first request that may use it.

    Args:
        app: is asked for whatever a tool wants to know.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._wanted = asyncio.Event()
        self._manager: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Own the server, for as long as the process lives: what it starts has to end in the task that started it."""
        await self._wanted.wait()
        try:
            # In a thread: it takes a second, in which the loop would serve nobody.
            protocol = await asyncio.to_thread(importlib.import_module, ".protocol", __package__)
        except ImportError as error:
            log.error("The package mcp is damaged (%s). Install firstlight[mcp] again.", error)
            self._manager.set_exception(NotFound("The MCP server cannot be loaded; the log says why."))
            await asyncio.Event().wait()
        manager = protocol.make_manager(self._caller, MAX_BODY)
        async with manager.run():
            self._manager.set_result(manager)
            await asyncio.Event().wait()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            NotFound: the package is damaged.
        """
        self._wanted.set()
        manager = await asyncio.shield(self._manager)
        await manager.handle_request(scope, receive, send)

    def _caller(self, request: Request[State]) -> Caller:
        project = request.state["access"].grant(bearer(request)).project_id
        return Caller(_Inside(self._app, request.scope), None if project is None else str(project))


class _Inside:
    """See `tools.Ask`: the API of this process, asked with the caller's own token and address."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self._app = app
        self._scope = scope

    async def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """See `tools.Ask`."""
        sent = b"" if body is None else msgspec.json.encode(body)
        answer, parts, questions = [0], bytearray(), [{"type": "http.request", "body": sent, "more_body": False}]

        async def receive() -> Message:
            if questions:
                return questions.pop()
            await asyncio.Event().wait()  # nobody leaves before the answer: who waits is cancelled
            raise AssertionError

        async def send(message: Message) -> None:
            answer[0] = message.get("status", answer[0])
            parts.extend(message.get("body", b""))

        await self._app(self._request(method, path), receive, send)
        try:
            return Reply(answer[0], msgspec.json.decode(parts))
        except msgspec.MsgspecError:
            return Reply(answer[0], parts.decode())

    def _request(self, method: str, path: str) -> Scope:
        plain, _, query = path.partition("?")
        kept = [(name, value) for name, value in self._scope["headers"] if name in _FORWARDED]
        root = self._scope.get("root_path", "")
        scope = {name: self._scope[name] for name in ("type", "asgi", "http_version", "scheme", "server", "client")}
        url = {"method": method, "root_path": root, "path": root + plain, "raw_path": (root + plain).encode()}
        return {**scope, **url, "query_string": query.encode(), "headers": kept, "state": dict(self._scope["state"])}


class _Door:
    """The checks come before anything of MCP is loaded: strangers cost nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of an agent."""
        request: Request[State] = Request(scope, receive)
        access = request.state["access"]
        access.check_origin(request, change=True)
        check_host(request.headers.get("host", ""), request.state["settings"])
        grant = access.grant(bearer(request), request)
        if grant.project_id is not None and (wait := request.state["pace"].wait(grant.id)):
            raise TooManyRequests(math.ceil(wait))
        await request.state["agents"].handle(scope, receive, send)


def check_host(host: str, settings: Settings) -> None:
    """Behind a proxy the server has one name: with DNS rebinding, a page of another site would come by its own.

    Raises:
        AccessDenied: it was called by another name than `FIRSTLIGHT_PUBLIC_URL` has, and not from this machine.
    """
    if settings.public_url is None:
        return  # an open server takes loopback's names alone (`Access.check_origin`); others are kept by their tokens
    if host.lower() != urlsplit(settings.public_url.lower()).netloc and not is_loopback(
        urlsplit(f"//{host}").hostname or ""
    ):
        raise AccessDenied("The Host header is not the name in FIRSTLIGHT_PUBLIC_URL: a proxy has to pass it on.")


def is_installed() -> bool:
    """Whether the extra `firstlight[mcp]` is there. Looks for it without importing it."""
    return importlib.util.find_spec("mcp") is not None


def routes() -> list[BaseRoute]:
    """`/mcp`, where the package is installed."""
    return [Route(PATH, _Door(), methods=["POST"])] if is_installed() else []
