"""python -m bench.faults.soak [MINUTES] [--viewers 2000] [--write]   A fault a minute: nothing is lost, nothing grows.

The faults of `make faults` in turn, done to one server that goes on. After each, every viewer has to be right; at the
end of each minute it is counted what the server holds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import uvloop

from server.command.client import request

from ..machine import family
from .faults import FAULTS, Fault
from .people import Senders, Shop, stored
from .report import SOAK, described, raise_limit, write
from .run import PROMISE, UNWATCHED, VIEWERS_EACH, Run, first_of, projects
from .world import WORKERS, World, world

MINUTES = 15
VIEWERS = 2000
HEARTBEATS = 500
"""A second."""
MINUTE = 60.0
GROWTH = 1.15
"""How much more the last third may hold at the least than the first at the most: a leak grows with every fault, and
what is half open for a while is none."""
COLUMNS = ("minute", "fault", "s until no viewer is stale", "firsts lost", "memory, MiB", "descriptors", "tasks")
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


@dataclass(frozen=True, slots=True)
class Minute:
    """What one fault did, and what the server holds after it.

    Args:
        seconds: until every viewer was right again.
        stale: viewers that were not.
        acknowledged, lost: first errors that were sent meanwhile.
        memory: MiB of all workers.
        descriptors: that they have open.
        tasks: of their event loops.
    """

    fault: Fault
    seconds: float
    stale: int
    acknowledged: int
    lost: int
    memory: float
    descriptors: int
    tasks: int

    def row(self, number: int) -> str:
        """One line of the table."""
        seconds = f"{self.stale} stale" if self.stale else f"{self.seconds:.1f}"
        cells = (f"{number}", self.fault.says, seconds, f"{self.lost} of {self.acknowledged}", f"{self.memory:.0f}")
        return f"| {' | '.join(cells)} | {self.descriptors} | {self.tasks} |"


async def soak(minutes: int, viewers: int) -> list[Minute]:
    """So many minutes, on two workers and one Redis."""
    async with world(on_redis=True) as place:
        shops = await asyncio.to_thread(projects, place.server.url, UNWATCHED + max(3, viewers // VIEWERS_EACH))
        run = Run(place, Senders(place.server.url), shops, viewers)
        print(HEADER, flush=True)
        passed: list[Minute] = []
        async with run.everybody(HEARTBEATS):
            for fault in islice(cycle(fault for fault in FAULTS if fault.on_redis and not fault.in_browser), minutes):
                passed.append(await _minute(place, run, fault))
                print(passed[-1].row(len(passed)), flush=True)
        return passed


async def _minute(place: World, run: Run, fault: Fault) -> Minute:
    began = time.monotonic()
    fresh = await asyncio.to_thread(projects, place.server.url, UNWATCHED)
    seconds, stale = await run.endure(fault, fresh)
    await asyncio.sleep(max(0.0, began + MINUTE - time.monotonic()))
    acknowledged = [shop for shop in fresh if shop.is_acknowledged]
    lost = await asyncio.to_thread(_lost, place.server.url, acknowledged)
    descriptors, tasks = _descriptors(place), _tasks(place.server.url)
    return Minute(fault, seconds, stale, len(acknowledged), lost, place.memory() / 1024, descriptors, tasks)


def _lost(url: str, shops: Sequence[Shop]) -> int:
    told = [stored(url, shop) for shop in shops]
    return sum(snapshot is None or first_of(snapshot) is None for snapshot in told)


def _descriptors(place: World) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in family(place.server.process.pid))


def _tasks(url: str) -> int:
    lines = str(request("GET", f"{url}/metrics").body).splitlines()
    return int(float(next(line for line in lines if line.startswith("firstlight_loop_tasks ")).split()[1]))


def holds(passed: Sequence[Minute]) -> bool:
    """Whether nobody was left behind, nothing was lost, and nothing grew."""
    third = max(1, len(passed) // 3)
    is_right = all(minute.seconds <= PROMISE and not minute.lost for minute in passed)
    return is_right and all(
        min(getattr(minute, name) for minute in passed[-third:])
        <= GROWTH * max(getattr(minute, name) for minute in passed[:third])
        for name in ("memory", "descriptors", "tasks")
    )


def main() -> int:
    """So many minutes."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults.soak")
    parser.add_argument("minutes", nargs="?", type=int, default=MINUTES)
    parser.add_argument("--viewers", type=int, default=VIEWERS)
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    asked = parser.parse_args()
    raise_limit()
    passed = uvloop.run(soak(asked.minutes, asked.viewers))
    is_held = holds(passed)
    said = f"{described()}: {asked.viewers} viewers, {HEARTBEATS} heartbeats/s, {WORKERS} workers, "
    said += f"{asked.minutes} minutes; "
    said += "nothing was lost, and nothing grew." if is_held else "**not held**."
    print(said)
    if asked.write:
        write(SOAK, [said, "", HEADER, *(minute.row(number) for number, minute in enumerate(passed, 1))])
    return int(not is_held)


if __name__ == "__main__":
    sys.exit(main())
