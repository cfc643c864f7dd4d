"""HTTP/1.1: uvicorn's protocol on httptools, where each connection has an owner and each request a budget.

What differs from uvicorn's, beside what `server.run.http_reader` counts:

- A request that is whole is judged, though its sender has closed or half-closed the connection meanwhile.
- A refusal is said after the answers to the requests before it, and the connection lingers until it was read.
- A WebSocket begins after the answers to the requests before it, and with the bytes that came after its handshake.
- What the application sees does not depend on where the network cut the bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState

from .connections import FOREVER, Connections, State, is_reserved
from .conversation import Conversation
from .direct import Call, Door, begin, client_behind, head_of_answer
from .exchange import Exchange
from .handshake import VERSION_SPOKEN, accepted_key
from .http_reader import HttpReader
from .listening import end_of
from .refused import CROWDED, Refused
from .websocket_protocol import WebSocketProtocol

log = logging.getLogger("firstlight.http")


class HttpProtocol(HttpReader):
    """One connection. See the module; `server.run.connections` has the table of its states.

    Args:
        owner: watches over all connections.
    """

    state = State.IDLE
    since = FOREVER
    stalled_at = FOREVER

    def __init__(
        self,
        owner: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(owner.limits.http, config, server_state, app_state, _loop)
        owner.watch(server_state.connections)
        self._owner = owner
        self._answering: Exchange | Call | None = None
        self._saying: Any = None
        """What the request said that was read last, if its bytes will say it again."""
        self._is_half_closed = False
        self._refused: Refused | None = None
        self._handshake: bytes | None = None
        """What came after a handshake that waits for the answers before it, or for its turn."""
        self._dropped = 0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and should say something."""
        # Uvicorn's own asks for the socket, and uvloop makes an object of it that stays as long as the connection.
        self.connections.add(self)
        self.transport, self.flow = transport, FlowControl(transport)
        self.server, self.client = end_of(transport, "sockname"), end_of(transport, "peername")
        self.scheme = "https" if is_ssl(transport) else "http"
        self._enter(State.ARRIVING)
        self._is_admitted = self._owner.admit(self, self.loop)
        # Not even an answer: the reserve is used up, and each word to a flood needs a descriptor for longer.
        if not self._is_admitted and self._owner.is_full:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left. What it sent as a whole is judged all the same, also what it sent ahead."""
        self.connections.discard(self)
        self.stalled_at = FOREVER
        for exchange in self._due():
            exchange.break_off()
        # Requests sent ahead and whole count, too: who sent them may be a program that has just ended.
        while self.pipeline:
            exchange, app = cast("tuple[Exchange, ASGI3Application]", self.pipeline.pop())
            if not exchange.more_body:
                self._start_asgi_task(exchange, app)
        self.flow.resume_writing()
        self._let_go()

    def _let_go(self) -> None:
        """Drop what refers back to this: a flood would leave heaps to the garbage collector, which stops the loop."""
        # Measured: in a flood of handshakes such heaps stopped the loop for a quarter of a second.
        self.parser = self.cycle = self._answering = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._is_done:
            self._drop(len(data))
            return
        if self._door is not None and self._is_repeat(data, self._door):
            return
        was_idle, self._begun, self._saying = self._is_idle, 0, None
        self._feed(data)
        # Only if these bytes are one request and nothing else: then they are again, wherever they come alone.
        if self._saying is not None and self._door is not None and was_idle and self._begun == 1 and self._is_idle:
            self._door.repeats.note(data, self._saying)
        if self._is_arriving and self.state is State.IDLE:
            self._enter(State.ARRIVING)

    @property
    def _is_idle(self) -> bool:
        """Whether the next byte begins a request."""
        return not self._is_arriving and not self._is_done

    def _is_repeat(self, data: bytes, door: Door) -> bool:
        """Answer a request that was answered before, if it is one, without reading it again."""
        # Behind a proxy it is a header that says who sends.
        if not (self._is_idle and self._is_free and self._may_stay) or self.config.proxy_headers:
            return False
        if not door.repeats.take(data, self.client[0] if self.client else None):
            return False
        self._enter(State.IDLE)
        self.server_state.total_requests += 1
        self.transport.write(head_of_answer(200, self.server_state.default_headers, door.usual, 2, True) + b"{}")
        return True

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has said its last word. Answers to what it sent as a whole are still written."""
        if self._is_arriving:
            self._break_off()
        due = list(self._due())
        if not due or self.state is State.LINGERING:
            return False
        # True keeps the transport open (asyncio): many clients shut their side down after the request, and still read.
        self._is_half_closed = True
        for exchange in due:
            exchange.half_close()
        return True

    def pause_writing(self) -> None:
        """The client reads more slowly than it is answered."""
        self.stalled_at = self.loop.time()
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """It has read."""
        self.stalled_at = FOREVER
        self.flow.resume_writing()

    def expire(self) -> None:
        """As `Connection.expire`."""
        if self.state in (State.IDLE, State.ARRIVING):
            self.transport.close()
        elif self.state is not State.ANSWERING:
            self.transport.abort()
        elif self._answering is not None and self._answering.response_started:
            self._enter(State.STREAMING)
        else:
            log.warning("An answer did not begin within %g s; the connection is cut", self._limits.answer_seconds)
            self.transport.abort()

    # From a head to its answer.

    @property
    def _is_free(self) -> bool:
        last = self._answering
        is_next = (last is None or last.response_complete) and not self.pipeline
        return is_next and self._is_admitted and not self.expect_100_continue and not self.flow.write_paused

    def _answer(self, call: Call) -> None:
        """Answer it here and now; where it has to wait for something, a task does the rest."""
        client = self.client
        if client is not None and self.config.proxy_headers:
            host: str | None = client_behind(self.config.forwarded_allow_ips or "", client, self.headers)
        else:
            host = client[0] if client else None
        assert self._door is not None
        self._answering = self.cycle = call  # type: ignore[assignment] # as far as it is asked for
        self._enter(State.ANSWERING)
        served = self._door.serve(call.address, call.path, call.query, self.headers, host, call.body, call.say)
        task, self._saying = begin(served, self.loop)
        if task is not None:
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def _start(self, exchange: Exchange) -> None:
        if not self._is_admitted and not is_reserved(self.scope):
            raise Refused(CROWDED, 503)
        if self._answering is None or self._answering.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            # Paused until it is its turn: requests that are sent ahead cost memory, and their sender decides how many.
            self.pipeline.appendleft((exchange, self.app))

    @property
    def _may_stay(self) -> bool:
        # Said in an answer, and not by closing what is idle: a proxy may be about to send a request on it, and answers
        # 502 then, as it cannot know whether that was taken.
        return self._is_admitted and not self._owner.is_ending

    def _whole(self) -> None:
        is_answered = self._answering is None or self._answering.response_complete  # it did not wait for the end
        self._enter(State.IDLE if is_answered and not self.pipeline else State.ANSWERING)

    def _start_asgi_task(self, cycle: Any, app: ASGI3Application) -> None:
        self._answering = cycle
        task = self.loop.create_task(cycle.run_asgi(app))
        # Held in a set, since the loop keeps only weak references; uvicorn waits for these at its end.
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def on_response_complete(self) -> None:
        """An answer is written: now the next request, or what had to wait for it."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            exchange, app = self.pipeline.pop()
            self._enter(State.ARRIVING if exchange.more_body else State.ANSWERING)
            self._start_asgi_task(exchange, app)
        elif self._refused is not None:
            self._say(self._refused)
        elif self._is_half_closed:
            self.transport.close()
        elif self._handshake is not None:
            self._owner.in_turn(self._become_websocket)
        else:
            self._enter(State.ARRIVING if self._is_arriving else State.IDLE)
            self._resume()

    def _due(self) -> Iterator[Exchange | Call]:
        """The requests that are still to be answered, in their order."""
        first = self._answering
        if first is not None and not first.response_complete and not first.disconnected:
            yield first
        for exchange, _ in reversed(self.pipeline):
            yield cast(Exchange, exchange)

    def _resume(self) -> None:
        if not self.pipeline and self._refused is None and self._handshake is None:
            self.flow.resume_reading()

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = FOREVER

    # To a WebSocket.

    def _change(self, rest: bytes) -> None:
        self._is_arriving = False
        self._is_done = True
        self._handshake = rest
        self.flow.pause_reading()
        if not any(True for _ in self._due()):
            self._owner.in_turn(self._become_websocket)

    def _become_websocket(self) -> None:
        rest, self._handshake = self._handshake, None
        if rest is None or self.transport.is_closing():
            return
        # From here on another protocol owns the transport; it puts itself into the list.
        self.connections.discard(self)
        self.flow.resume_reading()
        socket = WebSocketProtocol(self._owner, self.connections)
        self.transport.set_protocol(socket)
        socket.connection_made(self.transport)
        self._converse(socket, rest)
        self._let_go()

    def _converse(self, socket: WebSocketProtocol, early: bytes) -> None:
        headers = self.server_state.default_headers
        try:
            conversation = Conversation(socket, accepted_key(self._method, self.headers), headers, early)
        except Refused as refused:
            socket.refuse(refused.answer([*headers, VERSION_SPOKEN]))
            return
        task = self.loop.create_task(conversation.run(self.app, {**self._scope()}))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    # Refusals.

    def _refuse(self, refused: Refused) -> None:
        """Give up on what comes, and say why after the answers that are still due."""
        self._is_done = True
        self._break_off()
        if not refused.status:
            return
        log.debug("Refused a request: %s", refused)
        last = self._answering
        if last is None or last.response_complete or (last.disconnected and not last.response_started):
            self._say(refused)
        elif last.disconnected:
            self.transport.close()  # half of its answer is on the way
        else:
            self._refused = refused
            self.flow.pause_reading()

    def _break_off(self) -> None:
        """The request that is arriving can never be whole."""
        if self._is_arriving and self._is_begun:
            cast(Exchange, self.cycle).break_off()
            if self.pipeline and self.pipeline[0][0] is self.cycle:
                self.pipeline.popleft()
        self._is_arriving = False

    def _say(self, refused: Refused) -> None:
        """Write it, and wait until it was read: to close while something unread comes in would take it back."""
        self.transport.write(refused.answer(self.server_state.default_headers))
        self._refused = None
        self._enter(State.LINGERING)
        self.flow.resume_reading()
        # Half-closed: a close with unread bytes in the kernel sends RST, which makes the peer drop what it has not read
        # yet (RFC 9112, section 9.6).
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _drop(self, count: int) -> None:
        self._dropped += count
        if self._dropped > self._limits.linger_bytes:
            if self.state is State.LINGERING:
                self.transport.abort()
            else:
                self.flow.pause_reading()
