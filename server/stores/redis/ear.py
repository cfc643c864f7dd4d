"""One subscribed connection to one node.

A lost link shows in one of two ways: it ends, or no probe is heard for `deaf_seconds`, where the server or the network
hangs. Nothing connects again behind our back, so what was subscribed stays so until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from .address import Place
from .connection import Connection
from .scripts import Command


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
        self._clock = asyncio.get_running_loop().time
        self._is_new = True
        self._is_moved = False
        self._error: Exception | None = None
        self._stirred = asyncio.Event()
        self._heard_at, self._sent_at, self._probe_at = -inf, inf, inf
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
        link = await self._server.listen(self._place, self._hear, self._fail)
        try:
            self._heard_at = self._clock()
            self._probe_at = self._heard_at + probe_seconds
            link.say(self._subscriptions())
            # A stopped Redis (SIGSTOP) raises nothing: in 20 s neither health_check_interval nor socket_timeout noticed
            # it. Only a message of our own that does not come back tells.
            while self._clock() < self._heard_at + deaf_seconds:
                if self._clock() >= self._probe_at:
                    # By another connection, and by a script that writes, so that a server which takes no writes is
                    # found out even where nobody writes.
                    self._sent_at = min(self._sent_at, self._clock())
                    self._probe_at = self._clock() + probe_seconds
                    await self._server.prove(self._channels[0], self._probe)
                await self._stir()
                if self._error:
                    raise self._error
                if self._is_moved:
                    return
            raise TimeoutError("nothing is heard any more")
        finally:
            link.close()

    async def _stir(self) -> None:
        """Wait until something is to be done."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._probe_at):
                await self._stirred.wait()
        self._stirred.clear()

    def _subscriptions(self) -> list[Command]:
        # The probe comes last, so its confirmation says that all others stand.
        channels = (*self._channels, self._probe)
        if not self._server.layout.is_sharded:
            return [("SUBSCRIBE", *channels)]
        return [("SSUBSCRIBE", channel) for channel in channels]  # a command for each slot

    def _hear(self, said: Sequence[Any]) -> None:
        """Take what the server says; where the bytes come in, since everybody waits for a wake-up."""
        kind, channel, message = said[:3]
        try:
            if channel == self._probe:
                self._hear_probe(kind)
            elif kind in ("message", "smessage"):
                self._tell(str(message))
            elif kind == "sunsubscribe":  # a slot has moved
                self._is_moved = True
                self._stirred.set()
        except Exception as error:  # a mistake of who listens
            self._fail(error)

    def _hear_probe(self, kind: str) -> None:
        self._heard_at = self._clock()
        if kind in ("subscribe", "ssubscribe"):  # the last confirmation
            # The first probe follows it: sent at once, by another connection, it may overtake the subscription, and
            # then the link counts as doubtful until the next.
            self._probe_at = self._heard_at
        elif kind in ("message", "smessage"):  # it has come back, which took a write
            if self._is_new:
                self._is_new = False
                self._whole()
            # One connection has one order: what was published before the probe came before it.
            if self._sent_at < inf:
                self.proved_at, self._sent_at = self._sent_at, inf
        self._stirred.set()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
        self._stirred.set()
