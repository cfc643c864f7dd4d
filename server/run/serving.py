"""How uvicorn is run: the listening socket, the log, one process or several, and an end that viewers survive."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
from multiprocessing.connection import wait
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from ..core.model.errors import SettingsError
from ..engine.hub import Hub
from ..settings import MAX_PORT, Settings
from .http_protocol import BoundedHttp

log = logging.getLogger("firstlight.serving")

OPEN = "Open to this machine, without tokens. To serve others, set FIRSTLIGHT_SECRET, FIRSTLIGHT_ADMIN_TOKEN and HOST"
BACKLOG = 2048
STALL_MILLISECONDS = 25_000
"""How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT): pings alone never evict a stalled reader."""
MAX_MESSAGE = 4096
"""Bytes of a viewer's message; the only one that means something carries a token."""
MAX_FILES = 65_536
"""File descriptors to ask for: each viewer is one, and the usual soft limit is 1,024."""
FEW_VIEWERS = 50
"""So many viewers are dismissed at once, and as many a second where there are more."""
DRAIN_SECONDS = 10.0
"""Over how long many viewers are dismissed, at least; at most twice. Platforms kill after 30 s."""
GOODBYE_SECONDS = 2.0
"""How long the last viewers may take to read their goodbye."""
ABORT_SECONDS = 3.0
"""After that, how long other connections may take to end."""
GRACEFUL_SECONDS = 5
"""Uvicorn's own limit for the same, which cancels instead."""
GC_THRESHOLDS = (50_000, 20, 50)
"""Python's own (700, 10, 10) collect all the time while viewers connect, and find nothing."""


def bind(settings: Settings, command: str) -> socket.socket:
    """Open the listening socket; its options pass on to every connection.

    Args:
        command: what to start again on another port, for the message.

    Raises:
        SettingsError: HOST or PORT cannot be used.
    """
    host, port = settings.host.strip("[]"), settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, ValueError) as error:
        raise SettingsError(_bind_failure(host, port, error, command)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALL_MILLISECONDS)
        listener.bind(address)
        listener.listen(BACKLOG)  # now, and not when uvicorn does: only this tells whether the port is in use
    except OSError as error:
        listener.close()
        raise SettingsError(_bind_failure(host, port, error, command)) from None
    return listener


def _bind_failure(host: str, port: int, error: OSError | ValueError, command: str) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        other = port + 1 if port < MAX_PORT else 8000
        return f"PORT={port} is in use: something else listens there. Stop it, or take another: PORT={other} {command}"
    if number == errno.EACCES:
        return f"PORT={port} is for privileged users only. Take one above 1023: PORT=8000 {command}"
    return f"HOST={host} is no address of this machine. Use 127.0.0.1, or 0.0.0.0 for all of its addresses."


def url_of(listener: socket.socket, host: str) -> str:
    """Where a listening socket is reached, with the port that it really has."""
    host = host.strip("[]")
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def config(app: ASGIApp | str, settings: Settings, level: str = "INFO") -> uvicorn.Config:
    """Uvicorn's configuration.

    Args:
        app: the application, or where workers import a function that makes it (`module:function`).
        level: of this product's own log.
    """
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        workers=settings.workers,
        loop="uvloop",
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=_log_config(level),
        access_log=False,
        server_header=False,
        proxy_headers=settings.forwarded_allow_ips is not None,
        forwarded_allow_ips=settings.forwarded_allow_ips or "",
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )


def _log_config(level: str) -> dict[str, Any]:
    """One line per event on stderr. Uvicorn's own lines start at warnings: its others hold query strings."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"firstlight": {"level": level}, "uvicorn": {"level": "WARNING"}},
    }


class Server(uvicorn.Server):
    """One process that serves. At its end it dismisses its viewers first, and then closes the sockets."""

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
        grace = 0.0 if self.force_exit else ABORT_SECONDS
        abort = asyncio.get_running_loop().call_later(grace, self._abort)
        await super().shutdown(sockets)
        abort.cancel()
        if self.force_exit:  # uvicorn left it out; what is pending is written all the same
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self.lifespan.shutdown()
        log.info("Stopped")

    async def _dismiss(self) -> None:
        hub: Hub = self.lifespan.state["hub"]
        log.info("Stopping; %d viewers are told to come back", hub.viewers)
        drain = asyncio.create_task(hub.drain(FEW_VIEWERS, DRAIN_SECONDS))
        left = GOODBYE_SECONDS
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
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def raise_file_limit() -> None:
    """Allow as many open connections as the system does, up to `MAX_FILES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _WorkerServer(Server):
    """A worker. It ends in order whatever signals it gets: Ctrl-C reaches it twice, and its parent can kill it."""

    def handle_exit(self, sig: int, frame: object) -> None:
        self.should_exit = True

    async def welcome(self, url: str) -> None:
        log.info("Worker %d is ready", os.getpid())


class _Worker(multiprocess.Process):
    """A process that serves with `Server`, and does not outlive its parent."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = _WorkerServer(self.config)
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            super().target(sockets)
        except SettingsError as error:
            log.critical("%s", error)
            sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Supervisor(multiprocess.Multiprocess):
    """The parent of several workers: uvicorn's, with workers of ours, and a second signal that ends it at once."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        multiprocess.Process = _Worker  # type: ignore[misc] # by this name uvicorn makes its workers

    @property
    def failed(self) -> bool:
        """Whether a worker could not even start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def run(self) -> None:
        """Start the workers, and keep them alive until a signal."""
        log.info("Serving on %s, with %d workers", url_of(self.sockets[0], self.config.host), self.processes_num)
        super().run()
        log.info("Stopped")

    def keep_subprocess_alive(self) -> None:
        """Replace dead workers, and say so."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=False):
            if old is not new:
                log.warning("Worker %s died (%s); worker %s takes its place", old.pid, old.exitcode, new.pid)

    def join_all(self) -> None:
        """Wait for the workers to end, or kill them at a second signal."""
        while alive := [process.process for process in self.processes if process.process.is_alive()]:
            if {signal.SIGINT, signal.SIGTERM}.intersection(self.signal_queue):
                for process in alive:
                    process.kill()
            wait([process.sentinel for process in alive], timeout=0.1)
