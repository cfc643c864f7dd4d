"""What an application says again and again, all of it but the time: a heartbeat, and an error after its first.

An error has an id and a size of its own as well, and nothing else that its project's state would keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from ..model.signals import Source
from ..wire.later import Later
from ..wire.observation import Observation
from .arrived import rows_of, rows_of_events
from .fields import ARRIVED, State, join
from .rows import MAX_ROWS
from .runs import is_marker
from .update import MAX_SKEW, update_of

Saying: TypeAlias = tuple[Observation, str, int, bool]
"""What is said, to which endpoint, in how many bytes, and whether requests are listed. A tuple, since what is compared
inside of one is quick where it is the same object."""


class Beat:
    """See the module."""

    __slots__ = ("saying",)

    def __init__(self, saying: Saying) -> None:
        self.saying = saying

    @property
    def interval(self) -> float | None:
        """How soon the next one is promised, in seconds."""
        return self.saying[0].interval

    def update(self, at: int) -> State:
        """What it changes when it comes at this time, in milliseconds."""
        observation, endpoint, size, lists = self.saying
        return update_of(observation, at) | rows_of(observation, Source.APP, at, endpoint, size, lists)


class Complaint(NamedTuple):
    """An error after the first, as far as others say the same.

    Args:
        observation: see `Later`.
        endpoint: where it was sent to.
        lists: whether requests are listed.
        tells_time: whether its sender tells the time, which agrees with this server's.
    """

    observation: Observation
    endpoint: str
    lists: bool
    tells_time: bool


class Occurrence(NamedTuple):
    """One of those errors: when it was received, in milliseconds, its id, and how many bytes it had."""

    at: int
    event_id: str
    size: int


MAX_OCCURRENCES = MAX_ROWS
"""As many errors as the list of the latest requests has rows."""


def complaint_of(later: Later, at: int, endpoint: str, lists: bool) -> Complaint | None:
    """What an error says; None where each one means something: its sender's clock is wrong, or a run is verified."""
    if later.observation.source is not Source.APP or is_marker(later.observation.app.environment):
        return None
    if later.sent_at is not None and abs(at - later.sent_at) > MAX_SKEW:
        return None
    return Complaint(later.observation, endpoint, lists, later.sent_at is not None)


def update_of_occurrences(complaint: Complaint, occurrences: Sequence[Occurrence]) -> State:
    """What some errors change that say the same."""
    ordered, said = sorted(occurrences), complaint.observation
    last, sent_at = ordered[-1], ordered[-1].at if complaint.tells_time else None
    update = update_of(replace(said, event_id=last.event_id, sent_at=sent_at), last.at)
    for at, event_id, size in (ordered[0], last):  # those between say nothing more of where it was seen
        one = replace(said, event_id=event_id)
        join(update, rows_of(one, Source.APP, at, complaint.endpoint, size, complaint.lists))
    if complaint.lists:
        update[ARRIVED] = rows_of_events(said, complaint.endpoint, ordered)
    return update
