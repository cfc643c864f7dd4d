"""A listener that remembers what it was told."""

from __future__ import annotations

from server.core.state.fields import Effect


class Ears:
    """Remembers every call, in order, as (`changed`, 42), (`edited`, 42), (`resync`, 0), (`away`, 0)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.effects: list[Effect] = []

    def changed(self, project_id: int, effect: Effect) -> None:
        """See stores.Listener."""
        self.heard.append(("changed", project_id))
        self.effects.append(effect)

    def edited(self, project_id: int) -> None:
        """See stores.Listener."""
        self.heard.append(("edited", project_id))

    def resync(self) -> None:
        """See stores.Listener."""
        self.heard.append(("resync", 0))

    def away(self) -> None:
        """See stores.Listener."""
        self.heard.append(("away", 0))

    def count(self, word: str) -> int:
        """How often something was heard."""
        return sum(heard == word for heard, _ in self.heard)
