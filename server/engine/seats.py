"""How many may watch: places by process, project, address and token, with a share that only owners and admins get."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum

from ..core.model.errors import Overloaded
from ..core.model.grant import Grant
from ..limits import ViewerLimits


class Rank(IntEnum):
    """Whose place it is; the higher one finds one when the lower does not."""

    VIEWER = 0
    OWNER = 1
    ADMIN = 2


# So that a crowd with a viewers' link cannot keep the owner out who would have to end it.
SHARE = {Rank.VIEWER: 0.9, Rank.OWNER: 0.95, Rank.ADMIN: 1.0}
"""Up to which part of the places of a project, and of the process, a rank may take one."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who asks to watch.

    Args:
        grant: what the token may do.
        address: the network that it comes from, empty for this process itself.
    """

    grant: Grant
    address: str = ""

    @property
    def rank(self) -> Rank:
        """Whose place it is."""
        if self.grant.project_id is None:
            return Rank.ADMIN
        return Rank.OWNER if self.grant.is_owner else Rank.VIEWER


class Seats:
    """Counts who watches. A name is counted as long as somebody sits under it, so the counts are bounded as the seats.

    Args:
        limits: how many of each.
    """

    def __init__(self, limits: ViewerLimits) -> None:
        self._limits = limits
        self._projects: Counter[int] = Counter()
        self._addresses: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self.taken = 0

    def take(self, project_id: int, guest: Guest) -> None:
        """Take a place.

        Raises:
            Overloaded: there is none for this guest.
        """
        self._check(project_id, guest)
        self.taken += 1
        self._projects[project_id] += 1
        self._addresses[guest.address] += 1
        self._tokens[guest.grant.id] += 1

    def leave(self, project_id: int, guest: Guest) -> None:
        """Give the place back."""
        self.taken -= 1
        _less(self._projects, project_id)
        _less(self._addresses, guest.address)
        _less(self._tokens, guest.grant.id)

    def _check(self, project_id: int, guest: Guest) -> None:
        limits, share = self._limits, SHARE[guest.rank]
        full = self.taken >= share * limits.per_process or self._projects[project_id] >= share * limits.per_project
        if full:
            raise Overloaded("No place for another viewer here now.")
        if guest.rank is Rank.ADMIN:  # the host application may watch all of its projects from one address
            return
        # By the grant's id, which a cookie and what it was traded for share: trading a token gives no second set of
        # places.
        if self._tokens[guest.grant.id] >= limits.per_token:
            raise Overloaded("This token watches in too many places at once. Close some of them.")
        if guest.address and self._addresses[guest.address] >= limits.per_address:
            raise Overloaded("Too many viewers come from this address.")


def _less(counts: Counter[int] | Counter[str], key: int | str) -> None:
    counts[key] -= 1  # type: ignore[index]
    # A Counter keeps what has fallen to zero, and addresses are as many as strangers like.
    if counts[key] <= 0:  # type: ignore[index]
        del counts[key]
