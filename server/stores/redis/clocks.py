"""What the servers' clocks show, as far as their answers have told.

An update tells the age that its times had when it was sent. The server takes that from its own clock when it runs the
update, which may be much later: one that hangs runs what was sent meanwhile when it goes on. Two processes would then
disagree on which of two errors came first. So an update also says what the server's clock showed when it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DRIFT = 1e-4
"""Seconds that two clocks may part in a second: twice what the quartz of both may be off."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One answer.

    Args:
        shown: by the server's clock, in milliseconds.
        at: the middle between question and answer, in seconds.
        took: how long the answer took: it is off by half of that at most.
    """

    shown: int
    at: float
    took: float

    def error(self, now: float) -> float:
        """How far off it may be at a time, in seconds."""
        return self.took / 2 + DRIFT * (now - self.at)

    def contradicts(self, later: _Look) -> bool:
        """Whether both cannot be right: the clock was set in between. Whole milliseconds may be one off."""
        parted = (later.shown - self.shown) / 1000 - (later.at - self.at)
        return abs(parted) > self.error(later.at) + later.took / 2 + 0.001


class Clocks:
    """See the module.

    Args:
        monotonic: seconds, by a clock that nobody sets.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._looks: dict[str, _Look] = {}
        """By channel, since each node of a cluster has a clock of its own. There are 64 channels at most."""

    def note(self, channel: str, shown: int, asked_at: float) -> None:
        """An answer has come that says what the clock showed; it was asked for at this time."""
        now = self.monotonic()
        look, known = _Look(shown, (asked_at + now) / 2, now - asked_at), self._looks.get(channel)
        if known is None or look.took / 2 <= known.error(now) or known.contradicts(look):
            self._looks[channel] = look

    def now(self, channel: str) -> int:
        """What the clock shows now, in milliseconds; 0 where no answer has told."""
        look = self._looks.get(channel)
        return look.shown + int((self.monotonic() - look.at) * 1000) if look else 0
