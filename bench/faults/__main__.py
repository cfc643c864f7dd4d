"""python -m bench.faults [NAME,NAME…] [--viewers 500] [--write]   See the package."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import platform
import resource
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from server.command.client import Client

from .faults import FAULTS, Fault
from .people import Senders, Shop, Viewer, counted, stored
from .world import WORKERS, World, world

VIEWERS = 500
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
REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
MARKS = "<!-- made by `make faults` -->", "<!-- until here -->"


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
    """

    def __init__(self, place: World, senders: Senders, shops: list[Shop], viewers: int) -> None:
        self._place = place
        self._senders = senders
        self._url = place.server.url
        self._over_at = 0.0
        self._unwatched, self._watched = shops[:UNWATCHED], shops[UNWATCHED:]
        self._viewers = [Viewer(self._watched[number % len(self._watched)]) for number in range(viewers)]

    async def measure(self, fault: Fault, is_busy: bool) -> Result:
        """Everybody comes, the fault happens, and everybody should be right again."""
        watching = (viewer.watch(f"http://127.0.0.1:{self._place.pages.port}") for viewer in self._viewers)
        beats = (self._senders.beat(self._watched[0], HEARTBEATS / CONNECTIONS) for _ in range(CONNECTIONS * is_busy))
        async with background([*watching, *beats]):
            await self._all_right(dict.fromkeys(shop.id for shop in self._watched))
            before = self._watched[: len(self._watched) // 3]
            latest = {shop.id: await self._until_acknowledged(shop) for shop in before}
            await self._all_right(latest)
            memory = self._place.memory()
            self._senders.statuses.clear()
            await self._while_it_lasts(fault)
            seconds, stale = await self._until_right()
            growth = self._place.memory() - memory
            await asyncio.sleep(SETTLED)
        return await asyncio.to_thread(self._result, fault, is_busy, seconds, stale, growth)

    async def _while_it_lasts(self, fault: Fault) -> None:
        """Errors of projects that are watched, and of some that are not: the first ones right before it."""
        third = len(self._watched) // 3
        sending = asyncio.create_task(self._one_by_one([*self._unwatched, *self._watched[third : 2 * third]]))
        await asyncio.sleep(BEFORE_SECONDS)
        await fault.act(self._place)
        self._over_at = time.monotonic()
        await sending

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
        firsts = [(snapshot["first_error"] or {}).get("event_id") for snapshot in told]
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


async def one(fault: Fault, is_busy: bool, viewers: int) -> Result:
    """One fault, in a fresh world."""
    async with world(fault.on_redis) as place:
        shops = await asyncio.to_thread(projects, place.server.url, UNWATCHED + max(3, viewers // VIEWERS_EACH))
        return await Run(place, Senders(place.server.url), shops, viewers).measure(fault, is_busy)


async def every(faults: Iterable[Fault], viewers: int, together: int) -> list[Result]:
    """All of these, idle and busy."""
    places = asyncio.Semaphore(together)

    async def run(fault: Fault, is_busy: bool) -> Result:
        async with places:
            result = await one(fault, is_busy, viewers)
        print(row(result), flush=True)
        return result

    print(HEADER)
    return await asyncio.gather(*(run(fault, is_busy) for fault in faults for is_busy in (False, True)))


def projects(url: str, count: int) -> list[Shop]:
    """New ones."""
    made = [Client(url).ask("POST", "/projects", name="shop") for _ in range(count)]
    return [Shop(project["id"], project["key"]) for project in made]


COLUMNS = [
    "fault",
    "heartbeats/s",
    "s until no viewer is stale",
    "firsts lost",
    "doubled",
    "changed",
    "overtaken",
    "5xx",
]
COLUMNS += ["no answer", "memory, MiB"]
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def row(result: Result) -> str:
    """One line of the table."""
    seconds = f"{result.stale} stale after {PATIENCE:g}" if result.stale else f"{result.seconds:.1f}"
    cells = [result.fault.says, str(HEARTBEATS * result.is_busy), f"{seconds}{'' if result.holds else ' **not held**'}"]
    cells += [
        f"{result.lost} of {result.acknowledged}",
        str(result.doubled),
        str(result.changed),
        str(result.overtaken),
    ]
    cells += [str(result.failures), str(result.unanswered), f"{result.growth / 1024:+.1f}"]
    return f"| {' | '.join(cells)} |"


def write(results: list[Result], viewers: int, together: int) -> None:
    """Between the marks of the report."""
    before, rest = REPORT.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    broken = sum(not result.holds for result in results)
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    where = f"{os.cpu_count()} × {platform.machine()}, Python {platform.python_version()}, load average {load}"
    said = f"{time.strftime('%Y-%m-%d', time.gmtime())}, {where}: {viewers} viewers, {WORKERS} workers, "
    said += f"{together} run(s) at a time; of {len(results)} runs {len(results) - broken} held the promise."
    table = "\n".join(map(row, results))
    REPORT.write_text(f"{before}{MARKS[0]}\n{said}\n\n{HEADER}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> int:
    """All faults, or those that are named, idle and busy."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults")
    parser.add_argument("names", nargs="?", default="", help=",".join(fault.name for fault in FAULTS))
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--together", type=int, default=1, help="runs at the same time, each in its own world")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    asked = parser.parse_args()
    names = set(asked.names.split(",")) - {""} or {fault.name for fault in FAULTS}
    if unknown := names - {fault.name for fault in FAULTS}:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16_384, hard), hard))
    results = uvloop.run(every([fault for fault in FAULTS if fault.name in names], asked.viewers, asked.together))
    if asked.write:
        write(results, asked.viewers, asked.together)
    return int(not all(result.holds for result in results))


if __name__ == "__main__":
    sys.exit(main())
