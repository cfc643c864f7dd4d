"""Which fields of a state are known, as one whole number: all that it takes to tell whether an update is news.

A process meets a million projects, and of each it has to know what its next request would mean. The values do not
decide that, but for the stage: whatever else is known already is a refresh, by the table of meaning. So a bit for each
field is enough, and two more for how far the project is.
"""

from __future__ import annotations

from ..model.signals import Stage
from .fields import FIELDS, STAGE, Effect, Field, Update, stage_of

_BITS: dict[Field, int] = {field: 1 << number for number, field in enumerate(FIELDS.values())}
_STAGES: dict[Stage, int] = {stage: ((1 << stage) - 1) << len(_BITS) for stage in Stage}
"""A bit for each stage that is reached; the first one is where everybody begins."""


def bits_of(update: Update) -> int:
    """The fields of an update or a state, and the stages that it has reached."""
    bits = _STAGES[stage_of(update)]
    for field in update:
        bits |= _BITS[field]
    return bits


def has(bits: int, field: Field) -> bool:
    """Whether a field is among them."""
    return bits & _BITS[field] != 0


def effect_of(known: int, told: int) -> Effect:
    """What an update would mean where this much is known. The strongest of its fields counts.

    For the process's own copy, to choose a lane before the store has decided. It may be behind, or the value may be the
    same as before, and then it says too much: a write is made at once that could have waited.

    Args:
        known: `bits_of` the state.
        told: `bits_of` the update.
    """
    new, again = told & ~known, told & known
    for effect, first, later in _BY_EFFECT:
        if new & first or again & later:
            return effect
    return Effect.SILENT


def _by_effect(effect: Effect) -> tuple[Effect, int, int]:
    """The fields that mean this where they are new, and where they are known already."""
    first = sum(bit for field, bit in _BITS.items() if field.first is effect)
    # Of the stage, which never falls, only another one is a change, and that has a bit of its own.
    later = sum(bit for field, bit in _BITS.items() if field.later is effect and field is not STAGE)
    reached = _STAGES[max(Stage)] if STAGE.later is effect else 0
    return effect, first | reached, later


_BY_EFFECT = [_by_effect(effect) for effect in sorted(Effect, reverse=True)]
