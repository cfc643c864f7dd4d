"""A heartbeat as an application says it again and again: all of it but the time."""

from __future__ import annotations

from typing import TypeAlias

from ..model.signals import Source
from ..wire.observation import Observation
from .arrived import rows_of
from .fields import State
from .update import update_of

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
