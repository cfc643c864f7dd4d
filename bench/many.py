"""What many projects cost: their heartbeats in turn, what a worker keeps of each, and to make them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from urllib.parse import urlsplit

import uvloop

from server.limits import WriterLimits

from . import requests
from .figures import Figure
from .load import closed, evenly, in_turn, paced
from .making import KEY, SECONDS, put
from .memory import bytes_per_project
from .plan import Plan
from .rates import EMBEDDED, REDIS, Subject
from .servers import Served, firstlight

FEW = 100
WAITING_SECONDS = 35.0
KEPT = 60_000
"""Projects that a worker's memory is filled with, without a server."""
UNWATCHED = 8_000
"""Projects that beat in turn while nobody watches."""


def made(served: Served, first: int, count: int) -> float:
    """Make so many projects; returns the processor's µs for each."""
    answers = put(served, [(str(number), KEY.format(number)) for number in range(first, first + count)])
    return 1e6 * answers.own / count


def beats(served: Served, numbers: Sequence[int]) -> list[bytes]:
    """One heartbeat of each."""
    return [requests.heartbeat(served.host, str(number), KEY.format(number)) for number in numbers]


def projects(plan: Plan) -> Iterator[Figure]:
    """A hundred projects, then all of them, that beat in turn; and what the worker keeps of each."""
    for workers in (0, 1):
        with firstlight(workers) as served:
            yield from making(plan, served)
            yield from beating(plan, served)


def making(plan: Plan, served: Served) -> Iterator[Figure]:
    """The first thousand projects, and the last thousand of all."""
    early = made(served, 1, 1_000)
    made(served, 1_001, plan.projects - 2_000)
    late = made(served, plan.projects - 999, 1_000)
    goal = 1.3 if served.name == EMBEDDED else None
    yield Figure("put", served.name, f"100 → {plan.projects:,} projects", "× as dear", (late / early,), goal)
    yield Figure("put", served.name, "one core", "requests/s", (1e6 / late,))


def beating(plan: Plan, served: Served) -> Iterator[Figure]:
    """Known heartbeats of few and of all; all are known once each has come twice."""
    few = Subject(served, in_turn(beats(served, range(1, FEW + 1))))
    everything = beats(served, range(FEW + 1, plan.projects + 1))
    one_pass(served, few.requests, 2 * FEW)
    for _ in range(2):
        one_pass(served, iter(everything), len(everything))
    many = Subject(served, in_turn(everything))
    for _ in range(plan.rounds):
        few.round(plan.requests)
        many.round(plan.requests)
    ratios = tuple(more / less for more, less in zip(many.own, few.own, strict=True))
    yield Figure("projects", served.name, f"{FEW} → {plan.projects:,} in turn", "× as dear", ratios, 1.3)
    if served.name == EMBEDDED:
        yield Figure("projects", served.name, "kept of each", "bytes", (bytes_per_project(projects=KEPT),), 400.0)


def one_pass(served: Served, left: Iterator[bytes], count: int) -> None:
    """Send each once."""
    answers = uvloop.run(closed(served, islice(left, count), SECONDS, 128))
    if answers.accepted < count:
        raise RuntimeError(f"{served.name}: {answers.accepted} of {count} heartbeats accepted: {answers.last!r}")


def unwatched(plan: Plan) -> Iterator[Figure]:
    """What 8,000 known projects cost Redis that beat in turn, nobody watching, beside one that beats alone."""
    count = min(UNWATCHED, plan.projects)
    with firstlight(1) as served:
        made(served, 1, count)
        everything = beats(served, range(1, count + 1))
        if plan.full:
            time.sleep(WriterLimits().learning_seconds)  # until then it takes all of them for looked at
        for _ in range(2):
            one_pass(served, iter(everything), count)
        hot, cold = Subject(served, in_turn(everything[:1])), Subject(served, in_turn(everything))
        for _ in range(plan.rounds):
            hot.round(plan.requests)
            cold.round(count)
        ratio = tuple(slow / fast for slow, fast in zip(cold.own, hot.own, strict=True))
        if plan.full:
            yield Figure("unwatched", REDIS, "each heartbeat", "scripts", (scripts_of_each(served, everything),), 0.05)
        yield Figure("unwatched", REDIS, "to the hot path", "× as dear", ratio, 1.2)
        yield Figure("unwatched", REDIS, "Redis", "µs", tuple(cold.redis))


def scripts_of_each(served: Served, everything: Sequence[bytes]) -> float:
    """Scripts for each heartbeat, where each project sends one a second, for longer than what can wait may wait."""
    before, rate = scripts(served), float(len(everything))
    answers = uvloop.run(paced(served, in_turn(everything), evenly(rate), WAITING_SECONDS))
    return (scripts(served) - before) / max(1, answers.accepted)


def scripts(served: Served) -> int:
    """How many scripts its Redis has run."""
    assert served.redis
    port = str(urlsplit(served.redis.url).port)
    told = subprocess.run(
        ["redis-cli", "-p", port, "info", "commandstats"], capture_output=True, text=True, timeout=10, check=True
    )
    lines = [line for line in told.stdout.splitlines() if line.startswith(("cmdstat_evalsha:", "cmdstat_fcall:"))]
    return sum(int(line.partition("calls=")[2].split(",")[0]) for line in lines)
