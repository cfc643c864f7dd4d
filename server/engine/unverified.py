"""Requests that came while the store was away, for projects that this process has not seen yet.

SDKs do not retry, and the first error of somebody who has just set an SDK up is exactly such a request. So it is taken
without its key being checked, kept on disk, and judged when the store is back: written, or shown as refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable

from ..core.model.errors import KeyRefused, Overloaded, StoreRejected, StoreUnavailable
from ..core.model.project import check_key
from ..core.state.fields import Update
from ..core.state.update import update_of_refusal
from ..limits import UnverifiedLimits
from ..stores import Origin
from .projects import Projects
from .spill import Entry, Left, Spill, entry_of
from .writer import Writer

log = logging.getLogger("firstlight.unverified")

RETRY_SECONDS = 1.0
"""Between two looks whether the store is back."""


class Unverified:
    """See the module. One per process, used from its event loop only.

    Args:
        projects: asked when the store is back.
        writer: takes what turns out to be right, and the refusals of the rest.
        spill: keeps requests until they are judged.
        clock: seconds since the Unix epoch.
        limits: how many are taken, in all and from one address.
    """

    def __init__(
        self,
        projects: Projects,
        writer: Writer,
        spill: Spill,
        clock: Callable[[], float],
        limits: UnverifiedLimits,
    ) -> None:
        self._projects = projects
        self._writer = writer
        self._spill = spill
        self._clock = clock
        self._limits = limits
        self._waiting: deque[Entry] = deque()
        self._by_address: Counter[str] = Counter()
        self._by_project: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def spilled(self) -> int:
        """Bytes that wait on disk."""
        return self._spill.size

    async def take(self, address: str, project_id: int, key: str, update: Update) -> None:
        """Keep a request; return once it is on disk.

        Args:
            address: of the sender, see `limits.network_of`.

        Raises:
            Overloaded: too many wait already, of this address or in all.
        """
        if not self._has_place(address):
            raise Overloaded("The store is away, and too many requests wait for it.")
        entry = entry_of(project_id, update, Origin(), key)
        self._by_address[address] += 1
        self._by_project[project_id] += 1
        self._waiting.append(entry)
        await self._spill.keep([entry])

    def comes_before(self, address: str, project_id: int) -> bool:
        """Whether an earlier request for this project waits, and this one has a place behind it: see `take`."""
        return self._by_project.get(project_id, 0) > 0 and self._has_place(address)

    def _has_place(self, address: str) -> bool:
        # Nobody is known yet, so the address is all there is to share by: one flood must not fill the places of
        # everybody.
        return len(self._waiting) < self._limits.in_all and self._by_address[address] < self._limits.per_address

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Take over what a process that ended had not judged."""
        for entry in entries:
            self._waiting.append(entry)
            self._by_project[entry.project] += 1

    def close(self) -> Left:
        """Leave what waits for the next process."""
        self._spill.close()
        if self._waiting:
            log.error("%d requests could not be judged yet; the next start does", len(self._waiting))
        return Left.ON_DISK if self._waiting else Left.NOTHING

    async def run(self) -> None:
        """Judge what waits whenever the store is there, until cancelled."""
        while True:
            # Asked for, not woken: the store's link says when it is back, but a read that works is the only proof.
            await asyncio.sleep(RETRY_SECONDS)
            self.adopt(self._spill.adopt())
            try:
                await self.judge()
            except (StoreUnavailable, Overloaded):
                continue

    async def judge(self) -> None:
        """Judge everything that waits.

        Raises:
            StoreUnavailable: the store is still away; what was not judged waits on.
            Overloaded: too much waits to be written; likewise.
        """
        for _ in range(len(self._waiting)):
            try:
                await self._judge(self._waiting[0])
            except StoreRejected as error:  # its project cannot be read: the others need not wait for it
                log.error("A request for project %d cannot be judged yet: %s", self._waiting[0].project, error)
                self._waiting.rotate(-1)
            else:
                self._by_project[self._waiting.popleft().project] -= 1
        if self._waiting:
            return
        self._by_address.clear()
        self._by_project.clear()
        self._spill.clear()

    async def _judge(self, entry: Entry) -> None:
        # Oldest first, one after another: the store has just come back and has a herd to serve.
        project = await self._projects.get(entry.project)
        try:
            check_key(project, entry.key or "")
        except KeyRefused as refusal:
            if project:
                at = int(self._clock() * 1000)
                await self._writer.write(project.id, update_of_refusal(refusal, key_is_valid=False, at=at))
        else:
            await self._writer.write(entry.project, entry.update, is_late=True)
