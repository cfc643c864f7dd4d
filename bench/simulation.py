"""A discrete-event simulation of requests, workers and pushes: what a queue does to times when there is more of all.

The model. A *station* (a worker's core, Redis' core) does one thing at a time, in the order in which things came; each
takes the processor time that was measured. Between stations a request is *on its way* (kernel, wake-up, the client's
own work): a delay that keeps nobody else waiting. So a request is

    on its way → worker: `work` → (Redis: `store` → worker: `commit`) → on its way

A core that has nothing to do sleeps, and whatever comes next waits until it is *awake*, one of the times that were
measured. And it costs more than what comes behind others: a turn of the event loop is made for it *alone*, where many
share one. Now and then the machine takes the core away: *interruptions* come at random, as often and as long as were
measured while one request after the other was served, and whatever waits then waits for them as well.

Requests come at random (a Poisson process: many senders who know nothing of each other), or each connection sends the
next when the last is answered. A push writes to viewers one after the other, and after every `TURN` of them whatever
else waits has a turn.

A process is a generator: it yields a station and seconds, for work there, or None and seconds, to let time pass.
Nothing reads a clock; all chance comes from the generator that is passed, so the same seed gives the same times.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from random import Random

TURN = 64
"""Viewers that are written to before others have a turn (`server/engine`)."""


class Station:
    """Does one thing at a time, first come, first served.

    Args:
        waking: gives the seconds until it begins with what comes while it has nothing to do.
        alone: seconds that this takes more than what comes behind others.
    """

    def __init__(self, waking: Callable[[], float] = lambda: 0.0, alone: float = 0.0) -> None:
        self.waking = waking
        self.alone = alone
        self.waiting: deque[tuple[Process, float]] = deque()
        self.is_busy = False
        self.worked = 0.0


Process = Generator[tuple[Station | None, float], None, None]


class Simulation:
    """Time that jumps from one event to the next.

    Args:
        now: seconds since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()  # what is due at the same time happens in the order in which it was planned
        self._due: list[tuple[float, int, Process, Station | None]] = []

    def start(self, process: Process) -> None:
        """Begin something at this time."""
        following = next(process, None)
        if following is None:
            return
        station, seconds = following
        if station is None:
            self._plan(seconds, process, None)
        else:
            station.waiting.append((process, seconds))
            if not station.is_busy:
                self._begin(station, station.waking(), station.alone)

    def run(self, until: float = float("inf")) -> None:
        """Go on until nothing is due, or until a time."""
        while self._due and self._due[0][0] <= until:
            self.step()

    def step(self) -> None:
        """One event. Raises `IndexError` where nothing is due."""
        self.now, _, process, station = heapq.heappop(self._due)
        if station is not None:
            station.is_busy = False
            if station.waiting:
                self._begin(station)
        self.start(process)

    def _begin(self, station: Station, waking: float = 0.0, more: float = 0.0) -> None:
        process, seconds = station.waiting.popleft()
        station.is_busy = True
        station.worked += seconds + more
        self._plan(waking + seconds + more, process, station)

    def _plan(self, seconds: float, process: Process, station: Station | None) -> None:
        heapq.heappush(self._due, (self.now + seconds, next(self._order), process, station))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What was measured of one kind of request, in seconds.

    Args:
        work: of the worker's core, one of these for each request.
        delay: that it is on its way, there and back.
        alone: of the worker's core, more for what comes while it has nothing to do.
        waking: until the worker's core is awake, where it had nothing to do; one of these each time.
        interruptions: how long the core is taken away, one of these each time.
        interrupted: how often a second.
        store: of Redis' core; 0 where nothing is written at once.
        commit: of the worker's core, once Redis has answered.
    """

    work: tuple[float, ...]
    delay: float
    alone: float = 0.0
    waking: tuple[float, ...] = ()
    interruptions: tuple[float, ...] = ()
    interrupted: float = 0.0
    store: float = 0.0
    commit: float = 0.0


def core_of(model: Model, chance: Random) -> Station:
    """The worker's core."""
    return Station(lambda: chance.choice(model.waking) if model.waking else 0.0, model.alone)


def request(simulation: Simulation, worker: Station, redis: Station, model: Model, chance: Random) -> Process:
    """From the first byte to the answer."""
    yield None, model.delay
    yield worker, chance.choice(model.work)
    if model.store:
        yield redis, model.store
        yield worker, model.commit


def interruptions(simulation: Simulation, worker: Station, model: Model, chance: Random) -> Process:
    """The core is taken away, for ever again."""

    def taken() -> Process:
        yield worker, chance.choice(model.interruptions)

    while model.interruptions:
        yield None, chance.expovariate(model.interrupted)
        simulation.start(taken())


def at_random(model: Model, rate: float, count: int, chance: Random) -> list[float]:
    """Seconds of so many requests that come at random, so many a second."""
    simulation, worker, redis = Simulation(), core_of(model, chance), Station()
    times: list[float] = []

    def timed() -> Process:
        began = simulation.now
        yield from request(simulation, worker, redis, model, chance)
        times.append(simulation.now - began)

    def arrivals() -> Process:
        for _ in range(count):
            yield None, chance.expovariate(rate)
            simulation.start(timed())

    simulation.start(interruptions(simulation, worker, model, chance))
    simulation.start(arrivals())
    while len(times) < count:
        simulation.step()
    return times


def in_a_loop(model: Model, connections: int, seconds: float, chance: Random) -> float:
    """Requests a second of connections that each send the next when the last is answered."""
    simulation, worker, redis = Simulation(), core_of(model, chance), Station()
    answered = itertools.count()

    def connection() -> Process:
        while True:
            yield from request(simulation, worker, redis, model, chance)
            next(answered)

    simulation.start(interruptions(simulation, worker, model, chance))
    for _ in range(connections):
        simulation.start(connection())
    simulation.run(seconds)
    return next(answered) / seconds


def push(viewers: int, each: float, model: Model) -> float:
    """Seconds until the last of so many viewers has a change, each write taking `each` of the worker's core."""
    simulation, worker = Simulation(), Station()

    def change() -> Process:
        yield None, model.delay
        yield worker, model.work[0]
        for turn in turns(viewers):
            yield worker, turn * each

    simulation.start(change())
    simulation.run()
    return simulation.now


def turns(viewers: int) -> Iterator[int]:
    """How many are written to in each turn."""
    for begun in range(0, viewers, TURN):
        yield min(TURN, viewers - begun)
