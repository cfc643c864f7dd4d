"""Which projects somebody looks at, at any process: what comes of them is written soon, of all others now and then."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

LEASE_SECONDS = 60.0
"""How long one word of it is good: hubs repeat it with each comparison, every 15 s, and nobody says when it is over."""
MAX_WATCHED = 100_000
"""Projects that are known to be looked at, 100 bytes each; of more, what comes is written later than it could be."""


class Audience:
    """See the module. One per process.

    Args:
        monotonic: seconds.
        learning_seconds: how long from now on it takes all for looked at: the others have not said yet whom they show.
    """

    def __init__(self, monotonic: Callable[[], float], learning_seconds: float = 0.0) -> None:
        self._monotonic = monotonic
        self._knows_at = monotonic() + learning_seconds
        self._until: dict[int, float] = {}

    def note(self, project_id: int) -> None:
        """Somebody looks at it."""
        now = self._monotonic()
        if project_id not in self._until and len(self._until) >= MAX_WATCHED:
            self._until = {number: until for number, until in self._until.items() if until > now}
        if project_id in self._until or len(self._until) < MAX_WATCHED:
            self._until[project_id] = now + LEASE_SECONDS

    def __contains__(self, project_id: object) -> bool:
        """Whether somebody is known to look at it, or to have done so a moment ago."""
        return isinstance(project_id, int) and self._until.get(project_id, -inf) > self._monotonic()

    def has(self, project_id: int) -> bool:
        """As `in`; as long as the others have not said yet whom they show, of any project."""
        return project_id in self or self._monotonic() < self._knows_at

    def ends_soon(self, project_id: int) -> bool:
        """Whether it should be said again that somebody looks."""
        until = self._until.get(project_id)
        return until is None or until < self._monotonic() + LEASE_SECONDS / 2
