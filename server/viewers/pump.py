"""A sink that writes through the `send` of ASGI: one write at a time, and no task while there is nothing to write."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Coroutine, Generator
from typing import Any

from starlette.types import Message, Send

from ..core.model.close_codes import Close
from ..engine.frames import Frame, Slot

log = logging.getLogger("firstlight.viewers")


class Pump(Slot):
    """See the module. A frame that comes while a write waits for the network takes the slot.

    Args:
        send: of the connection.
    """

    __slots__ = ("_ending", "_is_writing", "_send", "_start", "_task")

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._send = send
        self._start: Message | None = None
        self._ending: Message | None = None
        self._is_writing = False
        # Held, since the loop keeps only a weak reference to a task.
        self._task: asyncio.Task[None] | None = None

    def message(self, frame: Frame) -> Message:
        """A frame as this way sends it."""
        raise NotImplementedError

    def ending(self, code: Close, reason: str) -> Message:
        """The last message."""
        raise NotImplementedError

    def start(self, message: Message) -> None:
        """Send what comes before all frames."""
        self._start = message
        self._write()

    def offer(self, frame: Frame) -> None:
        """See `Sink`."""
        self.put(frame)
        self._write()

    def close(self, code: Close, reason: str) -> None:
        """See `Sink`."""
        self._ending = self.ending(code, reason)
        self._write()

    def _write(self) -> None:
        # One write at a time: two would put their bytes on the connection in any order.
        if not self._is_writing:
            self._is_writing = True
            self._task = begin(self._empty())

    async def _empty(self) -> None:
        try:
            while (message := self._next()) is not None:
                await self._send(message)
        except (OSError, RuntimeError) as error:  # RuntimeError: uvicorn closed the connection itself
            log.debug("A viewer has left: %s", error)
            return  # and what is offered from now on stays in the slot
        except Exception:
            log.exception("A viewer could not be written to")
            return
        self._is_writing = False
        self._task = None

    def _next(self) -> Message | None:
        if self._start is not None:
            message, self._start = self._start, None
            return message
        # The newest, and not the next: whatever waited behind a slow network is older than what has come since.
        frame = self.take()
        if frame is not None:
            return self.message(frame)
        last, self._ending = self._ending, None
        return last


def begin(coroutine: Coroutine[Any, None, None]) -> asyncio.Task[None] | None:
    """Run a coroutine until it has to wait; only then does it become a task, which is returned.

    Almost every write is done in the first step, so that a push costs no task per viewer and no turn of the loop. From
    Python 3.12 on, `eager_start` of asyncio's tasks is the same.
    """
    try:
        # ASGI's `send` seldom waits: the kernel takes the bytes at once. A task for each viewer and push cost 26 to 31
        # µs of processor time, and this way costs 13 to 19.
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.get_running_loop().create_task(_finish(coroutine, awaited))


async def _finish(coroutine: Coroutine[Any, None, None], awaited: Any) -> None:
    await _resumed(coroutine, awaited)


@types.coroutine
def _resumed(coroutine: Coroutine[Any, None, None], awaited: Any) -> Generator[Any, None, None]:
    """What is left of a coroutine that waits for something."""
    try:
        # What it waits for was taken out by the first step, so it is handed to the task's loop here, once.
        yield awaited
        yield from coroutine  # as `await` does
    finally:
        coroutine.close()
