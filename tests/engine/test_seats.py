"""Places to watch: nobody takes them all."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from server.core.model.errors import Overloaded
from server.core.model.grant import EVERYTHING, Grant, Scope
from server.engine.seats import Guest, Seats
from server.limits import ViewerLimits

WIDE = {"per_process": 1000, "per_address": 1000, "per_token": 1000}


def viewer(address: str, token: str, scope: Scope = Scope.VIEW) -> Guest:
    """Somebody with a token of this id."""
    return Guest(Grant(1, scope, 0, token), address)


def owner(address: str, token: str) -> Guest:
    """The same, as an owner."""
    return viewer(address, token, Scope.OWNER)


def seats(**limits: Any) -> Seats:
    """Places, of which only these are few."""
    return Seats(ViewerLimits(**{**WIDE, **limits}))


def filled(places: Seats, guest: Any) -> int:
    """How many find a place, until one does not."""
    for number in count():
        try:
            places.take(guest(number))
        except Overloaded:
            return number
    raise AssertionError


@pytest.mark.parametrize(
    ("limit", "guest"),
    [
        ("per_token", lambda n: viewer(f"a{n}", "t")),
        ("per_token", lambda n: owner(f"a{n}", "t")),
        ("per_address", lambda n: viewer("a", f"t{n}")),
        ("per_address", lambda n: owner("a", f"t{n}")),
        ("per_process", lambda _: Guest(EVERYTHING, "a")),
    ],
)
def test_each_bound(limit: str, guest: Any) -> None:
    places = seats(**{limit: 20})
    assert filled(places, guest) == 20
    assert places.taken == 20


@pytest.mark.parametrize(("kept", "viewers", "owners"), [(50, 90, 5), (3, 94, 3)])
def test_a_share_is_kept_for_owners_and_one_for_the_admin(kept: int, viewers: int, owners: int) -> None:
    places = seats(per_process=100, kept=kept)
    assert filled(places, lambda n: viewer(f"a{n}", f"t{n}")) == viewers
    assert filled(places, lambda n: owner(f"b{n}", f"o{n}")) == owners
    assert filled(places, lambda n: viewer(f"c{n}", f"u{n}")) == 0
    assert filled(places, lambda n: Guest(EVERYTHING, "d")) == owners


def test_who_leaves_leaves_nothing_behind() -> None:
    places = seats(per_token=2)
    guests = [viewer(f"a{n}", f"t{n}") for n in range(10)]
    for _ in range(3):
        for guest in guests * 2:
            places.take(guest)
        for guest in guests * 2:
            places.leave(guest)
    assert places.taken == 0
    assert not any((places._addresses, places._tokens))


def test_a_refused_one_takes_nothing() -> None:
    places, guest = seats(per_token=1), viewer("a", "t")
    places.take(guest)
    for _ in range(5):
        with pytest.raises(Overloaded):
            places.take(guest)
    places.leave(guest)
    places.take(guest)
    assert places.taken == 1
