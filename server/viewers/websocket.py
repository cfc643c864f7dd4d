"""`/live/{id}/ws`: each message as one text frame. The client's first message may carry its token, and is its last."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..core.model.close_codes import Close, fitting
from ..core.model.errors import (
    AccessDenied,
    FirstlightError,
    Leaving,
    NotFound,
    Overloaded,
    Refusal,
    StoreUnavailable,
    TokenRejected,
    TooManyRequests,
)
from ..engine.frames import Frame
from ..engine.viewer import Viewer
from ..responses import PROBLEM_JSON, headers_of, problem_of
from .admission import State, Visit, address_of, check_origin, visit_of
from .pump import Pump

log = logging.getLogger("firstlight.viewers")

# As a close code and not as a status: scripts of a browser see nothing of a handshake that was refused.
CLOSE_CODES: dict[type[FirstlightError], Close] = {
    TokenRejected: Close.TOKEN,
    TooManyRequests: Close.OVERLOADED,
    AccessDenied: Close.OTHER_PROJECT,
    NotFound: Close.NO_PROJECT,
    Refusal: Close.NO_PROJECT,  # a project id that can be none
    Overloaded: Close.OVERLOADED,
    Leaving: Close.RESTART,
    StoreUnavailable: Close.OVERLOADED,
}
"""The close code of an error, or of the nearest of its bases that stands here."""


class WebSocketSink(Pump):
    """Frames as text frames."""

    __slots__ = ()

    def message(self, frame: Frame) -> Message:
        """See `Pump`. All sinks of this way send the same object."""
        return frame.form(_as_text)

    def ending(self, code: Close, reason: str) -> Message:
        """See `Pump`."""
        return _ending(code, reason)


def _ending(code: Close, reason: str) -> Message:
    return {"type": "websocket.close", "code": int(code), "reason": fitting(reason)}


def _as_text(frame: Frame) -> Message:
    return {"type": "websocket.send", "text": frame.data.decode()}


class WatchByWebSocket:
    """An ASGI application: whatever the handshake needed is gone when the viewer waits."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket from handshake to end."""
        admitted = await _admitted(WebSocket(scope, receive, send))
        if admitted is None:
            return
        visit, has_spoken = admitted
        attach = partial(scope["state"]["hub"].attach, visit.project_id, guest=visit.guest, seconds=visit.seconds)
        watch = scope.get("extensions", {}).get("firstlight", {}).get("watch")
        with suppress(OSError):  # it may have left meanwhile
            try:
                if watch is None:
                    await _stay(attach(WebSocketSink(send)), has_spoken, receive)
                else:
                    watch(
                        attach
                    )  # our own server takes it from here, and nothing of this stays (`server.run.watching`)
            except Overloaded as error:
                await send(_ending(_code_of(error), str(error)))


async def _stay(seat: Viewer, has_spoken: bool, receive: Receive) -> None:
    """Wait for the end on a server that knows of no hub."""
    with seat as viewer:
        # Something has to receive for as long as the viewer stays: with nobody there, uvicorn closes with 1011 at the
        # first frame of the client.
        while (await receive())["type"] != "websocket.disconnect":
            if has_spoken:
                viewer.close(Close.BROKEN_RULE, "A viewer has nothing to say after its token.")
                return
            has_spoken = True  # a client that had a cookie, or needs no token, says hello all the same


async def _admitted(websocket: WebSocket[State]) -> tuple[Visit, bool] | None:
    """Who may watch, and whether the first message has come; None where it was told that it may not."""
    try:
        await check_origin(websocket)
    except AccessDenied as error:
        log.debug("A WebSocket was refused: %s", error)  # 500 a second are no news
        await websocket.close(Close.BROKEN_RULE)  # before the handshake: the browser sees a 403
        return None
    try:
        return await _let_in(websocket)
    except WebSocketDisconnect:
        log.debug("A viewer left.")
    except FirstlightError as error:
        with suppress(WebSocketDisconnect):  # it may have left meanwhile
            await _refuse(websocket, error)
    return None


async def _let_in(websocket: WebSocket[State]) -> tuple[Visit, bool]:
    """Accept, with the token of a header or cookie, else with that of the first message. Returns whether that came."""
    # Before it is accepted: a proxy asks the next server after a 503, and can do nothing about a close code.
    websocket.state["hub"].check_open()
    try:
        # Before it is accepted, where the token is in a header or cookie already: then a refusal needs no open
        # connection.
        visit = visit_of(websocket)
    except TokenRejected:
        with websocket.state["lobby"].place(address_of(websocket)):
            await websocket.accept()
            token = await websocket.state["lobby"].token(websocket)
        return visit_of(websocket, token or ""), True
    await websocket.accept()
    return visit, False


async def _refuse(websocket: WebSocket[State], error: FirstlightError) -> None:
    if websocket.application_state is WebSocketState.CONNECTING:
        if isinstance(error, Overloaded):  # at no cost of a connection; all others are worth a code
            body, headers = msgspec.json.encode(problem_of(error)), dict(headers_of(error))
            await websocket.send_denial_response(Response(body, 503, headers, PROBLEM_JSON))
            return
        await websocket.accept()
    await websocket.send(_ending(_code_of(error), str(error)))


def _code_of(error: FirstlightError) -> Close:
    return next(CLOSE_CODES[kind] for kind in type(error).__mro__ if kind in CLOSE_CODES)
