"""The edge for viewers: one project's snapshot as JSON, over a WebSocket, or as Server-Sent Events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from enum import IntEnum
from typing import Any, TypedDict

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..access import Access, bearer
from ..core.model.codes import Code
from ..core.model.errors import (
    AccessDenied,
    FirstlightError,
    NotFound,
    OriginBlocked,
    Overloaded,
    Refusal,
    StoreUnavailable,
    TokenRejected,
    TooManyGuesses,
)
from ..core.model.grant import Grant
from ..core.model.keys import parse_project_id
from ..engine.hub import Hub, Viewer

log = logging.getLogger("firstlight.live")

AUTH_SECONDS = 10.0
"""How long a WebSocket may stay without a token."""

MAX_REASON = 123
"""Bytes of the reason in a close frame (RFC 6455, section 5.5)."""


class State(TypedDict):
    """What this edge needs of the application."""

    hub: Hub
    access: Access


class Close(IntEnum):
    """Why a WebSocket is closed. After 4xxx and 1008 a client stops, after the others it comes back."""

    GOING_AWAY = 1001
    BROKEN_RULE = 1008
    RESTART = 1012
    OVERLOADED = 1013
    TOKEN = 4401
    OTHER_PROJECT = 4403
    NO_PROJECT = 4404


CLOSE_CODES: dict[type[FirstlightError], Close] = {
    TokenRejected: Close.TOKEN,
    TooManyGuesses: Close.OVERLOADED,
    AccessDenied: Close.OTHER_PROJECT,
    NotFound: Close.NO_PROJECT,
    Refusal: Close.NO_PROJECT,  # a project id that can be none
    Overloaded: Close.OVERLOADED,
    StoreUnavailable: Close.OVERLOADED,
}


def routes() -> list[BaseRoute]:
    """The routes of this edge."""
    return [
        Route("/live/{id}", read, methods=["GET"]),
        WebSocketRoute("/live/{id}/ws", watch),
        Route("/live/{id}/events", events, methods=["GET"]),
        Route("/live/{id}/cookie", trade, methods=["POST"]),
    ]


async def read(request: Request[State]) -> Response:
    """`GET /live/{id}`: the snapshot."""
    project_id, grant = await _admit(request)
    hub = request.state["hub"]
    view = await hub.read(project_id)
    request.state["access"].check_revoked(grant, view.project)
    etag = hub.presenter.etag(view)
    headers = {"etag": etag, "cache-control": "no-store"}
    known = request.headers.get("if-none-match", "").split(",")  # a proxy that compresses makes it W/"…"
    if etag in {tag.strip().removeprefix("W/") for tag in known}:
        return Response(status_code=304, headers=headers)
    return Response(hub.encode(view), headers=headers, media_type="application/json")


async def trade(request: Request[State]) -> Response:
    """`POST /live/{id}/cookie`: trade a bearer token for a cookie that scripts cannot read."""
    access, project_id = request.state["access"], _project_id(request)
    access.check_origin(request)
    grant = access.check_project(bearer(request), project_id, sender=request)
    if not access.is_open:  # there it costs nothing, and the page asks before it knows whether there is a project
        access.check_revoked(grant, (await request.state["hub"].read(project_id)).project)
    response = Response(status_code=204)
    access.set_cookie(response, request, project_id, grant)
    return response


async def events(request: Request[State]) -> Response:
    """`GET /live/{id}/events`: the messages as Server-Sent Events."""
    project_id, grant = await _admit(request)
    access, hub = request.state["access"], request.state["hub"]
    access.check_revoked(grant, (await hub.read(project_id)).project)  # a 404 now is better than an empty stream
    return _EventStream(hub, project_id, access.seconds_left(grant))


class _EventStream(Response):
    """A response that lasts as long as the viewer."""

    def __init__(self, hub: Hub, project_id: int, seconds: float) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type="text/event-stream"
        )
        del self.headers["content-length"]
        self._hub = hub
        self._project_id = project_id
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._hub.attach(self._project_id) as viewer:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                await _first_of(self._send(viewer, send), _disconnected(receive, "http.disconnect"), self._seconds)
            except (NotFound, TokenRejected) as error:
                log.debug("A stream of project %d ends: %s", self._project_id, error)
            await send({"type": "http.response.body", "body": b""})

    async def _send(self, viewer: Viewer, send: Send) -> None:
        async for number, message in viewer.messages():
            head = f"id: {number}\n".encode() if number else b""
            body = head + b"data: " + message + b"\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def watch(websocket: WebSocket[State]) -> None:
    """`/live/{id}/ws`: the messages as text frames. The client's first message may carry its token."""
    hub, access = websocket.state["hub"], websocket.state["access"]
    try:
        await _check_origin(websocket)
    except AccessDenied as error:
        log.info("A WebSocket was refused: %s", error)
        await websocket.close(Close.BROKEN_RULE)  # before the handshake: the browser sees a 403
        return
    await websocket.accept()
    try:
        project_id = _project_id(websocket)
        grant = await _authenticate(websocket, access, project_id)
        with suppress(StoreUnavailable):  # nothing is shown until it is back
            access.check_revoked(grant, (await hub.read(project_id)).project)
        seconds = access.seconds_left(grant)
        _trust(websocket)
        with hub.attach(project_id) as viewer:
            gone = _disconnected(websocket.receive, "websocket.disconnect")
            if await _first_of(_send_frames(websocket, viewer), gone, seconds):
                await websocket.close(Close.RESTART)
    except (WebSocketDisconnect, ClientDisconnect):
        log.debug("A viewer left.")
    except FirstlightError as error:
        code = next(CLOSE_CODES[kind] for kind in type(error).__mro__ if kind in CLOSE_CODES)
        with suppress(WebSocketDisconnect):  # it may have left meanwhile
            await websocket.close(code, str(error).encode()[:MAX_REASON].decode(errors="ignore"))


def _trust(websocket: WebSocket[State]) -> None:
    """Tell the transport that this one may stay when it is crowded (`server.run.websocket_protocol`)."""
    told = websocket.scope.get("extensions", {}).get("firstlight")
    if told:
        told["trust"]()


async def _authenticate(websocket: WebSocket[State], access: Access, project_id: int) -> Grant:
    """What the viewer may do. A header or cookie is enough; else the first message counts."""
    try:
        return access.check_project(access.token_of(websocket, project_id), project_id, sender=websocket)
    except TokenRejected:
        token = await _first_token(websocket)
    return access.check_project(token, project_id, sender=websocket)


async def _first_token(websocket: WebSocket[State]) -> str | None:
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            message = await websocket.receive()
    except TimeoutError:
        raise TokenRejected(f"No token came within {AUTH_SECONDS:.0f} seconds.") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    try:
        fields = msgspec.json.decode(message.get("text") or "", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        fields = {}
    token = fields.get("token") if fields.get("type") == "auth" else None
    return token if isinstance(token, str) else None


async def _send_frames(websocket: WebSocket[State], viewer: Viewer) -> None:
    async for _, message in viewer.messages():
        await websocket.send({"type": "websocket.send", "text": message.decode()})


async def _disconnected(receive: Receive, kind: str) -> None:
    """Return when the client has left. Whatever else it says is not listened to."""
    while (await receive())["type"] != kind:
        pass


async def _first_of(sending: Coroutine[Any, Any, None], leaving: Coroutine[Any, Any, None], seconds: float) -> bool:
    """Run both until one ends. Returns whether it was the first, and raises what it raises.

    Raises:
        TokenRejected: after `seconds`.
    """
    tasks = [asyncio.create_task(sending), asyncio.create_task(leaving)]
    try:
        timeout = None if seconds == float("inf") else seconds
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise TokenRejected("The token has expired.")
        for task in done:
            task.result()
        return tasks[1] not in done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _project_id(connection: Request[State] | WebSocket[State]) -> int:
    return parse_project_id(connection.path_params["id"])


async def _check_origin(connection: Request[State] | WebSocket[State]) -> None:
    """As `Access.check_origin`; a page of another site that asks is told of on the project's own page."""
    try:
        connection.state["access"].check_origin(connection)
    except OriginBlocked as error:
        with suppress(Refusal, StoreUnavailable):
            evidence = {"origin": error.origin}
            await connection.state["hub"].report(_project_id(connection), Code.ORIGIN_BLOCKED, evidence)
        raise


async def _admit(request: Request[State]) -> tuple[int, Grant]:
    """Check origin and token of a request; return the project's id, and what the caller may do with it."""
    access, project_id = request.state["access"], _project_id(request)
    await _check_origin(request)
    return project_id, access.check_project(access.token_of(request, project_id), project_id, sender=request)
