"""A viewer's WebSocket: one small object from the handshake to the end, whoever it talks to meanwhile.

    who connects ──bytes──▶ WebSocketProtocol ──messages──▶ Conversation (an ASGI application decides who may watch)
                                                       └──▶ Watching (then the hub calls it; no task, queue, timer)

A viewer has one thing to say, its hello with the token, and may ping. So a connection has a budget of frames, bytes and
messages (`SocketLimits`); who breaks it is closed with 1008.

- Who is closed here is still read from: what was on its way is dropped until the answer to the close frame comes, for
  `HttpLimits.linger_seconds` at most. To end the connection first would take the close frame back: the kernel answers
  unread bytes with RST, and so does a proxy that sees our end before its client's (RFC 6455, section 7.1.1).

- While something waits to be written nothing is read, so that nobody can make the server queue answers. Of several
  pings only the latest is answered (RFC 6455, section 5.5.3).
- The server sends no pings of its own: the application's own message does the same, through proxies too, and a peer
  that acknowledges nothing is cut by TCP_USER_TIMEOUT.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.transports import BaseTransport
from typing import Any, Protocol, cast

from websockets.frames import CloseCode, Opcode

from .budget import Budget
from .connections import FOREVER, Connections, State
from .websocket_frames import BrokenRule, Frame, close_code_of, close_frame_of, frame_of, is_utf8, read_frame

log = logging.getLogger("firstlight.websocket")

_OPEN = (State.KEYLESS, State.WATCHING)


class Side(Protocol):
    """Who a WebSocket talks to. None of these blocks or raises."""

    def hear(self, is_text: bool, data: bytes) -> None:
        """A message is whole; text is UTF-8."""

    def flow(self) -> None:
        """All that was written has left."""

    def leave(self, code: int) -> None:
        """Nothing more comes, and nothing more can be sent. Told once."""


class _Nobody:
    """After the end."""

    def hear(self, is_text: bool, data: bytes) -> None:
        pass

    def flow(self) -> None:
        pass

    def leave(self, code: int) -> None:
        pass


NOBODY = _Nobody()


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket. See the module.

    Args:
        owner: watches over all connections.
        connections: uvicorn's list of those.
    """

    # Slots, and nothing made before it is needed: 19,000 of these wait, and most of them never say a word.
    __slots__ = ("_budget", "_connections", "_is_deaf", "_owner", "_parts", "_ping", "_rest", "_said", "_side", "since",
                 "stalled_at", "state", "transport")  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, owner: Connections, connections: set[Any]) -> None:
        self.state = State.HANDSHAKE
        self.since = self.stalled_at = FOREVER
        self._owner = owner
        self._connections = connections
        self._side: Side = NOBODY
        self._budget: Budget | None = None
        self._rest = b""
        """The beginning of a frame that is not whole yet."""
        self._parts: tuple[int, bytes] | None = None
        """Kind and beginning of a message that is not whole yet."""
        self._ping: bytes | None = None
        self._said = 0
        self._is_deaf = False
        """Nothing that still comes is read: where the next frame would begin is not known, or there are too many."""

    # What its side asks of it.

    @property
    def is_open(self) -> bool:
        """Whether anything can be sent."""
        return self.state in _OPEN and not self.transport.is_closing()

    @property
    def is_stalled(self) -> bool:
        """Whether something still waits to leave."""
        return self.stalled_at != FOREVER

    def turn_to(self, side: Side) -> None:
        """Talk to somebody else from now on."""
        self._side = side

    def open(self, answer: bytes, early: bytes) -> None:
        """The handshake is accepted.

        Args:
            answer: to it.
            early: what the client sent without waiting for it.
        """
        self.transport.write(answer)
        self._enter(State.KEYLESS)
        self._owner.add_keyless(self)
        self.transport.resume_reading()
        if early:
            self.data_received(early)

    def refuse(self, answer: bytes) -> None:
        """The handshake is not: this is the last word."""
        self.transport.write(answer)
        self.transport.close()

    def trust(self) -> None:
        """It has shown a token, or needs none, and does not make room for others any more."""
        self._enter(State.WATCHING)

    def end(self, code: int, reason: str = "") -> None:
        """Say the last word, and wait for the other side's (RFC 6455, section 7.1.1)."""
        if self.is_open:
            self._say_goodbye(code, code, reason)

    # What the event loop calls.

    def connection_made(self, transport: BaseTransport) -> None:
        """A handshake was read on this connection."""
        self.transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        self.transport.pause_reading()  # RFC 6455, 4.1: nothing is to come before it is answered
        # What the kernel does not take at once waits here, as the newest only, and not in a buffer as all there was.
        self.transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left."""
        self._connections.discard(self)
        self._enter(State.CLOSING)
        self._leave(CloseCode.ABNORMAL_CLOSURE)

    def data_received(self, data: bytes) -> None:
        """Read frames, as many as the budget allows."""
        self._pay(len(data))
        try:
            if not self._is_deaf:
                self._read(data)
        except BrokenRule as broken:
            log.debug("A viewer broke the protocol: %s", broken)
            self._is_deaf = True
            self.end(broken.code, str(broken))
        if self._is_deaf:
            self._drop()
        self._answer_ping()

    def pause_writing(self) -> None:
        """It reads more slowly than it is written to: nothing that it says is taken meanwhile."""
        self.stalled_at = asyncio.get_running_loop().time()
        self._owner.unsettle(self)
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read."""
        self.stalled_at = FOREVER
        if self.state is State.WATCHING:
            self._owner.settle(self)
        if self.state is not State.HANDSHAKE and not self.transport.is_closing():
            self.transport.resume_reading()
        self._side.flow()

    # What the process calls.

    def expire(self) -> None:
        """As `Connection.expire`."""
        if self.state is State.KEYLESS:
            self.end(CloseCode.TRY_AGAIN_LATER, "This server is crowded. Come back in a few seconds.")
            return
        if self.state is State.HANDSHAKE:
            seconds = self._owner.limits.socket.handshake_seconds
            log.warning("A handshake was not answered within %g s; the connection is cut", seconds)
        self.transport.abort()

    def shutdown(self) -> None:
        """The server ends."""
        if self.state in (State.HANDSHAKE, State.LINGERING):
            self.transport.abort()
        self.end(CloseCode.SERVICE_RESTART)

    # What comes.

    def _pay(self, size: int) -> None:
        limits, now = self._owner.limits.socket, asyncio.get_running_loop().time()
        if self._budget is None:
            self._budget = Budget(limits, now)
        self._budget.pay(size, limits, now)

    def _read(self, data: bytes) -> None:
        data, self._rest = self._rest + data, b""
        at, limit = 0, self._owner.limits.socket.message_bytes
        while not self._is_deaf and not self.transport.is_closing():
            frame = read_frame(data, at, limit)
            if frame is None:
                break
            at = frame.end
            self._take(frame)
        self._rest = b"" if self._is_deaf else data[at:]

    def _take(self, frame: Frame) -> None:
        assert self._budget is not None
        self._budget.frames -= 1
        if self._budget.is_spent and self.state is State.LINGERING:
            self._is_deaf = True
        elif self._budget.is_spent:
            self.end(CloseCode.POLICY_VIOLATION, "Too much is sent on this connection.")
        elif frame.opcode == Opcode.CLOSE:
            self._take_goodbye(frame)
        elif frame.opcode == Opcode.PING:
            self._ping = frame.data
        elif frame.opcode != Opcode.PONG and self.is_open:  # a pong nobody asked for
            self._gather(frame)

    def _gather(self, frame: Frame) -> None:
        # Section 5.4: the parts of a message come one after the other, and only the first one says what it is.
        if (frame.opcode == Opcode.CONT) is (self._parts is None):
            raise BrokenRule(CloseCode.PROTOCOL_ERROR, "The parts of a message are out of order.")
        kind, begun = self._parts or (frame.opcode, b"")
        data = begun + frame.data
        if len(data) > self._owner.limits.socket.message_bytes:
            raise BrokenRule(CloseCode.MESSAGE_TOO_BIG, "This message is too large.")
        self._parts = None if frame.is_last else (kind, data)
        if frame.is_last:
            self._hear(kind == Opcode.TEXT, data)

    def _hear(self, is_text: bool, data: bytes) -> None:
        self._said += 1
        # 1008 and not a drop: a client that is only mistaken can read why.
        if self._said > self._owner.limits.socket.messages:
            self.end(CloseCode.POLICY_VIOLATION, "Nothing more is to be said on this connection.")
        elif is_text and not is_utf8(data):  # section 8.1
            self.end(CloseCode.INVALID_DATA, "This message is not UTF-8.")
        else:
            self._side.hear(is_text, data)

    def _answer_ping(self) -> None:
        ping, self._ping = self._ping, None
        if ping is not None and self.is_open:
            self.transport.write(frame_of(Opcode.PONG, ping))

    # The end.

    def _take_goodbye(self, frame: Frame) -> None:
        """The client's close frame: the first one is answered with its own code (section 5.5.1)."""
        code = close_code_of(frame.data)
        if self.is_open:
            self._say_goodbye(code, CloseCode.NO_STATUS_RCVD if code is None else code)
        self.transport.close()

    def _say_goodbye(self, code: int | None, told: int, reason: str = "") -> None:
        self.transport.write(close_frame_of(code, reason))
        self._enter(State.LINGERING)
        # As much again for what was on its way: behind it comes the answer.
        self._budget = Budget(self._owner.limits.socket, asyncio.get_running_loop().time())
        self._leave(told)

    def _leave(self, code: int) -> None:
        # Let go of before it is told: the two refer to each other, and a flood of such pairs would be left to the
        # garbage collector, which stops the loop.
        side, self._side = self._side, NOBODY
        side.leave(code)

    def _drop(self) -> None:
        # Not cut: the reset would overtake the close frame. The end of LINGERING cuts.
        if self._budget is not None and self._budget.bytes < -self._owner.limits.http.linger_bytes:
            self.transport.pause_reading()

    def _enter(self, state: State) -> None:
        self._owner.drop_keyless(self)
        self.state = state
        self.since = FOREVER
        if state is State.WATCHING:
            self._owner.settle(self)
        else:
            self._owner.unsettle(self)
