"""One subscribed connection to one node, which one task owns, and nobody else touches.

A lost link shows in one of three ways: an error; a second wave of confirmations, where the client library reconnected
without a word; or no probe heard for `deaf_seconds`, where the server or the network hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

from redis.asyncio.client import PubSub

from .address import Place
from .connection import Connection


class Ear:
    """See the module.

    Args:
        server: where to subscribe.
        place: the node.
        channels: those of the node.
        probe: a name unlike any other process's, for the channel of the probes that come back here.
        tell: gets what is heard on the channels.
        whole: called whenever the link has shown to be whole, after it was in doubt.
    """

    def __init__(
        self,
        server: Connection,
        place: Place,
        channels: tuple[str, ...],
        probe: str,
        tell: Callable[[str], None],
        whole: Callable[[], None],
    ) -> None:
        self._server = server
        self._place = place
        self._channels = channels
        self._probe = f"{channels[0]}:probe:{probe}"
        self._tell = tell
        self._whole = whole
        self._is_new = True
        self.proved_at = -inf
        """All that was published before that has been heard, by the loop's clock."""

    async def listen(self, probe_seconds: float, deaf_seconds: float) -> None:
        """Listen until the link is lost, which raises, or the channels have moved to another node.

        Args:
            probe_seconds: between two probes.
            deaf_seconds: a link that brings no probe for so long is dead, although it raises nothing.

        Raises:
            TimeoutError, RedisError, OSError, StoreUnavailable, StoreRejected: it is lost.
        """
        clock = asyncio.get_running_loop().time
        subscriber = self._server.subscriber(self._place)
        try:
            async with asyncio.timeout(self._server.seconds):
                await self._subscribe(subscriber)
            heard_at, sent_at = clock(), inf
            # The first one follows the confirmation: sent at once, by another connection, it may overtake the
            # subscription, and then the link counts as doubtful until the next.
            probe_at = heard_at + probe_seconds
            # A stopped Redis (SIGSTOP) raises nothing: in 20 s neither health_check_interval nor socket_timeout noticed
            # it. Only a message of our own that does not come back tells.
            while clock() < heard_at + deaf_seconds:
                if clock() >= probe_at:
                    # By another connection: commands on this one would race with the reader. And by a script that
                    # writes, so that a server which takes no writes is found out even where nobody writes.
                    sent_at = min(sent_at, clock())
                    await self._server.prove(self._channels[0], self._probe)
                    probe_at = clock() + probe_seconds
                message = await self._next(subscriber, max(0.0, probe_at - clock()))
                if message and message["type"] == "sunsubscribe":
                    return  # a slot has moved
                if message and self._hear(message):
                    heard_at = clock()
                    probe_at = heard_at if self._is_new else probe_at
                    # One connection has one order: what was published before the probe came before it.
                    if not self._is_new and sent_at < inf:
                        self.proved_at, sent_at = sent_at, inf
            raise TimeoutError("nothing is heard any more")
        finally:
            await subscriber.aclose()  # type: ignore[no-untyped-call]

    async def _subscribe(self, subscriber: PubSub) -> None:
        # By one task, see Layout. The probe comes last, so its confirmation says that all others stand.
        if not self._server.layout.is_sharded:
            await subscriber.subscribe(*self._channels, self._probe)
            return
        for channel in (*self._channels, self._probe):  # a command for each slot
            await subscriber.ssubscribe(channel)

    async def _next(self, subscriber: PubSub, seconds: float) -> dict[str, Any] | None:
        """The next message, if one comes in time."""
        async with asyncio.timeout(seconds + self._server.seconds):  # it may try to connect, which `timeout` leaves out
            message: dict[str, Any] | None = await subscriber.get_message(timeout=seconds)
        await asyncio.sleep(0)  # a flood of messages would not let anybody else have a turn
        return message

    def _hear(self, message: dict[str, Any]) -> bool:
        """Take a message. Returns whether the link has shown to be whole."""
        if message["channel"] != self._probe:
            if message["type"] in ("message", "smessage"):
                self._tell(str(message["data"]))
            return False
        # Never ask redis-py to ignore these (ignore_subscribe_messages): after a kill and a quick restart of the server
        # a second wave of them is the only sign that messages were lost.
        if message["type"] in ("subscribe", "ssubscribe"):  # the last confirmation of a wave: the link is new
            self._is_new = True
        elif self._is_new:  # a probe has come back, which took a write
            self._is_new = False
            self._whole()
        return True
