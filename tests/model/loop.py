"""An event loop whose time is made up: it jumps to the next timer when nothing else can run, so no test ever waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

DISK_SECONDS = 0.004
"""How long what is done in a thread takes: an fsync."""


class Life:
    """A process, as far as the loop knows it: what belongs to a dead one never comes to an end."""

    def __init__(self) -> None:
        self.is_over = False
        self.had_trouble = False
        """Whether it was ever cut off from the store."""
        self.clock_was_set = False
        self.tasks: set[asyncio.Task[Any]] = set()


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)
"""The process that the running task belongs to."""


class _Selector(selectors.DefaultSelector):
    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass instead of waiting for it."""
        assert timeout is not None, "everything waits for something that never comes"
        self.passed += max(0.0, timeout)
        return super().select(0)


class TimelessLoop(asyncio.SelectorEventLoop):
    """See the module. One thread, no sockets: two runs with the same choices are the same run."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self.errors: list[dict[str, Any]] = []
        """What went wrong where nobody waits for it."""
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def time(self) -> float:
        return self._clock.passed

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """Note whose it is."""
        task, life = super().create_task(coro, **options), LIFE.get()
        if life:
            life.tasks.add(task)
            task.add_done_callback(life.tasks.discard)
        return task

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do it here, a moment later; not at all where its process has ended by then."""
        future, life = self.create_future(), LIFE.get()

        def run() -> None:
            if (life and life.is_over) or future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:
                future.set_exception(error)

        self.call_later(DISK_SECONDS, run)
        return future
