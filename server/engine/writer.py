"""The recorder: between the requests of SDKs and the store.

It remembers what the store already knows of a project, so that a repeated heartbeat costs no round trip; it gathers
what several requests say in the same moment into one write; and while the store is away it keeps what comes in.
All three are the same thing: records that join into a pending one.

- *News* (a field that was not known, a higher stage) is written at once; its request waits for the commit.
- Everything else waits for the next coalesced write, at most `LAZY_SECONDS` later, and its request does not wait.
- What cannot be written stays pending. Only a full map refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from ..core.model.errors import Overloaded, StoreUnavailable
from ..core.model.project import Project
from ..core.state.fields import State, Update, is_news, join
from ..core.state.view import View
from ..stores import Store
from .limits import Limiter

log = logging.getLogger("firstlight.recorder")

LAZY_SECONDS = 1.0
"""How long a repeated fact may wait: `last_seen` is written at most once a second per project."""
RECHECK_SECONDS = 15.0
"""How old the memory of a project may be: a lost wake-up (a disabled key, a reset) is noticed after that."""
UNKNOWN_SECONDS = 1.0
"""How often a wrong key has the store asked again: a corrected key works at once, a flood costs a read a second."""
OWNER_QUESTIONS = 20.0
"""How often per second the store is asked whose a refused key is."""
MAX_REMEMBERED = 10_000
"""Projects that are remembered, about 4 KiB each; as many that do not exist."""
MAX_PENDING = 10_000
"""Projects with something unwritten; beyond that, new ones are refused until the store is back."""
MAX_BATCH = 500
"""Records in one write: about 10 ms of the store's time."""


@dataclass(slots=True)
class _Memory:
    """What this worker knows of one project. `state` is a lower bound of the stored one: it only ever grows."""

    project: Project
    state: State
    checked_at: float


class Writer:
    """See the module. One per process, used from its event loop only.

    Args:
        store: where records go.
        clock: seconds since the Unix epoch, for the times in records.
        monotonic: seconds, for the age of what is remembered.
    """

    def __init__(self, store: Store, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._memories: dict[int, _Memory] = {}
        self._missing: dict[int, float] = {}
        self._lookups: dict[int, asyncio.Task[Project | None]] = {}
        self._lazy: dict[int, State] = {}
        self._urgent: dict[int, State] = {}
        self._commit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._away = False
        self._questions: Limiter[int] = Limiter(monotonic, OWNER_QUESTIONS, OWNER_QUESTIONS)

    # What the store tells (stores.Listener).

    def changed(self, project_id: int) -> None:
        """Nothing to do: what is remembered stays true, and what it lacks only costs a write too many."""

    def edited(self, project_id: int) -> None:
        """Ask again before the next use; what was received for a past epoch is dropped by the store."""
        self._missing.pop(project_id, None)
        self._lookups.pop(project_id, None)  # its answer may be from before
        if project_id in self._memories:
            self._memories[project_id].checked_at = float("-inf")

    def resync(self) -> None:
        """Wake-ups may have been lost: ask again for every project."""
        self._missing.clear()
        self._lookups.clear()
        for memory in self._memories.values():
            memory.checked_at = float("-inf")

    def away(self) -> None:
        """The writer finds out by itself."""

    # What requests ask.

    def now(self) -> int:
        """The time of receipt of a request that is handled now, in milliseconds."""
        return int(self._clock() * 1000)

    async def project(self, project_id: int, max_age: float = RECHECK_SECONDS) -> Project | None:
        """The project, from memory where that is recent enough.

        Args:
            max_age: seconds; `UNKNOWN_SECONDS` for a key that does not fit what is remembered.

        Raises:
            StoreUnavailable: the store is away and the project is not remembered.
        """
        memory = self._memories.get(project_id)
        if memory and self._monotonic() - memory.checked_at <= max_age:
            return memory.project
        missed_at = self._missing.get(project_id)
        if missed_at is not None and self._monotonic() - missed_at <= UNKNOWN_SECONDS:
            return None
        try:
            return await self._look_up(project_id)
        except StoreUnavailable:
            if memory:
                return memory.project
            raise

    async def owner_of(self, key: str) -> int | None:
        """The project that a refused key belongs to, if the store may be asked now: strangers can make up keys.

        Raises:
            StoreUnavailable: the store is away.
        """
        return None if self._questions.wait(0) else await self._store.owner_of(key)

    def is_news(self, project_id: int, update: Update) -> bool:
        """Whether a record says something that is not yet known here."""
        memory = self._memories.get(project_id)
        return memory is None or is_news(memory.state, update)

    async def read(self, project_id: int) -> View | None:
        """What the store knows of a project now.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self._store.read(project_id)

    async def write(self, project_id: int, update: Update, at_once: bool = False) -> None:
        """Take a record; return once it is committed if it is news, and at once otherwise.

        Args:
            at_once: treat it as news.

        Raises:
            Overloaded: the store is away and the map of pending records is full.
        """
        is_urgent = not self._away and (at_once or self.is_news(project_id, update))
        pending = self._urgent if is_urgent else self._lazy
        if project_id not in pending:
            if len(pending) >= MAX_PENDING:
                raise Overloaded("Too much is waiting to be written.")
            pending[project_id] = dict(update)
        else:
            join(pending[project_id], update)
        if is_urgent:
            self._news.set()
            await asyncio.shield(self._commit)

    async def run(self) -> None:
        """Write what is pending, until cancelled. `flush` does the rest."""
        due = self._monotonic() + LAZY_SECONDS
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - self._monotonic())):
                    await self._news.wait()
            if self._monotonic() >= due:
                due = self._monotonic() + LAZY_SECONDS
                await self.flush()
            else:
                await self._write_news()

    async def flush(self) -> None:
        """Write everything that is pending, or keep it where the store is away."""
        for number, update in self._lazy.items():
            join(update, self._urgent.pop(number, {}))
        self._urgent = {**self._lazy, **self._urgent}
        self._lazy = {}
        await self._write_news()

    async def _write_news(self) -> None:
        batch, self._urgent = self._urgent, {}
        commit, self._commit = self._commit, asyncio.get_running_loop().create_future()
        self._news.clear()
        try:
            while batch:
                part = dict(list(batch.items())[:MAX_BATCH])
                await self._write(part)
                for number in part:
                    del batch[number]
        except StoreUnavailable as error:
            if not self._away:
                log.warning("The store is away; %d projects wait to be written: %s", len(batch), error)
            self._away = True
        finally:
            self._keep(batch)
            commit.set_result(None)

    async def _write(self, updates: dict[int, State]) -> None:
        try:
            await self._store.apply(updates, self.now())
        except StoreUnavailable:
            raise
        except Exception:  # one record that the store chokes on must not stop all others, for ever
            if len(updates) > 1:
                for number, update in updates.items():
                    await self._write({number: update})
            else:
                log.exception("A record of project %d cannot be written and is dropped", *updates)
            return
        self._away = False
        for number, update in updates.items():
            if number in self._memories:
                join(self._memories[number].state, update)

    def _keep(self, batch: dict[int, State]) -> None:
        """Put back what could not be written, beneath what came meanwhile."""
        for number, update in batch.items():
            join(update, self._lazy.get(number, {}))
            self._lazy[number] = update

    async def _look_up(self, project_id: int) -> Project | None:
        """One read in flight per project, however many requests ask."""
        if project_id not in self._lookups:
            self._lookups[project_id] = asyncio.create_task(self._read(project_id))
        return await asyncio.shield(self._lookups[project_id])

    async def _read(self, project_id: int) -> Project | None:
        asked_at = self._monotonic()
        is_current = False
        try:
            view = await self._store.read(project_id)
        finally:
            if self._lookups.get(project_id) is asyncio.current_task():  # else it was edited meanwhile
                del self._lookups[project_id]
                is_current = True
        if is_current:
            self._remember(project_id, view, asked_at)
        elif view and project_id not in self._memories:  # better than nothing, should the store go away now
            self._remember(project_id, view, float("-inf"))
        return view.project if view else None

    def _remember(self, project_id: int, view: View | None, asked_at: float) -> None:
        if view is None:
            self._memories.pop(project_id, None)
            _bound(self._missing)
            self._missing[project_id] = asked_at
        else:
            _bound(self._memories)
            self._memories[project_id] = _Memory(view.project, dict(view.state), asked_at)


def _bound(mapping: dict[int, _Memory] | dict[int, float]) -> None:
    """Forget the oldest tenth of a full mapping."""
    if len(mapping) >= MAX_REMEMBERED:
        for number in list(mapping)[: MAX_REMEMBERED // 10]:
            del mapping[number]
