"""The hub: from wake-ups to viewers, within one process.

The store wakes the hub; the hub reads the newest state once, encodes it once, and puts it into the one slot of each
viewer of that project. A slot holds the newest snapshot and nothing else: a slow viewer costs one snapshot of memory,
and skips what it was too slow for. No correctness rests on a wake-up: every `TICK_SECONDS` the versions of all watched
projects are compared with the store's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager

from ..core.model.codes import Code
from ..core.model.errors import NotFound, Overloaded, StoreUnavailable
from ..core.model.signals import Stage
from ..core.snapshot import DELAYED, PING, Presenter, goodbye, has_aged, next_change
from ..core.state import fields
from ..core.state.fields import Effect
from ..core.state.update import update_of_problem
from ..core.state.view import View
from ..stores import Store
from .limits import Limiter

log = logging.getLogger("firstlight.hub")

TICK_SECONDS = 15.0
"""Between two comparisons with the store, ± 20 % so that workers do not march in step. The promise is 20 s."""
RETRY_SECONDS = 1.0
"""Between two attempts to read while the store is away."""
PING_SECONDS = 25.0
"""Between two pings; below the 30 … 60 s after which proxies drop an idle connection."""
MAX_READS = 16
"""Reads at the same time: after a lost link every watched project is read, and requests want the store, too."""
MAX_VIEWERS = 10_000
"""Viewers of one process: half of the usual limit of file descriptors."""
MAX_VIEWERS_PER_PROJECT = 1_000
"""One project cannot take all places of a process."""


class Viewer:
    """One connection that watches a project: a slot for the newest snapshot, and flags for the rest."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._held: tuple[str, int] | None = None
        self._snapshot: tuple[str, bytes] | None = None
        self._is_delayed = False
        self._tell_delay = False
        self._goodbye: float | None = None
        self._gone = False

    def offer(self, view: View, frame: bytes) -> None:
        """Put a snapshot into the slot, if it is newer, or ends a delay."""
        held, offered = self._held, (view.epoch, view.version)
        if held is None or held[0] != offered[0] or offered[1] > held[1] or self._is_delayed:
            self._held, self._snapshot = offered, (f"{offered[0]}:{offered[1]}", frame)
            self._is_delayed = self._tell_delay = False
            self._news.set()

    def delay(self) -> None:
        """Say, once, that the store is out of reach. The next snapshot ends it."""
        if not self._is_delayed:
            self._is_delayed = self._tell_delay = True
            self._news.set()

    def dismiss(self, retry_in: float) -> None:
        """End the stream with a goodbye; the client shall come back after so many seconds."""
        self._goodbye = retry_in
        self._news.set()

    def lose(self) -> None:
        """End the stream: the project was deleted."""
        self._gone = True
        self._news.set()

    async def messages(self) -> AsyncIterator[tuple[str | None, bytes]]:
        """Messages to send as (id, text), as they come, with a ping in every silence. Ends after a goodbye.

        Raises:
            NotFound: there is no such project, or no longer.
        """
        while self._goodbye is None:
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                yield None, PING
                continue
            self._news.clear()
            if self._gone:
                raise NotFound("There is no such project.")
            if self._snapshot is not None:
                snapshot, self._snapshot = self._snapshot, None
                yield snapshot
            if self._tell_delay:
                self._tell_delay = False
                yield None, DELAYED
        yield None, goodbye(self._goodbye)


class _Watch:
    """All viewers of one project, and what they were last offered."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.view: View | None = None
        self.frame = b""
        self.is_dirty = False
        self.clocked: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.deadline: asyncio.TimerHandle | None = None


class Hub:
    """See the module. One per process, used from its event loop only.

    Args:
        store: read on every wake-up; the hub must be registered as its listener.
        presenter: makes the snapshots.
        rng: spreads ticks and reconnects.
        clock: seconds since the Unix epoch.
    """

    def __init__(
        self,
        store: Store,
        presenter: Presenter,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self.presenter = presenter
        self._rng = rng
        self._clock = clock
        self._watches: dict[int, _Watch] = {}
        self._viewers = 0
        self._closing = False
        self._doubt = asyncio.Event()
        self._reports: Limiter[int] = Limiter(time.monotonic, 1, 1)
        self._reads = asyncio.Semaphore(MAX_READS)

    # What the store tells (stores.Listener).

    def changed(self, project_id: int, effect: Effect = Effect.NEWS) -> None:
        """Read this project again, if anybody watches it."""
        watch = self._watches.get(project_id)
        if watch is None:
            return
        watch.is_dirty = True
        if watch.task is None:  # one read in flight; the flag makes it read once more
            watch.task = asyncio.create_task(self._refresh(project_id, watch))

    def edited(self, project_id: int) -> None:
        """A reset shows as another epoch, a deletion as nothing to read."""
        self.changed(project_id)

    def resync(self) -> None:
        """Read everything that is watched."""
        for project_id in list(self._watches):
            self.changed(project_id)

    def away(self) -> None:
        """Tell every viewer that what it sees may be old."""
        for watch in self._watches.values():
            for viewer in watch.viewers:
                viewer.delay()

    # What viewers ask.

    @property
    def viewers(self) -> int:
        """How many are attached now."""
        return self._viewers

    @contextmanager
    def attach(self, project_id: int) -> Iterator[Viewer]:
        """Watch a project. The first message is its snapshot, read after the registration, so that nothing is missed.

        Raises:
            Overloaded: no place left, or the process is about to end.
        """
        watch, viewer = self._watches.get(project_id) or _Watch(), Viewer()
        if self._closing or self._viewers >= MAX_VIEWERS or len(watch.viewers) >= MAX_VIEWERS_PER_PROJECT:
            raise Overloaded("No place for another viewer here now.")
        self._watches[project_id] = watch
        watch.viewers.add(viewer)
        self._viewers += 1
        self.changed(project_id)
        try:
            yield viewer
        finally:
            watch.viewers.discard(viewer)
            self._viewers -= 1
            self._leave(project_id, watch)

    async def read(self, project_id: int) -> View:
        """Read a project once, for a viewer that does not stay.

        Raises:
            NotFound: there is no such project.
            StoreUnavailable: the store is away.
        """
        view = await self._store.read(project_id)
        if view is None:
            raise NotFound("There is no such project.")
        return view

    async def report(self, project_id: int, code: Code, evidence: Mapping[str, str]) -> None:
        """Put a problem that only this edge sees on the page of a project, at most once a second.

        Raises:
            StoreUnavailable: the store is away.
        """
        if not self._reports.wait(project_id):
            now = int(self._clock() * 1000)
            await self._store.apply({project_id: update_of_problem(code, evidence, now)}, now)

    def encode(self, view: View) -> bytes:
        """The snapshot of a reading, as viewers get it."""
        return self.presenter.encode(view)

    async def tick(self) -> None:
        """Compare with the store for ever: the proof of convergence, all else is only latency."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS * (0.8 + 0.4 * self._rng())):
                    await self._doubt.wait()
                    await asyncio.sleep(RETRY_SECONDS)
            self._doubt.clear()
            try:
                await self._compare()
            except StoreUnavailable as error:
                log.info("No comparison with the store: %s", error)
                self._doubt.set()

    async def drain(self, per_second: float, seconds: float) -> None:
        """Say goodbye to every viewer, spread over time, so that they do not come back as a herd.

        Args:
            per_second: how many to dismiss; so few are gone at once.
            seconds: at least this long for more than that, at most twice.
        """
        self._closing = True
        everyone = [viewer for watch in self._watches.values() for viewer in watch.viewers]
        pace = len(everyone) > per_second
        pause = min(max(seconds, len(everyone) / per_second), 2 * seconds) / max(1, len(everyone))
        for viewer in everyone:
            viewer.dismiss(retry_in=0.5 + self._rng() * (seconds if pace else 1.0))
            if pace:
                await asyncio.sleep(pause)

    def _leave(self, project_id: int, watch: _Watch) -> None:
        if not watch.viewers and self._watches.get(project_id) is watch:
            del self._watches[project_id]
            if watch.deadline:
                watch.deadline.cancel()

    async def _compare(self) -> None:
        stored = await self._store.versions(list(self._watches))
        for project_id, watch in list(self._watches.items()):
            held = (watch.view.epoch, watch.view.version) if watch.view else None
            if watch.is_dirty or stored.get(project_id) != held:
                self.changed(project_id)

    async def _refresh(self, project_id: int, watch: _Watch) -> None:
        try:
            while watch.is_dirty and watch.viewers:
                async with self._reads:
                    watch.is_dirty = False
                    await self._read(project_id, watch)
        except StoreUnavailable:
            watch.is_dirty = True
            for viewer in watch.viewers:
                viewer.delay()
            self._doubt.set()  # the tick tries again, for all projects at once
        finally:
            watch.task = None

    async def _read(self, project_id: int, watch: _Watch) -> None:
        view, held = await self._store.read(project_id), watch.view
        if view is None:
            for viewer in watch.viewers:
                viewer.lose()
        elif held and held.epoch == view.epoch and view.version < held.version:
            await self._store.touch(project_id, held.epoch, held.version)  # the store lost its last writes
            watch.is_dirty = True
        elif has_aged(view):
            await self._store.touch(project_id, view.epoch, view.version)
            watch.is_dirty = True
        else:
            self._deliver(project_id, watch, view)
            await self._start_clock(project_id, watch, view)

    def _deliver(self, project_id: int, watch: _Watch, view: View) -> None:
        watch.view, watch.frame = view, self.encode(view)
        self._await_change(project_id, watch, view)
        for viewer in watch.viewers:
            viewer.offer(view, watch.frame)

    async def _start_clock(self, project_id: int, watch: _Watch, view: View) -> None:
        """Note since when somebody waits: what is said of a long silence counts from there."""
        if view.stage is Stage.AWAITING and view.time(fields.WATCHED_AT) is None and watch.clocked != view.epoch:
            await self._store.apply({project_id: {fields.WATCHED_AT: view.now}}, view.now)
            watch.clocked = view.epoch  # once, also where it was dropped
            watch.is_dirty = True

    def _await_change(self, project_id: int, watch: _Watch, view: View) -> None:
        """Read again when the snapshot changes by time alone: beats that stop, a silence that lasts."""
        if watch.deadline:
            watch.deadline.cancel()
            watch.deadline = None
        at = next_change(view)
        if at is not None:
            seconds = (at - view.now) / 1000 + 0.01
            watch.deadline = asyncio.get_running_loop().call_later(seconds, self.changed, project_id)
