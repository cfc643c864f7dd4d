"""How much may come, by whom: token buckets, growing delays and places, each bounded whatever strangers make up.

All three are keyed by whatever names a sender: an address (`network_of`), a project, a token. None grows beyond its
size, and none gives a sender a fresh start because others were made up: what is forgotten first is what says least.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ..core.model.errors import Overloaded

K = TypeVar("K", bound=Hashable)

MAX_KEYS = 10_000
"""Senders that one limit tells apart at the same time, some 150 bytes each."""
MAX_HOST = 64
"""Characters of an address: an IPv6 one with its zone has fewer; a proxy may say anything."""


class Limiter(Generic[K]):
    """Token buckets, each as the moment at which it is full again (GCRA): one number says all, and orders them.

    Args:
        monotonic: seconds.
        rate: tokens per second.
        burst: tokens in a full bucket.
        size: buckets that are remembered.
    """

    def __init__(
        self, monotonic: Callable[[], float], rate: float = 200.0, burst: float = 2000.0, size: int = MAX_KEYS
    ) -> None:
        self._monotonic = monotonic
        self._rate = rate
        self._burst = burst
        self._burst_seconds = burst / rate
        self._size = size
        # One float for each sender, rather than a level and its time: less memory, and it sorts by what is worth
        # keeping.
        self._full_at: dict[K, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, key: K, cost: float = 1.0) -> float:
        """Take tokens. Returns 0, or after how many seconds there will be enough; then none was taken."""
        now, was_full_at = self._monotonic(), self._full_at.get(key, 0.0)
        full_at = max(now, was_full_at) + cost / self._rate
        if full_at - now > self._burst_seconds:  # nearly always false, so the usual heartbeat asks no further
            missing = self.peek(key, cost)
            if missing:
                return missing
        if not was_full_at:
            _make_room(self._full_at, self._size, now)
        self._full_at[key] = full_at
        return 0.0

    def charge(self, key: K, cost: float) -> None:
        """Take tokens in hindsight, for what was only known when it was done: up to one bucket into debt."""
        now = self._monotonic()
        full_at = max(now, self._full_at.get(key, now)) + cost / self._rate
        if key not in self._full_at:
            _make_room(self._full_at, self._size, now)
        # A bound, so that a single costly body does not lock its sender out for minutes.
        self._full_at[key] = min(full_at, now + 2 * self._burst / self._rate)

    def peek(self, key: K, cost: float = 1.0) -> float:
        """What `wait` would return, without taking anything."""
        now = self._monotonic()
        full_at = max(now, self._full_at.get(key, now)) + cost / self._rate
        # A cost beyond the whole bucket passes where it is full: otherwise it never would.
        missing = full_at - now - max(self._burst, cost) / self._rate
        return missing if missing > 1e-9 else 0.0  # less is the error of floating point


class Guesses(Generic[K]):
    """Who guesses wrong waits, twice as long each time. A right guess forgives nothing: it may be the guesser's own.

    Ask `wait` before a secret is compared, and say `wrong` in the same step, without awaiting in between.

    Args:
        monotonic: seconds.
        free: wrong guesses without a delay, for people who paste the wrong thing.
        first: seconds after the first one beyond that.
        longest: seconds at most; as long without a wrong guess clears the slate.
        size: guessers that are remembered.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        free: int = 10,
        first: float = 1.0,
        longest: float = 60.0,
        size: int = MAX_KEYS,
    ) -> None:
        self._monotonic = monotonic
        self._free = free
        self._first = first
        self._longest = longest
        self._size = size
        self._wrong: dict[K, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self._wrong)

    def wait(self, key: K) -> float:
        """For how many seconds this sender may not guess; 0 where it may."""
        until, _ = self._wrong.get(key, (0.0, 0))
        return max(0.0, until - self._monotonic())

    def wrong(self, key: K) -> None:
        """Count a wrong guess."""
        now = self._monotonic()
        until, count = self._wrong.get(key, (now, 0))
        # Slates are cleared by time alone. A right guess in between does not: whoever owns one token could guess others
        # with it.
        count = 1 if until + self._longest <= now else count + 1
        doubled = min(max(0, count - self._free), 40)  # the bound keeps 2**n a number
        delay = min(self._longest, self._first * 2 ** (doubled - 1)) if doubled else 0.0
        if key not in self._wrong:
            _make_room(self._wrong, self._size, (now - self._longest, 0))
        self._wrong[key] = (now + delay, count)


class ConcurrencyLimit(Generic[K]):
    """A number of places for what must not happen too often at the same time, and a share of them for each sender.

    Args:
        count: how many there are.
        share: how many one key may hold.
    """

    def __init__(self, count: int, share: int) -> None:
        self._free = count
        self._share = share
        self._held: Counter[K] = Counter()

    @contextmanager
    def taken(self, *keys: K) -> Iterator[None]:
        """Hold a place, in the name of each of these.

        Raises:
            Overloaded: none is free, or one of these holds its share.
        """
        # All names are looked at before any is counted: a refusal must leave no trace.
        if self._free == 0 or any(self._held[key] >= self._share for key in keys):
            raise Overloaded("Too many large requests arrive at the same time.")
        self._free -= 1
        self._held.update(keys)
        try:
            yield
        finally:
            self._free += 1
            self._held.subtract(keys)
            # A Counter keeps zeros, and keys are as many as strangers like.
            for key in keys:
                if self._held[key] <= 0:
                    del self._held[key]


class Room:
    """Memory for what arrives, shared by all.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self._free = size

    @property
    def free(self) -> int:
        """Bytes that nobody holds."""
        return self._free

    @contextmanager
    def taken(self) -> Iterator[Held]:
        """Hold some of it, at first nothing."""
        held = Held(self)
        try:
            yield held
        finally:
            self._free += held.size

    def take(self, size: int) -> None:
        """Take so much out of it.

        Raises:
            Overloaded: there is not as much.
        """
        if size > self._free:
            raise Overloaded("Too many large requests arrive at the same time.")
        self._free -= size


class Held:
    """What one of them holds of a `Room`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def grow_to(self, size: int) -> None:
        """Hold so much.

        Raises:
            Overloaded: there is no room for it.
        """
        self._room.take(max(0, size - self.size))
        self.size = max(size, self.size)


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Who sends, as far as an address tells: an IPv4 address, or the /64 that one subscriber has of IPv6 (RFC 6177)."""
    try:
        # An IPv6 zone (`fe80::1%eth0`, RFC 4007) names an interface of this machine, not the sender.
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MAX_HOST]  # what a proxy calls it
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # A dual-stack socket shows IPv4 clients as ::ffff:192.0.2.1; by /64 all of IPv4 would be one sender.
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def _make_room(entries: dict[K, Any], size: int, worthless: Any) -> None:
    """Forget, in a full mapping, what is worthless by now, and at least the tenth with the least value.

    Whoever makes up keys only pushes out what weighs as little as they do; to push out an empty bucket takes as many
    others that are as empty, and each of those was paid for in full.
    """
    if len(entries) < size:
        return
    # A sort of all for a tenth that goes: 10,000 keys take some milliseconds, once in a thousand new senders.
    ranked = sorted(entries, key=entries.__getitem__)
    least = max(1, size // 10)
    for rank, key in enumerate(ranked):
        if rank >= least and entries[key] > worthless:
            return
        del entries[key]
