"""How much of one request may be read the slow way, so that the time it costs follows from its bytes alone.

Nearly everything is read once, by a decoder in C that skips what nobody asks for: about 1 ms for each MiB. What it
refuses and SDKs send all the same (half a surrogate pair, NaN, a header over several lines) is rewritten first, which
builds an object for every value: fifty times slower. So this is done to at most `SLOW_BYTES` of a request, in all its
parts together.
"""

from __future__ import annotations

SLOW_BYTES = 128 * 1024
"""Bytes of one request that are read the slow way: 3 ms, 10 at the worst. Real ones have 5 to 100 KiB in all."""


class Budget:
    """What is left for one request.

    Args:
        slow_bytes: how much may be read the slow way.
    """

    def __init__(self, slow_bytes: int = SLOW_BYTES) -> None:
        self._given = self._left = slow_bytes

    @property
    def spent(self) -> int:
        """Bytes that were read the slow way so far."""
        return self._given - self._left

    def allows(self, size: int) -> bool:
        """Take so many bytes out of it, if there are as many."""
        if size > self._left:
            return False
        self._left -= size
        return True
