"""Places among projects: one may have them all, until others want some.

As long as places are free, nobody is counted. When all are taken, whoever comes to watch another project gets the place
of a viewer of the project that has the most, down to `ViewerLimits.per_project`, which each may keep. So the projects
end up with as many as they want, or with equal shares (max-min fairness), and no place is left empty for that.
"""

from __future__ import annotations

from itertools import islice

from ..core.model.close_codes import Close
from .watch import Watch

LOOKED_AT = 20
"""Viewers of the largest project of whom the one goes who costs least: not the owner."""
RETURN_SECONDS = 10.0
"""When who made room may ask again."""


class Fair:
    """The projects that have more places than each may keep.

    Args:
        sure: how many that is.
    """

    def __init__(self, sure: int) -> None:
        self._sure = sure
        self._large: set[Watch] = set()

    def note(self, watch: Watch) -> None:
        """Its viewers have become more, or fewer."""
        # A list of the large ones alone: to look for the largest of 19,000 for each newcomer would be a flood's weapon.
        if len(watch.viewers) > self._sure:
            self._large.add(watch)
        else:
            self._large.discard(watch)

    def make_room(self, newcomers: Watch | None) -> None:
        """Dismiss a viewer of the largest project, if it has more than the one that somebody comes to watch."""
        largest = max(self._large, key=lambda watch: len(watch.viewers), default=None)
        if largest is None or (newcomers is not None and len(newcomers.viewers) >= len(largest.viewers)):
            return
        least = min(islice(largest.viewers, LOOKED_AT), key=lambda viewer: viewer.guest.rank)
        least.dismiss(RETURN_SECONDS, Close.OVERLOADED)
