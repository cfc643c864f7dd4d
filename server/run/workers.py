"""Several processes that share one listening socket, and the parent that keeps them alive.

Each worker is a fresh Python (spawn: a fork would inherit locks and loops), makes its own application, and says through
a pipe that its loop turns. Who dies, or says nothing for long, is replaced; who dies at once again and again, after a
delay that doubles. A worker that cannot even start ends them all.

    SIGTERM, SIGINT   the workers end in order; at the second one, at once
    SIGHUP            each worker is replaced, the next when the one before it serves
"""

from __future__ import annotations

import contextlib
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string

from ..core.model.errors import SettingsError
from ..engine.spill import Left
from ..limits import WorkerLimits
from ..settings import Settings
from .listening import url_of
from .logs import log_config
from .serving import Config, Server

log = logging.getLogger("firstlight.serving")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ENDING = (signal.SIGTERM, signal.SIGINT)
REPLACED = signal.SIGUSR1
"""To a worker: another one serves in its place, so leave."""


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
        self.started_at = self.heard_at = now
        self.is_ready = False
        self.is_leaving = False

    def hear(self, now: float) -> None:
        """Take what it said: its loop turns, and so it serves."""
        with contextlib.suppress(EOFError, OSError):
            while self.pipe.poll():
                self.pipe.recv_bytes()
                self.is_ready = True
                self.heard_at = now

    def leave(self, sign: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end in order; with `REPLACED` where another one serves already."""
        self.is_leaving = True
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


class Supervisor:
    """The parent of several workers. Run it in the main thread: it takes the signals.

    Args:
        application: as for `Worker`.
        settings: how many workers, and what they listen as.
        listener: is shared by all.
        limits: of the workers' lives.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        application: str,
        settings: Settings,
        listener: socket.socket,
        limits: WorkerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._settings = settings
        self._listener = listener
        self._limits = limits or WorkerLimits()
        self._clock = clock
        self._workers: list[Worker] = []
        self._to_replace: list[Worker] = []
        self._fresh: Worker | None = None
        self._heard: list[int] = []
        self._delay = 0.0
        self._start_at = 0.0
        self._is_ending = False
        self.status = 0
        """To exit with: 1 if a worker could not even start, otherwise the worst that one ended in order with."""

    def run(self) -> None:
        """Start the workers, and keep them alive until a signal."""
        log.info("Serving on %s, with %d workers", url_of(self._listener, self._settings.host), self._settings.workers)
        before = {sign: signal.signal(sign, self._on_signal) for sign in _SIGNALS}
        woken, waker = socket.socketpair()
        with woken, waker:
            waker.setblocking(False)
            # A signal only sets a flag in Python, and `wait` goes on after it (PEP 475); a byte in this pair makes it
            # return.
            was = signal.set_wakeup_fd(waker.fileno())
            try:
                while self._workers or not self._is_ending:
                    self._turn(woken)
            finally:
                signal.set_wakeup_fd(was)
                self._restore(before)
        log.info("Stopped")

    @staticmethod
    def _restore(before: dict[signal.Signals, Any]) -> None:
        for sign, handler in before.items():
            signal.signal(sign, handler)

    def _on_signal(self, sign: int, frame: FrameType | None) -> None:
        self._heard.append(sign)

    def _turn(self, woken: socket.socket) -> None:
        """Look after everything once, and wait until there is something to do."""
        # Here and not in the handler, which may interrupt anything, such as the start of a worker.
        while self._heard:
            self._obey(self._heard.pop(0))
        now = self._clock()
        for worker in list(self._workers):
            worker.hear(now)
            self._look_after(worker, now)
        self._fill(now)
        self._replace_next(now)
        if woken in wait([woken, *self._sources()], timeout=0.5):
            woken.recv(4096)

    def _sources(self) -> list[Any]:
        """What tells that a worker speaks, or has ended."""
        pipes: list[Any] = [worker.pipe for worker in self._workers if not worker.is_dead]
        return pipes + [worker.process.sentinel for worker in self._workers]

    def _obey(self, sign: int) -> None:
        if sign in _ENDING:
            self._end()
        elif not self._is_ending:
            log.info("Each worker is replaced")
            # Noted, not done: the next one leaves only when a fresh one serves, so that a reload drops no capacity.
            self._to_replace = [worker for worker in self._workers if not worker.is_leaving]

    def _end(self) -> None:
        """In order; when it is said again, at once."""
        for worker in self._workers:
            if self._is_ending:
                worker.process.kill()
            else:
                worker.leave()
        self._is_ending = True
        # No worker is started any more. Held here, the socket would go on taking connections that nobody serves.
        self._listener.close()

    def _look_after(self, worker: Worker, now: float) -> None:
        limit = self._limits.silent_seconds if worker.is_ready else self._limits.start_seconds
        if worker.is_dead:
            self._bury(worker, now)
        # Alive and deaf: a loop that stands still keeps its share of the listening socket, and answers nobody.
        elif worker.heard_at + limit < now and not worker.is_leaving:
            log.warning("Worker %s stands still", worker.process.pid)
            # Killed, as it would not hear a request to end.
            worker.process.kill()

    def _bury(self, worker: Worker, now: float) -> None:
        worker.close()
        self._workers.remove(worker)
        self._to_replace = [other for other in self._to_replace if other is not worker]
        if self._is_ending or worker.is_leaving:
            # What a worker leaves that was replaced, the next one writes; what the last ones leave, nobody does yet.
            if self._is_ending and self.status != 1:
                code = worker.process.exitcode or 0
                self.status = max(self.status, Left.LOST if code < 0 else code)
            return
        if worker is self._fresh:
            log.error("Worker %s did not start; the others go on", worker.process.pid)
            self._fresh, self._to_replace = None, []
        # A setting that one worker cannot use, none can: another try would only repeat its sentence.
        elif worker.process.exitcode == STARTUP_FAILURE:
            self.status = 1
            self._end()
        else:
            self._replace_dead(worker, now)

    def _replace_dead(self, worker: Worker, now: float) -> None:
        pid, code = worker.process.pid, worker.process.exitcode
        self._set_delay(now - worker.started_at)
        self._start_at = now + self._delay
        if self._delay:
            log.warning("Worker %s died (%s); another takes its place in %g s", pid, code, self._delay)
        else:
            new = self._start(now)
            log.warning("Worker %s died (%s); worker %s takes its place", pid, code, new.process.pid)

    def _set_delay(self, lived: float) -> None:
        if lived >= self._limits.steady_seconds or self._start_at == 0:  # it died by chance, or is the first to die
            self._delay = 0.0
        else:
            self._delay = min(self._limits.last_delay, max(self._limits.first_delay, 2 * self._delay))

    def _fill(self, now: float) -> None:
        """Start what is missing, unless its time has not come."""
        if self._is_ending or now < self._start_at:
            return
        while sum(not worker.is_leaving for worker in self._workers) < self._settings.workers:
            self._start(now)

    def _start(self, now: float) -> Worker:
        worker = Worker(self._application, self._settings, self._listener, now)
        self._workers.append(worker)
        return worker

    def _replace_next(self, now: float) -> None:
        """Of what is to be replaced, the next may leave as soon as a fresh one serves in its place."""
        if self._is_ending or not self._to_replace:
            return
        # One after another, and a fresh one first: a release that does not start leaves the old ones serving.
        if self._fresh is None:
            self._fresh = self._start(now)
        elif self._fresh.is_ready:
            self._fresh = None
            self._to_replace.pop().leave(REPLACED)


class WorkerServer(Server):
    """A worker. It ends in order whatever signals it gets: Ctrl-C reaches it twice, and its parent can kill it."""

    def __init__(self, config: Config, pipe: Connection) -> None:
        super().__init__(config)
        self._pipe = pipe

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
        # From inside of the loop: a thread would go on saying so while the loop stands still.
        if counter % 10 == 0:
            with contextlib.suppress(OSError):
                self._pipe.send_bytes(b".")
        return await super().on_tick(counter)


def work(application: str, settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    """What a worker does, from its start to its end."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal reaches it, too; its parent decides
    logging.config.dictConfig(log_config("INFO"))
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
