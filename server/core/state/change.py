"""What one update did to a project, as the store reports it. Everything that reacts to it switches on its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model.signals import Stage
from .fields import Effect, Field


@dataclass(frozen=True, slots=True)
class Change:
    """What was decided in the one atomic step that wrote an update.

    Args:
        fields: what changed, and what each change means. A field with the join `once` appears for exactly one update,
            however many say the same: that one was the first.
        before: the stage before the update.
        after: the stage after it.
        version: of the state after it.
    """

    # Both stages, although `STAGE` is a field: `fields` only says that it changed, and not from what.
    fields: Mapping[Field, Effect]
    before: Stage
    after: Stage
    version: int = field(default=0, compare=False)

    @property
    def effect(self) -> Effect:
        """The strongest effect of all; `SILENT` where nothing changed."""
        return max(self.fields.values(), default=Effect.SILENT)
