"""The table of what is measured. Each row is one function, which starts its own servers, and one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from . import crowds, generator, many, million, push, rates, simulated, starting
from .figures import Figure
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Args:
        name: for the command.
        title: for people.
        goal: what was set, in words.
        measure: yields the figures.
        seconds: a full run of it may take; a quick one half of that.
        quick: whether it is part of a quick run.
        full: whether it is part of a full one; else it is measured where it is named.
    """

    name: str
    title: str
    goal: str
    measure: Callable[[Plan], Iterator[Figure]]
    seconds: float = 60.0
    quick: bool = True
    full: bool = True


ROWS = (
    Row("generator", "What the load generator itself can do", "more than what it measures", generator.limits),
    Row("heartbeat", "A heartbeat of a known project", "≥ 1.5 × a bare ASGI function", rates.heartbeats),
    Row("envelope", "An error: 15 KB, 3 KB as gzip", "≥ 0.5 × bare, ≥ 60 × each peer", rates.envelopes, 120),
    Row("wrong-key", "A heartbeat with a wrong key", "≥ 0.7 × bare", rates.wrong_keys),
    Row("first-signal", "The first heartbeat of a new project", "≥ 0.5 × bare, 0.3 with Redis", rates.first_signals),
    Row("publish", "A POST to one of a hundred channels, with Redis", "≥ 2 × nchan", rates.publishing),
    Row("start", "Until it serves; memory at rest", "≤ 0.5 s, ≤ 40 MiB", starting.start),
    Row("unwatched", "8,000 known projects in turn, nobody watching", "≤ 0.05 scripts each", many.unwatched, 90),
    Row("latency", "From a request to its frame, idle", "p50 ≤ 0.7 ms, p99 ≤ 1.5 ms", push.latency, 120),
    Row(
        "latency-busy",
        "… with 8,500 viewers, and 8,000 heartbeats/s of other projects",
        "p99 ≤ 2 ms, all answered",
        push.busy,
        150,
    ),
    Row(
        "latency-watched",
        "… with 8,500 viewers, and 4,000 heartbeats/s of their projects",
        "p99 ≤ 5 ms, all answered",
        push.watched,
        150,
    ),
    Row("one-to-many", "One change to 1,000 viewers of a project", "≤ 11 ms, ≤ 1.2 × a raw loop", push.one_to_many, 90),
    Row(
        "viewers",
        "10,000 viewers who wait",
        "≤ 3 KiB each, ≥ 5,000 join a second, ≤ 1 % of a core, collections ≤ 30 ms",
        crowds.idle,
        180,
    ),
    Row(
        "projects",
        "Known projects that beat in turn",
        "50,000 cost ≤ 1.3 × what 100 do, ≤ 400 bytes each; making one costs as much as ever",
        many.projects,
        150,
    ),
    Row(
        "million",
        "A million known projects that beat in turn",
        "≤ 1.3 × what 100 do",
        million.million,
        1200,
        quick=False,
        full=False,
    ),
    Row("silent", "1,000 projects that wait, one viewer each", "≤ 1 % of a core", crowds.silent, 240, quick=False),
    Row("simulation", "The simulation beside the server", "within 20 %", simulated.compared, 90),
    Row("most-viewers", "As many viewers as the limit of files allows", "all of them", crowds.most, 90, quick=False),
)
BY_NAME = {row.name: row for row in ROWS}
