"""python -m bench.faults [NAME,NAME…] [--viewers 500] [--write]   See the package."""

from __future__ import annotations

import argparse
import asyncio
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial

import uvloop

from tests.support.browser import launch

from . import report
from .faults import FAULTS, Fault
from .people import Senders, Shop, Tab, Viewer
from .report import described, raise_limit, write
from .run import HEARTBEATS, PATIENCE, UNWATCHED, VIEWERS_EACH, Result, Run, projects
from .world import WORKERS, world

VIEWERS = 500
TABS = 5
"""That are open in a browser, each of a project of its own."""


async def one(fault: Fault, is_busy: bool, viewers: int) -> Result:
    """One fault, in a fresh world."""
    watched = TABS if fault.in_browser else max(3, viewers // VIEWERS_EACH)
    async with world(fault.on_redis) as place, viewer_of(fault) as make_viewer:
        shops = await asyncio.to_thread(projects, place.server.url, UNWATCHED + watched)
        everybody = TABS if fault.in_browser else viewers
        return await Run(place, Senders(place.server.url), shops, everybody, make_viewer).measure(fault, is_busy)


@asynccontextmanager
async def viewer_of(fault: Fault) -> AsyncIterator[Callable[[Shop], Viewer]]:
    """What makes those who watch."""
    if fault.in_browser:
        async with launch() as browser:
            yield partial(Tab, browser)
    else:
        yield Viewer


async def every(faults: Iterable[Fault], viewers: int, together: int) -> list[Result]:
    """All of these, idle and busy."""
    places = asyncio.Semaphore(together)

    async def run(fault: Fault, is_busy: bool) -> Result:
        async with places:
            try:
                result = await one(fault, is_busy, viewers)
            except Exception:  # a machine that was too busy to begin; twice is the server's fault, and ends all
                traceback.print_exc()
                result = await one(fault, is_busy, viewers)
        print(row(result), flush=True)
        return result

    print(HEADER, flush=True)
    return await asyncio.gather(*(run(fault, is_busy) for fault in faults for is_busy in (False, True)))


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


def said(results: list[Result], viewers: int, together: int) -> str:
    """What stands above the table."""
    broken = sum(not result.holds for result in results)
    how = f"{described()}: {viewers} viewers, {WORKERS} workers, {together} run(s) at a time"
    return f"{how}; of {len(results)} runs {len(results) - broken} held the promise."


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
    raise_limit()
    results = uvloop.run(every([fault for fault in FAULTS if fault.name in names], asked.viewers, asked.together))
    if asked.write:
        write(report.FAULTS, [said(results, asked.viewers, asked.together), "", HEADER, *map(row, results)])
    return int(not all(result.holds for result in results))


if __name__ == "__main__":
    sys.exit(main())
