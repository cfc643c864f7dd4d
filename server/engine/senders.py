"""Which addresses and pages belong to a project: those that used a valid key of it, and those that watch it.

A request without a valid key from one of them is most likely the same developer's, and not a stranger's.
"""

from __future__ import annotations


class Senders:
    """See the module. One per process.

    Args:
        size: pairs that are remembered; the oldest are forgotten first.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._met: dict[tuple[int, str], None] = {}

    def __len__(self) -> int:
        return len(self._met)

    def met(self, project_id: int, sender: str) -> None:
        """Remember an address (`network_of`), or the Origin of a page, that proved to belong to a project."""
        pair = (project_id, sender)
        # Not moved to the end: this is on the way of every request, and what is forgotten is met again with the next
        # one.
        if pair in self._met:
            return
        if len(self._met) >= self._size:
            # A tenth at a time, see `Projects`.
            for old in list(self._met)[: max(1, self._size // 10)]:
                del self._met[old]
        self._met[pair] = None

    def knows(self, project_id: int, sender: str) -> bool:
        """Whether it is one of this project's."""
        return (project_id, sender) in self._met
