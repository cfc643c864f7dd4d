"""Who owns a connection, and until when. Each is in one state; each state has a deadline, or an owner that ends it.

    state        it ends                        deadline                       and then
    IDLE         with the next request          HttpLimits.idle_seconds        it is closed
    ARRIVING     when the request is whole      HttpLimits.arrival_seconds     it is closed
    ANSWERING    when the answer begins         HttpLimits.answer_seconds      it is cut, and logged
    STREAMING    when the application ends it   none: a reader that stalls is cut (below)
    HANDSHAKE    when it is accepted            SocketLimits.handshake_seconds it is cut, and logged
    KEYLESS      with a token                   the application's (`ViewerLimits.auth_seconds`)
    WATCHING     when the hub ends it           none: as STREAMING
    LINGERING    when the peer has closed       HttpLimits.linger_seconds      it is cut
    CLOSING      when all is sent               ConnectionLimits.stall_seconds it is cut

In every state, who reads nothing for `stall_seconds` while something waits for it is cut. One timer looks at all
connections once a second: a timer for each would be made and cancelled with every request.

When the descriptors run out, connections make room in the order of `SHED`. What finds no room after that may only ask
for health, or as an owner: those have a reserve.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from typing import Any, Protocol

from ..limits import ConnectionLimits, Limits

log = logging.getLogger("firstlight.connections")

FOREVER = float("inf")
RESERVED_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
SHED_SHARE = 50
"""One connection in 50 makes room at a time, so that a flood of newcomers does not search the whole list each time."""

HANDSHAKES = 16
"""WebSockets that are opened in one turn of the loop: 2 ms."""


class State(Enum):
    """See the module."""

    IDLE = auto()
    ARRIVING = auto()
    ANSWERING = auto()
    STREAMING = auto()
    HANDSHAKE = auto()
    KEYLESS = auto()
    WATCHING = auto()
    LINGERING = auto()
    CLOSING = auto()


SHED = (State.LINGERING, State.IDLE, State.ARRIVING, State.KEYLESS)
"""Who makes room for others, in this order, and of each state the one that is in it for longest."""


def seconds_of(limits: Limits) -> dict[State, float]:
    """How long a connection may be in each state."""
    return {
        State.IDLE: limits.http.idle_seconds,
        State.ARRIVING: limits.http.arrival_seconds,
        State.ANSWERING: limits.http.answer_seconds,
        State.STREAMING: FOREVER,
        State.HANDSHAKE: limits.socket.handshake_seconds,
        State.KEYLESS: FOREVER,
        State.WATCHING: FOREVER,
        State.LINGERING: limits.http.linger_seconds,
        State.CLOSING: limits.connections.stall_seconds,
    }


class Connection(Protocol):
    """What the owner needs of a connection; both protocols of this room have it."""

    state: State
    since: float
    """When it was first seen in its state, by the loop's clock; infinite until then. Every request changes it twice."""
    stalled_at: float
    """Since when the peer reads nothing while something waits for it; infinite where it reads."""
    transport: asyncio.Transport

    def expire(self) -> None:
        """Its time in this state is over, or its place is needed: end it."""


class Connections:
    """All connections of one server.

    Args:
        limits: the bounds of this process.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.capacity = capacity_of(limits.connections)
        self.is_ending = False
        """The process is about to end: each answer is the last of its connection."""
        self._seconds = seconds_of(limits)
        self._open: set[Any] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_crowded = False
        self._handshakes: deque[Callable[[], None]] = deque()  # one for each connection, at most
        self._is_shaking = False
        self._free = 0
        """Places that were made and not taken yet."""
        self._keyless: dict[Connection, None] = {}
        self._settled: set[Connection] = set()

    def watch(self, connections: set[Any]) -> None:
        """Take over uvicorn's own set: there is one list of connections, not two."""
        self._open = connections

    def admit(self, newcomer: Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """One more has come, and is in the list.

        Returns:
            Whether it may ask for anything; where not, only what `is_reserved` says.
        """
        # Started by the first connection: a server that nobody talks to has nothing to wake up for.
        if self._timer is None:
            self._timer = loop.call_later(self.limits.connections.sweep_seconds, self._sweep, loop)
        if len(self._open) <= self.capacity:
            self._free = 0
            return True
        self._say_crowded()
        if self._free == 0:  # who was told to go leaves the list on the loop's next turn
            # In bulk: under a flood, a look through 10,000 connections for each newcomer would be the flood's best
            # weapon.
            self._free = self._shed(newcomer, 1 + self.capacity // SHED_SHARE)
        self._free -= 1
        if self._free < 0:
            self._free = 0
            return False
        return True

    @property
    def is_full(self) -> bool:
        """Whether the reserve is used up as well."""
        return len(self._open) > self.capacity + self.limits.connections.reserved

    def in_turn(self, handshake: Callable[[], None]) -> None:
        """Do a handshake when it is its turn: a few in each turn of the loop, and the requests of others in between.

        When a thousand viewers come back at once, each costs half a millisecond, and all of them would be done in one
        go.
        """
        self._handshakes.append(handshake)
        if not self._is_shaking:
            self._is_shaking = True
            asyncio.get_running_loop().call_soon(self._shake_hands)

    def _shake_hands(self) -> None:
        try:
            for _ in range(min(HANDSHAKES, len(self._handshakes))):
                self._handshakes.popleft()()
        finally:
            self._is_shaking = bool(self._handshakes)
            if self._is_shaking:
                asyncio.get_running_loop().call_soon(self._shake_hands)

    def add_keyless(self, connection: Connection) -> None:
        """A WebSocket is open that has shown no token; the one that waits longest makes room where there are many."""
        self._keyless[connection] = None
        if len(self._keyless) > self.limits.socket.keyless:
            # A dict keeps the order of insertion, so the first is the one that waits longest.
            next(iter(self._keyless)).expire()

    def drop_keyless(self, connection: Connection) -> None:
        """It has shown one, or ends."""
        self._keyless.pop(connection, None)

    def settle(self, connection: Connection) -> None:
        """It watches, and reads what it is sent: no deadline is looked for, and it makes room for nobody."""
        self._settled.add(connection)

    def unsettle(self, connection: Connection) -> None:
        """It does so no longer."""
        self._settled.discard(connection)

    @property
    def is_lingering(self) -> bool:
        """Whether somebody has been told goodbye, and has not answered yet."""
        return any(connection.state is State.LINGERING for connection in self._restless)

    @property
    def _restless(self) -> set[Connection]:
        # To take 19,000 viewers out of a set costs 1 ms; to look at each of them once a second, ten times that.
        return self._open - self._settled

    def _shed(self, newcomer: Connection, count: int) -> int:
        others = [connection for connection in self._restless if connection is not newcomer and _is_open(connection)]
        shed = [connection for connection in others if connection.state in SHED]
        # Those first who cost their owners least to lose, see SHED; of each kind the one that waits longest.
        shed.sort(key=lambda connection: (SHED.index(connection.state), connection.since))
        for connection in shed[:count]:
            connection.expire()
        return min(count, len(shed))

    def _say_crowded(self) -> None:
        if not self._is_crowded:
            self._is_crowded = True
            log.warning(
                "%d connections are open, as many as this process may have: idle ones are closed", self.capacity
            )

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._expire(self._restless, loop.time())
        if self._is_crowded and len(self._open) < self.capacity * 0.9:
            self._is_crowded = False
            log.info("There is room for connections again")
        if self._open:
            self._timer = loop.call_later(self.limits.connections.sweep_seconds, self._sweep, loop)

    def _expire(self, connections: Iterable[Connection], now: float) -> None:
        seconds, stall = self._seconds, self.limits.connections.stall_seconds
        for connection in connections:
            # Stamped here and not where the state changes: every request changes it twice, and here one look
            # at the clock does for all.
            if connection.since == FOREVER:
                connection.since = now
            # Aborted, not closed: to close in order means to wait for what it does not read.
            if connection.stalled_at + stall < now:
                connection.transport.abort()
            elif connection.since + seconds[connection.state] < now:
                connection.expire()
            elif connection.state is not State.CLOSING and connection.transport.is_closing():
                connection.state, connection.since = State.CLOSING, now


def _is_open(connection: Connection) -> bool:
    return not connection.transport.is_closing()


def capacity_of(limits: ConnectionLimits) -> int:
    """How many connections may be open: the descriptors of the process, without those that it needs itself."""
    files = limits.descriptors or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(files - limits.kept_descriptors, files // 2)


def places_of(limits: Limits) -> int:
    """How many may watch: as many as the limits say, where the descriptors suffice for them and for all others."""
    capacity = capacity_of(limits.connections)
    return min(limits.viewers.per_process, max(capacity - limits.connections.served, capacity // 2))


def is_reserved(scope: Mapping[str, Any]) -> bool:
    """Whether a request is let in by the reserve: health, or an owner's. The token is judged later, as always."""
    if scope["path"] in RESERVED_PATHS:
        return True
    # The header alone opens the reserve: to check the token here would need a good part of the application.
    is_owners: bool = scope["path"].startswith("/projects")
    return is_owners and any(name == b"authorization" for name, _ in scope["headers"])
