"""One fault in a world: everybody comes, it happens, and everybody should be right again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from server.command.client import Client

from .faults import Fault
from .people import Senders, Shop, Viewer, counted, stored
from .world import World

VIEWERS_EACH = 10
"""Of one project."""
UNWATCHED = 20
"""Projects that nobody watches, and that send for the first time in the middle of the fault."""
HEARTBEATS = 200
"""A second, where it is busy."""
CONNECTIONS = 10
"""That they come over."""
BEFORE_SECONDS = 0.3
"""Errors are sent for so long before a fault,"""
GAP_SECONDS = 0.05
"""and as long after each other."""
PROMISE = 20.0
"""Seconds after any one fault, by docs/reliability.md."""
PATIENCE = 60.0
SETTLED = 3.0
"""Seconds after which what can wait is written, too."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one fault did."""

    fault: Fault
    is_busy: bool
    seconds: float
    """From its end until every viewer was shown what was sent last; infinite where that was not within `PATIENCE`."""
    stale: int
    """Viewers that were not, in the end."""
    acknowledged: int
    """First errors that were answered with 200."""
    lost: int
    doubled: int
    """Refusals that were counted and not sent."""
    changed: int
    """Projects of which a page showed two first errors, or a stage that fell."""
    overtaken: int
    """Projects whose first error is one that was sent after another had been answered with 200."""
    failures: int
    """Answers of 5xx."""
    unanswered: int
    growth: int
    """KiB of all workers."""

    @property
    def holds(self) -> bool:
        """Whether it is as promised."""
        return self.seconds <= PROMISE and not (self.lost or self.doubled or self.changed)


class Run:
    """One fault, in a fresh world.

    Args:
        place: the world.
        senders: to its server.
        shops: projects that nothing was sent to.
        viewers: how many watch.
        make_viewer: each of them.
    """

    def __init__(
        self,
        place: World,
        senders: Senders,
        shops: list[Shop],
        viewers: int,
        make_viewer: Callable[[Shop], Viewer] = Viewer,
    ) -> None:
        self._place = place
        self._senders = senders
        self._url = place.server.url
        self._over_at = 0.0
        self._unwatched, self._watched = shops[:UNWATCHED], shops[UNWATCHED:]
        self._viewers = [make_viewer(self._watched[number % len(self._watched)]) for number in range(viewers)]

    async def measure(self, fault: Fault, is_busy: bool) -> Result:
        """Everybody comes, the fault happens, and everybody should be right again."""
        async with self.everybody(HEARTBEATS * is_busy):
            before = self._watched[: len(self._watched) // 3]
            latest = {shop.id: await self._until_acknowledged(shop) for shop in before}
            await self._all_right(latest)
            memory = self._place.memory()
            self._senders.statuses.clear()
            third = len(self._watched) // 3
            seconds, stale = await self.endure(fault, [*self._unwatched, *self._watched[third : 2 * third]])
            growth = self._place.memory() - memory
            await asyncio.sleep(SETTLED)
        return await asyncio.to_thread(self._result, fault, is_busy, seconds, stale, growth)

    @contextlib.asynccontextmanager
    async def everybody(self, heartbeats: int) -> AsyncIterator[None]:
        """All who watch, and heartbeats, so many a second; they have come when the block begins."""
        watching = (viewer.watch(f"http://127.0.0.1:{self._place.pages.port}") for viewer in self._viewers)
        senders = CONNECTIONS if heartbeats else 0
        beats = (self._senders.beat(self._watched[0], heartbeats / CONNECTIONS) for _ in range(senders))
        async with background([*watching, *beats]):
            await self._all_right(dict.fromkeys(shop.id for shop in self._watched))
            yield

    async def endure(self, fault: Fault, shops: list[Shop]) -> tuple[float, int]:
        """A fault, and errors of these projects, the first ones right before it.

        Returns:
            Seconds from its end until every viewer was right, and how many were not, in the end.
        """
        sending = asyncio.create_task(self._one_by_one(shops))
        await asyncio.sleep(BEFORE_SECONDS)
        await fault.act(self._place)
        self._over_at = time.monotonic()
        await sending
        return await self._until_right()

    async def _one_by_one(self, shops: list[Shop]) -> None:
        """Not one after the other, as one may have to wait long for an answer."""
        tasks = []
        for shop in shops:
            tasks.append(asyncio.create_task(self._twice(shop)))
            await asyncio.sleep(GAP_SECONDS)
        await asyncio.gather(*tasks)

    async def _twice(self, shop: Shop) -> None:
        """The second error must not win."""
        await self._senders.error(shop)
        await self._senders.wrong_key(shop)
        await self._senders.error(shop)

    async def _until_right(self) -> tuple[float, int]:
        """Send every watched project an error once more; seconds until all have seen it, and who has not."""
        latest: dict[str, str | None] = {}
        with contextlib.suppress(TimeoutError):
            sent = await asyncio.gather(*(self._until_acknowledged(shop) for shop in self._watched))
            latest |= zip((shop.id for shop in self._watched), sent, strict=True)
            await self._all_right(latest)
        stale = sum(not viewer.knows(latest) for viewer in self._viewers)
        return float("inf") if stale else time.monotonic() - self._over_at, stale

    async def _until_acknowledged(self, shop: Shop) -> str:
        async with asyncio.timeout(PATIENCE):
            while not (event_id := await self._senders.error(shop)):
                await asyncio.sleep(0.2)
            return event_id

    async def _all_right(self, latest: Mapping[str, str | None]) -> None:
        """Wait until every viewer of these projects was shown this. Raises `TimeoutError`."""
        concerned = [viewer for viewer in self._viewers if viewer.shop.id in latest]
        async with asyncio.timeout(PATIENCE):
            while not all(viewer.knows(latest) for viewer in concerned):
                await asyncio.sleep(0.02)

    def _result(self, fault: Fault, is_busy: bool, seconds: float, stale: int, growth: int) -> Result:
        shops = [*self._watched, *self._unwatched]
        told = [stored(self._url, shop) or {"first_error": None, "arrived": []} for shop in shops]
        firsts = list(map(first_of, told))
        return Result(
            fault=fault,
            is_busy=is_busy,
            seconds=seconds,
            stale=stale,
            acknowledged=sum(shop.is_acknowledged for shop in shops),
            lost=sum(shop.is_acknowledged and not first for shop, first in zip(shops, firsts, strict=True)),
            doubled=sum(max(0, counted(now) - shop.refused) for shop, now in zip(shops, told, strict=True)),
            changed=sum(shop.is_changed(first) for shop, first in zip(shops, firsts, strict=True)),
            overtaken=sum(first in shop.later for shop, first in zip(shops, firsts, strict=True)),
            failures=sum(count for status, count in self._senders.statuses.items() if status >= 500),
            unanswered=self._senders.statuses[0],
            growth=growth,
        )


@contextlib.asynccontextmanager
async def background(all_of: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Let these go on meanwhile; they have no end of their own."""
    tasks = [asyncio.create_task(each) for each in all_of]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def projects(url: str, count: int) -> list[Shop]:
    """New ones."""
    made = [Client(url).ask("POST", "/projects", name="shop") for _ in range(count)]
    return [Shop(project["id"], project["key"]) for project in made]


def first_of(snapshot: Mapping[str, Any]) -> str | None:
    """The id of the first error."""
    error = snapshot["first_error"]
    return error["event_id"] if error else None
