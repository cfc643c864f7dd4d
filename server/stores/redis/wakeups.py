"""The link for wake-ups: one subscribed connection, which one task owns, and nobody else touches.

A project's wake-ups travel on one of a few fixed channels, also back to the process that caused them: they are there
before the script's answer, so nothing would be gained by a shorter way. They may get lost; nothing rests on them.

A lost link shows in one of three ways: an error; a second wave of confirmations, where the client library reconnected
without a word; or no probe heard for `deaf_seconds`, where the server or the network hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from ...core.model.errors import StoreRejected, StoreUnavailable
from ...core.state.fields import Effect
from .. import Listener
from .connection import Connection

log = logging.getLogger("firstlight.stores.redis")

# A few fixed ones, subscribed once, rather than one per project: with redis-py 8.1, concurrent first subscribe() calls
# opened 50 connections and left 49 channels deaf, without an error; and every reconnect would subscribe them all again.
# The braces keep each channel in one slot of a cluster.
CHANNELS = tuple(f"firstlight:{{{number}}}" for number in range(8))
"""The channels of wake-ups, sharded by project. Every process listens to all of them."""


def channel_of(project_id: int) -> str:
    """Where the wake-ups of a project travel."""
    return CHANNELS[project_id % len(CHANNELS)]


class Wakeups:
    """See the module.

    Args:
        server: where to subscribe.
        probe_seconds: between two probes that the process sends to itself.
        deaf_seconds: a link that brings no probe for so long is dead, although it raises nothing.
        backoff_seconds: the longest pause between two attempts to build the link.
    """

    def __init__(self, server: Connection, probe_seconds: float, deaf_seconds: float, backoff_seconds: float) -> None:
        self.listeners: list[Listener] = []
        self._server = server
        self._probe_seconds = probe_seconds
        self._deaf_seconds = deaf_seconds
        self._backoff_seconds = backoff_seconds
        self._rng: Callable[[], float] = random.random
        self._probe = f"firstlight:probe:{uuid.uuid4().hex}"
        self._is_down = False
        self._settled = asyncio.Event()

    async def open(self) -> None:
        """Start the task; return when the link is up, or has failed once."""
        self._task = asyncio.create_task(self._own())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), self._server.seconds)

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
            except (RedisError, OSError, TimeoutError, StoreUnavailable, StoreRejected) as error:
                self._down(self._server.explain(error))
            # A dead reader would leave every page of this process at what the tick brings, every 15 s; nothing would
            # say so.
            except Exception:
                log.exception("Listening to Redis failed and starts again")
                self._down("a mistake in this program")
            # Random, so that not all processes of a server come back in the same instant; never 0, which would be a
            # busy loop.
            await asyncio.sleep((0.05 + 0.95 * self._rng()) * self._backoff_seconds)

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        subscriber = self._server.subscriber()
        try:
            async with asyncio.timeout(self._server.seconds):
                # In one call by one task, see CHANNELS. The probe comes last, so its confirmation says that all others
                # stand.
                await subscriber.subscribe(*CHANNELS, self._probe)
            heard_at = probe_at = clock()
            # A stopped Redis (SIGSTOP) raises nothing: in 20 s neither health_check_interval nor socket_timeout noticed
            # it. Only a message of our own that does not come back tells.
            while clock() < heard_at + self._deaf_seconds:
                if clock() >= probe_at:
                    # By another connection: commands on this one would race with the reader.
                    await self._server.run("PUBLISH", self._probe, "")
                    probe_at = clock() + self._probe_seconds
                if await self._hear(subscriber, max(0.0, probe_at - clock())):
                    heard_at = clock()
            raise TimeoutError("nothing is heard any more")
        finally:
            await subscriber.aclose()  # type: ignore[no-untyped-call]

    async def _hear(self, subscriber: PubSub, seconds: float) -> bool:
        """Take the next message, if one comes in time. Returns whether the link has shown to be whole."""
        async with asyncio.timeout(seconds + self._server.seconds):  # it may try to connect, which `timeout` leaves out
            message = await subscriber.get_message(timeout=seconds)
        await asyncio.sleep(0)  # a flood of messages would not let anybody else have a turn
        if message is None:
            return False
        if message["channel"] != self._probe:
            self._wake(*str(message["data"]).partition(" ")[::2])
            return False
        # Never ask redis-py to ignore these (ignore_subscribe_messages): after a kill and a quick restart of the server
        # a second wave of them is the only sign that messages were lost.
        if message["type"] == "subscribe":  # the last confirmation of a wave: the link is new
            self._up()
        return True

    def _wake(self, word: str, told: str) -> None:
        # Words and effects of a newer version may arrive while workers are replaced one by one; what is not understood
        # is not an error.
        number, _, effect = told.partition(" ")
        if not number.isdecimal():
            return
        for listener in self.listeners:
            if word == "changed":
                listener.changed(int(number), _EFFECTS.get(effect, Effect.NEWS))
            elif word == "edited":
                listener.edited(int(number))

    def _up(self) -> None:
        if self._is_down:
            log.info("Redis is back")
        self._is_down = False
        self._settled.set()
        for listener in self.listeners:
            listener.resync()

    def _down(self, reason: str) -> None:
        # A start does not wait for Redis: it settles for knowing that the link is down.
        self._settled.set()
        if not self._is_down:
            log.warning("The link to Redis is lost: %s", reason)
            self._is_down = True
            for listener in self.listeners:
                listener.away()


_EFFECTS = {str(int(effect)): effect for effect in Effect}
"""Effects as scripts say them; one that is not known wakes all the same."""
