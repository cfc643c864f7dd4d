"""How many requests a server answers with one core of its own, and one for its Redis.

What counts is the processor time that a request costs the server and its Redis, not how fast answers came: that also
depends on whoever asks, who shares a core with Redis. The rate is what the slower of the two could do alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import uvloop

from . import requests
from .figures import Figure
from .load import Answers, closed, in_turn
from .making import make
from .peers import servers as peers
from .plan import Plan
from .servers import Served, bare, firstlight, name_of

SECONDS = 3.0
"""How long a round may take."""
CONNECTIONS = 128
"""Each from an address of its own, since Firstlight takes 2,000 requests a second of one."""
SLOW = 800
"""Requests that are made for a round of a slow server; it answers fewer."""
PROJECTS = 100
"""That errors are spread over: a project may send 200 a second for long."""
BARE = "bare ASGI function"
EMBEDDED, REDIS = name_of(0), name_of(1)
T = TypeVar("T")


@dataclass(slots=True)
class Subject:
    """A server, what it is sent, and what that costs: one value for each round.

    Args:
        served: the server.
        requests: what it is sent, in turn.
        accepts: whether it should accept them.
        connections: at the same time.
        seconds: that a round may take.
        own: µs of processor time of the server for each request.
        redis: the same of its Redis.
        answered: requests per second, as they came.
    """

    served: Served
    requests: Iterator[bytes]
    accepts: bool = True
    connections: int = CONNECTIONS
    seconds: float = SECONDS
    own: list[float] = field(default_factory=list)
    redis: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    @property
    def rates(self) -> tuple[float, ...]:
        """Requests per second of the slower core."""
        return tuple(1e6 / max(own, redis, 1e-3) for own, redis in zip(self.own, self.redis, strict=True))

    def round(self, count: int) -> None:
        """Send some. Raises `RuntimeError` where an answer is not as it should be."""
        batch = list(islice(self.requests, count if self.seconds == SECONDS else SLOW))
        answers = uvloop.run(closed(self.served, batch, self.seconds, self.connections))
        self._check(answers)
        self.own.append(1e6 * answers.own / answers.count)
        self.redis.append(1e6 * answers.redis / answers.count)
        self.answered.append(answers.count / answers.seconds)

    def _check(self, answers: Answers) -> None:
        wrong = answers.count - answers.accepted if self.accepts else answers.accepted
        if wrong or not answers.count:
            told = f"{wrong} of {answers.count} answers are not as they should be: {answers.last!r}"
            raise RuntimeError(f"{self.served.name}: {told}")

    def warm(self) -> None:
        """Forget the first round."""
        for values in (self.own, self.redis, self.answered):
            values.clear()


def rounds(plan: Plan, subjects: Sequence[Subject], count: int) -> None:
    """All in turn, several times; the first round warms up."""
    for number in range(plan.rounds + 1):
        for subject in subjects:
            subject.round(count)
            if not number:
                subject.warm()


def heartbeats(plan: Plan) -> Iterator[Figure]:
    """A heartbeat of a project that has sent one before."""
    with ExitStack() as stack:
        subjects = ours(stack, lambda served: in_turn([requests.heartbeat(served.host, *make(served, 1)[0])]))
        rounds(plan, subjects, plan.requests)
        yield from against_bare("heartbeat", subjects, {EMBEDDED: 1.5, REDIS: 1.5})


def wrong_keys(plan: Plan) -> Iterator[Figure]:
    """A heartbeat with a key that the project does not have. A process answers 20,000 of them at once, then fewer."""
    with ExitStack() as stack:
        subjects = ours(
            stack, lambda served: in_turn([requests.heartbeat(served.host, make(served, 1)[0][0], "f" * 32)])
        )
        for subject in subjects[1:]:
            subject.accepts = False
        rounds(plan, subjects, min(plan.requests, 18_000 // (plan.rounds + 1)))
        yield from against_bare("wrong-key", subjects, {EMBEDDED: 0.7, REDIS: 0.7})


def with_wrong_key(served: Served) -> bytes:
    """To a new project."""
    (project, _), *_ = make(served, 1)
    return requests.heartbeat(served.host, project, "f" * 32)


def first_signals(plan: Plan) -> Iterator[Figure]:
    """The first heartbeat of a project: as many projects as requests."""
    count = plan.requests // 4
    with ExitStack() as stack:
        subjects = ours(stack, lambda served: iter(firsts(served, (plan.rounds + 1) * count)))
        rounds(plan, subjects, count)
        yield from against_bare("first-signal", subjects, {EMBEDDED: 0.5, REDIS: 0.3})


def firsts(served: Served, count: int) -> list[bytes]:
    """One heartbeat of each of so many new projects."""
    return [requests.heartbeat(served.host, *named) for named in make(served, count)]


def envelopes(plan: Plan) -> Iterator[Figure]:
    """An error with its frames and modules, each with an id of its own, of some projects in turn; also by the peers."""
    with ExitStack() as stack:
        subjects = ours(stack, lambda served: errors(served, make(served, PROJECTS)))
        subjects += list(error_trackers(stack, plan.slow_seconds))
        rounds(plan, subjects, plan.requests // 2)
        yield from against_bare("envelope", subjects, {EMBEDDED: 0.5, REDIS: 0.5})
        yield from against_peers("envelope", subjects[1:3], subjects[3:], 60)


def errors(served: Served, projects: Sequence[tuple[str, str]], target: str = "/api/{}/envelope/") -> Iterator[bytes]:
    """Envelopes without an end."""
    number = 0
    while True:
        for name, key in projects:
            number += 1
            yield requests.envelope(target.format(name), served.host, key, number)


def error_trackers(stack: ExitStack, seconds: float) -> Iterator[Subject]:
    """Those that are installed. Few connections: what waits for a slow server only makes its rounds longer."""
    if spotlight := entered(stack, peers.spotlight()):
        yield Subject(spotlight, errors(spotlight, [("1", "0" * 32)], "/stream"), connections=8, seconds=seconds)
    for eager in (False, True):
        if found := entered(stack, peers.bugsink(eager)):
            bugsink, key = found
            yield Subject(bugsink, errors(bugsink, [("1", key)]), connections=4, seconds=seconds)


def publishing(plan: Plan) -> Iterator[Figure]:
    """A POST of what nobody watches yet, to a hundred channels in turn, with Redis behind all of them."""
    with ExitStack() as stack:
        served = stack.enter_context(firstlight(workers=1))
        names = make(served, PROJECTS)
        mine = Subject(served, in_turn([requests.heartbeat(served.host, *name) for name in names]))
        others = list(publishers(stack))
        rounds(plan, [mine, *others], plan.requests)
        for subject in (mine, *others):
            yield from costs("publish", subject)
        yield from against_peers("publish", [mine], others, 2)


def publishers(stack: ExitStack) -> Iterator[Subject]:
    """Those that are installed; a message is as long as a heartbeat."""
    for peer in (peers.nchan(), peers.nchan("nostore"), peers.socketio()):
        if served := entered(stack, peer):
            channels = range(PROJECTS)
            messages = [requests.request(f"/pub/c{name}", served.host, requests.HEARTBEAT) for name in channels]
            yield Subject(served, in_turn(messages))


def entered(stack: ExitStack, peer: AbstractContextManager[T]) -> T | None:
    """A peer that is up, or None where it could not be installed."""
    with suppress(LookupError):
        return stack.enter_context(peer)
    return None


def ours(stack: ExitStack, requests_of: Callable[[Served], Iterator[bytes]]) -> list[Subject]:
    """The yardstick, and both stores."""
    servers = [stack.enter_context(server) for server in (bare(), firstlight(), firstlight(workers=1))]
    return [Subject(served, requests_of(served)) for served in servers]


def against_bare(row: str, subjects: Sequence[Subject], goals: dict[str, float]) -> Iterator[Figure]:
    """Rates, and their ratio to the yardstick in the same round."""
    for subject in subjects:
        name = subject.served.name
        if name in goals:
            ratios = tuple(rate / of for rate, of in zip(subject.rates, subjects[0].rates, strict=True))
            yield Figure(row, name, "ratio", "× bare", ratios, goals[name])
        yield from costs(row, subject)


def costs(row: str, subject: Subject) -> Iterator[Figure]:
    """The rate, and what it is made of."""
    name = subject.served.name
    yield Figure(row, name, "one core", "requests/s", subject.rates)
    yield Figure(row, name, "server", "µs", tuple(subject.own))
    if subject.served.redis:
        yield Figure(row, name, "Redis", "µs", tuple(subject.redis))


def against_peers(row: str, mine: Sequence[Subject], others: Sequence[Subject], goal: float) -> Iterator[Figure]:
    """Our rate over that of each peer, in the same round."""
    for subject in mine:
        for peer in others:
            ratios = tuple(rate / of for rate, of in zip(subject.rates, peer.rates, strict=True))
            yield Figure(row, subject.served.name, f"to {peer.served.name}", "× peer", ratios, goal)
