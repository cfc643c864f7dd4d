"""One connection to a server that all calls share: what they send goes out at once, and is answered in that order.

redis-py makes it, with TLS, password and database, and hands its transport over. Its own way for each command, with a
pool, a pipeline and a stream that somebody has to read, costs an idle process 200 µs a round trip, and this one 60.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

from .scripts import Command

_packed = cast(Callable[[Command], bytes], hiredis.pack_command)  # its types know commands of one word
_MORE = object()
"""What the reader gives while an answer is not whole."""


class _Call:
    """What waits for so many answers."""

    __slots__ = ("answers", "done", "sent_at", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, size: int) -> None:
        self.done: asyncio.Future[list[Any]] = loop.create_future()
        self.answers: list[Any] = []
        self.size = size
        self.sent_at = loop.time()


class Link(asyncio.Protocol):
    """See the module. Deadlines are the caller's; fails with redis-py's `ConnectionError`.

    Args:
        connection: is greeted already, and is nobody else's.
        patience: seconds without a word after which the server hangs, when a call is given up.
        hear: gets what the server says unasked: kind, channel, message. Must not raise.
        end: is told why it is over.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        patience: float,
        hear: Callable[[Sequence[Any]], None] = lambda _: None,
        end: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._patience = patience
        self._hear = hear
        self._end = end
        self._error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._calls: deque[_Call] = deque()
        self._heard_at = self._loop.time()
        self._is_retired = False
        self._reader = hiredis.Reader(
            replyError=connection._parser.parse_error, encoding="utf-8", errors="replace", notEnoughData=_MORE
        )
        stream, connection._writer, connection._reader = connection._writer, None, None
        assert stream is not None  # it is connected
        self._stream = stream  # kept, since it closes its transport when it goes
        self._transport = cast(asyncio.Transport, stream.transport)
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether it takes calls."""
        return not self._is_retired and not self._transport.is_closing()

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands; gives their answers, with an error where a command was refused.

        Raises:
            ConnectionError: of redis-py; some may have been done.
        """
        call = _Call(self._loop, len(commands))
        self._calls.append(call)
        self.say(commands)
        try:
            return await call.done
        except asyncio.CancelledError:
            # Its time is up. Where nothing at all was heard meanwhile, the others wait in vain as well; and what a hung
            # server finds here when it goes on, nobody wants any more. But it may have waited for the link alone.
            if self._heard_at <= call.sent_at <= self._loop.time() - self._patience:
                self._transport.abort()
            raise

    def say(self, commands: Iterable[Command]) -> None:
        """Send commands that have no answer but what is heard."""
        # The loop hands over to the kernel, in one go, what is written in one of its turns.
        self._transport.write(b"".join([_packed(command) for command in commands]))

    def retire(self) -> None:
        """Take no more calls, and close when the last is answered."""
        self._is_retired = True
        if not self._calls:
            self._transport.close()

    def close(self) -> None:
        """Let it go."""
        self._transport.abort()

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        """Hand out answers."""
        self._heard_at = self._loop.time()
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _MORE:
                if isinstance(answer, hiredis.PushNotification):
                    self._hear(answer)
                else:
                    self._take(answer)
        except hiredis.ProtocolError as error:  # no server says that
            self._fail(RedisConnectionError(str(error)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever waits may have been done, or not."""
        error = self._error or RedisConnectionError(str(exc or "The connection was closed."))
        calls, self._calls = self._calls, deque()
        for call in calls:
            if not call.done.done():
                call.done.set_exception(error)
        self._end(error)

    def _take(self, answer: Any) -> None:
        if not self._calls:  # what was only said is refused
            self._fail(answer if isinstance(answer, Exception) else RedisConnectionError("An answer to nothing."))
            return
        call = self._calls[0]
        call.answers.append(answer)
        if len(call.answers) < call.size:
            return
        self._calls.popleft()
        if not call.done.done():  # else nobody waits for it any more
            call.done.set_result(call.answers)
        if self._is_retired and not self._calls:
            self._transport.close()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._transport.abort()
