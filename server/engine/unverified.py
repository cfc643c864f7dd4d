"""Requests that came while the store was away, for projects that this process has not seen yet.

SDKs do not retry, and the first error of somebody who has just set an SDK up is exactly such a request. So it is taken
without its key being checked, kept on disk, and judged when the store is back: written, or shown as refused.

Requests of one project with one key are joined, as the writer does: an application that beats all the time takes one
place, however long an outage lasts and whatever this process has met. What says nothing new touches no file.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from ..core.model.errors import KeyRefused, Overloaded, StoreRejected, StoreUnavailable
from ..core.model.project import check_key
from ..core.state.bits import bits_of, effect_of
from ..core.state.fields import Effect, Join, State, Update, join
from ..core.state.update import update_of_refusal
from ..limits import UnverifiedLimits
from ..stores import Origin
from .projects import Projects
from .spill import Entry, Left, Spill, entry_of
from .writer import Writer

log = logging.getLogger("firstlight.unverified")

RETRY_SECONDS = 1.0
"""Between two looks whether the store is back."""


@dataclass(slots=True)
class _Waiting:
    """What waits of one project, with one key.

    Args:
        address: that it takes a place of; None where another process took it.
    """

    update: State
    requests: int
    address: str | None

    def join(self, later: _Waiting) -> None:
        """Take in what came after it; what another process took may as well have come before."""
        join(self.update, later.update, is_late=later.address is None)
        self.requests += later.requests


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
        self._waiting: dict[tuple[int, str], _Waiting] = {}
        self._in_hand = 0
        """Requests that are judged now."""
        self._by_address: Counter[str | None] = Counter()
        self._by_project: Counter[int] = Counter()

    def __len__(self) -> int:
        """How many requests wait."""
        return self._in_hand + sum(waiting.requests for waiting in self._waiting.values())

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
        known = self._waiting.get((project_id, key))
        if known is None and not self._has_place(address):
            raise Overloaded("The store is away, and too many requests wait for it.")
        is_news = known is None or effect_of(bits_of(known.update), bits_of(update)) >= Effect.NEWS
        self._add(project_id, key, _Waiting(dict(update), 1, address))
        if is_news:
            await self._spill.keep([entry_of(project_id, update, Origin(), key)])

    def _add(self, project_id: int, key: str, later: _Waiting) -> None:
        """Let it wait behind what came before it."""
        known = self._waiting.get((project_id, key))
        if known:
            known.join(later)
        else:
            self._waiting[project_id, key] = later
            self._by_address[later.address] += 1
            self._by_project[project_id] += 1

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
            self._add(entry.project, entry.key or "", _Waiting(entry.update, entry.requests, None))

    def close(self) -> Left:
        """Leave what waits for the next process."""
        left = self._leave()
        self._spill.close()
        return left

    def _leave(self) -> Left:
        if self._waiting:
            log.error("Requests for %d projects could not be judged yet; the next start does", len(self._waiting))
        try:  # in the place of what was judged, and with what touched no file until now
            self._spill.replace(
                entry_of(project_id, waiting.update, Origin(), key, waiting.requests)
                for (project_id, key), waiting in self._waiting.items()
            )
        except OSError as error:
            log.critical("What was not judged cannot be put on disk, and ends with this process: %s", error)
            return Left.LOST if self._waiting else Left.NOTHING
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
        # Oldest first, one after another: the store has just come back and has a herd to serve.
        for project_id, key in list(self._waiting):
            # Taken out first: what comes meanwhile is judged in the next turn, and stands behind it until then.
            waiting = self._waiting.pop((project_id, key))
            self._in_hand = waiting.requests
            try:
                written = await self._judge(project_id, key, waiting)
            except StoreRejected as error:  # its project cannot be read: the others need not wait for it
                log.error("A request for project %d cannot be judged yet: %s", project_id, error)
                self._put_back(project_id, key, waiting)
                continue
            except BaseException:
                self._put_back(project_id, key, waiting)
                raise
            finally:
                self._in_hand = 0
            self._by_project[project_id] -= 1
            self._by_address[waiting.address] -= 1
            # The writer has it: put back after that, it would count twice.
            await written
        if self._waiting:
            return
        self._by_address.clear()
        self._by_project.clear()
        self._spill.clear()

    def _put_back(self, project_id: int, key: str, waiting: _Waiting) -> None:
        later = self._waiting.pop((project_id, key), None)
        if later:
            waiting.join(later)
            self._by_project[project_id] -= 1
            self._by_address[later.address] -= 1
        self._waiting[project_id, key] = waiting

    async def _judge(self, project_id: int, key: str, waiting: _Waiting) -> Awaitable[None]:
        """Hand a request over to the writer. Returns what ends when it is written."""
        project = await self._projects.get(project_id)
        try:
            check_key(project, key)
        except KeyRefused as refusal:
            if project is None:
                return self._spill.keep([])
            at = int(self._clock() * 1000)
            told = update_of_refusal(refusal, key_is_valid=False, at=at)
            return self._writer.take(project.id, _times(told, waiting.requests))
        return self._writer.take(project_id, waiting.update, is_late=True)


def _times(update: Update, requests: int) -> Update:
    """An update that so many requests have caused."""
    counts = {field: value * requests for field, value in update.items()
              if field.joined_by is Join.SUM and isinstance(value, int)}  # fmt: skip
    return {**update, **counts}
