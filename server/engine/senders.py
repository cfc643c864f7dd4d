"""Whose addresses and pages belong to a project: those that it was sent to from with a valid key, or is watched from.

So that a request without a key can be told from a stranger's: it is most likely the same developer's.
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
        if pair in self._met:
            return
        if len(self._met) >= self._size:
            for old in list(self._met)[: max(1, self._size // 10)]:
                del self._met[old]
        self._met[pair] = None

    def knows(self, project_id: int, sender: str) -> bool:
        """Whether it is one of this project's."""
        return (project_id, sender) in self._met
