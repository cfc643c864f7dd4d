"""Everybody who watches one project, as the hub sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from ..core.model.close_codes import Close
from ..core.model.project import Project
from ..core.state.fields import Update
from ..core.state.view import View
from .frames import Frame
from .viewer import Viewer
from .wheel import Timed

AT_ONCE = 100
"""Viewers that are pushed to before others have their turn: about a millisecond."""


class Watch(Timed):
    """The viewers of one project, what they were last offered, and when it has to be looked at again.

    Args:
        wake: reads the project again.
        age: is told that the snapshot has changed by time alone.
    """

    __slots__ = ("absences", "age", "clocked", "frame", "is_delayed", "is_dirty", "is_said", "newcomers", "project_id",
                 "pushed_at", "task", "told", "turns_at", "view", "viewers", "waits_until", "wake")  # fmt: skip

    def __init__(self, project_id: int, wake: Callable[[int], None], age: Callable[[int], None]) -> None:
        super().__init__()
        self.project_id = project_id
        self.wake = wake
        self.age = age
        self.viewers: set[Viewer] = set()
        self.newcomers: set[Viewer] = set()
        """Of these, who has not been offered anything yet."""
        self.view: View | None = None
        self.frame: Frame | None = None
        """The newest snapshot, since `pushed_at`."""
        self.is_dirty = False
        self.told: Callable[[], View | None] | None = None
        """What comes next, where the word that made it dirty said so."""
        self.is_delayed = False
        """Some were told that what they see may be old, and not yet that it is not."""
        self.is_said = False
        """Whether all processes were told that somebody looks."""
        self.clocked: str | None = None
        self.task: asyncio.Task[None] | None = None
        self.absences = 0
        """How often the store went away."""
        self.pushed_at = -inf
        self.turns_at = inf
        """When the snapshot changes by time alone."""
        self.waits_until = inf
        """When what was held back is due."""

    @property
    def due(self) -> float:
        """When to look, at the latest."""
        return min(self.turns_at, self.waits_until)

    def ring(self, now: float) -> float | None:
        """Look at the project again, if it is time."""
        if now >= self.due:
            is_held_back = now >= self.waits_until
            self.turns_at = self.waits_until = inf
            (self.wake if is_held_back else self.age)(self.project_id)
        return None if self.due == inf else self.due

    def add(self, viewer: Viewer) -> None:
        """One more watches."""
        self.viewers.add(viewer)
        self.newcomers.add(viewer)

    def discard(self, viewer: Viewer) -> None:
        """It watches no longer."""
        self.viewers.discard(viewer)
        self.newcomers.discard(viewer)

    def take(self, view: View) -> bool:
        """Hold a reading. Returns whether it says no more than the one before, which everybody has but newcomers."""
        held, self.view = self.view, view
        is_known = held is not None and not self.is_delayed and _names(held) == _names(view)
        self.is_delayed = False
        return is_known

    def audience(self, is_known: bool) -> list[Viewer]:
        """Who has to be offered what was read."""
        newcomers, self.newcomers = self.newcomers, set()
        # Else each of 10,000 who come back after a restart would cost a look at all who came before.
        # A copy: viewers come and leave while others have their turn. One who came meanwhile has caused a read of its
        # own.
        return list(newcomers if is_known else self.viewers)

    async def show(self, audience: list[Viewer], project: Project, frame: Frame, now: Callable[[], float]) -> None:
        """Offer a snapshot to those who may see it: a token can be revoked while it watches.

        Everybody else has a turn in between, as a thousand viewers take ten milliseconds.
        """
        absences = self.absences
        may_be_revoked = bool(project.revoked) or bool(project.tokens_valid_from)
        for start in range(0, len(audience), AT_ONCE):
            if start:
                # A heartbeat that comes now waits for a millisecond, not for the thousandth viewer.
                await asyncio.sleep(0)
            if self.absences != absences:
                return  # the store went away meanwhile: what was told then is truer than this
            group = audience[start : start + AT_ONCE]
            self._show(group if not may_be_revoked else self._allowed(group, project), frame, now())

    def _show(self, group: list[Viewer], frame: Frame, now: float) -> None:
        # No more than this for each: beside the write itself, all of it is what a push costs.
        here = self.viewers
        for viewer in group:
            if viewer in here:  # else it left meanwhile, and its connection may be gone
                viewer.offer(frame, now)

    def _allowed(self, group: list[Viewer], project: Project) -> list[Viewer]:
        allowed = []
        for viewer in group:
            if viewer.guest.grant.is_revoked(project):
                viewer.close(Close.TOKEN, "This token was revoked. Open the page again from your application.")
            else:
                allowed.append(viewer)
        return allowed

    def close(self, code: Close, reason: str) -> None:
        """End it for every viewer."""
        for viewer in list(self.viewers):
            viewer.close(code, reason)

    def delay(self, now: float) -> None:
        """Tell every viewer that what it sees may be old."""
        self.absences += 1
        self.is_delayed = True
        for viewer in list(self.viewers):
            viewer.delay(now)


def _names(view: View) -> tuple[str, int, Project, Update]:
    # The project as well: a token that is revoked changes no state. And the state: some of its fields leave the version
    # as it is, and since when somebody waits decides when the snapshot changes next.
    return view.epoch, view.version, view.project, view.state
