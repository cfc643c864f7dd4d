"""Applications that let every viewer in: one that talks ASGI to it, and one that hands it over to the hub."""

from __future__ import annotations

from typing import Any

from starlette.types import Receive, Scope, Send

from server.core.model.grant import EVERYTHING
from server.engine.frames import Sink
from server.engine.seats import Guest
from server.engine.viewer import Viewer


class Talking:
    """Takes every viewer, hears what it says, and waits for its end."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.codes: list[int] = []
        self.send: Send | None = None

    @property
    def ends(self) -> int:
        """How many have left."""
        return len(self.codes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.send = send
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message["text"] if message.get("text") is not None else message["bytes"])
        self.codes.append(message["code"])


class Watched:
    """Hands every viewer over, as `server.viewers` does, with a place in a hub of its own."""

    def __init__(self) -> None:
        self.viewers: list[Viewer] = []
        self.ends = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        scope["extensions"]["firstlight"]["watch"](self.attach)

    def attach(self, sink: Sink) -> Viewer:
        """As `Hub.attach`, once it knows who comes."""
        self.viewers.append(Viewer(sink, Guest(EVERYTHING), 1, self._left))
        return self.viewers[-1]

    def _left(self, viewer: Viewer) -> None:
        self.ends += 1
