"""Errors after the first that say just what another one before them said: of each project, the last few are kept until
they are written, together.

A program in trouble sends the same error a hundred times a second, and its project's state would keep the id of the
last one, the times, and a line for each of the latest. So one of these costs a comparison and a place in a short list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from ..core.state.beat import MAX_OCCURRENCES, Complaint, Occurrence, update_of_occurrences
from ..core.state.fields import State, join
from ..limits import WriterLimits
from .audience import Audience
from .projects import Projects
from .turns import Turns

MAX_SAID = 4
"""Things that the errors of one project say in turn: those of a site and of its workers differ in the SDK."""
LOOKS = 16
"""Projects that are looked at for one that may be forgotten."""


class _Said:
    """What one project says, and which of it waits to be written."""

    __slots__ = ("complaint", "waiting")

    def __init__(self, complaint: Complaint) -> None:
        self.complaint = complaint
        self.waiting: list[Occurrence] = []


class _Complaining:
    """One project, in one epoch."""

    __slots__ = ("epoch", "project_id", "said")

    def __init__(self, project_id: int, epoch: str) -> None:
        self.project_id = project_id
        self.epoch = epoch
        self.said: list[_Said] = []

    @property
    def waits(self) -> bool:
        """Whether anything is to be written."""
        return any(said.waiting for said in self.said)

    def find(self, complaint: Complaint) -> _Said | None:
        for said in self.said:
            if said.complaint == complaint:
                return said
        return None


class Complaints:
    """See the module. One per process, used from its event loop only.

    Args:
        projects: what is remembered.
        audience: whose are written soon.
        monotonic: seconds.
        limits: of how many projects, and how long they may wait.
    """

    def __init__(
        self, projects: Projects, audience: Audience, monotonic: Callable[[], float], limits: WriterLimits
    ) -> None:
        self._projects = projects
        self._most = limits.complaining
        self._turns: Turns[_Complaining] = Turns(audience, monotonic, limits)
        self._known: dict[int, _Complaining] = {}

    def __bool__(self) -> bool:
        return bool(self._turns)

    def is_known(self, project_id: int, complaint: Complaint) -> bool:
        """Whether an error says nothing but that it came."""
        memory, known = self._projects.memory(project_id), self._known.get(project_id)
        # What may end a problem says more than that, and so does what comes first after a reset.
        if memory is None or known is None or memory.has_problems or known.epoch != memory.epoch:
            return False
        return known.find(complaint) is not None

    def take(self, project_id: int, complaint: Complaint, occurrence: Occurrence) -> None:
        """Take such an error."""
        known = self._known[project_id]
        if not known.waits:
            self._turns.wait(project_id, known)
        said = known.find(complaint)
        assert said is not None  # the caller asked `is_known`
        said.waiting.append(occurrence)
        if len(said.waiting) > MAX_OCCURRENCES:
            del said.waiting[0]

    def begin(self, project_id: int, complaint: Complaint) -> None:
        """Note what an error says that is stored, or on its way: the next one may say no more than that."""
        memory, known = self._projects.memory(project_id), self._known.get(project_id)
        if memory is None or (known is None and not self._has_room()):
            return
        if known is None or known.epoch != memory.epoch:
            known = self._known[project_id] = _Complaining(project_id, memory.epoch)
        if len(known.said) >= MAX_SAID:
            known.said = [said for said in known.said if said.waiting]
        if len(known.said) < MAX_SAID and known.find(complaint) is None:
            known.said.append(_Said(complaint))

    def _has_room(self) -> bool:
        if len(self._known) >= self._most:
            # Those that go on are back with their next error. Some and not all: where everything waits, each request
            # would look through ten thousand in vain.
            for number in list(islice(self._known, LOOKS)):
                known = self._known.pop(number)
                if known.waits:
                    self._known[number] = known  # the last now, so that others are looked at next
        return len(self._known) < self._most

    def hurry(self, project_id: int) -> bool:
        """Somebody looks at a project. Returns whether anything of it waits."""
        known = self._known.get(project_id)
        if known is None or not known.waits:
            return False
        self._turns.hurry(known)
        return True

    def due(self, most: int, everything: bool = False) -> Iterator[tuple[int, str, State]]:
        """What is to be written now, of which project and epoch; of those that nobody looks at, so many at most."""
        for known in self._turns.take(most, everything):
            update: State = {}
            for said in known.said:
                if said.waiting:
                    join(update, update_of_occurrences(said.complaint, said.waiting))
                    said.waiting.clear()
            if update:
                yield known.project_id, known.epoch, update
