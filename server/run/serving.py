"""One process that serves, and an end that viewers survive."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
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

__all__ = ["OPEN", "Config", "Server", "bind", "raise_file_limit"]

log = logging.getLogger("firstlight.serving")

OPEN = "Open to this machine, without tokens. To serve others, set FIRSTLIGHT_SECRET, FIRSTLIGHT_ADMIN_TOKEN and HOST"
GC_THRESHOLDS = (50_000, 20, 50)
"""Python's own (700, 10, 10) collect all the time while viewers connect, and find nothing."""


class Config(uvicorn.Config):
    """Uvicorn's configuration.

    Args:
        app: the application; its `limits`, if it has any, are those of the process.
        level: of this product's own log.
    """

    def __init__(self, app: ASGIApp, settings: Settings, level: str = "INFO") -> None:
        self.limits: Limits = getattr(app, "limits", None) or Limits()
        super().__init__(
            app,
            host=settings.host,
            loop="uvloop",
            http=partial(HttpProtocol, Connections(self.limits)),  # type: ignore[arg-type] # it is called, and no more
            ws="none",  # that protocol brings its own
            # More than doubles the memory of a viewer (60 to 123 KiB in place of 28), for snapshots of 1 KiB.
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=log_config(level),
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

    @property
    def _limits(self) -> EndLimits:
        return self.config.limits.end

    def handle_exit(self, sig: int, frame: object) -> None:
        """End in order; at the second signal, at once. The signal is not raised again: to end so is a success."""
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
        _settle_memory()
        await self.welcome(url_of((sockets or [])[0], self.config.host))

    async def welcome(self, url: str) -> None:
        """Say that it serves now, and where."""
        log.info("Serving on %s", url)
        if self.lifespan.state["settings"].is_open:
            log.info(OPEN)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Dismiss viewers, close sockets, end the application."""
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

    async def _dismiss(self) -> None:
        hub: Hub = self.lifespan.state["hub"]
        log.info("Stopping; %d viewers are told to come back", hub.viewers)
        # Viewers first, sockets after. Uvicorn alone closes a thousand with 1012 within 0.6 s, and all of them come
        # back at once.
        drain = asyncio.create_task(hub.drain(self._limits.few_viewers, self._limits.drain_seconds))
        left = self._limits.goodbye_seconds
        while not self.force_exit and not (drain.done() and (left <= 0 or not hub.viewers)):
            await asyncio.sleep(0.02)
            left -= 0.02 if drain.done() else 0
        drain.cancel()

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


def _settle_memory() -> None:
    """Take what lives as long as the process out of the garbage collector's sight."""
    gc.collect()
    # A full collection at 10,000 viewers stops the loop: for 660 to 880 ms with a task for each, 14 to 27 without any.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
