"""A load generator that costs less than what it measures: raw protocols, one request in flight per connection.

Each connection has an address of its own, since a server may bound what one may take. `closed` sends the next request
as soon as the last is answered; `paced` sends at times that do not wait for answers, and measures from those times, so
that a server that stands still does not hide it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import cast

from . import machine
from .servers import Served

CONNECTIONS = 32
SETTLING_SECONDS = 0.1
"""Until a server has taken the connections that stand in its queue."""
STRAGGLING_SECONDS = 20.0
"""How long answers may take beyond the time of a load."""


@dataclass(slots=True)
class Answers:
    """What came back.

    Args:
        count: answers in all.
        accepted: those with a status of 2xx.
        seconds: from the first request to the last answer.
        times: seconds of each, where requests were paced.
        own: seconds of processor time of the server, from when all connections stood.
        redis: the same of its Redis.
        last: the beginning of the last that was not accepted.
    """

    count: int = 0
    accepted: int = 0
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    own: float = 0.0
    redis: float = 0.0
    last: bytes = b""


class Connection(asyncio.Protocol):
    """One connection with one request in flight; it is opened anew where the server ends it after an answer.

    Args:
        port: of the server.
        own: the address that it comes from.
        answered: is told of each whole answer.
    """

    def __init__(self, port: int, own: str, answered: Callable[[Connection, bytes], None]) -> None:
        self._to = port
        self._from = own
        self._answered = answered
        self._begun = b""
        self._size = 0
        self._waiting = b""
        self._opening: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def open(self) -> None:
        """Connect, and send what waits for that."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._to, local_addr=(self._from, 0))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what waits."""
        self._transport = cast(asyncio.Transport, transport)
        if self._waiting:
            self._transport.write(self._waiting)
            self._waiting = b""

    def send(self, data: bytes) -> None:
        """Send a request."""
        if self._transport:
            self._transport.write(data)
        else:
            self._waiting = data

    def data_received(self, data: bytes) -> None:
        """An answer, most often whole and as long as the last one, else in parts."""
        if self._begun or len(data) != self._size:
            self._begun += data
            if not is_whole(self._begun):
                return
            data, self._begun = self._begun, b""
            self._size = len(data)
        if b"onnection: close" in data:
            self.leave()
            self._opening = asyncio.ensure_future(self.open())
        self._answered(self, data)

    def leave(self) -> None:
        """Close it."""
        if self._transport:
            self._transport.abort()
        self._transport = None


def is_whole(data: bytes) -> bool:
    """Whether this is all of an answer: by its length, or by the last chunk."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    head = head.lower()
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    _, found, rest = head.partition(b"content-length:")
    return not found or len(body) >= int(rest.split(b"\r\n", 1)[0])


async def connected(
    served: Served, count: int, answered: Callable[[Connection, bytes], None], settle: bool = True
) -> list[Connection]:
    """Open connections, each from an address of its own."""
    made = [Connection(served.port, f"127.1.0.{number % 250 + 1}", answered) for number in range(count)]
    for connection in made:
        await connection.open()
    if settle:
        await asyncio.sleep(SETTLING_SECONDS)
    return made


def processor_of(served: Served) -> tuple[float, float]:
    """Seconds that a server and its Redis have computed."""
    return machine.processor(served.pid), machine.processor(served.redis.pid) if served.redis else 0.0


async def closed(served: Served, requests: Iterable[bytes], seconds: float, connections: int = CONNECTIONS) -> Answers:
    """Send until the requests or the time are at an end; what is on its way by then is waited for."""
    answers, left = Answers(), iter(requests)
    done, flying, until = asyncio.Event(), 0, 0.0

    def answered(connection: Connection, data: bytes) -> None:
        nonlocal flying
        _count(answers, data)
        flying -= 1
        begin(connection)

    def begin(connection: Connection) -> None:
        nonlocal flying
        following = next(left, None) if perf_counter() < until else None
        if following is not None:
            flying += 1
            connection.send(following)
        elif not flying:
            done.set()

    made = await connected(served, connections, answered)
    before = processor_of(served)
    began, until = perf_counter(), perf_counter() + seconds
    for connection in made:
        begin(connection)
    async with asyncio.timeout(seconds + STRAGGLING_SECONDS):
        await done.wait()
    answers.seconds = perf_counter() - began
    answers.own, answers.redis = (now - then for now, then in zip(processor_of(served), before, strict=True))
    leave(made)
    return answers


async def paced(
    served: Served,
    requests: Iterator[bytes],
    offsets: Iterator[float],
    seconds: float,
    connections: int = CONNECTIONS,
    exact: bool = False,
) -> Answers:
    """Send at times. What finds no free connection waits for one, and the wait is part of its time.

    Args:
        served: the server.
        requests: in turn.
        offsets: when each is sent, in seconds from the beginning.
        seconds: after which no more are sent.
        connections: at the same time.
        exact: to the microsecond, for the price of a core; else to the millisecond, as the loop's timers are.
    """
    answers = Answers()
    due: deque[tuple[float, bytes]] = deque()
    started: dict[Connection, float] = {}

    def answered(connection: Connection, data: bytes) -> None:
        _count(answers, data)
        answers.times.append(perf_counter() - started.pop(connection))
        free.append(connection)
        flush()

    def flush() -> None:
        while due and free:
            connection = free.pop()
            started[connection], request = due.popleft()
            connection.send(request)

    free = await connected(served, connections, answered)
    made, began, following = list(free), perf_counter(), next(offsets)
    while (now := perf_counter() - began) < seconds:
        while following <= now:
            due.append((began + following, next(requests)))
            following = next(offsets)
        flush()
        await asyncio.sleep(0 if exact else max(0.0005, following - now))
    answers.seconds = perf_counter() - began
    leave(made)
    return answers


def evenly(rate: float) -> Iterator[float]:
    """So many a second, in equal steps."""
    return (number / rate for number in itertools.count(1))


def by_chance(rate: float, chance: Random) -> Iterator[float]:
    """So many a second, each whenever it likes."""
    return itertools.accumulate(chance.expovariate(rate) for _ in itertools.count())


async def alone(served: Served, requests: Iterator[bytes], count: int, pause: float = 0.0) -> list[float]:
    """Seconds of so many requests, one after the other, with a pause between two.

    It does not sleep meanwhile: to wake up would take as long. The server does, where there is a pause.
    """
    times: list[float] = []
    made = await connected(served, 1, lambda *_: times.append(perf_counter() - began))
    async with asyncio.timeout(STRAGGLING_SECONDS):
        for number in range(count):
            request = next(requests)
            began = perf_counter()
            made[0].send(request)
            while len(times) == number or perf_counter() < began + times[-1] + pause:
                await asyncio.sleep(0)
    leave(made)
    return times


def _count(answers: Answers, data: bytes) -> None:
    answers.count += 1
    if data.startswith(b"HTTP/1.1 2"):
        answers.accepted += 1
    else:
        answers.last = data[:200]


def leave(made: Iterable[Connection]) -> None:
    """Close them all."""
    for connection in made:
        connection.leave()


def in_turn(requests: Sequence[bytes]) -> Iterator[bytes]:
    """These, over and over."""
    return itertools.cycle(requests)
