"""From a request to the frame that shows it: how long that takes, for one viewer and for a thousand."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from time import perf_counter

import uvloop

from . import requests
from .figures import Figure, quantile
from .load import Answers, Connection, closed, connected, evenly, in_turn, paced
from .making import make
from .peers import servers as peers
from .plan import Plan
from .rates import REDIS, entered
from .servers import Served, firstlight, free_port, post, process
from .watching import FIRSTLIGHT, NCHAN, SOCKETIO, Viewer, Way, crowd, join, leave

RATE = 200.0
"""Requests a second whose time is taken."""
ROUNDS = 3
"""Of them, at most: each takes seconds."""
WATCHING = 1_000
"""Viewers of one project that a change goes to."""
CROWD, OTHERS, OWN = 0.85, 0.8, 0.4
"""Of the plan's viewers: so many watch; so many heartbeats a second come of other projects, or of those watched."""
EACH = 500
"""Viewers of one project, in a crowd."""
LATE_SECONDS = 10.0
"""What has not come by then, will not."""
RAW = "raw loop of writes"
MESSAGE = b'{"type":"snapshot","stage":"connected","padding":"' + b"x" * 950 + b'"}'
"""As long as a snapshot of Firstlight."""

Names = tuple[str, ...]
Step = tuple[bytes, bytes]
"""A request, and what the state holds that shows it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A server that pushes.

    Args:
        served: the server.
        way: how one watches it.
        channels: makes so many channels that have a state, and names them.
        steps: requests of a channel that each cause a push.
        again: makes it possible to take the steps once more.
    """

    served: Served
    way: Way
    channels: Callable[[int], Sequence[Names]]
    steps: Callable[[Names], list[Step]]
    again: Callable[[Names], object] = id


def of_firstlight(served: Served) -> Stage:
    """A project's first heartbeat, and its first error; a reset makes them first again."""

    def steps(named: Names) -> list[Step]:
        beat, error = requests.heartbeat(served.host, *named), requests.small_error(served.host, *named)
        return [(beat, b'"stage":"connected"'), (error, b'"stage":"first_error_received"')]

    def again(named: Names) -> object:
        return post(f"{served.url}/projects/{named[0]}/reset", {})

    return Stage(served, FIRSTLIGHT, lambda count: make(served, count), steps, again)


def of_channels(served: Served, way: Way) -> Stage:
    """A message, and one more."""
    numbers = itertools.count()

    def publish(name: str) -> bytes:
        return requests.request(f"/pub/{name}", served.host, MESSAGE)

    def channels(count: int) -> list[Names]:
        names = [f"c{number}" for number in itertools.islice(numbers, count)]
        for name in names:
            publish_now(served, publish(name))
        return [(name,) for name in names]

    return Stage(served, way, channels, lambda named: [(publish(named[0]), way.state)] * 2)


def publish_now(served: Served, request: bytes) -> None:
    """Send one request, and wait for its answer."""
    with socket.create_connection(("127.0.0.1", served.port), LATE_SECONDS) as connection:
        connection.sendall(request)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 2")


def peer_stages(stack: ExitStack, every: bool) -> Iterator[Stage]:
    """Those that are installed: nchan, and the others too, if wanted."""
    if served := entered(stack, peers.nchan()):
        yield of_channels(served, NCHAN)
    if every and (served := entered(stack, peers.socketio())):
        yield of_channels(served, SOCKETIO)


def latency(plan: Plan) -> Iterator[Figure]:
    """200 requests a second, each to a viewer of its own, with nothing else to do."""
    with ExitStack() as stack:
        stages = [of_firstlight(stack.enter_context(firstlight(workers))) for workers in plan.workers]
        stages += peer_stages(stack, plan.full)
        times: dict[str, list[list[float]]] = {stage.served.name: [] for stage in stages}
        for _, stage in itertools.product(range(min(plan.rounds, ROUNDS) + 1), stages):
            times[stage.served.name].append(measure(stage, plan.samples // 2))
        for name, each in times.items():
            yield from of_times("latency", name, each[1:], (0.7, 1.5) if name == REDIS else (None, None))


def busy(plan: Plan) -> Iterator[Figure]:
    """The same with a crowd that waits, and heartbeats of known projects that nobody watches."""
    yield from under_load("latency-busy", plan, OTHERS, (None, 2.0))


def watched(plan: Plan) -> Iterator[Figure]:
    """The same with a crowd, and heartbeats of the projects that it watches."""
    yield from under_load("latency-watched", plan, OWN, (None, 5.0))


def under_load(row: str, plan: Plan, share: float, goals: tuple[float | None, float | None]) -> Iterator[Figure]:
    """Times while other requests come; all of those have to be answered."""
    with ExitStack() as stack:
        stages = [of_firstlight(stack.enter_context(firstlight(workers))) for workers in plan.workers if workers]
        if plan.full and share == OTHERS:  # nchan pushes each message, which is not the work that is done for `OWN`
            stages += peer_stages(stack, every=False)
        for stage in stages:
            own = share == OWN
            times, answered = beside_load(stage, plan, own, share * plan.viewers)
            is_ours = stage.served.name == REDIS
            yield from of_times(row, stage.served.name, [times], goals if is_ours else (None, None))
            yield Figure(row, stage.served.name, "of the load", "% answered", (answered,), 99.5 if is_ours else None)


def beside_load(stage: Stage, plan: Plan, own: bool, rate: float) -> tuple[list[float], float]:
    """Milliseconds of each push, and how many of the other requests were answered, in percent."""
    watching = stage.channels(int(plan.viewers * CROWD) // EACH)
    others = watching if own else stage.channels(int(plan.viewers * 0.1))
    channels = [named[0] for named, _ in itertools.product(watching, range(EACH))]
    beats = [stage.steps(named)[0][0] for named in others]
    uvloop.run(closed(stage.served, beats, LATE_SECONDS))  # from now on they are known
    samples = int(RATE * plan.seconds)
    with crowd(stage.served, stage.way, channels), load(stage.served, beats, rate, plan.seconds + 2) as answers:
        times = measure(stage, samples)
        return times, 100 * answers().accepted / (rate * (plan.seconds + 2))


def measure(stage: Stage, samples: int) -> list[float]:
    """Milliseconds from a request to its frame, of so many."""
    named = stage.channels(samples // 2)
    return [1000 * seconds for seconds in uvloop.run(timed(stage, named))]


async def timed(stage: Stage, named: Sequence[Names]) -> list[float]:
    """Seconds of each request of the first step, then of the second."""
    viewers = await join(stage.served, stage.way, [names[0] for names in named])
    connections = await connected(stage.served, 64, lambda *_: None)
    steps = zip(*(stage.steps(names) for names in named), strict=True)
    times = [await one_each(viewers, connections, step, stage.served.name) for step in steps]
    leave(viewers)
    return [seconds for each in times for seconds in each]


async def one_each(
    viewers: Sequence[Viewer], connections: Sequence[Connection], steps: Sequence[Step], name: str
) -> list[float]:
    """Seconds until each viewer has what its request changes. Raises `TimeoutError` where one never has."""
    times: list[float] = []
    due, sending = perf_counter(), itertools.cycle(connections)
    for viewer, (request, word) in zip(viewers, steps, strict=True):
        due += 1 / RATE
        await asyncio.sleep(due - perf_counter())

        def found(_: Viewer, began: float = perf_counter()) -> None:
            times.append(perf_counter() - began)

        viewer.looks_for, viewer.found = word, found
        next(sending).send(request)
    until = perf_counter() + LATE_SECONDS
    while len(times) < len(viewers):
        if perf_counter() > until:
            raise TimeoutError(f"{name}: {len(viewers) - len(times)} of {len(viewers)} frames did not come.")
        await asyncio.sleep(0.01)
    return times


@contextmanager
def load(served: Served, beats: Sequence[bytes], rate: float, seconds: float) -> Iterator[Callable[[], Answers]]:
    """Requests at a rate, from a process of its own; what is yielded waits for its end."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_load, args=(theirs, served, beats, rate, seconds), daemon=True)
    child.start()

    def answers() -> Answers:
        if not ours.poll(seconds + LATE_SECONDS):
            raise TimeoutError(f"{served.name}: the load did not end.")
        found = ours.recv()
        assert isinstance(found, Answers)
        return found

    try:
        if not ours.poll(LATE_SECONDS):
            raise TimeoutError(f"{served.name}: the load did not begin.")
        ours.recv()
        yield answers
    finally:
        child.kill()
        child.join(10)


def _load(pipe: Pipe, served: Served, beats: Sequence[bytes], rate: float, seconds: float) -> None:
    pipe.send("begun")
    pipe.send(uvloop.run(paced(served, in_turn(beats), evenly(rate), seconds)))


def of_times(
    row: str, name: str, rounds: Sequence[Sequence[float]], goals: tuple[float | None, float | None]
) -> Iterator[Figure]:
    """The middle, and what one in a hundred exceeds."""
    for what, share, goal in (("p50", 0.5, goals[0]), ("p99", 0.99, goals[1])):
        yield Figure(row, name, what, "ms", tuple(quantile(times, share) for times in rounds), goal)


def one_to_many(plan: Plan) -> Iterator[Figure]:
    """One change to a thousand viewers of a project: until the last has it, beside a raw loop of writes."""
    with ExitStack() as stack:
        port = free_port()
        command = [sys.executable, "-m", "bench.rawloop", str(port)]
        raw = of_channels(stack.enter_context(process(RAW, command, {}, port)), NCHAN)
        stages = [raw, *(of_firstlight(stack.enter_context(firstlight(workers))) for workers in plan.workers)]
        times: dict[str, list[float]] = {}
        for stage in [*stages, *peer_stages(stack, plan.full)]:
            times[stage.served.name] = changes(stage, 1 + plan.rounds)
        base = quantile(times[RAW], 0.5)
        for name, each in times.items():
            yield Figure("one-to-many", name, "last", "ms", tuple(each), 11.0 if name == REDIS else None)
            if name == REDIS:
                yield Figure("one-to-many", name, "last", "× raw loop", tuple(one / base for one in each), 1.2)


def changes(stage: Stage, count: int) -> list[float]:
    """Milliseconds until the last of all viewers has a change; twice as many changes."""
    return [1000 * seconds for seconds in uvloop.run(pushes(stage, stage.channels(1)[0], count))]


async def pushes(stage: Stage, named: Names, count: int) -> list[float]:
    """Seconds of each change."""
    viewers = await join(stage.served, stage.way, [named[0]] * WATCHING)
    connections = await connected(stage.served, 1, lambda *_: None)
    times = []
    for _ in range(count):
        for request, word in stage.steps(named):
            times.append(await push(viewers, connections[0], request, word))
        await asyncio.to_thread(stage.again, named)
        await asyncio.sleep(0.3)  # what a reset pushes
    leave(viewers)
    return times


async def push(viewers: Sequence[Viewer], connection: Connection, request: bytes, word: bytes) -> float:
    """Seconds until all viewers have what a request changes."""
    left, done = len(viewers), asyncio.Event()

    def found(_: Viewer) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    for viewer in viewers:
        viewer.looks_for, viewer.found = word, found
    began = perf_counter()
    connection.send(request)
    async with asyncio.timeout(LATE_SECONDS):
        await done.wait()
    return perf_counter() - began
