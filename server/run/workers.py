"""Several processes that share one listening socket, and the parent that keeps them alive.

Each worker is a fresh Python (spawn: a fork would inherit locks and loops), makes its own application, and says through
a pipe that its loop turns. Who says nothing for long, though it could (`pulse`), is asked where it stands, and killed;
who dies is replaced, and who dies at once again and again, after a delay that doubles. A worker that cannot even start
ends them all.

    SIGTERM, SIGINT   the workers end in order; at the second one, at once
    SIGHUP            each worker is replaced, the next when the one before it serves
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

from uvicorn.config import STARTUP_FAILURE

from ..engine.spill import Left
from ..limits import WorkerLimits
from ..settings import Settings
from .listening import url_of
from .systemd import Systemd
from .worker import REPLACED, Worker

log = logging.getLogger("firstlight.serving")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ENDING = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """The parent of several workers. Run it in the main thread: it takes the signals.

    Args:
        application: as for `Worker`.
        settings: how many workers, and what they listen as.
        listener: is shared by all.
        limits: of the workers' lives.
        clock: seconds that only go forward.
        ended: is told the id of each worker that has ended.
        systemd: is told that they serve.
    """

    def __init__(
        self,
        application: str,
        settings: Settings,
        listener: socket.socket,
        limits: WorkerLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[int], object] = lambda _: None,
        systemd: Systemd | None = None,
    ) -> None:
        self._application = application
        self._settings = settings
        self._listener = listener
        self._limits = limits or WorkerLimits()
        self._clock = clock
        self._ended = ended
        self._workers: list[Worker] = []
        self._to_replace: list[Worker] = []
        self._fresh: Worker | None = None
        self._heard: list[int] = []
        self._delay = 0.0
        self._start_at = 0.0
        self._is_ending = False
        self._systemd = systemd or Systemd({})
        self._is_told = False
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
            worker.hear(self._limits.telling_bytes)
            self._look_after(worker, now)
        self._fill(now)
        self._replace_next(now)
        self._tell_systemd()
        if woken in wait([woken, *self._sources()], timeout=0.5):
            woken.recv(4096)

    def _tell_systemd(self) -> None:
        if not self._is_told and any(worker.is_ready for worker in self._workers):
            self._is_told = True
            self._systemd.ready()
        self._systemd.beat()

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
        # Alive and deaf: whoever is connected to a loop that stands still waits for ever.
        elif worker.pulse.look(now) > limit and not worker.is_leaving:
            if worker.asked_at is None:
                worker.ask(now)
            elif worker.asked_at + self._limits.telling_seconds < now:
                log.error("Worker %s stands still, in: %s", worker.process.pid, worker.place)
                # Killed, as it would not hear a request to end.
                worker.process.kill()

    def _bury(self, worker: Worker, now: float) -> None:
        worker.close()
        self._ended(worker.process.pid or 0)
        self._workers.remove(worker)
        self._to_replace = [other for other in self._to_replace if other is not worker]
        if self._is_ending or worker.is_leaving:
            # What a worker leaves that was replaced, the next one writes; what the last ones leave, nobody does yet.
            if self._is_ending and self.status != 1:
                code = worker.process.exitcode or 0
                # Killed by a signal: what it had, nobody knows. One that did not serve yet had nothing.
                self.status = max(self.status, Left.LOST if code < 0 and worker.is_ready else code)
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
