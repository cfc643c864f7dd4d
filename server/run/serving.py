"""One process that serves, and an end that viewers survive."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from ..engine.hub import Hub
from ..limits import EndLimits, Limits
from ..settings import Settings
from .connections import Connections
from .http_protocol import HttpProtocol
from .listening import BACKLOG, bind, raise_file_limit, url_of
from .logs import log_config
from .systemd import Systemd

__all__ = ["OPEN", "Config", "Server", "bind", "raise_file_limit"]

log = logging.getLogger("firstlight.serving")

OPEN = "Open to this machine, without tokens. To serve others, set FIRSTLIGHT_SECRET, FIRSTLIGHT_ADMIN_TOKEN and HOST"
TICK_SECONDS = 0.02
"""How often an end looks whether it may go on."""
GC_THRESHOLDS = (1_000, 5, 5_000)
"""A collection of what is young stops the loop for 0.3 ms, and of what is not so young for 1 to 2; of 50,000 young
objects it would be 15. A full one is seldom: Python's own threshold (10) has one while viewers connect, which finds
nothing."""


class Config(uvicorn.Config):
    """Uvicorn's configuration.

    Args:
        app: the application; its `limits`, if it has any, are those of the process.
        level: of this product's own log; None where the process has a log of its own.
    """

    def __init__(self, app: ASGIApp, settings: Settings, level: str | None = "INFO") -> None:
        self.limits: Limits = getattr(app, "limits", None) or Limits()
        self.drain_seconds = float(settings.drain_seconds)
        self.connections = Connections(self.limits)
        super().__init__(
            app,
            host=settings.host,
            loop="uvloop",
            http=partial(HttpProtocol, self.connections),  # type: ignore[arg-type] # it is called, and no more
            ws="none",  # that protocol brings its own
            lifespan="on",
            log_config=level and log_config(level, settings.log),
            # It nearly halves what a process can do (0.54 of the requests), and writes every viewer's address down.
            access_log=False,
            server_header=False,
            # Off unless a proxy is named: whoever sends X-Forwarded-For would choose its own address, and with it its
            # limits.
            proxy_headers=settings.forwarded_allow_ips is not None,
            forwarded_allow_ips=settings.forwarded_allow_ips or "",
            backlog=BACKLOG,
            timeout_graceful_shutdown=self.limits.end.graceful_seconds,
        )


class Server(uvicorn.Server):
    """One process that serves. At its end it dismisses its viewers first, and then closes the sockets."""

    config: Config
    is_whole = True
    """Whether it is all that serves at its address."""

    def __init__(self, config: Config, systemd: Systemd | None = None) -> None:
        super().__init__(config)
        self._systemd = systemd or Systemd({})
        self.drain_seconds = config.drain_seconds
        """How long it serves on after it was told to end."""

    @property
    def _limits(self) -> EndLimits:
        return self.config.limits.end

    def handle_exit(self, sig: int, frame: object) -> None:
        """End in order; at the second signal, at once. The signal is not raised again: to end so is a success."""
        if sig == signal.SIGINT:  # by hand: no proxy has to find out first
            self.drain_seconds = 0.0
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application and listen.

        Raises:
            SettingsError: a setting turns out to be unusable.
        """
        app, uvicorn_log = self.config.loaded_app, logging.getLogger("uvicorn.error")
        start = self.config.loaded_app = _Start(app)
        uvicorn_log.disabled = True  # it would log what is raised here
        try:
            await super().startup(sockets)
        except SystemExit:
            raise start.error or RuntimeError("The application did not start.") from None
        finally:
            uvicorn_log.disabled = False
            self.config.loaded_app = app
        self.settle()
        await self.welcome(url_of((sockets or [])[0], self.config.host))

    def settle(self) -> None:
        """Take what lives as long as the process out of the garbage collector's sight."""
        gc.collect()
        # A full collection at 10,000 viewers stops the loop: for 660 to 880 ms with a task for each, 14 to 27 without
        # any.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def welcome(self, url: str) -> None:
        """Say that it serves now, and where."""
        self._systemd.ready()
        log.info("Serving on %s", url)
        if self.lifespan.state["settings"].is_open:
            log.info(OPEN)

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, every tenth of a second."""
        self._systemd.beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let proxies find out, stop listening, dismiss viewers, close connections, end the application."""
        await self._drain()
        self._stop_listening(sockets or [])
        await self._dismiss()
        grace = 0.0 if self.force_exit else self._limits.abort_seconds
        abort = asyncio.get_running_loop().call_later(grace, self._abort)
        await super().shutdown(sockets)
        abort.cancel()
        if self.force_exit:  # uvicorn left it out; what is pending is written all the same
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.goodbye_seconds):
                    await self.lifespan.shutdown()
        log.info("Stopped")

    @property
    def _hub(self) -> Hub:
        hub: Hub = self.lifespan.state["hub"]
        return hub

    async def _drain(self) -> None:
        """Serve on, but say that it ends: new viewers are refused, and each answer is the last of its connection."""
        log.info("Stopping; %d viewers are told to come back", self._hub.viewers)
        self._hub.leave()
        self.config.connections.is_ending = True
        self.lifespan.state["health"].is_ending = self.is_whole
        left = self.drain_seconds
        while left > 0 and not self.force_exit:
            await asyncio.sleep(TICK_SECONDS)
            left -= TICK_SECONDS

    def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Take who has connected already, and nobody after: what waits when the socket closes is sent RST."""
        for listener in sockets:
            listener.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._take(listener.accept()[0])
        for server in self.servers:
            server.close()

    def _take(self, accepted: socket.socket) -> None:
        loop, state = asyncio.get_running_loop(), self.server_state
        protocol = partial(HttpProtocol, self.config.connections, self.config, state, self.lifespan.state, loop)
        task = loop.create_task(loop.connect_accepted_socket(protocol, accepted))
        state.tasks.add(task)  # type: ignore[arg-type] # uvicorn waits for these, whatever they give
        task.add_done_callback(state.tasks.discard)

    async def _dismiss(self) -> None:
        # Viewers first, connections after. Uvicorn alone closes a thousand with 1012 within 0.6 s, and all of them come
        # back at once.
        limits, hub, connections = self._limits, self._hub, self.config.connections
        dismissal = asyncio.create_task(hub.dismiss(limits.batch, limits.batch_seconds, limits.dismissal_seconds))
        left = limits.goodbye_seconds
        while not self.force_exit:
            if dismissal.done() and (left <= 0 or not (hub.viewers or connections.is_lingering)):
                break
            await asyncio.sleep(TICK_SECONDS)
            left -= TICK_SECONDS if dismissal.done() else 0
        dismissal.cancel()

    def _abort(self) -> None:
        """Cut what does not end by itself, as a reader that reads nothing."""
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


class _Start:
    """Stands before the application while it starts, and keeps what it raises: uvicorn only logs it."""

    def __init__(self, app: Any) -> None:
        self.error: BaseException | None = None
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            self.error = error
            raise
