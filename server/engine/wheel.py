"""One timer for everything in this process that waits for a time: pings, the end of tokens, pushes that were held back.

A timer of the event loop for each viewer would be set and cancelled at every message. Here whatever waits lies in the
bucket of its moment, and only the earliest bucket has a timer. Whoever is not due yet when it rings says so and lies
down again, so a message costs no more than a note of its time. (Varghese and Lauck, "Hashed and hierarchical timing
wheels", 1987; one revolution is enough here.)
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger("firstlight.wheel")

HORIZON_SECONDS = 60.0
"""Whoever waits for longer is rung early and lies down again: this bounds the number of buckets."""
AT_ONCE = 16
"""Rings before others have their turn: half a millisecond. Of 10,000 viewers, 50 are pinged at a time."""


class Handle(Protocol):
    """A timer that can be cancelled."""

    def cancel(self) -> None:
        """Do not ring."""


class Loop(Protocol):
    """What the wheel needs of an event loop."""

    def time(self) -> float:
        """Seconds, monotonic."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Handle:
        """Call back at a time."""


class Timed:
    """Who waits in a wheel. It knows its bucket, so that leaving costs no search."""

    __slots__ = ("bucket",)

    def __init__(self) -> None:
        self.bucket = 0
        """The wheel's own: 0 outside of it."""

    def ring(self, now: float) -> float | None:
        """Do what is due. Must not block.

        Returns:
            When to ring again, at the latest; None for never.
        """
        raise NotImplementedError


class Wheel:
    """See the module.

    Args:
        loop: the event loop.
        resolution: seconds; nothing rings before its time, or later than this after it.
    """

    def __init__(self, loop: Loop, resolution: float = 0.05) -> None:
        self._loop = loop
        self._resolution = resolution
        self._buckets: dict[int, set[Timed]] = {}
        self._ticks: list[int] = []  # a heap of the buckets' numbers; some are empty by now
        self._handle: Handle | None = None
        self._armed = 0

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def now(self) -> float:
        """The wheel's own time, in seconds."""
        return self._loop.time()

    def set(self, item: Timed, due: float) -> None:
        """Ring an item at a time, and no more at the one that was set before."""
        self.discard(item)
        # Rounded up: nothing rings before its time.
        tick = max(1, math.ceil(min(due, self.now() + HORIZON_SECONDS) / self._resolution))
        if tick not in self._buckets:
            self._buckets[tick] = set()
            heapq.heappush(self._ticks, tick)
        self._buckets[tick].add(item)
        item.bucket = tick
        self._arm()

    def discard(self, item: Timed) -> None:
        """Do not ring an item."""
        if item.bucket:
            # The bucket stays, also empty: taking its number out of the heap would be a search. It is dropped when it
            # rings.
            self._buckets[item.bucket].discard(item)
            item.bucket = 0

    def _arm(self) -> None:
        # Only an earlier bucket moves the timer. A later one never does, so a message costs the loop nothing.
        if self._handle is not None and self._armed > self._ticks[0]:
            self._handle.cancel()
            self._handle = None
        if self._handle is None and self._ticks:
            self._armed = self._ticks[0]
            self._handle = self._loop.call_at(self._armed * self._resolution, self._turn)

    def _turn(self) -> None:
        self._handle = None
        now, left = self.now(), AT_ONCE
        # More than one bucket, where the loop was busy for longer than the resolution.
        while left and self._ticks and self._ticks[0] * self._resolution <= now:
            bucket = self._buckets[self._ticks[0]]
            if bucket:  # looked at anew each time: what rings may set or discard others, in this very bucket
                left -= 1
                self._ring(bucket.pop(), now)
            else:
                del self._buckets[heapq.heappop(self._ticks)]
        self._arm()  # what is left is due already, and so has its turn as soon as others had theirs

    def _ring(self, item: Timed, now: float) -> None:
        self.discard(item)
        try:
            due = item.ring(now)
        except Exception:  # one that fails must not silence the others
            log.exception("What was due failed")
            return
        if due is not None:
            # At least one bucket ahead: an item that says "now" again and again would otherwise keep the loop in here.
            self.set(item, max(due, now + self._resolution))
