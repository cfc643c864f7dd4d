"""The link for wake-ups: an ear at each node that has channels of them.

A project's wake-ups travel on one of a few fixed channels, also back to the process that caused them: they are there
before the script's answer, so nothing would be gained by a shorter way. They may get lost; nothing rests on them. Those
of news that somebody looks at bring the state along: to ask for it would take as long again.

The link also says, for all listeners, whether the store is there: it is up once each node has taken a write and sent
its wake-up back, and down as soon as one of them is lost or takes no writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf

from redis.exceptions import MovedError, RedisError

from ...core.model.errors import StoreRejected, StoreUnavailable
from ...core.state.fields import Effect
from .. import Listener
from .address import Place
from .answers import told_view
from .connection import Connection
from .ear import Ear

log = logging.getLogger("firstlight.stores.redis")

DOUBT_SECONDS = 0.05
"""Between two doubts that are looked into."""
LOOKS = 500
"""Projects that one wake-up names as looked at: 10 KiB, as others wait behind it."""
MAX_DETOURS = 5
"""How often in a row a node may send the link elsewhere before it counts as lost."""


class Wakeups:
    """See the module.

    Args:
        server: where to subscribe.
        probe_seconds: between two probes that the process sends to itself.
        look_seconds: between two looks at where the masters are.
        deaf_seconds: a link that brings no probe for so long is dead, although it raises nothing.
        backoff_seconds: the longest pause between two attempts to build the link.
    """

    def __init__(
        self,
        server: Connection,
        probe_seconds: float,
        look_seconds: float,
        deaf_seconds: float,
        backoff_seconds: float,
    ) -> None:
        self.listeners: list[Listener] = []
        self._server = server
        self._probe_seconds = probe_seconds
        self._look_seconds = look_seconds
        self._deaf_seconds = deaf_seconds
        self._backoff_seconds = backoff_seconds
        self._rng: Callable[[], float] = random.random
        self._probe = uuid.uuid4().hex
        self._ears: list[Ear] = []
        self._unproved: set[Place] = set()
        self._detours = 0
        self._trouble: StoreUnavailable | None = None
        self._settled = asyncio.Event()
        self._doubt = asyncio.Event()
        server.on_doubt = self._doubt.set

    async def open(self) -> None:
        """Start the task; return when the link is up, or has failed once."""
        self._task = asyncio.create_task(self._own())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._server.seconds):
                await self._settled.wait()

    def check(self) -> None:
        """Raise `StoreUnavailable` if the link is down."""
        if self._trouble:
            # A new one: each raise lengthens an exception's traceback, and an outage may be long.
            raise StoreUnavailable(str(self._trouble), self._trouble.reason)

    def unheard(self) -> float:
        """For how many seconds wake-ups may have been lost."""
        if self._trouble or self._unproved or not self._ears:
            return inf
        return asyncio.get_running_loop().time() - min(ear.proved_at for ear in self._ears)

    async def close(self) -> None:
        """End the task."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        """Build the link, follow it, and build it again whenever it is lost, until cancelled."""
        # redis-py reconnects by itself, and hides it. So the link is built here, from nothing, whenever it is in doubt.
        while True:
            try:
                await self._follow()
            except MovedError as error:  # right after a slot has moved, not all nodes know it
                self._detours += 1
                if self._detours > MAX_DETOURS:
                    self._down(self._server.refused(error))
            except StoreUnavailable as error:
                self._down(error)
            except (RedisError, OSError, TimeoutError, StoreRejected) as error:
                self._down(self._server.refused(error))
            # A dead reader would leave every page of this process at what the tick brings, every 15 s; nothing would
            # say so.
            except Exception:
                log.exception("Listening to Redis failed and starts again")
                self._down(StoreUnavailable("a mistake in this program"))
            # Random, so that not all processes of a server come back in the same instant; never 0, which would be a
            # busy loop.
            await asyncio.sleep((0.05 + 0.95 * self._rng()) * self._backoff_seconds)

    async def _follow(self) -> None:
        """Listen to all nodes until one is lost, which raises, or channels are elsewhere by now."""
        shares = await self._shares()
        await self._server.inspect()  # these may be others than before
        with contextlib.suppress(StoreUnavailable):  # whatever they have: all is compared with it once the link is up
            await self._server.check_marks()
        self._unproved, self._ears = set(shares), []
        tasks = [asyncio.create_task(self._watch(shares))]
        for place, channels in shares.items():
            ear = Ear(self._server, place, channels, self._probe, self._wake, partial(self._proved, place))
            self._ears.append(ear)
            tasks.append(asyncio.create_task(ear.listen(self._probe_seconds, self._deaf_seconds)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            # Their failures, too, are taken: one lost node brings the others down with it.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, shares: dict[Place, tuple[str, ...]]) -> None:
        """Return when channels have moved to other nodes; raise when a node takes no writes."""
        while True:
            self._doubt.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._doubt.wait()
            is_doubted = self._doubt.is_set()
            await asyncio.sleep(DOUBT_SECONDS)  # a refusal for each of a flood of requests is one doubt
            if await self._shares() != shares:
                log.info("The way to Redis has changed")
                return
            await self._server.check_marks()
            if is_doubted:
                await self._server.prove_all()

    async def _shares(self) -> dict[Place, tuple[str, ...]]:
        """Which channels each node has, as it is now."""
        with contextlib.suppress(StoreUnavailable):  # all Sentinels may be away while the master is well
            await self._server.look_again()
        return await self._server.shares()

    def _wake(self, said: str) -> None:
        # Words and effects of a newer version may arrive while workers are replaced one by one; what is not understood
        # is not an error.
        word, number, effect, more = (*said.split(" ", 3), "", "", "", "")[:4]
        if word == "watched":
            self._tell_watched(number)
        if not number.isdecimal():
            return
        for listener in self.listeners:
            if word == "changed":
                told = partial(told_view, more) if more else None  # read by whoever shows it
                listener.changed(int(number), _EFFECTS.get(effect, Effect.NEWS), told)
            elif word == "edited":
                listener.edited(int(number))
            elif word == "deleted":
                listener.deleted(int(number), int(more) if more.isdecimal() else 0)

    def _tell_watched(self, numbers: str) -> None:
        for number in filter(str.isdecimal, numbers.split(",")):
            for listener in self.listeners:
                listener.watched(int(number))

    def _proved(self, place: Place) -> None:
        self._unproved.discard(place)
        if not self._unproved:
            self._up()

    def _up(self) -> None:
        if self._trouble:
            log.info("Redis is back")
        self._trouble = None
        self._detours = 0
        self._settled.set()
        for listener in self.listeners:
            listener.resync()

    def _down(self, trouble: StoreUnavailable) -> None:
        # A start does not wait for Redis: it settles for knowing that the link is down.
        self._settled.set()
        was_up, self._trouble = self._trouble is None, trouble
        if was_up:
            log.warning("The link to Redis is lost: %s (%s)", trouble.reason, trouble)
            for listener in self.listeners:
                listener.away()


def looks(numbers: Sequence[int]) -> Iterator[str]:
    """The wake-ups that say that somebody looks at projects."""
    for start in range(0, len(numbers), LOOKS):
        yield f"watched {','.join(map(str, numbers[start : start + LOOKS]))}"


_EFFECTS = {str(int(effect)): effect for effect in Effect}
"""Effects as scripts say them; one that is not known wakes all the same."""
