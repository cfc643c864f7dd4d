"""An ASGI application at a WebSocket: who may watch is decided in it, and mostly no more than that.

`scope["extensions"]["firstlight"]["watch"](attach)` hands the connection over to the hub: the application returns, and
what the handshake needed (scope, headers, task, queue) is gone. An application that does not say so goes on as on any
other server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp
from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import CloseCode, Opcode

from .handshake import acceptance, denial
from .refused import Fields
from .watching import Attach, Watching
from .websocket_frames import frame_of
from .websocket_protocol import WebSocketProtocol

log = logging.getLogger("firstlight.websocket")

Message = MutableMapping[str, Any]


class Conversation:
    """One application at one socket (ASGI, "WebSocket Connection Scope").

    Args:
        socket: what it speaks through.
        key: proves that its handshake was understood.
        headers: of each answer.
        early: what the client sent with its handshake.
    """

    def __init__(self, socket: WebSocketProtocol, key: bytes, headers: Fields, early: bytes) -> None:
        self._socket = socket
        socket.turn_to(self)
        self._key = key
        self._headers = headers
        self._early = early
        # Bounded by what a client may say: `SocketLimits.messages`, and its end.
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._heard.put_nowait({"type": "websocket.connect"})
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_answered = self._is_over = self._is_handed_over = False
        self._denial: tuple[int, Fields, bytes] | None = None

    async def run(self, app: ASGIApp, scope: Message) -> None:
        """Serve it from handshake to end. `scope` is that of the HTTP request."""
        offers = [value.decode("latin-1") for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
        scope["type"], scope["scheme"] = "websocket", "wss" if scope["scheme"] == "https" else "ws"
        scope["subprotocols"] = [token.strip() for offer in offers for token in offer.split(",")]
        scope["extensions"] = {"websocket.http.response": {}, "firstlight": {"watch": self._watch}}
        try:
            await app(scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            log.exception("The application failed")
        if not self._is_answered and not self._is_over:
            self._answer(denial(500, self._headers, b""))
        elif not self._is_handed_over:
            self._socket.end(CloseCode.INTERNAL_ERROR)

    def _watch(self, attach: Attach) -> None:
        if self._is_over:
            raise ClientDisconnected
        watching = Watching(self._socket, attach)
        self._is_handed_over = True
        self._socket.turn_to(watching)
        self._socket.trust()

    # What the socket tells (`Side`).

    def hear(self, is_text: bool, data: bytes) -> None:
        """See `Side`."""
        content = {"text": data.decode()} if is_text else {"bytes": data}
        self._heard.put_nowait({"type": "websocket.receive", **content})

    def flow(self) -> None:
        """See `Side`."""
        self._flows.set()

    def leave(self, code: int) -> None:
        """See `Side`."""
        self._is_over = True
        self._flows.set()
        self._heard.put_nowait({"type": "websocket.disconnect", "code": code})

    # What the application calls.

    async def receive(self) -> Message:
        """As ASGI has it."""
        return await self._heard.get()

    async def send(self, message: Message) -> None:
        """As ASGI has it; to who has left, or was closed here, it fails as a lost connection does."""
        # So that an application that awaits its sends is slowed down by a slow client, and nothing piles up.
        if self._socket.is_stalled:
            self._flows.clear()
        await self._flows.wait()
        if self._is_over:
            raise ClientDisconnected
        kind = message["type"]
        if self._is_answered and kind == "websocket.send":
            self._say(message)
        elif self._is_answered and kind == "websocket.close":
            self._socket.end(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
        else:
            self._answer_with(kind, message)

    def _say(self, message: Message) -> None:
        text = message.get("text")
        data, opcode = (message["bytes"], Opcode.BINARY) if text is None else (text.encode(), Opcode.TEXT)
        self._socket.transport.write(frame_of(opcode, data))

    def _answer_with(self, kind: str, message: Message) -> None:
        if self._is_answered:
            raise RuntimeError(f"{kind} comes too late.")
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._answer(denial(403, self._headers, b""))
        elif kind == "websocket.http.response.start":
            self._denial = message["status"], [*self._headers, *message.get("headers", ())], b""
        elif kind == "websocket.http.response.body" and self._denial is not None:
            self._deny(message, *self._denial)
        else:
            raise RuntimeError(f"{kind} comes too early.")

    def _accept(self, message: Message) -> None:
        headers = [*self._headers, *message.get("headers", ())]
        if message.get("subprotocol"):
            headers.append((b"sec-websocket-protocol", message["subprotocol"].encode("ascii")))
        self._is_answered = True
        early, self._early = self._early, b""
        self._socket.open(acceptance(self._key, headers), early)

    def _deny(self, message: Message, status: int, headers: Fields, begun: bytes) -> None:
        body = begun + message.get("body", b"")
        self._denial = status, headers, body
        if not message.get("more_body"):
            self._answer(denial(status, headers, body))

    def _answer(self, answer: bytes) -> None:
        """An answer that is the last of the connection."""
        self._is_answered = True
        self._socket.refuse(answer)
