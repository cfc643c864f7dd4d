"""Heartbeats that say what the one before them said: of each project there is only the time of the last one to be kept.

That is most of what a server of many projects takes. One of these costs a comparison and no place: the time stands in
what is remembered of its project anyway, until it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..core.state.beat import Beat, Saying
from ..core.state.fields import State
from ..limits import WriterLimits
from .audience import Audience
from .memory import Memory
from .projects import Projects
from .turns import Turns

MAX_BEATS = 4096
"""Heartbeats that projects share, under 2 KiB each."""


class Touches:
    """See the module. One per process, used from its event loop only.

    Args:
        projects: what is remembered.
        audience: whose are written soon.
        monotonic: seconds.
        limits: how long the others may wait.
    """

    def __init__(
        self, projects: Projects, audience: Audience, monotonic: Callable[[], float], limits: WriterLimits
    ) -> None:
        self._projects = projects
        self._turns: Turns[Memory] = Turns(audience, monotonic, limits)
        self._beats: dict[tuple[int, str, int, bool], Beat] = {}
        """One object for all projects that say the same."""

    def __bool__(self) -> bool:
        return bool(self._turns)

    def take(self, project_id: int, saying: Saying, at: int) -> bool:
        """Take a heartbeat, if it says nothing but that it came, at `at` milliseconds. Returns whether it did."""
        memory = self._projects.memory(project_id)
        if memory is None or memory.beat is None or memory.beat.saying != saying:
            return False
        return self.take_same(memory, at)

    def take_same(self, memory: Memory, at: int) -> bool:
        """As `take`, of a project of which it is known that it says what it said last."""
        if memory.has_problems:  # what may end one says more than that
            return False
        if not memory.beat_at:
            self._turns.wait(memory.id, memory, memory.beat.interval if memory.beat else None)
        memory.beat_at = max(memory.beat_at, at)
        return True

    def take_first(self, project_id: int, saying: Saying, at: int) -> bool:
        """As `take`, though it says something else than the one before, as long as that one does not wait still."""
        memory = self._projects.memory(project_id)
        if memory is None or memory.has_problems or memory.beat_at:
            return False
        self.begin(project_id, saying)
        return self.take_same(memory, at)

    def begin(self, project_id: int, saying: Saying) -> None:
        """Note a heartbeat that is stored, or on its way: the next one may say no more than that."""
        memory = self._projects.memory(project_id)
        if memory is None:
            return
        # By identity: the same body is the same observation (`observe_heartbeat`), and is held by what is kept here.
        key = (id(saying[0]), *saying[1:])
        if key not in self._beats:
            if len(self._beats) >= MAX_BEATS:
                self._beats.clear()
            self._beats[key] = Beat(saying)
        memory.begin(self._beats[key])

    def hurry(self, project_id: int) -> bool:
        """Somebody looks at a project. Returns whether anything of it waits."""
        memory = self._projects.memory(project_id)
        if memory is None or not memory.beat_at:
            return False
        self._turns.hurry(memory)
        return True

    def due(self, most: int, everything: bool = False) -> Iterator[tuple[int, str, State]]:
        """What is to be written now, of which project and epoch; of those that nobody looks at, so many at most."""
        for memory in self._turns.take(most, everything):
            at, memory.beat_at = memory.beat_at, 0
            if memory.beat and at:  # one may stand in two places
                yield memory.id, memory.epoch, memory.beat.update(at)
