"""A mapping that holds so many entries and no more: what was used since the hand last came by gets a second chance.

Forgetting the oldest would be simpler, and wrong for memories: what is used all the time goes with the rest, whenever
as many others pass by as there are places.

A second chance alone does not help where more than there are places are used in turn: each is gone just before it comes
again. So the hand may stay where it put something in, and what nobody used since goes first. All others stay; and now
and then the hand moves on, so that whoever is new and not alone gets in as well (Qureshi's bimodal insertion).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

STEPS = 64
"""Entries that the hand looks at for one place: where all are in use, the one that it has come to goes all the same."""


class Used(Protocol):
    """What can be held. Whoever uses it sets the flag."""

    is_used: bool


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Used)


class Clock(Generic[K, V]):
    """See the module (Corbató's CLOCK).

    Args:
        size: entries at most.
        stays: for so many that are put in the hand stays where it is. With 1, the newest always find a place.
    """

    def __init__(self, size: int, stays: int = 1) -> None:
        self._size = size
        self._stays = stays
        self._stayed = 0
        self._held: dict[K, V] = {}
        self._ring: list[K] = []
        """The keys in a circle; some of them may be gone."""
        self._hand = 0

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[K]:
        return iter(self._held)

    def get(self, key: K) -> V | None:
        """An entry, which counts as used only if the caller says so: looking is not using."""
        return self._held.get(key)

    def put(self, key: K, value: V) -> V | None:
        """Hold an entry. Returns the one that had to go for it."""
        gone = None
        if key not in self._held:
            if len(self._ring) < self._size:
                self._ring.append(key)
            else:
                gone = self._held.pop(self._turn(), None)
                self._ring[self._hand] = key
        self._held[key] = value
        return gone

    def pop(self, key: K) -> V | None:
        """Forget an entry. Its place in the circle is found when the hand comes by."""
        return self._held.pop(key, None)

    def _turn(self) -> K:
        """Move the hand to a place that is free, or becomes so."""
        self._stayed += 1
        if self._stayed >= self._stays:
            self._step()
        for _ in range(STEPS - 1):
            value = self._held.get(self._ring[self._hand])
            if value is None or not value.is_used:
                break
            value.is_used = False
            self._step()
        return self._ring[self._hand]

    def _step(self) -> None:
        self._hand, self._stayed = (self._hand + 1) % self._size, 0
