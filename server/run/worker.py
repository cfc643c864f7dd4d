"""One of several processes: as its parent sees it, and what it does."""

from __future__ import annotations

import contextlib
import faulthandler
import logging.config
import multiprocessing
import os
import re
import signal
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection

from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string

from ..core.model.errors import SettingsError
from ..settings import Settings
from .logs import log_config
from .pulse import Pulse
from .serving import Config, Server

log = logging.getLogger("firstlight.serving")

REPLACED = signal.SIGUSR1
"""To a worker: another one serves in its place, so leave."""
WHERE = signal.SIGUSR2
"""To a worker: say where you stand. Python's `faulthandler` answers, whatever the interpreter does meanwhile."""
BEAT_SECONDS = 1.0
_BEAT = b"\0"  # never in a stack
_FRAME = re.compile(r'File "(.+)", line (\d+|\?\?\?) in (.+)')


class Worker:
    """One process, as its parent sees it.

    Args:
        application: where the worker imports a function that makes it (`module:function`).
        now: seconds, by the parent's clock.
    """

    def __init__(self, application: str, settings: Settings, listener: socket.socket, now: float) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=work, args=(application, settings, listener, theirs))
        self.process.start()
        theirs.close()  # so that this end sees when the worker's is closed
        self.started_at = now
        self.pulse = Pulse(self.process.pid or 0, now)
        self.is_ready = False
        self.is_leaving = False
        self.asked_at: float | None = None
        """When it was asked where it stands."""
        self._told = b""

    def hear(self, limit: int) -> None:
        """Take what it said: its loop turns, and so it serves; or where it stands, up to a number of bytes."""
        with contextlib.suppress(OSError):
            while self.pipe.poll():
                said = os.read(self.pipe.fileno(), 4096)
                if not said:
                    return
                self._told = (self._told + said.replace(_BEAT, b""))[:limit]
                if _BEAT in said:
                    self._beats()

    def _beats(self) -> None:
        if self.asked_at is not None:
            log.warning("Worker %s stood still for a while, in: %s", self.process.pid, self.place)
        self.is_ready, self.asked_at, self._told = True, None, b""
        self.pulse.beat()

    def ask(self, now: float) -> None:
        """Have it say where it stands."""
        self.asked_at = now
        self._signal(WHERE)

    @property
    def place(self) -> str:
        """Where it stands, the innermost first, in one line."""
        frames = _FRAME.findall(self._told.decode(errors="replace"))
        return " < ".join(f"{function} ({file}:{line})" for file, line, function in frames) or "it did not say where"

    def leave(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end in order; with `REPLACED` where another one serves already."""
        self.is_leaving = True
        self._signal(sign)

    def _signal(self, sign: signal.Signals) -> None:
        if self.process.pid is not None and not self.is_dead:
            os.kill(self.process.pid, sign)

    @property
    def is_dead(self) -> bool:
        """Whether its process has ended."""
        return not self.process.is_alive()

    def close(self) -> None:
        """Give back what it held, after its end."""
        self.process.join()
        self.pipe.close()


class WorkerServer(Server):
    """A worker. It ends in order whatever signals it gets: Ctrl-C reaches it twice, and its parent can kill it."""

    def __init__(self, config: Config, pipe: Connection) -> None:
        super().__init__(config)
        self._pipe = pipe
        self._said_at = 0.0

    def handle_exit(self, sig: int, frame: object) -> None:
        """The first signal ends it; see the class."""
        if sig == REPLACED:  # the others share its socket, and serve: nothing has to be found out by anybody
            self.is_whole, self.drain_seconds = False, 0.0
        super().handle_exit(sig, frame)
        self.force_exit = False

    async def welcome(self, url: str) -> None:
        """Say that it serves now."""
        log.info("Worker %d is ready", os.getpid())

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, every tenth of a second; once a second the parent hears that the loop turns."""
        # From inside of the loop: a thread would go on saying so while the loop stands still. By the clock and not by
        # the counter: on a busy machine ten ticks take many seconds.
        if time.monotonic() >= self._said_at + BEAT_SECONDS:
            self._said_at = time.monotonic()
            with contextlib.suppress(OSError):
                os.write(self._pipe.fileno(), _BEAT)
        return await super().on_tick(counter)


def work(application: str, settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    """What a worker does, from its start to its end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    faulthandler.register(WHERE, file=pipe.fileno(), all_threads=False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal reaches it, too; its parent decides
    logging.config.dictConfig(log_config("INFO", settings.log))
    try:
        app = import_from_string(application)()
        server = WorkerServer(Config(app, settings), pipe)
        signal.signal(REPLACED, server.handle_exit)
        server.run([listener])
        sys.exit(getattr(app, "left", 0))
    except SettingsError as error:
        log.critical("%s", error)
        sys.exit(STARTUP_FAILURE)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A killed parent tells nobody; a child that outlives it would keep the port.
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
