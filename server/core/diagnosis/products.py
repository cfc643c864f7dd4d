"""The product behind this server, and what it keeps of what SDKs send: all else is dropped there, without a word.

Each product is a file, `static/products/{name}.json`, with its sources and the day they were looked up. The code that
opens it is outside of the core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ..model.signals import Signal
from ..state import fields
from ..state.view import View
from .detection import Find, Finding
from .platforms import Platforms

STILL = 600_000
"""Milliseconds before the app was last seen in which it must have sent something to be said to send it still: what is
turned off is forgiven after that, and sessions and metrics come once a minute."""

_Version = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6}){0,2}$")]
# A product never hears of the first, and nobody misses the second.
_NEVER_MISSED = frozenset({Signal.HEARTBEAT, Signal.CLIENT_REPORT})


class Product(Struct, frozen=True, forbid_unknown_fields=True):
    """What one product keeps.

    Args:
        checked: when its sources were looked up.
        sources: where it says so.
        keeps: the signals, with the version since when; None for those that all versions of interest keep.
    """

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    checked: date
    sources: Annotated[tuple[str, ...], Meta(min_length=1)]
    keeps: Mapping[Signal, _Version | None]

    def drops(self, version: str | None) -> tuple[Signal, ...]:
        """What it does not keep. Of an unknown version it is taken that it is recent."""
        return tuple(signal for signal in Signal if signal not in _NEVER_MISSED and not self._keeps(signal, version))

    def _keeps(self, signal: Signal, version: str | None) -> bool:
        since = self.keeps.get(signal)
        if signal not in self.keeps or since is None or version is None:
            return signal in self.keeps
        return _numbers(version) >= _numbers(since)


def dropped_by(product: Product, version: str | None) -> Find:
    """Find that an app sends what this product drops."""
    dropped = product.drops(version)
    name = f"{product.name} {version}" if version else product.name

    def find(view: View, _: Platforms) -> Finding | None:
        seen = [signal for signal in dropped if _is_still_sent(view, signal)]
        if not seen:
            return None
        firsts, lasts = ([at for signal in seen if (at := when(signal))] for when in (view.first, view.last))
        evidence = {"product": name, "lost": ", ".join(signal.replace("_", " ") for signal in seen)}
        # The fix is for the first of them; once it is turned off, the next one has its turn.
        return Finding(min(firsts), max(lasts), evidence=evidence, variant=seen[0].value, values={"lost": seen})

    return find


def decode_product(data: bytes) -> Product:
    """Read the file of a product.

    Raises:
        ValueError: it is not what `Product` says; the message names the place.
    """
    return msgspec.json.decode(data, type=Product)


def parse_product(text: str) -> tuple[str, str | None] | None:
    """Read `glitchtip` or `glitchtip@6.0` as a name and a version; None where it is neither."""
    found = re.fullmatch(r"([a-z][a-z-]{0,39})(?:@([0-9]{1,6}(?:\.[0-9]{1,6}){0,2}))?", text.lower())
    return (found[1], found[2]) if found else None


def _is_still_sent(view: View, signal: Signal) -> bool:
    last, seen = view.last(signal), view.time(fields.LAST_SEEN_AT)
    return last is not None and seen is not None and last >= seen - STILL


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
