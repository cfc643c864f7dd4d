"""Which addresses and pages belong to a project: those that used a valid key of it, and those that watch it.

A request without a valid key from one of them is most likely the same developer's, and not a stranger's.
"""

from __future__ import annotations

from .clock import Clock


class _Met:
    __slots__ = ("is_used",)

    def __init__(self) -> None:
        self.is_used = False


class Senders:
    """See the module. One per process.

    Args:
        size: pairs that are remembered; those that still send stay.
    """

    def __init__(self, size: int) -> None:
        self._met: Clock[tuple[int, str], _Met] = Clock(size)

    def __len__(self) -> int:
        return len(self._met)

    def met(self, project_id: int, sender: str) -> None:
        """Remember an address (`network_of`), or the Origin of a page, that proved to belong to a project."""
        pair = (project_id, sender)
        met = self._met.get(pair)
        if met:
            met.is_used = True
        else:
            self._met.put(pair, _Met())

    def knows(self, project_id: int, sender: str) -> bool:
        """Whether it is one of this project's."""
        return self._met.get((project_id, sender)) is not None
