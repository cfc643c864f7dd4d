"""`GET /live/{id}/events`: the messages as Server-Sent Events, for networks that let no WebSocket pass."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..core.model.close_codes import Close
from ..engine.frames import Frame
from ..engine.hub import Hub
from .admission import State, Visit, check_origin, visit_of
from .pump import Pump


class EventSink(Pump):
    """Frames as events, a snapshot with its `{epoch}:{version}` as id."""

    __slots__ = ()

    def message(self, frame: Frame) -> Message:
        """See `Pump`. All sinks of this way send the same object."""
        return frame.form(_as_event)

    def ending(self, code: Close, reason: str) -> Message:
        """See `Pump`. There is no code: the client asks again, and the status of that answer tells it why."""
        return {"type": "http.response.body", "body": b"", "more_body": False}


def _as_event(frame: Frame) -> Message:
    head = f"id: {frame.id}\n".encode() if frame.id else b""
    return {"type": "http.response.body", "body": head + b"data: " + frame.data + b"\n\n", "more_body": True}


async def events(request: Request[State]) -> Response:
    """`GET /live/{id}/events`; see the module."""
    await check_origin(request)
    visit, hub = visit_of(request), request.state["hub"]
    view = await hub.read(visit.project_id)  # a 404 now is better than an empty stream
    request.state["access"].check_revoked(visit.guest.grant, view.project)
    # Starlette answers HEAD wherever it answers GET; a stream would keep whoever sent it waiting.
    if request.method == "HEAD":
        return Response(headers=HEADERS, media_type="text/event-stream")
    return _EventStream(hub, visit)


# nginx gathers answers in a buffer unless it is told not to (X-Accel-Buffering), and no event would come through.
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class _EventStream(Response):
    """A response that lasts as long as the viewer."""

    def __init__(self, hub: Hub, visit: Visit) -> None:
        super().__init__(headers=HEADERS, media_type="text/event-stream")
        # Starlette sets it to 0 for an empty body, and the stream would end before its first event.
        del self.headers["content-length"]
        self._hub = hub
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sink, visit = EventSink(send), self._visit
        with self._hub.attach(visit.project_id, sink, visit.guest, visit.seconds) as viewer:
            sink.start({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (message := await receive())["type"] != "http.disconnect":
                if message.get("body"):
                    viewer.close(Close.BROKEN_RULE, "A viewer has nothing to say.")
