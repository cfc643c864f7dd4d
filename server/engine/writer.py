"""The one write door: whatever is written of a project's state goes through here, on one of two lanes.

- *At once*: what somebody waits for (the effects `NEWS` and `TRANSITION`). Its request waits for the commit. The lane
  takes whatever has come up since its last write, so that a thousand firsts in one moment share a few round trips.
- *Later*: what can wait (`REFRESH`, `SILENT`). It is gathered per project, written at most every `lazy_seconds` in
  small parts, and its request does not wait. The other lane never stands behind it.

Both gather by joining updates into a pending one. What cannot be written because the store is away stays pending and
goes on the second lane; only a full map refuses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from ..core.model.errors import Overloaded, StoreUnavailable
from ..core.state.fields import Effect, State, Update, join
from ..limits import WriterLimits
from ..stores import Store
from .projects import Projects

log = logging.getLogger("firstlight.writer")

Batch = dict[int, State]
"""What is pending, by project."""


class Writer:
    """See the module. One per process, used from its event loop only.

    Args:
        store: where updates go.
        projects: what is known; it says what an update means, and learns what is stored.
        clock: seconds since the Unix epoch, for the times in updates.
        limits: how much may wait, and how long.
    """

    def __init__(self, store: Store, projects: Projects, clock: Callable[[], float], limits: WriterLimits) -> None:
        self._store = store
        self._projects = projects
        self._clock = clock
        self._limits = limits
        self._at_once: Batch = {}
        self._later: Batch = {}
        self._commit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self._is_away = False

    def now(self) -> int:
        """The time of receipt of a request that is handled now, in milliseconds."""
        return int(self._clock() * 1000)

    async def write(self, project_id: int, update: Update, at_once: bool = False) -> None:
        """Take an update; return once it is committed if somebody waits for it, and at once otherwise.

        Args:
            at_once: commit it now, whatever it means.

        Raises:
            Overloaded: the store is away and the map of pending updates is full.
        """
        at_once = at_once or self._projects.effect_of(project_id, update) >= Effect.NEWS
        if self._is_away or not at_once:
            self._add(self._later, project_id, update)
            return
        self._add(self._at_once, project_id, update)
        self._news.set()
        await asyncio.shield(self._commit)

    def write_later(self, project_id: int, update: Update) -> None:
        """Take an update that nobody waits for now, whatever it means.

        Raises:
            Overloaded: as `write`.
        """
        self._add(self._later, project_id, update)

    async def touch(self, project_id: int, epoch: str, version: int) -> None:
        """Raise the version of a project beyond `version`, for what changes without an update.

        Raises:
            StoreUnavailable: the store is away.
        """
        await self._store.touch(project_id, epoch, version)

    async def run(self) -> None:
        """Write what is pending, until cancelled. `flush` does the rest."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._run_at_once(), name="writer: at once")
            lanes.create_task(self._run_later(), name="writer: later")

    async def flush(self) -> None:
        """Write everything that is pending, or keep it where the store is away."""
        await self._write_at_once()
        await self._write_later()

    async def _run_at_once(self) -> None:
        while True:
            await self._news.wait()
            await self._write_at_once()

    async def _run_later(self) -> None:
        while True:
            await asyncio.sleep(self._limits.lazy_seconds)
            await self._write_later()

    async def _write_at_once(self) -> None:
        batch, self._at_once = self._at_once, {}
        commit, self._commit = self._commit, asyncio.get_running_loop().create_future()
        self._news.clear()
        try:
            await self._write_all(batch, self._limits.batch)
        finally:
            commit.set_result(None)

    async def _write_later(self) -> None:
        batch, self._later = self._later, {}
        await self._write_all(batch, self._limits.lazy_batch)

    async def _write_all(self, batch: Batch, size: int) -> None:
        """Write a batch in parts; what is left when the store goes away, or this is cancelled, stays pending."""
        try:
            for part in _parts(batch, size):
                await self._apply(part)
                for number in part:
                    del batch[number]
        except StoreUnavailable as error:
            if not self._is_away:
                log.warning("The store is away; %d projects wait to be written: %s", len(batch), error)
            self._is_away = True
        finally:
            self._keep(batch)

    async def _apply(self, updates: Batch) -> None:
        try:
            await self._store.apply(updates, self.now())
        except StoreUnavailable:
            raise
        except Exception:  # one update that the store chokes on must not stop all others, for ever
            if len(updates) > 1:
                for number, update in updates.items():
                    await self._apply({number: update})
            else:
                log.exception("An update of project %d cannot be written and is dropped", *updates)
            return
        self._is_away = False
        for number, update in updates.items():
            self._projects.learn(number, update)

    def _add(self, pending: Batch, project_id: int, update: Update) -> None:
        if project_id in pending:
            join(pending[project_id], update)
        elif len(pending) < self._limits.pending:
            pending[project_id] = dict(update)
        else:
            raise Overloaded("Too much is waiting to be written.")

    def _keep(self, batch: Batch) -> None:
        """Put back what could not be written, beneath what came meanwhile."""
        for number, update in batch.items():
            join(update, self._later.get(number, {}))
            self._later[number] = update


def _parts(batch: Batch, size: int) -> Iterator[Batch]:
    """Parts of a batch, at most so large; the batch may shrink meanwhile."""
    numbers = list(batch)
    for start in range(0, len(numbers), size):
        yield {number: batch[number] for number in numbers[start : start + size]}
