"""Reads requests: what httptools reports, counted against the budgets of one request.

No byte is ever rewritten. An offer to change to another protocol is ignored where the parser reports it, which is
after the head: a second parser is given the fields that the first one read, without the offer, and then the bytes that
follow. (Java's HttpClient offers HTTP/2 in every request without TLS, and its body counts; RFC 9110, section 7.8.)
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

import httptools
from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ..limits import HttpLimits
from .direct import Call, Door
from .exchange import Exchange
from .refused import (
    CROWDED,
    TOO_LARGE,
    Refused,
    has_body,
    head_of,
    is_host,
    reason_of,
    size_of,
    target_of,
    tokens_of,
)

_OTHER, _WEBSOCKET = b"other", b"websocket"
_NOTED = frozenset({b"host", b"expect", b"transfer-encoding"})


class HttpReader(HttpToolsProtocol):
    """The half of `HttpProtocol` that reads. What it has read it hands to the abstract methods below.

    Trailers are counted and dropped (RFC 9110, section 6.5.1): merged into the headers, they would be a way around
    every check of a head.
    """

    def __init__(
        self,
        limits: HttpLimits,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._is_admitted = True
        self._is_arriving = False
        """Some of a request is here, and not all."""
        self._is_head = False
        self._method = self._version = ""
        self._call: Call | None = None
        """A request that waits for the end of what was read: if it is whole by then, it needs no application."""
        self._door: Door | None = app_state.get("direct")
        self._is_done = False
        """Nothing that still comes is a request: one was refused, or said that it is the last."""
        self._now = self._begun = 0
        self._reset()

    def _reset(self) -> None:
        """What is counted and known of one request."""
        self._first = self._fed = self._now
        self._body = self._trailers = self._chunks = self._hosts = 0
        self._coding: bytes | None = None
        self._offer = b""
        self._is_begun = False

    @abstractmethod
    def _start(self, exchange: Exchange) -> None:
        """A head is whole: the application's turn, or that of the requests before it."""

    @abstractmethod
    def _answer(self, call: Call) -> None:
        """A request for the door is whole."""

    @property
    @abstractmethod
    def _is_free(self) -> bool:
        """Whether a request can be answered now: it is admitted, and has none before it."""

    @abstractmethod
    def _whole(self) -> None:
        """So is its body."""

    @abstractmethod
    def _change(self, rest: bytes) -> None:
        """A WebSocket's handshake is whole; `rest` came with it."""

    @abstractmethod
    def _refuse(self, refused: Refused) -> None:
        """This cannot be read on."""

    @abstractmethod
    def _resume(self) -> None:
        """Read on, unless a request that was sent ahead waits already."""

    def _feed(self, data: bytes) -> None:
        """Read what came."""
        self._now = len(data)
        self._fed += self._now
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as error:
            stopped = error.with_traceback(None)  # which would refer to this frame, and so to itself
            self._hand_over()
        else:
            self._hand_over()
            if self._is_arriving and self._fed - self._first - self._body > self._allowance:
                self._refuse(Refused(TOO_LARGE))
            return
        self._stop(stopped, data)

    def _stop(self, stopped: Exception, data: bytes) -> None:
        """The parser has stopped: at an offer, or at what it or a callback refused."""
        if not isinstance(stopped, httptools.HttpParserUpgrade):
            self._refuse(reason_of(stopped))
        elif self._offer == _WEBSOCKET:
            self._change(data[stopped.args[0] :])
        else:
            self._go_on_without(data[stopped.args[0] :])

    @property
    @abstractmethod
    def _may_stay(self) -> bool:
        """Whether there may be another request after this one."""

    @property
    def _allowance(self) -> int:
        """Bytes beside the body. What came in one read with the start is not counted: some of it may be before it."""
        return self._limits.head_bytes + (0 if self._is_head else self._limits.framing_bytes)

    def _go_on_without(self, rest: bytes) -> None:
        """Read the same head again without its offer, and then what follows, as if it had not been made."""
        head = head_of(self._method, self.url, self._version, self.headers, without=b"upgrade")
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn sets it for its own parser: bytes after `Connection: close` are dropped here, and are no error.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._feed(head)
        if rest and not self._is_done:
            self._feed(rest)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A request begins; those sent ahead come in the same data."""
        if self._is_done:
            raise Refused("", 0)  # RFC 9112, 9.6: after the last request, nothing is processed
        if len(self.pipeline) >= self._limits.pipelined:
            raise Refused("Too many requests are sent ahead of their answers.")
        self._is_arriving = self._is_head = True
        self._begun += 1
        self._reset()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """Some of its target."""
        self.url += url
        if len(self.url) > self._limits.head_bytes:
            raise Refused(TOO_LARGE)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of its head, or a trailer."""
        if not self._is_head:
            self._trailers += 1
        else:
            name = name.lower()
            if name in _NOTED:
                self._note(name, value)
            self.headers.append((name, value))
        # Checked as they come: at the end of the head its memory would be spent.
        if len(self.headers) + self._trailers > self._limits.head_fields:
            raise Refused("This request has too many header fields.")

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            # Two is one too many: a damaged Host and a second one are refused by the same rule.
            self._hosts += 1 if is_host(value) else 2
        elif name == b"transfer-encoding":
            self._coding = value.strip().lower() if self._coding is None else b"several"
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._is_head = False
        version = self._version = self.parser.get_http_version()
        self._method = self.parser.get_method().decode("ascii")
        self._check_head(version)
        if self.parser.should_upgrade():
            self._note_offer(version)
        else:
            self._begin(version)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1
        if self._chunks > self._limits.chunks + self._body // self._limits.chunk_bytes:
            raise Refused("The chunks of this body are too small.")

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        self._body += len(body)
        if self._call is not None:
            self._call.body += body
            return
        if self.cycle.response_complete or self.cycle.disconnected:
            return
        self.cycle.body += body
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        """All of it is there."""
        if self._offer:
            return
        self._is_arriving = False
        if self._call is not None:
            call, self._call = self._call, None
            self._is_done = not call.keep_alive
            self._answer(call)
            return
        self._is_done = not self.cycle.keep_alive
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self._whole()

    def _check_head(self, version: str) -> None:
        if self._fed > self._limits.head_bytes and size_of(self.url, self.headers) > self._limits.head_bytes:
            raise Refused(TOO_LARGE)
        if self._hosts > 1 or (self._hosts == 0 and version != "1.0"):
            raise Refused("A request has one Host field, with a host in it (RFC 9112, section 3.2).")

    def _note_offer(self, version: str) -> None:
        """The parser stops after this head, whatever the offer is."""
        if self._method == "CONNECT":
            raise Refused("This server is no proxy.")
        if version != "1.1" or _WEBSOCKET not in tokens_of(self.headers, b"upgrade"):
            self._offer = _OTHER
            return
        if has_body(self.headers):
            raise Refused("The handshake of a WebSocket has no body.")
        if not self._is_admitted:
            raise Refused(CROWDED, 503)
        target_of(self.url)  # refused here, where an answer can still be given
        self._offer = _WEBSOCKET

    def _begin(self, version: str) -> None:
        # Request smuggling lives on what two parsers make of an unknown or doubled coding; so none is guessed at.
        if self._coding not in (None, b"chunked"):
            raise Refused("Only chunked is understood as Transfer-Encoding.", 501)  # RFC 9112, 6.1
        keep_alive = self._may_stay and version != "1.0" and self.parser.should_keep_alive()
        if self._door is not None and self._method == "POST" and self._is_free:
            path, _, query = target_of(self.url)
            address = self._door.address_of(self.root_path + path)
            if address is not None:
                default, done = self.server_state.default_headers, self.on_response_complete
                self._call = Call(self.transport, default, keep_alive, done, address, self.root_path + path, query)
                return
        self._begin_exchange(keep_alive)

    def _begin_exchange(self, keep_alive: bool) -> Exchange:
        self.scope = self._scope()
        self.cycle = exchange = self._exchange(keep_alive)
        self._is_begun = True
        self._start(exchange)
        return exchange

    def _scope(self) -> HTTPScope:
        path, raw_path, query = target_of(self.url)
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": self._version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": self._method,
            "root_path": self.root_path,
            "path": self.root_path + path,
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def _hand_over(self) -> None:
        """What was read ends before the request does: the application is told that it has begun."""
        if self._call is None:
            return
        call, self._call = self._call, None
        exchange = self._begin_exchange(call.keep_alive)
        exchange.body += call.body
        if call.body:
            exchange.message_event.set()

    def _exchange(self, keep_alive: bool) -> Exchange:
        exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        exchange.resume = self._resume
        return exchange
