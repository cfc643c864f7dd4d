"""How much of one request may be read the slow way, so that its cost follows from its size alone.

Nearly everything is read once, by a decoder in C that skips what nobody asks for: about 1 ms per MiB. What it refuses
although SDKs send it (half a surrogate pair, NaN, a header over several lines) is rewritten first, which builds an
object for every value: fifty times slower. So at most `SLOW_BYTES` of a request are read this way, in all its parts
together: a limit for each part alone let a body of 28 KB cost seconds of processor time.
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
        """Take this many bytes out of it, if that many are left."""
        # All or nothing: half of a JSON text is of no use. What is refused costs nothing, so a smaller part still fits.
        if size > self._left:
            return False
        self._left -= size
        return True
