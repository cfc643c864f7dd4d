"""What a client of a WebSocket may still send: frames and bytes, as two token buckets, refilled with each read."""

from __future__ import annotations

from ..limits import SocketLimits


class Budget:
    """See the module. Three numbers for a connection that has spoken, where a shared limiter would keep a table.

    Args:
        limits: how much at once, and per second.
        now: seconds, monotonic.
    """

    __slots__ = ("_counted_at", "bytes", "frames")

    def __init__(self, limits: SocketLimits, now: float) -> None:
        self.frames = float(limits.frames)
        self.bytes = float(limits.burst_bytes)
        self._counted_at = now

    def pay(self, size: int, limits: SocketLimits, now: float) -> None:
        """So many bytes came."""
        passed, self._counted_at = now - self._counted_at, now
        self.frames = min(limits.frames, self.frames + passed * limits.frames_per_second)
        self.bytes = min(limits.burst_bytes, self.bytes + passed * limits.bytes_per_second) - size

    @property
    def is_spent(self) -> bool:
        """Whether more came than may."""
        return self.frames < 0 or self.bytes < 0
