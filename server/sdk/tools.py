"""What the door works with: made once by the composition root, and found in the lifespan's state under `sdk`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from ..core.wire.kept import Keep
from ..engine.limits import ConcurrencyLimit, Room
from ..engine.projects import Projects
from ..engine.senders import Senders
from ..engine.tally import Tally
from ..engine.unverified import Unverified
from ..engine.writer import Writer
from ..limits import SdkLimits
from .gate import Gate


@dataclass(frozen=True, slots=True)
class Tools:
    """See the module.

    Args:
        projects: what is known, and whose a key is.
        writer: the one write door.
        unverified: what comes while the store is away, for projects that are not known here.
        senders: which addresses and pages are a project's own.
        gate: how much may come.
        long_bodies: places for bodies of several parts with a valid key, by address and project.
        keyless_bodies: places for those whose key is in their first line, by address.
        room: memory for bodies of several parts.
        limits: all other bounds.
        max_body: bytes of one request, as sent and decompressed.
        keep: how much of an error is written down.
        lists: whether the latest requests are listed.
        tally: counts requests and refusals.
    """

    projects: Projects
    writer: Writer
    unverified: Unverified
    senders: Senders
    gate: Gate
    long_bodies: ConcurrencyLimit[str]
    keyless_bodies: ConcurrencyLimit[str]
    room: Room
    limits: SdkLimits
    max_body: int
    keep: Keep
    lists: bool
    tally: Tally


class State(TypedDict):
    """What this door needs of the application."""

    sdk: Tools
    direct: object  # the same without ASGI, see `direct`


def make_tools(
    projects: Projects,
    writer: Writer,
    unverified: Unverified,
    senders: Senders,
    monotonic: Callable[[], float],
    limits: SdkLimits,
    max_body: int,
    keep: Keep,
    lists: bool = True,
    tally: Tally | None = None,
) -> Tools:
    """The tools of one process, for these bounds."""
    return Tools(
        projects,
        writer,
        unverified,
        senders,
        Gate(monotonic, limits),
        ConcurrencyLimit(limits.long_bodies, limits.long_bodies_each),
        ConcurrencyLimit(limits.keyless_bodies, limits.keyless_bodies_each),
        Room(max(limits.arriving_bytes, 2 * max_body)),
        limits,
        max_body,
        keep,
        lists,
        tally or Tally(),
    )
