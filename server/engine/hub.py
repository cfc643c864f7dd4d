"""The hub: from wake-ups to viewers, within one process.

The store wakes the hub; the hub is told the newest state or reads it, once, encodes it once, and offers it to the sink
of each viewer of that project. A sink keeps the newest snapshot and nothing else: a slow viewer costs one snapshot of
memory, and skips what it was too slow for. No correctness rests on a wake-up: every `ViewerLimits.tick_seconds` the
versions of all watched projects are compared with the store's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Protocol

from ..core.model.close_codes import Close
from ..core.model.codes import Code
from ..core.model.errors import Leaving, NotFound, Overloaded, StoreRejected, StoreUnavailable
from ..core.model.signals import Stage
from ..core.snapshot import Presenter, has_aged, next_change
from ..core.state import fields
from ..core.state.fields import Effect, Update
from ..core.state.update import update_of_problem
from ..core.state.view import Liveness, View
from ..limits import ViewerLimits
from ..stores import Store, Told
from .fair import Fair
from .frames import Frame, Kind, Sink
from .limits import Limiter
from .seats import Guest, Seats
from .tally import Tally
from .viewer import Viewer
from .watch import Watch
from .wheel import Wheel

log = logging.getLogger("firstlight.hub")

RETURN_SECONDS = 0.5, 1.5
"""When those come back who are dismissed: in a second all over, and soon enough that no page looks stale."""

FRESH_SECONDS = 0.1
"""How old a snapshot may be that says nothing else than a new one would, but for its time."""

LATE_SECONDS = 0.01
"""After the moment of a change, so that the store's clock is past it, too."""
HUNG_SECONDS = 1.0
"""From an error to the page that waits for it; no store needs so long but one that hangs."""


class Writes(Protocol):
    """What the hub writes, by the one write door."""

    async def write(self, project_id: int, update: Update, at_once: bool = False) -> None:
        """Join an update into the state, and wait for it if `at_once`. Raises `Overloaded` where no more can wait."""

    async def touch(self, seen: Mapping[int, tuple[str, int]]) -> Collection[int]:
        """Raise versions beyond these; which were. Raises `StoreUnavailable`."""

    @property
    def is_healing(self) -> bool:
        """Whether what the store does not have may still be given back to it."""

    def met(self, view: View) -> None:
        """Remember a project that is watched: the store may lose it, and requests for it may come."""

    async def look(self, project_id: int) -> bool:
        """Let all write what they hold back of a project. Whether anything was, here. Raises `StoreUnavailable`."""

    async def go_on_looking(self, project_ids: Iterable[int]) -> None:
        """Say again that somebody looks at these. Raises `StoreUnavailable`."""

    async def restore(self, view: View) -> bool:
        """Give back what the store has lost of a project; whether there is one now. Raises `StoreUnavailable`."""


class Hub:
    """See the module. One per process, used from its event loop only.

    Args:
        store: read on every wake-up that does not tell the state itself; the hub must be registered as its listener.
        writes: the write door.
        presenter: makes the snapshots.
        limits: how many may watch, and how often what happens.
        rng: spreads ticks, pings and reconnects.
        clock: seconds since the Unix epoch.
        tally: counts pushes.
    """

    def __init__(
        self,
        store: Store,
        writes: Writes,
        presenter: Presenter,
        limits: ViewerLimits | None = None,
        rng: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._writes = writes
        self._tally = tally or Tally()
        self.presenter = presenter
        self._limits = limits or ViewerLimits()
        self._rng = rng
        self._clock = clock
        # A bound method is a new object each time it is looked up; held by 10,000 viewers, that would be 10,000 of
        # them.
        self._left = self._leave
        self._is_away = False
        self._outage = -inf, -inf
        """When the last outage began, and until when processes may write what they took in it."""
        self._wheel = Wheel(asyncio.get_running_loop())
        self._watches: dict[int, Watch] = {}
        self._seats = Seats(self._limits)
        self._fair = Fair(self._limits.per_project)
        self._is_leaving = False
        # Set when a read failed: the next comparison comes soon, and not with the next tick.
        self._doubt = asyncio.Event()
        self._news: Limiter[int] = Limiter(self._wheel.now, 1 / self._limits.news_seconds, self._limits.news_at_once)
        self._reports: Limiter[int] = Limiter(self._wheel.now, 1, 1)
        # After a lost link everything watched is read again; without a bound, all at once and ahead of the requests.
        self._reads = asyncio.Semaphore(self._limits.reads)
        self._ageing: dict[int, tuple[str, int]] = {}
        """Projects whose snapshot has changed by time alone, and what was seen of each."""
        self._raising: asyncio.Task[None] | None = None

    # What the store tells (stores.Listener).

    def changed(self, project_id: int, effect: Effect = Effect.TRANSITION, told: Told | None = None) -> None:
        """Read this project again, if anybody watches it, or show what is told of it.

        A transition is shown at once, and so is news, unless there is too much of it; all else is shown at most once
        every `refresh_seconds`, since it changes nothing that anybody does, and may be a stranger's.
        """
        watch = self._watches.get(project_id)
        if watch is None:
            return
        due = self._due(watch, effect)
        # Held back, not left out: the next read takes it along, so nothing is shown late and alone.
        if due > self._wheel.now():
            watch.told = None  # it is of before
            watch.waits_until = min(watch.waits_until, due)
            self._wheel.set(watch, watch.due)
            return
        # Only where it is the one word since the last look: of several, nobody says which is the newest.
        watch.told = None if watch.is_dirty else told
        watch.is_dirty = True
        # Never two reads of one project: the slower one could deliver the older state last.
        if watch.task is None:  # else the flag makes it read once more
            watch.task = asyncio.create_task(self._refresh(watch))

    def edited(self, project_id: int) -> None:
        """A reset shows as another epoch."""
        self.changed(project_id)

    def deleted(self, project_id: int, version: int) -> None:
        """Nothing is left to read."""
        if project_id in self._watches:
            self._watches[project_id].view = None  # else it would be given back to a store that came back empty
        self.changed(project_id)

    def watched(self, project_id: int) -> None:
        """Nothing to be read: whoever has held something back writes it, and that is told as a change."""

    def resync(self) -> None:
        """Read everything that is watched."""
        if self._is_away:
            self._outage = self._outage[0], self._wheel.now() + self._limits.settle_seconds
        self._is_away = False
        # All of them, since nobody can say which wake-ups were lost while the link was down.
        for project_id in list(self._watches):
            self.changed(project_id)

    def away(self) -> None:
        """Tell every viewer that what it sees may be old."""
        if not self._is_away:
            # What came before it was noticed was not stored either: one that hangs is noticed by a call that waits.
            self._outage = self._wheel.now() - self._limits.notice_seconds, inf
        self._is_away = True
        for watch in self._watches.values():
            watch.delay(self._wheel.now())

    # What viewers ask.

    @property
    def viewers(self) -> int:
        """How many are attached now."""
        return self._seats.taken

    def attach(self, project_id: int, sink: Sink, guest: Guest, seconds: float = inf) -> Viewer:
        """Watch a project. The first frame is its snapshot, read after the registration, so that nothing is missed.

        Args:
            sink: where frames go, until it is closed, after `seconds` at the latest.

        Returns:
            What to use as a context manager: at the end of its block the place is given back.

        Raises:
            Leaving: as `check_open`.
            Overloaded: no place left.
        """
        self.check_open()
        # First registered, then read, then sent. The other way round, a change between the read and the registration is
        # lost until somebody compares; a model of all interleavings shows it.
        if self._seats.is_full(guest):
            self._fair.make_room(self._watches.get(project_id))
        self._seats.take(guest)
        viewer = self._seat(project_id, sink, guest, seconds)
        if project_id not in self._watches:
            self._watches[project_id] = Watch(project_id, self.changed, self._age)
        self._watches[project_id].add(viewer)
        self._fair.note(self._watches[project_id])
        self._wheel.set(viewer, viewer.due)
        # Also where the project is watched already: the read that this causes brings the new viewer its first frame.
        self.changed(project_id)
        return viewer

    def check_open(self) -> None:
        """Raise `Leaving` where the process is about to end: viewers are sent elsewhere before they are taken."""
        if self._is_leaving:
            raise Leaving("This server is about to end. Come back in a moment.")

    async def read(self, project_id: int) -> View:
        """Read a project once, for a viewer that does not stay.

        Raises:
            NotFound: there is no such project.
            StoreUnavailable: the store is away.
        """
        view = await self._store.read(project_id)
        if view and await self._writes.look(project_id):
            view = await self._store.read(project_id)
        if view is None and self._writes.is_healing:
            raise StoreUnavailable("The store may have lost this project, and is given back what is known of it.")
        if view is None:
            raise NotFound("There is no such project.")
        return view

    async def report(self, project_id: int, code: Code, evidence: Mapping[str, str]) -> None:
        """Put a problem that only this edge sees on the page of a project, at most once a second.

        Raises:
            Overloaded: the store is away, and nothing more can wait for it.
        """
        # Browsers that are turned away reconnect by themselves, and any page can make them: each report would be a
        # write.
        if not self._reports.wait(project_id):
            await self._writes.write(project_id, update_of_problem(code, evidence, int(self._clock() * 1000)))

    async def note(self, project_id: int, update: Update) -> None:
        """Write what somebody with a token says of a project, and return once it is stored.

        Raises:
            Overloaded: as `report`.
        """
        await self._writes.write(project_id, update, at_once=True)

    def encode(self, view: View) -> bytes:
        """The snapshot of a reading, as viewers get it."""
        return self.presenter.encode(view)

    async def tick(self) -> None:
        """Compare with the store for ever: the proof of convergence, all else is only latency."""
        while True:
            # Spread by 20 %, so that the processes of a server do not compare in step.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.tick_seconds * (0.8 + 0.4 * self._rng())):
                    # A pause all the same: while the store is away every read fails at once, and would be tried again
                    # at once.
                    await self._doubt.wait()
                    await asyncio.sleep(self._limits.retry_seconds)
            self._doubt.clear()
            try:
                await self._compare()
            except StoreUnavailable as error:
                log.info("No comparison with the store: %s", error)
                self._doubt.set()

    def leave(self) -> None:
        """Take no more viewers: the process is about to end."""
        self._is_leaving = True

    async def dismiss(self, batch: int, pause: float, seconds: float) -> None:
        """Say goodbye to every viewer, in batches, so that they do not come back as a herd.

        Args:
            batch: how many are dismissed at once, or as many more as it takes to be done in time.
            pause: seconds between two batches.
            seconds: after which all are dismissed.
        """
        self.leave()
        everyone = [viewer for watch in self._watches.values() for viewer in watch.viewers]
        size = max(batch, math.ceil(len(everyone) * pause / seconds))
        for start in range(0, len(everyone), size):
            if start:
                await asyncio.sleep(pause)
            for viewer in everyone[start : start + size]:
                viewer.dismiss(retry_in=RETURN_SECONDS[0] + self._rng() * (RETURN_SECONDS[1] - RETURN_SECONDS[0]))

    def _due(self, watch: Watch, effect: Effect) -> float:
        """When a change may be shown."""
        # No limit: each of these happens once or twice in an epoch, so nobody can cause many of them.
        if effect >= Effect.TRANSITION:
            return 0.0
        if effect >= Effect.NEWS:
            return self._wheel.now() + self._news.wait(watch.project_id)
        # A page that says "quiet" is wrong as soon as anything comes.
        if watch.view and watch.view.liveness is Liveness.QUIET:
            return 0.0
        # Counted from the last push and not from the last change, or a steady trickle would hold everything back for
        # good.
        pushed_at = self._wheel.now() if watch.task else watch.pushed_at  # a push is on its way, perhaps without this
        return pushed_at + self._limits.refresh_seconds

    def _seat(self, project_id: int, sink: Sink, guest: Guest, seconds: float) -> Viewer:
        now, limits = self._wheel.now(), self._limits
        # Downwards only: the bounds are promises.
        spread = 0.8 + 0.2 * self._rng()  # those that came together are not pinged, and do not leave, together
        return Viewer(
            sink,
            guest,
            project_id,
            self._left,
            silence=limits.ping_seconds * spread,
            now=now,
            expires_at=now + seconds,
            leaves_at=now + limits.stay_seconds * spread,
        )

    def _leave(self, viewer: Viewer) -> None:
        self._seats.leave(viewer.guest)
        self._wheel.discard(viewer)
        watch = self._watches[viewer.project_id]
        watch.discard(viewer)
        self._fair.note(watch)
        if not watch.viewers:
            del self._watches[viewer.project_id]
            self._wheel.discard(watch)

    async def _compare(self) -> None:
        await self._writes.go_on_looking(self._watches)
        # Versions alone, in one round trip for all projects: states are read only where they differ.
        stored = await self._store.versions(list(self._watches))
        for project_id, watch in list(self._watches.items()):
            held = (watch.view.epoch, watch.view.version) if watch.view else None
            if watch.is_dirty or stored.get(project_id) != held:  # what is held back is not hurried by this
                self.changed(project_id, Effect.TRANSITION if watch.is_dirty else Effect.REFRESH)

    async def _refresh(self, watch: Watch) -> None:
        try:
            # The flag is lowered before the read: a change that comes while it is under way raises it again.
            while watch.is_dirty and watch.viewers:
                async with self._reads:
                    if not watch.is_said:
                        await self._writes.look(watch.project_id)
                        watch.is_said = True
                    watch.is_dirty = False
                    watch.waits_until = inf  # what was held back is part of this read
                    await self._read(watch)
        except StoreRejected as error:  # this one project's value is spoilt; asking again does not help
            log.error("Project %d cannot be read: %s", watch.project_id, error)
            watch.delay(self._wheel.now())
        except (StoreUnavailable, Overloaded):  # read or write, the store is away
            watch.is_dirty = True
            watch.delay(self._wheel.now())
            self._doubt.set()  # the tick tries again, for all projects at once
        finally:
            watch.task = None

    async def _next(self, watch: Watch) -> View | None:
        """What is stored; asked for, unless it was told and is what comes after what is held."""
        told, watch.told = watch.told, None
        # Right after an outage what comes first is not what is first: by the time that somebody asks, it may be.
        view, held = None if self._is_away else told and told(), watch.view
        if view and held and view.epoch == held.epoch and view.version > held.version:
            return view
        return await self._store.read(watch.project_id)

    async def _read(self, watch: Watch) -> None:
        view, held = await self._next(watch), watch.view
        if view and held:
            self._notice_hang(view, held)
        if view is None:
            await self._miss(watch)
        # A state only grows by itself. Less than there was means that a failover lost writes, whatever the version is,
        # for somebody may have written since. Delivered, it would take pages back. So what was lost is given back.
        elif held and (view.version < held.version or held.exceeds(view)):
            await self._writes.restore(held)
            # Once: what is still not there was deleted, or has started over.
            watch.view, watch.is_dirty = None, True
        # Time has passed a threshold, and the version does not say so: viewers who hold this very version would refuse
        # the snapshot, and two processes would show different ones under the same name.
        elif has_aged(view):
            await self._touch(watch, view)
        elif self._may_be_overtaken(view, held):
            watch.waits_until = self._outage[1]
            self._wheel.set(watch, watch.due)
        else:
            await self._deliver(watch, view)
            await self._start_clock(watch, view)

    def _may_be_overtaken(self, view: View, held: View | None) -> bool:
        """Whether its first error is of an outage that is just over: another process may have taken an earlier one."""
        age, (began_at, settled_at), now = _age_of_first_error(view, held), self._outage, self._wheel.now()
        return age is not None and now < settled_at and age <= now - began_at

    def _notice_hang(self, view: View, held: View) -> None:
        """A first error is late for a page that waited for it: the store hung, and went on before anybody noticed."""
        age, now = _age_of_first_error(view, held), self._wheel.now()
        if age is not None and HUNG_SECONDS < age <= self._limits.notice_seconds and now - age > self._outage[1]:
            self._outage = now - self._limits.notice_seconds, now + self._limits.settle_seconds

    async def _miss(self, watch: Watch) -> None:
        """What was shown and is not there was deleted, or the store has lost it: then what is known is given back."""
        if watch.view and await self._writes.restore(watch.view):
            watch.is_dirty = True
        elif self._writes.is_healing:
            raise StoreUnavailable("The store may have lost this project, and is given back what is known of it.")
        else:
            watch.close(Close.NO_PROJECT, "There is no such project.")

    async def _touch(self, watch: Watch, view: View) -> None:
        await self._writes.touch({watch.project_id: (view.epoch, view.version)})
        watch.is_dirty = True

    async def _deliver(self, watch: Watch, view: View) -> None:
        is_known = watch.take(view)
        audience = watch.audience(is_known)
        self._tally.pushes += len(audience)
        frame = self._frame(watch, view, is_known)
        await watch.show(audience, view.project, frame, self._wheel.now)
        if self._is_away:  # it can be read, and takes no writes: what was received since is not in it
            watch.delay(self._wheel.now())

    def _frame(self, watch: Watch, view: View, is_known: bool) -> Frame:
        now = self._wheel.now()
        # A crowd that comes back after a restart comes within seconds, and is told the same.
        if is_known and watch.frame is not None and now < min(watch.turns_at, watch.pushed_at + FRESH_SECONDS):
            return watch.frame
        watch.pushed_at = now
        self._writes.met(view)
        self._await_change(watch, view)
        watch.frame = Frame(Kind.SNAPSHOT, self.encode(view), (view.epoch, view.version))
        return watch.frame

    def _age(self, project_id: int) -> None:
        """The snapshot of a project has changed by time alone: raise its version, and it comes with the wake-up."""
        watch = self._watches[project_id]
        if watch.view is None or watch.task is not None:  # else what is under way shows it
            self.changed(project_id)
            return
        # Should the wake-up be lost, or be held back.
        watch.waits_until = self._wheel.now() + self._limits.retry_seconds
        # Of a thousand who began to wait together all are due together; not a round trip for each.
        self._ageing[project_id] = watch.view.epoch, watch.view.version
        if self._raising is None:
            self._raising = asyncio.create_task(self._raise())

    async def _raise(self) -> None:
        try:
            while self._ageing:
                seen, self._ageing = self._ageing, {}
                raised = await self._writes.touch(seen)
                for project_id in seen.keys() - raised:
                    self.changed(project_id)
        except StoreUnavailable:  # whoever reads now is told, and tries again
            for project_id in (*seen, *self._ageing):
                self.changed(project_id)
            self._ageing.clear()
        finally:
            self._raising = None

    async def _start_clock(self, watch: Watch, view: View) -> None:
        """Note since when somebody waits: what is said of a long silence counts from there."""
        # In the store and not in this process, so that a page that is reloaded, or opened a second time, starts no
        # clock anew.
        if view.stage is Stage.AWAITING and view.time(fields.WATCHED_AT) is None and watch.clocked != view.epoch:
            await self._writes.write(watch.project_id, {fields.WATCHED_AT: view.now}, at_once=True)
            watch.clocked = view.epoch  # once, also where it was dropped
            watch.is_dirty = True

    def _await_change(self, watch: Watch, view: View) -> None:
        """Read again when the snapshot changes by time alone: beats that stop, a silence that lasts."""
        at = next_change(view)
        # By the store's clock, since `view.now` is: this host's may be off.
        watch.turns_at = inf if at is None else self._wheel.now() + (at - view.now) / 1000 + LATE_SECONDS
        if watch.due == inf:
            self._wheel.discard(watch)
        else:
            self._wheel.set(watch, watch.due)


def _age_of_first_error(view: View, held: View | None) -> float | None:
    """How many seconds ago the first error came, where it is not shown yet."""
    first = view.stamped(fields.FIRST_ERROR)
    is_shown = held is not None and fields.FIRST_ERROR in held.state
    return None if first is None or is_shown else (view.now - first[0]) / 1000
