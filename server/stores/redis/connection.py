"""The way to the servers: each call has one deadline, and fails only with the errors it documents.

Redis away is an ordinary condition: a call answers or raises in time, and a process that starts meanwhile starts.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from redis.exceptions import AuthenticationError, AuthorizationError, RedisError, ResponseError, TryAgainError

from ...core.model.errors import SettingsError, StoreRejected, StoreUnavailable
from .address import Kind, Place, parse
from .inspection import Finding, Severity, inspect, inspect_format
from .layout import CLUSTER, FORMAT_KEY, SINGLE, Layout, mark_of, tried_of
from .link import Link
from .nodes import Nodes
from .refusals import refusal_of
from .scripts import Command, Script

log = logging.getLogger("firstlight.stores.redis")

OUT_OF_REACH = "Redis is out of reach."
ACKNOWLEDGE_MS = 100
"""How long to wait for a replica to have a write."""

_READY = Script("ready")

T = TypeVar("T")


class Connection:
    """See the module.

    Args:
        url: see `address`; may hold a password, which is never shown.
        seconds: how long a call may take, with the wait for a free connection.

    Raises:
        SettingsError: the URL is malformed.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.seconds = seconds
        address = parse(url)
        self._kind = address.kind
        self.layout: Layout = CLUSTER if address.kind is Kind.CLUSTER else SINGLE
        self.findings: Sequence[Finding] = ()
        self.on_doubt: Callable[[], None] = lambda: None
        """Told when a server takes no writes, or wake-ups may be listened to in the wrong place."""
        self._nodes = Nodes(address, seconds)
        self._nodes.on_move = lambda: self.on_doubt()
        self._marks: dict[Place, str] = {}
        """One for each node that answers."""
        self._under_way = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._is_closed = False

    async def open(self) -> None:
        """Connect. A server that is out of reach is only said to be.

        Raises:
            SettingsError: the URL is malformed, or the server refuses it.
        """
        try:
            async with asyncio.timeout(self.seconds):
                await self._inspect_all()
        except (AuthenticationError, AuthorizationError, ResponseError) as error:
            said = self.explain(error)
            refusal = refusal_of(said)
            if refusal is None or refusal.is_final:
                await self.close()
                told = refusal.said if refusal else f"the server (Redis 6 or newer?) refuses: {said}"
                raise SettingsError(f"REDIS_URL: {told}") from None
            # A failed save, a replica without its master: it may be well in a moment.
            log.warning("Redis takes no commands now and is waited for: %s (%s)", refusal.said, said)
        except SettingsError:
            await self.close()
            raise
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("Redis is out of reach and is waited for: %s", self.explain(error))

    async def inspect(self) -> None:
        """Look at each master, and log what is wrong with one that answers: it would look well, and lose or refuse.

        Raises:
            StoreUnavailable: there is none to be looked at, or it is of a kind that cannot serve here.
        """
        await self._within(self._inspect_all())

    async def _inspect_all(self) -> None:
        found = await self._nodes.find()
        findings = [finding for place in found.places for finding in await self._inspect(place)]
        findings += inspect_format(*await self._nodes.deliver([("GET", FORMAT_KEY)]))
        known, self.findings = self.findings, tuple(dict.fromkeys(findings))  # masters of a cluster are mostly alike
        for finding in self.findings:
            if finding.severity is Severity.FATAL:
                raise SettingsError(f"REDIS_URL: {finding.line}")
            if finding.severity is Severity.WARNING and finding not in known:
                log.warning("%s", finding.line)

    async def _inspect(self, place: Place) -> list[Finding]:
        pong, info = await self._nodes.exchange(place, [("PING",), ("INFO",)])
        if isinstance(pong, Exception):
            raise pong
        return list(inspect(info, self._kind)) if isinstance(info, Mapping) else []  # many do not let everybody ask

    async def close(self) -> None:
        """Let all connections go, once what is under way has ended; each call has its deadline."""
        self._is_closed = True
        await self._is_idle.wait()
        await self._nodes.close()

    async def run(self, *command: str | int) -> Any:
        """Send one command and return its answer.

        Raises:
            StoreUnavailable: the server is out of reach, or refuses this kind of command now.
            StoreRejected: it refuses this very command.
        """
        (answer,) = await self.send([command])
        if isinstance(answer, StoreRejected):
            raise answer
        return answer

    async def send(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands in one round trip to each node (those with a script that it does not know in two).

        Returns:
            The answers; a `StoreRejected` stands where the server refused one command for what it is.

        Raises:
            StoreUnavailable: the server is out of reach, or refuses this kind of command now.
        """
        if not commands:
            return []
        if self._is_closed:  # of a task that nobody waits for: a connection that it made would stay open
            raise StoreUnavailable("This process lets Redis go.")
        return [self._judged(answer) for answer in await self._within(self._nodes.deliver(commands))]

    async def prove(self, channel: str, probe: str) -> None:
        """Try whether the node of a channel takes what is needed: a script that writes and publishes.

        Args:
            probe: the channel where an empty message goes, in the same slot.

        Raises:
            StoreUnavailable, StoreRejected: it does not.
        """
        await self.run(*_READY.call((tried_of(channel),), f"{self.layout.publish} {probe}"))

    async def prove_all(self) -> None:
        """`prove` every node that has a channel; nobody listens to what is published."""
        for channels in (await self.shares()).values():
            await self.prove(channels[0], f"{channels[0]}:probe")

    async def acknowledge(self, channels: Iterable[str]) -> None:
        """Wait until a replica has what was written to the nodes of these channels, where there is one, and not long.

        Raises:
            StoreUnavailable: a server is out of reach.
        """
        found = await self._within(self._nodes.find())
        places = {found.place_of(channel): channel for channel in channels}
        waits = [
            # On one connection, which is all that WAIT is about. What was written before on others is older than this
            # in the server's log, so whoever has this has that.
            self._nodes.exchange(place, [("SET", tried_of(channel), 1, "PX", 60_000), ("WAIT", 1, ACKNOWLEDGE_MS)])
            for place, channel in places.items()
            if place in found.replicas
        ]
        for _, number in await self._within(asyncio.gather(*waits)):
            if number == 0:
                log.info("No replica has taken the last transition within %d ms", ACKNOWLEDGE_MS)

    async def shares(self) -> dict[Place, tuple[str, ...]]:
        """The channels of wake-ups that each node has.

        Raises:
            StoreUnavailable: a channel has no node now.
        """
        found = await self._within(self._nodes.find())
        shares: dict[Place, tuple[str, ...]] = {}
        for channel in self.layout.channels:
            place = found.place_of(channel)
            if place is None:
                raise self.refused(ResponseError("CLUSTERDOWN Hash slot not served"))
            shares[place] = (*shares.get(place, ()), channel)
        return shares

    async def check_marks(self) -> None:
        """Notice a server that was emptied (FLUSHALL): it goes on to answer, and no connection is lost.

        Raises:
            StoreUnavailable: as that, or a server is out of reach.
        """
        marks = {place: mark_of(channels[0]) for place, channels in (await self.shares()).items()}
        looks: list[Command] = [("GET", mark) for mark in marks.values()]
        held = await self.send(looks)
        if None in held:  # the first one to look puts a new mark there, and each compares with the one that it saw
            await self.send([("SET", mark, uuid.uuid4().hex, "NX") for mark in marks.values()])
            held = await self.send(looks)
        known, self._marks = (
            self._marks,
            {p: mark for p, mark in zip(marks, held, strict=True) if isinstance(mark, str)},
        )
        if any(self._marks.get(place, mark) != mark for place, mark in known.items()):
            raise StoreUnavailable("Redis does not have what it had; it is given back.", OUT_OF_REACH)

    async def look_again(self) -> None:
        """Ask where the masters are, though there is no doubt.

        Raises:
            StoreUnavailable: nobody answers.
        """
        await self._within(self._nodes.look_again())

    async def listen(
        self, place: Place, hear: Callable[[Sequence[Any]], None], end: Callable[[Exception], None]
    ) -> Link:
        """A link to a node to subscribe on, see there.

        Raises:
            TimeoutError, RedisError, OSError: there is none in time.
        """
        async with asyncio.timeout(self.seconds):
            return await self._nodes.node(place).listen(hear, end)

    def explain(self, error: Exception) -> str:
        """What went wrong, without the password: a server may echo it when it refuses a greeting."""
        return self._nodes.without_passwords(str(error)) or "no answer in time"

    async def _within(self, call: Awaitable[T]) -> T:
        """Await a call within the deadline; it fails only as documented."""
        self._under_way += 1
        self._is_idle.clear()
        try:
            # One deadline over everything. redis-py's own timeouts begin anew with each step (wait, connect, read) and
            # add up.
            async with asyncio.timeout(self.seconds):
                return await call
        except (RedisError, OSError, TimeoutError, SettingsError) as error:
            raise self.refused(error) from None
        except Exception as error:  # uvloop's closed transport is a RuntimeError; nothing may leak out of here
            log.warning("Redis: an unexpected error of its client library", exc_info=True)
            raise self.refused(error) from None
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._is_idle.set()

    def _judged(self, answer: Any) -> Any:
        """Tell a server that takes no such command now from a command that it never will take."""
        if not isinstance(answer, Exception):
            return answer
        said = self.explain(answer)
        # A command that will never be taken is set aside by its caller; treated as an outage, it would hold up every
        # other write until somebody repairs the key.
        is_moving = isinstance(answer, TryAgainError)
        if isinstance(answer, ResponseError) and not is_moving and not refusal_of(said):
            return StoreRejected(f"Redis: {said}")
        raise self.refused(answer)

    def refused(self, error: Exception) -> StoreUnavailable:
        """What an error of a server, or of the way there, means to callers."""
        said = self.explain(error)
        refusal = refusal_of(said)
        if refusal:
            self.on_doubt()
        return StoreUnavailable(f"Redis: {said}", refusal.said if refusal else OUT_OF_REACH)
