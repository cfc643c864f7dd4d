"""A viewer's WebSocket: uvicorn's protocol on websockets' sans-I/O layer, where each frame is counted.

A viewer has one thing to say, its hello with the token, and may ping. So a connection has a budget of frames, bytes and
messages (`SocketLimits`); who breaks it is closed with 1008. What comes is read in slices, so that one read of 256 KiB
with 40,000 empty frames costs no more than the budget allows.

- Who is closed here is still read from: what was on its way is dropped until the answer to the close frame comes, for
  `HttpLimits.linger_seconds` at most. To end the connection first would take the close frame back: the kernel answers
  unread bytes with RST, and so does a proxy that sees our end before its client's (RFC 6455, section 7.1.1).

- While something waits to be written nothing is read, so that nobody can make the server queue answers. Of several
  pings only the latest is answered (RFC 6455, section 5.5.3).
- The server sends no pings of its own: the application's own message every 25 s does the same, through proxies too, and
  a peer that acknowledges nothing is cut by TCP_USER_TIMEOUT.
- Every handshake is answered, also one that cannot be read.

An application may say `scope["extensions"]["firstlight"]["trust"]()` when a viewer has shown its token: those without
one make room for others. A protocol that takes the transport over (`transport.set_protocol`) needs of this one only
`state`, `since`, `stalled_at`, `transport` and `expire`; see `server.run.connections.Connection`.
"""

from __future__ import annotations

import logging
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from .connections import FOREVER, Connections, State
from .refused import Refused

log = logging.getLogger("firstlight.websocket")

_SLICE = 256
"""Bytes that are read before the budget is asked again: 42 empty frames, or a token."""


def _nobody_is_here() -> None:
    """What `trust` does when the viewer has left."""


class _Frames(ServerProtocol):
    """The library's protocol, which leaves the answer to a ping to us."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PING:
            self.events.append(frame)
        else:
            super().recv_frame(frame)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One WebSocket. See the module.

    Args:
        owner: watches over all connections.
    """

    def __init__(
        self, owner: Connections, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._owner = owner
        self._limits = limits = owner.limits.socket
        self.conn.parser.close()  # a generator that refers to what holds it is left to the garbage collector
        self.conn = _Frames(max_size=limits.message_bytes)
        self.ping_interval = None
        self.close_timeout = limits.closing_seconds
        self.state = State.HANDSHAKE
        self.since = FOREVER
        self.stalled_at = FOREVER
        # Token buckets by hand, refilled with each read: two numbers for a connection, where a shared limiter would
        # keep a table.
        self._frames = float(limits.frames)
        self._bytes = float(limits.burst_bytes)
        self._counted_at = self.loop.time()
        self._messages = 0
        self._is_trusted = False
        self._told: dict[str, Callable[[], None]] = {}
        self._ping: bytes | None = None
        self._early = b""

    # The handshake.

    def connection_made(self, transport: BaseTransport) -> None:
        """A handshake was read on this connection."""
        super().connection_made(transport)
        self.transport.pause_reading()  # RFC 6455, 4.1: nothing is to come before it is answered

    def shake_hands(self, head: bytes, early: bytes) -> None:
        """Take the handshake.

        Args:
            early: what came with it.
        """
        self._early = early
        self.conn.receive_data(head)
        self.handle_events()
        if not self.handshake_initiated:
            log.debug("A handshake could not be read: %r", self.conn.handshake_exc)
            self.transport.write(Refused("This handshake cannot be read.").answer(self.default_headers))
            self.transport.close()

    def handle_connect(self, event: Request) -> None:
        """The handshake is well-formed: the application decides."""
        super().handle_connect(event)
        if not self.close_sent:
            self._told["trust"] = self._trust
            self.scope["extensions"]["firstlight"] = cast("dict[object, object]", self._told)

    def _trust(self) -> None:
        self._is_trusted = True
        if self.state is State.KEYLESS:
            self._enter(State.WATCHING)

    def _opened(self) -> None:
        self._enter(State.WATCHING if self._is_trusted else State.KEYLESS)
        self.transport.resume_reading()
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = FOREVER
        if state is State.KEYLESS:
            self._owner.add_keyless(self)
        else:
            self._owner.drop_keyless(self)

    # What comes.

    def data_received(self, data: bytes) -> None:
        """Read frames, as many as the budget allows."""
        self._refill()
        self._bytes -= len(data)
        # A read may be 256 KiB, and the library parses all that it is given before anybody can say stop.
        for start in range(0, len(data), _SLICE):
            if self._is_over():
                self._drop()
                return
            self.conn.receive_data(data[start : start + _SLICE])
            self._take()
            if self._bytes < 0 or self._frames < 0:
                self._fail(CloseCode.POLICY_VIOLATION, "Too much is sent on this connection.")
        self._answer_ping()

    def _take(self) -> None:
        self.handle_events()
        if self.conn.parser_exc is not None and not self.close_sent and not self.transport.is_closing():
            log.debug("A viewer broke the protocol: %s", self.conn.parser_exc)
            self._end()

    def handle_events(self) -> None:
        """Count what was read, and take it."""
        self._frames -= len(self.conn.events) if self.handshake_initiated else 0
        for event in self.conn.events:
            if isinstance(event, Frame) and event.opcode is Opcode.PING:
                self._ping = bytes(event.data)
        super().handle_events()

    def _refill(self) -> None:
        now = self.loop.time()
        passed, self._counted_at = now - self._counted_at, now
        self._frames = min(self._limits.frames, self._frames + passed * self._limits.frames_per_second)
        self._bytes = min(self._limits.burst_bytes, self._bytes + passed * self._limits.bytes_per_second)

    def send_receive_event_to_app(self) -> None:
        """A message is whole."""
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        self._messages += 1
        # 1008 and not a drop: a client that is only mistaken can read why.
        if self._messages > self._limits.messages:
            self._fail(CloseCode.POLICY_VIOLATION, "Nothing more is to be said on this connection.")
        elif self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        else:
            self._receive_text(data)

    def _receive_text(self, data: bytes) -> None:
        try:
            self.queue.put_nowait({"type": "websocket.receive", "text": data.decode()})
        except UnicodeDecodeError:  # RFC 6455, section 8.1
            self._fail(CloseCode.INVALID_DATA, "This message is not UTF-8.")

    def handle_ping(self) -> None:
        """Answer it below, unless another one follows."""

    def handle_pong(self, event: Frame) -> None:
        """Nobody asked for it."""

    def _answer_ping(self) -> None:
        ping, self._ping = self._ping, None
        if ping is not None and self.conn.state is OPEN and not self.transport.is_closing():
            self.conn.send_pong(ping)
            self._flush()

    # The end.

    def connection_lost(self, exc: Exception | None) -> None:
        """The viewer has left."""
        super().connection_lost(exc)
        self._owner.drop_keyless(self)
        self.conn.parser.close()
        if self._told:  # neither is this, though the application may still hold it
            self._told["trust"] = _nobody_is_here

    def _is_over(self) -> bool:
        return self.disconnected or self.conn.eof_sent or self.transport.is_closing()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Close, since a rule was broken; at the second time, what comes is not even parsed any more."""
        if self._is_over():
            return
        if self.conn.state is not OPEN:
            self.conn.fail(code)  # says nothing then, and drops whatever it is given
            return
        log.debug("A viewer is closed with %d: %s", code, reason)
        self.conn.send_close(code, reason)
        # As much again for what was on its way: behind it comes the answer.
        self._frames, self._bytes = float(self._limits.frames), float(self._limits.burst_bytes)
        self._end()

    def _end(self) -> None:
        """Tell both sides, and wait for the peer's end. A close frame is already in what is to be written."""
        self.close_sent = True
        sent = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": sent.code if sent else 1006})
        self._flush()
        self._enter(State.LINGERING)
        if self.close_timer is None:  # where there is one, uvicorn leaves the connection open after the application
            self.close_timer = self.loop.call_later(self._owner.limits.http.linger_seconds, self.transport.abort)

    def _drop(self) -> None:
        # Not cut: the reset would overtake the close frame. The timer ends it.
        if self._bytes < -self._owner.limits.http.linger_bytes and not self.transport.is_closing():
            self.transport.pause_reading()

    def _flush(self) -> None:
        self.transport.write(b"".join(self.conn.data_to_send()))

    def expire(self) -> None:
        """As `Connection.expire`."""
        if self.state is State.KEYLESS:
            self._fail(CloseCode.TRY_AGAIN_LATER, "This server is crowded. Come back in a few seconds.")
            return
        if self.state is State.HANDSHAKE:
            log.warning(
                "A handshake was not answered within %g s; the connection is cut", self._limits.handshake_seconds
            )
        self.transport.abort()

    def shutdown(self) -> None:
        """The server ends."""
        if not self.handshake_initiated or self.state is State.LINGERING:
            self.transport.abort()
        elif not self.transport.is_closing():
            super().shutdown()

    # What goes.

    def pause_writing(self) -> None:
        """The viewer reads more slowly than it is written to: nothing that it says is taken meanwhile."""
        super().pause_writing()
        self.stalled_at = self.loop.time()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self.stalled_at = FOREVER
        if self.handshake_complete and not self.transport.is_closing():
            self.transport.resume_reading()

    async def send(self, message: ASGISendEvent) -> None:
        """As ASGI has it; to who has left, or was closed here, it fails as a lost connection does."""
        # So that an application that awaits its sends is slowed down by a slow viewer, and nothing piles up in the
        # transport.
        await self.writable.wait()
        if self.disconnected or (self.handshake_complete and self.close_sent):
            raise ClientDisconnected
        was_open = self.handshake_complete
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # by an answer that is none; uvicorn would log each as an error
        if self.handshake_complete and not was_open and not self.close_sent:
            self._opened()

    async def receive(self) -> ASGIReceiveEvent:
        """As ASGI has it. Uvicorn's reads on from here; this one reads on while there is a budget."""
        return await self.queue.get()
