"""What the first error's stack lacks to be read, with the fix of the project's platform, and whether it is mended."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..state import fields
from ..state.view import View
from ..wire.readable import Lack
from .catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Lacking:
    """One thing that the first error lacked.

    Args:
        fix: code to copy; None where the platform has none.
        is_mended: whether the latest error of the same platform has it.
    """

    lack: Lack
    fix: str | None
    is_mended: bool


def lacking(view: View, catalogue: Catalogue) -> list[Lacking] | None:
    """What the first error lacks, the most telling first; None where there is none, or its stack is not judged."""
    first, latest = view.decoded(fields.FIRST_ERROR) or {}, view.decoded(fields.LACKS) or {}
    if first.get("lacks") is None:
        return None
    # Of the same platform only: the back end's next error says nothing of the front end's source maps.
    still = latest.get("lacks") if latest.get("platform") == first.get("platform") else None
    known = msgspec.convert(first["lacks"], tuple[Lack, ...])
    return [Lacking(lack, _fix(view, catalogue, lack), still is not None and lack not in still) for lack in known]


def _fix(view: View, catalogue: Catalogue, lack: Lack) -> str | None:
    family = catalogue.platforms.family_of(view)
    # A problem of its own, which says the same before there is an error.
    if lack is Lack.NO_RELEASE:
        return catalogue.fix_for(catalogue.rules["missing_release"], family)
    return catalogue.platforms.readable_for(family, lack)
