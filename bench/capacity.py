"""From what was measured on one core to a million projects: the arithmetic of docs/capacity.md, line by line.

Each line is a product that a reader can check. What is assumed is said, and what is measured is named by its row in
docs/benchmarks.md; `make bench FULL=1` writes both documents from the same run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from .figures import Figure, number, quantile
from .rates import EMBEDDED, REDIS
from .simulation import Model, at_random

BUSY = 0.6
"""Of a core at most: from here on times rise steeply (the last table)."""
SPARE = 1.5
"""As many workers as are needed, so that one in three may be away."""
REST_MIB = 40
"""Of a worker that has nothing to do."""
STATE_KIB = 4
"""Of a project in Redis, most often (docs/operations.md: 2 to 8)."""
SLOTS = 64
"""That projects share in a cluster (docs/redis.md): so many shards at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What has to be served. The defaults are the case of docs/capacity.md."""

    projects: int = 1_000_000
    instances: int = 10_000_000
    viewers: int = 100_000
    interval: float = 30.0
    """Seconds between two heartbeats of an instance."""
    errors_per_minute: float = 1.0
    """Of a project, on the mean."""
    steps_per_hour: float = 5.0
    """Transitions and news of a project that somebody watches: it is being set up."""
    written_every: float = 30.0
    """Seconds after which last seen and counts of a project are written."""
    beat_bytes: int = 450
    """A heartbeat on the wire: request, answer and their packets' headers."""
    error_bytes: int = 3_600
    frame_bytes: int = 1_300
    shown_every: float = 5.0
    """Seconds between two frames of a viewer whose project is alive: what was last seen, or that nothing is new."""
    core_month: float = 15.0
    """Euro for a core with 4 GiB, a month."""
    gigabyte_out: float = 0.01
    """Euro."""

    @property
    def beats(self) -> float:
        """A second."""
        return self.instances / self.interval

    @property
    def errors(self) -> float:
        """A second."""
        return self.projects * self.errors_per_minute / 60

    @property
    def steps(self) -> float:
        """A second."""
        return self.viewers * self.steps_per_hour / 3600

    @property
    def writes(self) -> float:
        """A second, of what can wait: each project's by one worker, where a proxy sends it to the same one."""
        return self.projects / self.written_every


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Constants of one core.

    Args:
        beat: µs of a worker for a known heartbeat.
        error: µs of a worker for an error.
        first: µs of a worker for a transition; a write of what can wait costs less.
        first_redis: the same of Redis.
        viewer: KiB of a viewer.
        idle: µs of a worker for each viewer who waits, a second.
        project: bytes of a known project in a worker.
        write: µs until the next viewer of a push has it.
    """

    beat: float
    error: float
    first: float
    first_redis: float
    viewer: float
    idle: float
    project: float
    write: float


def measured(figures: Iterable[Figure]) -> Measured:
    """From a run. Raises `KeyError` where it did not measure all of it."""
    by = {(figure.row, figure.subject, figure.what, figure.unit): figure.median for figure in figures}
    return Measured(
        beat=by["heartbeat", REDIS, "server", "µs"],
        error=by["envelope", REDIS, "server", "µs"],
        first=by["first-signal", REDIS, "server", "µs"],
        first_redis=by["first-signal", REDIS, "Redis", "µs"],
        viewer=by["viewers", REDIS, "memory", "KiB"],
        idle=1e4 * by["viewers", REDIS, "idle", "% of a core"] / by["viewers", REDIS, "watching", "viewers"],
        project=by["projects", EMBEDDED, "kept of each", "bytes"],
        write=by["one-to-many", REDIS, "last", "ms"],  # for a thousand viewers: ms are µs for each
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One step of the arithmetic, as a row of a table."""

    what: str
    how: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"| {self.what} | {self.how} | {number(self.value)} {self.unit} |"


def product(what: str, rate: float, each: float) -> Line:
    """Cores, from how often something happens and how many µs it takes."""
    return Line(what, f"{number(rate)}/s × {number(each)} µs", rate * each / 1e6, "cores")


def total(what: str, lines: Sequence[Line], factor: float, how: str) -> Line:
    """Of some lines, so many times, as a whole number."""
    return Line(what, how, math.ceil(sum(line.value for line in lines) * factor), "")


def worker_lines(demand: Demand, constants: Measured) -> list[Line]:
    """Cores of workers, and how many workers that is."""
    lines = [
        product("heartbeats", demand.beats, constants.beat),
        product("errors", demand.errors, constants.error),
        product("transitions and news", demand.steps, constants.first),
        product("writes of what can wait, at most", demand.writes, constants.first),
        product("frames to viewers", demand.viewers / demand.shown_every, constants.write),
        product("viewers who wait", demand.viewers, constants.idle),
    ]
    return [*lines, total("**workers**", lines, SPARE / BUSY, f"the sum ÷ {BUSY} × {SPARE}")]


def redis_lines(demand: Demand, constants: Measured) -> list[Line]:
    """Cores of Redis, and how many shards that is."""
    lines = [
        product("transitions and news", demand.steps, constants.first_redis),
        product("writes of what can wait, at most", demand.writes, constants.first_redis),
    ]
    memory = Line("memory", f"{number(demand.projects)} × {STATE_KIB} KiB", demand.projects * STATE_KIB / 2**20, "GiB")
    return [*lines, total("**shards**", lines, 1 / BUSY, f"the sum ÷ {BUSY}; {SLOTS} at most"), memory]


def memory_lines(demand: Demand, constants: Measured, workers: float) -> list[Line]:
    """MiB of one worker."""
    parts = (
        ("projects", demand.projects / workers, constants.project, "B", 2**20),
        ("viewers", demand.viewers / workers, constants.viewer, "KiB", 1024),
    )
    lines = [
        Line(name, f"{number(count)} × {number(each)} {unit}", count * each / in_mib, "MiB")
        for name, count, each, unit, in_mib in parts
    ]
    lines.insert(0, Line("at rest", "", REST_MIB, "MiB"))
    return [*lines, Line("**a worker**", "the sum", sum(line.value for line in lines), "MiB")]


def wire_lines(demand: Demand) -> list[Line]:
    """Megabits a second."""
    parts = (
        ("heartbeats", demand.beats, demand.beat_bytes),
        ("errors", demand.errors, demand.error_bytes),
        ("frames to viewers, out", demand.viewers / demand.shown_every, demand.frame_bytes),
    )
    return [Line(name, f"{number(rate)}/s × {size} B", rate * size * 8 / 1e6, "Mbit/s") for name, rate, size in parts]


def cost_lines(demand: Demand, workers: float, shards: float) -> list[Line]:
    """Euro a month."""
    machines = (workers + 2 * shards) * demand.core_month
    answers = demand.beats * demand.beat_bytes / 3 + demand.errors * 300  # a third of a heartbeat is its answer
    frames = demand.viewers / demand.shown_every * demand.frame_bytes
    gigabytes = (answers + frames) * 30 * 86_400 / 1e9
    return [
        Line("cores", f"({number(workers)} + 2 × {number(shards)}) × {demand.core_month:.0f} €", machines, "€"),
        Line("bytes out", f"{number(gigabytes)} GB × {demand.gigabyte_out} €", gigabytes * demand.gigabyte_out, "€"),
    ]


def waits(constants: Measured) -> list[str]:
    """Times of a heartbeat at some loads, as the simulation has them: work and queue, without the network."""
    model = Model(work=(constants.beat / 1e6,), delay=0)
    lines = ["| load of the worker | p50 | p99 |", "|---|---|---|"]
    for load in (0.3, BUSY, 0.8, 0.9):
        times = at_random(model, load / model.work[0], 50_000, Random(1))
        p50, p99 = (number(1000 * quantile(times, share)) for share in (0.5, 0.99))
        lines.append(f"| {load:.0%} | {p50} ms | {p99} ms |")
    return lines


def document(figures: Sequence[Figure], demand: Demand | None = None) -> str:
    """What stands between the marks of docs/capacity.md. Raises `KeyError` as `measured`."""
    demand, constants = demand or Demand(), measured(figures)
    workers, shards = worker_lines(demand, constants), redis_lines(demand, constants)
    count, parts = workers[-1].value, shards[-2].value
    tables = {
        "Workers": workers,
        "Redis": shards,
        "Memory of a worker": memory_lines(demand, constants, count),
        "On the wire": wire_lines(demand),
        "A month": cost_lines(demand, count, parts),
    }
    text = []
    for title, lines in tables.items():
        text += [f"### {title}", "", "| | | |", "|---|---|---|", *map(str, lines), ""]
    return "\n".join([*text, "### What a heartbeat waits", "", *waits(constants), ""])
