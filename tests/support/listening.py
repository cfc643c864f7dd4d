"""A listener that remembers what it was told."""

from __future__ import annotations

from server.core.model.project import Project
from server.core.state.fields import Effect
from server.core.state.view import View
from server.stores import Store, Told


class Ears:
    """Remembers every call, in order, as (`changed`, 42), (`edited`, 42), (`resync`, 0), (`away`, 0)."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.effects: list[Effect] = []
        self.told: list[View | None] = []

    def changed(self, project_id: int, effect: Effect, told: Told | None = None) -> None:
        """See stores.Listener."""
        self.heard.append(("changed", project_id))
        self.effects.append(effect)
        self.told.append(told() if told else None)

    def edited(self, project_id: int) -> None:
        """See stores.Listener."""
        self.heard.append(("edited", project_id))

    def deleted(self, project_id: int, version: int) -> None:
        """See stores.Listener."""
        self.heard.append(("deleted", project_id))

    def watched(self, project_id: int) -> None:
        """See stores.Listener."""
        self.heard.append(("watched", project_id))

    def resync(self) -> None:
        """See stores.Listener."""
        self.heard.append(("resync", 0))

    def away(self) -> None:
        """See stores.Listener."""
        self.heard.append(("away", 0))

    def count(self, word: str) -> int:
        """How often something was heard."""
        return sum(heard == word for heard, _ in self.heard)

    async def is_woken(self, store: Store, project: Project) -> bool:
        """Write a project; returns whether a wake-up of it was heard, now or before. One may be lost with a link."""
        await store.put(project)
        return ("edited", project.id) in self.heard
