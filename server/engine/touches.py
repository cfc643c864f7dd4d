"""Heartbeats that say what the one before them said: of each project there is only the time of the last one to be kept.

That is most of what a server of many projects takes. One of these costs a comparison and no place: the time stands in
what is remembered of its project anyway, until it is written.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.state.beat import Beat, Saying
from ..core.state.view import QUIET_AFTER
from ..limits import WriterLimits
from .audience import Audience
from .memory import Memory
from .projects import Projects

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
        self._audience = audience
        self._monotonic = monotonic
        self._limits = limits
        self._beats: dict[tuple[int, str, int, bool], Beat] = {}
        """One object for all projects that say the same."""
        self._soon: list[Memory] = []
        self._due: dict[int, list[Memory]] = {}
        """By the second in which they are due."""

    def __bool__(self) -> bool:
        return bool(self._soon or self._due)

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
            self._wait(memory)
        memory.beat_at = max(memory.beat_at, at)
        return True

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
        self._soon.append(memory)  # where it stood, it is passed over
        return True

    def due(self, most: int, everything: bool = False) -> list[Memory]:
        """Those to be written now: all of them that somebody looks at, and of the others so many at most."""
        found, self._soon = [memory for memory in self._soon if memory.beat_at], []
        now, most = self._monotonic(), most + len(found)
        for second in sorted(self._due):
            if (second > now and not everything) or len(found) >= most:
                break
            found += self._of(second, most - len(found))
        return found

    def _of(self, second: int, most: int) -> list[Memory]:
        waiting = self._due[second]
        found, self._due[second] = waiting[:most], waiting[most:]
        if not self._due[second]:
            del self._due[second]
        return [memory for memory in found if memory.beat_at]

    def _wait(self, memory: Memory) -> None:
        if self._audience.has(memory.id):
            self._soon.append(memory)
        else:
            seconds = patience(memory.beat.interval if memory.beat else None, self._limits)
            self._due.setdefault(int(self._monotonic() + seconds), []).append(memory)


def patience(interval: float | None, limits: WriterLimits) -> float:
    """How many seconds what came may wait where nobody looks.

    Args:
        interval: of the heartbeats that were promised, in seconds. Nobody who reads what is stored may see a silence
            that is none. The next one comes within an interval; half of what it takes to be quiet is left to write it.
    """
    if interval is None:
        return limits.unwatched_seconds
    return min(limits.unwatched_seconds, max(0.0, interval * QUIET_AFTER / 2 - limits.lazy_seconds))
