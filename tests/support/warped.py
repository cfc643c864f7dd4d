"""A server whose time a test moves on: its clock and its timers jump, and everything due in between happens at once."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Self

from server.app import create_app
from server.limits import Limits
from server.settings import Settings

from .app import running
from .server import SECONDS


class _Loop(asyncio.SelectorEventLoop):
    """A loop that believes to be later than it is."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class WarpedServer:
    """The application on a real uvicorn, in a thread with a loop of its own. Use it as a context manager.

    Args:
        settings: with a file of its own.
        limits: instead of the usual bounds.
    """

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._settings, self._limits = settings, limits
        self._loop = _Loop()
        self._ready, self._done = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="warped-server", daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(SECONDS), "the server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "the server did not end"

    def jump(self, seconds: float) -> None:
        """Let so much time have passed."""
        moved = threading.Event()

        def move() -> None:
            self._loop.ahead += seconds
            moved.set()

        self._loop.call_soon_threadsafe(move)
        assert moved.wait(SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        app = create_app(self._settings, clock=lambda: time.time() + self._loop.ahead, limits=self._limits)
        async with running(app, ws_ping_interval=None) as self.url:  # no pong is late because of a jump
            self._ready.set()
            await self._done.wait()
