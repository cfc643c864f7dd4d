"""The parts of a server as they are, on a store that can be lost, behind lines that can be bad, in made-up time.

Nothing of the product is replaced but the way to the store: writers, spill files, memories, hubs and their tasks run as
`server.app` puts them together.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar, cast

from server.core.model.close_codes import Close
from server.core.model.errors import StoreUnavailable
from server.core.model.grant import EVERYTHING
from server.core.model.project import has_key
from server.core.state.fields import Effect, Update
from server.core.state.view import View
from server.engine.frames import Frame, Kind
from server.engine.hub import Hub
from server.engine.projects import Projects
from server.engine.seats import Guest
from server.engine.spill import Spill
from server.engine.unverified import Unverified
from server.engine.writer import Writer
from server.limits import ProjectLimits, UnverifiedLimits, ViewerLimits, WriterLimits
from server.stores import Store

from ..support.updates import KEY
from ..support.views import PRESENTER
from .backends import News
from .loop import LIFE, Life, TimelessLoop

T = TypeVar("T")

LIMITS = replace(WriterLimits(), batch=3, lazy_batch=1, unwatched_seconds=5.0, learning_seconds=0.0)
"""Small, so that every write has several parts, and everything else happens in between."""
STAGES = ("awaiting", "connected", "first_error_received")
WAY_SECONDS = (0, 0.001, 0.02)
"""How long a call is under way to the store, or back."""
CLOCK_SECONDS = 2 * 0.02 + 0.005
"""How far two processes may be apart in what they take for the store's clock: half of both ways, of each, and a few
whole milliseconds."""
LATE_SECONDS = 0.3
"""How long a wake-up is under way at most, if it gets there."""
EPOCH_SECONDS = 1_800_000_000.0
"""What the clocks show at the beginning."""


class Backend(Protocol):
    """A store, and what can become of it."""

    store: Store
    can_lose: bool
    """Whether it is somewhere else: with a clock of its own, heard late, and it can come back with less than it had."""

    def news(self) -> list[News]:
        """The wake-ups since the last call."""

    def keep_copy(self) -> None:
        """What a replica has."""

    def lose(self, everything: bool) -> None:
        """Go on with the copy, or with nothing."""


class Line:
    """The way from one process to the store and back.

    Args:
        backend: where it leads.
        rng: how long each call takes, and which parts of it get through.
    """

    def __init__(self, backend: Backend, life: Life, rng: Random, told: Callable[[], None]) -> None:
        self._store = backend.store
        self._life = life
        self._is_far = backend.can_lose
        self._rng = rng
        self._told = told
        self.is_cut = False
        self.loses_answers = False
        self.is_deaf = False
        self.dead_calls = 0
        """That fail though the link is up: on connections of which nobody has noticed yet that they are dead."""
        self.listeners: list[Any] = []

    def listen(self, listener: Any) -> None:
        """As of a store."""
        self.listeners.append(listener)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            await self._way()
            try:
                return await self._part(name, args)
            finally:
                self._told()

        return call

    async def _part(self, name: str, args: tuple[Any, ...]) -> Any:
        # A pipeline is no transaction: when the link is cut, the server has done some of it.
        if name == "apply" and len(args[0]) > 1 and self.loses_answers and self._rng.random() < 0.5:
            some = dict(list(args[0].items())[: len(args[0]) // 2])
            args = (some, *args[1:])
        answer = await getattr(self._store, name)(*args)
        self._told()
        await self._way(back=True)
        return answer

    async def _way(self, back: bool = False) -> None:
        if self.dead_calls and not self.is_cut:
            self.dead_calls -= 1
            raise StoreUnavailable("a dead connection, for a test")
        await asyncio.sleep(self._rng.choice(WAY_SECONDS))
        if self.is_cut or (back and self.loses_answers):
            self._life.had_trouble = True
            await asyncio.sleep(self._rng.choice((0, 2.0)))  # refused at once, or not answered in time
            raise StoreUnavailable("away, for a test")

    def wake(self, word: str, project_id: int, what: int, view: View | None) -> None:
        """A wake-up sets out. It may be late, overtaken, doubled or lost."""
        if self.is_cut or self.is_deaf:
            return
        if not self._is_far:
            self._arrive(word, project_id, what, view)
            return
        for _ in range(self._rng.choice((1, 1, 2))):
            delay = self._rng.choice((0, 0, 0.001, LATE_SECONDS))
            asyncio.get_event_loop().call_later(delay, self._arrive, word, project_id, what, view)

    def _arrive(self, word: str, project_id: int, what: int, view: View | None) -> None:
        if word == "changed":
            self._tell(word, project_id, Effect(what), (lambda: view) if view else None)
        elif word == "deleted":
            self._tell(word, project_id, what)
        else:
            self._tell(word, project_id)

    def _tell(self, word: str, *told: Any) -> None:
        outside = LIFE.set(self._life)
        for listener in self.listeners:
            getattr(listener, word)(*told)
        LIFE.reset(outside)

    def say(self, word: str) -> None:
        """`away` or `resync`."""
        self._tell(word)

    def cut(self) -> None:
        """Nothing gets through. A store that is somewhere else notices it, see `stores.redis.wakeups`."""
        if not self.is_cut:
            self.is_cut = True
            if self._is_far:
                self.say("away")

    def mend(self) -> None:
        """Everything gets through."""
        was_cut, self.is_cut, self.is_deaf, self.loses_answers = self.is_cut, False, False, False
        if was_cut and self._is_far:
            asyncio.get_event_loop().call_later(self._rng.choice((0, 0.05, 1.0)), self.say, "resync")


class Screen:
    """What one viewer sees. It must never see a step back."""

    def __init__(self, project_id: int) -> None:
        self.project_id = project_id
        self.shown: dict[str, Any] | None = None
        self.is_delayed = False
        self.ending: Close | None = None
        self.may_change = False
        """Whether the first error may be another: two came while not every process had noticed a loss."""

    def offer(self, frame: Frame) -> None:
        """Show it."""
        assert self.ending is None, "sent after the end"
        self.is_delayed = frame.kind is Kind.DELAYED or (self.is_delayed and frame.kind is not Kind.SNAPSHOT)
        if frame.kind is Kind.SNAPSHOT:
            new = json.loads(frame.data)
            if self.shown and self.shown["epoch"] == new["epoch"]:
                self._compare(self.shown, new)
            self.shown = new

    def _compare(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        assert new["version"] >= old["version"], "an older version"
        assert STAGES.index(new["stage"]) >= STAGES.index(old["stage"]), "a stage that falls"
        if old["first_error"] and not self.may_change:
            assert new["first_error"]["event_id"] == old["first_error"]["event_id"], "another first error"

    def close(self, code: Close, reason: str) -> None:
        """The end."""
        self.ending = code


@dataclass(eq=False)
class Answer:
    """What became of one request."""

    is_taken: bool = False
    is_refused: bool = False
    is_unverified: bool = False
    error: BaseException | None = None


class Process:
    """One process of the server, as `server.app` puts it together."""

    def __init__(self, world: World, number: int) -> None:
        self.number = number
        self.life = Life()
        self.line = Line(world.backend, self.life, world.rng, world.tell)
        self.ahead = 0.0
        self._world = world
        self._tasks: list[asyncio.Task[Any]] = []
        self.requests: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Make the parts, take over what is left, and run."""
        LIFE.set(self.life)
        store, name = cast(Store, self.line), f"process{next(self._world.names)}"
        loop = asyncio.get_running_loop()
        self.spills = [Spill(self._world.folder, name, kind, 10**7) for kind in ("updates", "unverified")]
        self.projects = Projects(store, loop.time, ProjectLimits())
        self.writer = Writer(store, self.projects, self.spills[0], self.clock, LIMITS, name)
        self.unverified = Unverified(self.projects, self.writer, self.spills[1], self.clock, UnverifiedLimits())
        self.writer.adopt(self.spills[0].adopt())
        self.unverified.adopt(self.spills[1].adopt())
        self.hub = Hub(store, self.writer, PRESENTER, ViewerLimits(), rng=self._world.rng.random, clock=self.clock)
        self.line.listen(self.projects)
        self.line.listen(self.hub)
        if self._world.backend.can_lose:
            self.line.say("away" if self.line.is_cut else "resync")
        runs = (self.projects.run(), self.writer.run(), self.unverified.run(), self.hub.tick())
        self._tasks = [asyncio.create_task(run) for run in runs]

    def clock(self) -> float:
        """The clock of its host."""
        return self._world.clock() + self.ahead

    def check(self) -> None:
        """Its tasks live."""
        for task in self._tasks:
            assert not task.done(), f"{task} has ended"

    def take(self, project_id: int, make: Callable[[int], Update]) -> Answer:
        """A request comes, as the doors of SDKs take it; gives what becomes of it."""
        answer = Answer()
        outside = LIFE.set(self.life)
        task = asyncio.get_event_loop().create_task(self._take(project_id, make, answer))
        LIFE.reset(outside)
        self.requests.add(task)
        task.add_done_callback(self.requests.discard)
        return answer

    async def _take(self, project_id: int, make: Callable[[int], Update], answer: Answer) -> None:
        update = make(self.writer.now())
        try:
            try:
                project = await self.projects.get(project_id)
            except StoreUnavailable:
                answer.is_unverified = True
                await self.unverified.take("192.0.2.1", project_id, KEY, update)
            else:
                answer.is_refused = not has_key(project, KEY)
                if not answer.is_refused and self.unverified.comes_before("192.0.2.1", project_id):
                    await self.unverified.take("192.0.2.1", project_id, KEY, update)
                elif not answer.is_refused:
                    await self.writer.write(project_id, update)
            answer.is_taken = not answer.is_refused
        except Exception as error:
            answer.error = error

    async def end(self, in_order: bool) -> None:
        """End in order, or at once: then nothing that it had begun comes to an end."""
        if in_order:
            await asyncio.gather(*self.requests)
            await _cancel(self._tasks)
            LIFE.set(self.life)
            await self.writer.close()
            self.unverified.close()
        self.life.is_over = True
        await _cancel(list(self.life.tasks - {asyncio.current_task()}))
        if not in_order:
            for spill in self.spills:
                os.close(spill._file)


async def _cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class World:
    """Everything. Use it from outside of the loop: each call runs the loop for a while.

    Args:
        backend: makes the store, given the clock.
        folder: for what is spilled.
        seed: of delays and of what gets lost.
        size: processes.
    """

    def __init__(self, backend: Callable[[Callable[[], float]], Backend], folder: Path, seed: int, size: int) -> None:
        self.loop = TimelessLoop()
        asyncio.set_event_loop(self.loop)
        self.rng = Random(seed)
        self.names = count(1)
        self.folder = folder / "spill"
        self.ahead = 0.0
        self.backend = backend(self.clock)
        self.processes = [Process(self, number) for number in range(size)]
        self.screens: list[tuple[Process, Screen, contextlib.ExitStack]] = []
        self.epochs = (f"epoch{number}" for number in count(1))
        for process in self.processes:
            self.run(process.start())

    def clock(self) -> float:
        """The clock of the store's host."""
        return EPOCH_SECONDS + self.loop.time() + self.ahead

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run until it ends."""
        return self.loop.run_until_complete(coroutine)

    def owner(self, name: str, *args: Any) -> Any:
        """An owner does something, by a way of its own that always works."""

        async def act() -> Any:
            answer = await getattr(self.backend.store, name)(*args)
            self.tell()
            return answer

        return self.run(act())

    def tell(self) -> None:
        """Send what the store has to say on its way to each process."""
        for news in self.backend.news():
            for process in self.processes:
                process.line.wake(*news)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.run(asyncio.sleep(seconds))
        assert not self.loop.errors, self.loop.errors
        for process in self.processes:
            process.check()

    def restart(self, number: int, in_order: bool) -> None:
        """End a process, and start another in its place. Its viewers lose their link."""
        old = self.processes[number]
        for process, screen, seat in self.screens.copy():
            if process is old:
                self.leave(screen, seat)
        self.run(old.end(in_order))
        new = self.processes[number] = Process(self, number)
        new.line.is_cut, new.ahead = old.line.is_cut, old.ahead
        self.run(new.start())

    def watch(self, number: int, project_id: int) -> Screen:
        """Somebody opens a page."""
        process, screen, seat = self.processes[number], Screen(project_id), contextlib.ExitStack()

        async def attach() -> None:
            LIFE.set(process.life)
            seat.enter_context(process.hub.attach(project_id, screen, Guest(EVERYTHING)))

        self.run(attach())
        self.screens.append((process, screen, seat))
        return screen

    def leave(self, screen: Screen, seat: contextlib.ExitStack) -> None:
        """Somebody closes a page."""
        self.screens = [entry for entry in self.screens if entry[1] is not screen]
        seat.close()

    def cut(self, number: int) -> None:
        """Nothing gets through between a process and the store."""
        self.loop.call_soon(self.processes[number].line.cut)
        self.pass_time(0)

    def mend(self, number: int) -> None:
        """Everything gets through again."""
        self.loop.call_soon(self.processes[number].line.mend)
        self.pass_time(0)

    def lose(self, everything: bool) -> None:
        """The store goes on with less than it had. Every process notices that its link was cut."""

        async def happen() -> None:
            for process in self.processes:
                process.line.cut()
            self.backend.lose(everything)
            for process in self.processes:
                process.line.dead_calls = self.rng.choice((0, 0, 1, 20))
                process.line.mend()

        self.run(happen())

    def is_met(self, project_id: int) -> bool:
        """Whether any process that lives knows this project."""
        pages = [screen for _, screen, _ in self.screens if screen.project_id == project_id and not screen.ending]
        return any(page.shown for page in pages) or any(
            process.projects.remembered(project_id) for process in self.processes
        )

    def close(self) -> None:
        """The end of the world."""
        for _, screen, seat in self.screens.copy():
            self.leave(screen, seat)
        for process in self.processes:
            self.run(process.end(in_order=False))
        self.run(self.loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self.loop.close()


@contextmanager
def world(*args: Any) -> Iterator[World]:
    """A world with an end."""
    made = World(*args)
    try:
        yield made
    finally:
        made.close()
