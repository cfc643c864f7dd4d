"""How many may watch: places by process, address and token, with a share that only owners and admins get.

How they are divided among the projects, the hub decides: see `server.engine.fair`.
"""

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
KEPT_FROM = {Rank.VIEWER: 2, Rank.OWNER: 1, Rank.ADMIN: 0}
"""How many times `ViewerLimits.kept` places a rank has to leave free."""
SHARE = 20
"""Of few places, a twentieth is kept at most."""


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
        self._kept = min(limits.kept, limits.per_process // SHARE)
        self._addresses: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()
        self.taken = 0

    def is_full(self, guest: Guest) -> bool:
        """Whether none is free that this guest may take."""
        return self.taken >= self._limits.per_process - KEPT_FROM[guest.rank] * self._kept

    def take(self, guest: Guest) -> None:
        """Take a place.

        Raises:
            Overloaded: there is none for this guest.
        """
        self._check(guest)
        self.taken += 1
        self._addresses[guest.address] += 1
        self._tokens[guest.grant.id] += 1

    def leave(self, guest: Guest) -> None:
        """Give the place back."""
        self.taken -= 1
        _less(self._addresses, guest.address)
        _less(self._tokens, guest.grant.id)

    def _check(self, guest: Guest) -> None:
        limits = self._limits
        if self.is_full(guest):
            raise Overloaded("No place for another viewer here now.")
        if guest.rank is Rank.ADMIN:  # the host application may watch all of its projects from one address
            return
        # By the grant's id, which a cookie and what it was traded for share: trading a token gives no second set of
        # places.
        if self._tokens[guest.grant.id] >= limits.per_token:
            raise Overloaded("This token watches in too many places at once. Close some of them.")
        if guest.address and self._addresses[guest.address] >= limits.per_address:
            raise Overloaded("Too many viewers come from this address.")


def _less(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    # A Counter keeps what has fallen to zero, and addresses are as many as strangers like.
    if counts[key] <= 0:
        del counts[key]
