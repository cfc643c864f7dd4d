"""Requests that a door takes without ASGI: no scope, no messages, and a task only where one has to wait.

Only a request that is here as a whole, and has nothing before it to wait for, goes this way: what an SDK sends in one
packet. All others go through ASGI. Both end in the same door, and answer the same, byte by byte.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Lines: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Repeats(Protocol):
    """What the door has taken before, and takes again without its being read."""

    def note(self, request: bytes, repeat: Any) -> None:
        """Remember what a request said."""

    def take(self, request: bytes, client: str | None) -> bool:
        """Take a request that says just what it did before, if it is one; then its answer is `{}`."""


class Door(Protocol):
    """What an application offers in its state under `direct`."""

    repeats: Repeats
    usual: Lines

    def address_of(self, path: str) -> Any:
        """What a path names; None where it is not for this door."""

    def serve(
        self,
        address: Any,
        path: str,
        query: bytes,
        fields: Sequence[tuple[bytes, bytes]],
        client: str | None,
        body: bytes,
        say: Callable[[int, bytes, Lines], Coroutine[Any, Any, None]],
    ) -> Coroutine[Any, Any, Any]:
        """Answer a POST. Gives what the same bytes will say again, or None."""


class Call:
    """One such request. For the connection that it came on it is what an `Exchange` is.

    Args:
        transport: where the answer goes.
        default: the server's own header lines.
        keep_alive: whether the connection may stay.
        on_answer: is called once the answer is written.
    """

    __slots__ = (
        *("_default", "_on_answer", "_transport", "address", "body", "disconnected", "keep_alive", "more_body"),
        *("path", "query", "response_complete", "response_started"),
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        default: list[tuple[bytes, bytes]],
        keep_alive: bool,
        on_answer: Callable[[], None],
        address: Any,
        path: str,
        query: bytes,
    ) -> None:
        self._transport = transport
        self._default = default
        self._on_answer = on_answer
        self.keep_alive = keep_alive
        self.address = address
        self.path = path
        self.query = query
        self.body = b""
        self.disconnected = self.response_started = self.response_complete = False

    async def say(self, status: int, body: bytes, lines: Lines) -> None:
        """Write the answer."""
        if self.disconnected:
            return
        self.response_started = self.response_complete = True
        self._transport.write(head_of_answer(status, self._default, lines, len(body), self.keep_alive) + body)
        if not self.keep_alive:
            self._transport.close()
        self._on_answer()

    def break_off(self) -> None:
        """The connection is lost."""
        self.disconnected = True

    def half_close(self) -> None:
        """The sender has closed its side; and may still read the answer."""


def head_of_answer(
    status: int, default: Sequence[tuple[bytes, bytes]], lines: Lines, size: int, keep_alive: bool
) -> bytes:
    """The head of an answer, as uvicorn writes it."""
    end = b"\r\n" if keep_alive else b"connection: close\r\n\r\n"
    return b"%b%b%bcontent-length: %d\r\n%b" % (
        STATUS_LINE[status],
        _text_of(tuple(default)),
        _text_of(lines),
        size,
        end,
    )


# Nearly all answers have the same lines, and the server's own change once a second.
@lru_cache(maxsize=64)
def _text_of(lines: Lines) -> bytes:
    return b"".join([b"%b: %b\r\n" % line for line in lines])


def begin(
    coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop
) -> tuple[asyncio.Task[None] | None, Any]:
    """Run a coroutine at once, as far as it gets without waiting.

    What `asyncio.Task(…, eager_start=True)` does since Python 3.12, but without a task for those that need none. Until
    it first waits there is no current task, so it cannot begin with `asyncio.timeout`.

    Returns:
        The task that does the rest, if there is any, and what it gave, if there is none.
    """
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration as end:
        return None, end.value
    task = loop.create_task(_finished(coroutine, awaited), context=context)
    # Else nothing in it would end, should the task be cancelled before its first step.
    task.add_done_callback(lambda _: coroutine.close())
    return task, None


async def _finished(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> None:
    await _rest(coroutine, awaited)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, None]:
    """Go on where a coroutine waits. `await` would not take one that has begun."""
    try:
        yield awaited
    except BaseException as error:
        try:
            awaited = coroutine.throw(error)
        except StopIteration:
            return
        yield from _rest(coroutine, awaited)
    else:
        yield from coroutine


def client_behind(trusted: str | list[str], client: tuple[str, int], fields: Sequence[tuple[bytes, bytes]]) -> str:
    """The address of who sent a request through a proxy that is trusted, by uvicorn's own rules."""
    scope: dict[str, Any] = {"type": "http", "client": client, "headers": fields}
    behind = _proxies(trusted if isinstance(trusted, str) else ",".join(trusted))
    with suppress(StopIteration):
        behind(scope, None, None).send(None)  # type: ignore[arg-type] # it only looks at the scope
    return str(scope["client"][0])


@lru_cache(maxsize=4)
def _proxies(trusted: str) -> ProxyHeadersMiddleware:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        return None

    return ProxyHeadersMiddleware(app, trusted)
