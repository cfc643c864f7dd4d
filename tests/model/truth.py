"""The small model: what must be stored and what may be, given what was sent, what was answered and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from server.core.model.signals import Stage
from server.core.state.fields import FIRST_ERROR, PROBLEMS
from server.core.state.view import View

from .loop import Life
from .world import CLOCK_SECONDS, Answer


@dataclass(eq=False)
class Sent:
    """One request.

    Args:
        kind: `beat`, `error` or `sighting`.
        name: the event id of an error, the code of a sighting.
        life: of the process that it was sent to.
        at: the step in which it was sent.
        sent_at: when, in seconds.
    """

    kind: str
    name: str
    life: Life
    at: int
    sent_at: float
    answer: Answer
    taken_at: int | None = None
    is_kept: bool = True
    """Whether it must be found, once it was answered."""
    is_counted: bool = True
    """Likewise, whether its count must be."""
    is_over: bool = False
    """Received before the last reset: it must not be found."""
    may_count_twice: bool = False


@dataclass
class Truth:
    """What is known of one project.

    Args:
        exists: whether it was made, and not deleted since.
        changed_at: when an owner last changed that, in seconds.
    """

    exists: bool = True
    changed_at: float = -100.0
    sent: list[Sent] = field(default_factory=list)
    is_forgotten: bool = False
    """Lost while no process knew it."""
    first: str | None = None
    """The first error, as it was found."""

    def starts_over(self, at: float) -> None:
        """An owner has reset the project, deleted it or made it again; what is under way may fall on either side."""
        for request in self.sent:
            # One that was judged later is of no epoch: its process had not met the project.
            request.is_over = request.taken_at is not None and not request.answer.is_unverified
            request.is_kept = request.is_counted = False
        self.first, self.changed_at = None, at

    def is_lost_with(self, life: Life) -> None:
        """A process was killed: the counts that it held back go with it."""
        for request in self.sent:
            if request.life is life:
                request.is_counted = False
                # Sent, and its answer lost as well: the file does not say under which number.
                request.may_count_twice = request.may_count_twice or life.had_trouble

    def may_be_lost(self, copied_at: int | None) -> None:
        """The store has lost something; what a process that lives has answered for is given back."""
        for request in self.sent:
            request.is_counted = False
            in_copy = copied_at is not None and request.taken_at is not None and request.taken_at < copied_at
            if request.life.is_over and not in_copy:
                request.is_kept = False
        self.first = None

    def check(self, view: View) -> None:
        """What is stored is what must be."""
        kept = [request for request in self.sent if request.is_kept and request.taken_at is not None]
        lowest = Stage.AWAITING
        if any(request.kind != "sighting" for request in kept):
            lowest = Stage.CONNECTED
        if any(request.kind == "error" for request in kept):
            lowest = Stage.FIRST_ERROR_RECEIVED
        assert view.stage >= lowest, f"{lowest} was answered, {view.stage} is stored"
        self._check_first(view, kept)
        for code in {request.name for request in self.sent if request.kind == "sighting"}:
            self._check_count(view, code)

    def _check_first(self, view: View, kept: list[Sent]) -> None:
        first = view.text(FIRST_ERROR)
        assert self.first in (None, first), f"the first error was {self.first} and is {first}"
        self.first = first
        if first is None:
            return
        error = next((request for request in self.sent if request.name == first), None)
        assert error, f"{first} was never sent"
        assert not error.is_over, f"{first} was received before the reset"
        earlier = [other.name for other in kept if other.kind == "error" and _comes_before(other, error)]
        assert not earlier or error.name in earlier, f"{first} is the first error, though {earlier} were taken before"

    def _check_count(self, view: View, code: str) -> None:
        sightings = [request for request in self.sent if request.name == code]
        least = sum(request.is_counted and request.taken_at is not None for request in sightings)
        most = sum(2 if request.may_count_twice else 1 for request in sightings if not request.is_over)
        found = view.number(PROBLEMS[code].total)
        assert least <= found <= most, f"{code}: {found} are stored, {least} … {most} were sent"
        if any(request.is_kept and request.taken_at is not None for request in sightings):
            assert found, f"{code} is not stored"


def _comes_before(one: Sent, other: Sent) -> bool:
    """Whether one was answered before the other was sent, as far as their processes can tell."""
    if (one.taken_at or 0) >= other.at:
        return False
    # Within one process that lives, the order is known. Two only have the store's clock in common, and each knows it as
    # well as an answer's way is short. What a process leaves on disk is as that of another.
    is_set = one.life.clock_was_set or other.life.clock_was_set
    is_known = one.life is other.life and not one.life.is_over
    return is_known or (not is_set and one.sent_at + CLOCK_SECONDS < other.sent_at)
