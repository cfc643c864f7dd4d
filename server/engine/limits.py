"""How much may be sent: a token bucket for each project, and places for large bodies, in this process.

The limit protects a host from one runaway application. It never turns away a heartbeat, nor anything that says
something new: only what this server knows already is answered with 429.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..core.model.errors import Overloaded

RATE = 200.0
"""Requests per second that a project may send for long: 50 busy back ends that report every error."""
BURST = 2000.0
"""Requests at once: a deployment of a few hundred processes that all start together and fail."""
MAX_BUCKETS = 10_000
"""Projects that are counted at the same time; a project beyond that starts with a full bucket."""


MAX_LONG_BODIES = 64
"""Bodies that arrive in several parts at the same time, in one process: with 20 MiB each, 1.3 GiB at the worst."""


class Places:
    """A number of places, for what must not happen too often at the same time.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int = MAX_LONG_BODIES) -> None:
        self._free = count

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            Overloaded: none is free.
        """
        if self._free == 0:
            raise Overloaded("Too many large requests arrive at the same time.")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


class Limiter:
    """Token buckets, by project.

    Args:
        monotonic: seconds.
        rate: tokens per second.
        burst: tokens in a full bucket.
    """

    def __init__(self, monotonic: Callable[[], float], rate: float = RATE, burst: float = BURST) -> None:
        self._monotonic = monotonic
        self._rate = rate
        self._burst = burst
        self._buckets: dict[int, tuple[float, float]] = {}

    def wait(self, project_id: int) -> float:
        """Take a token. Returns 0, or after how many seconds there will be one again."""
        now = self._monotonic()
        tokens, at = self._buckets.get(project_id, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._buckets[project_id] = (tokens, now)
            return (1 - tokens) / self._rate
        if len(self._buckets) >= MAX_BUCKETS and project_id not in self._buckets:
            self._forget(now)
        self._buckets[project_id] = (tokens - 1, now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop the buckets that are full again; all of them, where none is."""
        full = [
            number for number, (tokens, at) in self._buckets.items() if tokens + (now - at) * self._rate >= self._burst
        ]
        for number in full or list(self._buckets):
            del self._buckets[number]
