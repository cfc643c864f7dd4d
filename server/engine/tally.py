"""What happened how often, in plain Python: on the way of a request, a library's metric would cost 20 times as much."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts that only grow, of one process. Whoever exports them looks once a second (`server.metrics`)."""

    __slots__ = ("pushes", "refusals", "requests", "transitions")

    def __init__(self) -> None:
        self.requests = 0
        """Requests of SDKs."""
        self.refusals: Counter[str] = Counter()
        """Of those, the ones that were not answered 200, by code; there are as many as codes."""
        self.transitions: Counter[str] = Counter()
        """Projects that have reached a stage."""
        self.pushes = 0
        """Snapshots that were offered to viewers."""
