"""What viewers cost a server while nothing happens: memory, time to join, processor; and how many it takes."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from . import machine
from .figures import Figure
from .peers import servers as peers
from .plan import Plan
from .push import EACH, Stage, of_channels, of_firstlight
from .rates import EMBEDDED, REDIS
from .servers import Served, firstlight
from .watching import NCHAN, SOCKETIO, Joined, crowd

FIRST = 200
"""Viewers that watch before memory is looked at: what a server sets up once is not what a viewer costs."""
IDLE_SECONDS = 6.0
"""Longer than it takes until each was pinged."""
SETTLE_SECONDS = 1.0
SPARE = 700
"""File descriptors that are no viewer's: those that a server keeps back, and those of whoever measures."""
SILENT, SILENT_SECONDS = 1_000, 40.0
"""Projects that wait, and for how long they are looked at: after 20 s, the first step of a silence is told."""
GOALS = {"memory": 3.0, "joining": 5000.0, "idle": 1.0, "collection": 30.0}


def idle(plan: Plan) -> Iterator[Figure]:
    """Each server alone with its viewers, 500 of a project, who wait."""
    with tempfile.TemporaryDirectory() as folder:
        for workers in plan.workers:
            probe = f"{folder}/{workers}"
            yield from waiting(plan, firstlight(workers, probe), of_firstlight, Path(probe))
    for peer, way in [(peers.nchan(), NCHAN), (peers.socketio(), SOCKETIO)][: None if plan.full else 1]:
        with contextlib.suppress(LookupError):
            yield from waiting(plan, peer, partial(of_channels, way=way))


def silent(plan: Plan) -> Iterator[Figure]:
    """A viewer for each of many projects that nothing has come of yet: what is said of a silence changes with time."""
    for workers in (0, 1):
        with firstlight(workers) as served:
            stage = of_firstlight(served)
            _, channels = spread(stage, min(SILENT, plan.viewers), 1)
            with crowd(served, stage.way, channels):
                settled(served)
                before = machine.processor(served.pid)
                time.sleep(SILENT_SECONDS)
                share = 100 * (machine.processor(served.pid) - before) / SILENT_SECONDS
                yield Figure("silent", served.name, f"{len(channels):,} projects", "% of a core", (share,), 1.0)


def waiting(
    plan: Plan,
    server: AbstractContextManager[Served],
    stage_of: Callable[[Served], Stage],
    probe: Path | None = None,
) -> Iterator[Figure]:
    """Join, wait, and look."""
    with server as served:
        stage = stage_of(served)
        channels, many = spread(stage, plan.viewers - FIRST, EACH)
        with crowd(served, stage.way, [channels[0]] * FIRST):
            before, computed = settled(served), machine.processor(served.pid)
            with crowd(served, stage.way, many) as joined:
                yield from coming(served, joined, machine.processor(served.pid) - computed)
                yield from staying(served, joined, settled(served) - before)
                if probe:
                    pause = collected(served, probe)
                    yield Figure("viewers", served.name, "collection", "ms", (pause,), GOALS["collection"])


def spread(stage: Stage, viewers: int, each: int) -> tuple[list[str], list[str]]:
    """New channels, and for each of so many viewers one of them."""
    channels = [named[0] for named in stage.channels(-(-viewers // each))]
    return channels, [name for name, _ in itertools.product(channels, range(each))][:viewers]


def settled(served: Served) -> float:
    """KiB, once nothing moves."""
    time.sleep(SETTLE_SECONDS)
    return machine.memory(served.pid)


def goal_of(served: Served, what: str) -> float | None:
    """For one process of ours."""
    return GOALS[what] if served.name in (EMBEDDED, REDIS) else None


def coming(served: Served, joined: Joined, computed: float) -> Iterator[Figure]:
    """How many can join in a second, each up to its first state: by the server's core, and as they came."""
    rates = (joined.viewers / max(computed, 1e-9),), (joined.viewers / joined.seconds,)
    yield Figure("viewers", served.name, "joining, one core", "viewers/s", rates[0], goal_of(served, "joining"))
    yield Figure("viewers", served.name, "joining, as they came", "viewers/s", rates[1])
    yield Figure("viewers", served.name, "watching", "viewers", (float(joined.viewers),))


def staying(served: Served, joined: Joined, grown: float) -> Iterator[Figure]:
    """What those who have joined cost while nothing happens."""
    each = grown / max(1, joined.viewers)
    yield Figure("viewers", served.name, "memory", "KiB", (each,), goal_of(served, "memory"))
    before = machine.processor(served.pid)
    time.sleep(IDLE_SECONDS)
    share = 100 * (machine.processor(served.pid) - before) / IDLE_SECONDS
    yield Figure("viewers", served.name, "idle", "% of a core", (share,), goal_of(served, "idle"))


def collected(served: Served, probe: Path) -> float:
    """Milliseconds of the longest garbage collection until now, with a full one that is forced in every process."""
    for pid in machine.family(served.pid):
        with contextlib.suppress(OSError):
            if str(probe).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(pid, signal.SIGRTMIN + 5)
    time.sleep(SETTLE_SECONDS)
    lines = probe.read_text(encoding="ascii").splitlines() if probe.exists() else []
    return max((float(line.split()[1]) for line in lines), default=0.0)


def most(plan: Plan) -> Iterator[Figure]:
    """As many as the limit of files allows: of many projects, and all of one."""
    files = os.sysconf("SC_OPEN_MAX") - SPARE
    wanted = min(files, 2 * plan.viewers)
    for what, each in (("of a worker", EACH), ("of a project", wanted)):
        with firstlight() as served:
            stage = of_firstlight(served)
            with crowd(served, stage.way, spread(stage, wanted, each)[1]) as joined:
                yield Figure("most-viewers", served.name, what, "viewers", (float(joined.viewers),), 0.95 * wanted)
