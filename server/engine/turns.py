"""When what waits has its turn to be written: soon where somebody looks at its project, and else in some seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ..core.state.view import QUIET_AFTER
from ..limits import WriterLimits
from .audience import Audience

T = TypeVar("T")


class Turns(Generic[T]):
    """See the module. Whoever adds something sees to it that there are not too many.

    Args:
        audience: whose are written soon.
        monotonic: seconds.
        limits: how long the others may wait.
    """

    def __init__(self, audience: Audience, monotonic: Callable[[], float], limits: WriterLimits) -> None:
        self._audience = audience
        self._monotonic = monotonic
        self._limits = limits
        self._soon: deque[T] = deque()
        self._due: dict[int, list[T]] = {}
        """By the second in which they are due."""

    def __bool__(self) -> bool:
        return bool(self._soon or self._due)

    def wait(self, project_id: int, one: T, interval: float | None = None) -> None:
        """Let something wait for its turn; `interval` as for `patience`."""
        if self._audience.has(project_id):
            self._soon.append(one)
        else:
            seconds = patience(interval, self._limits)
            self._due.setdefault(int(self._monotonic() + seconds), []).append(one)

    def hurry(self, one: T) -> None:
        """Somebody looks: it has its turn now. Where it stood it is met again, with nothing that waits."""
        self._soon.append(one)

    def take(self, most: int, everything: bool = False) -> Iterator[T]:
        """Those whose turn it is: all that somebody looks at, and of the others so many at most.

        Each is taken when it is asked for: what is not asked for waits on.
        """
        left, now = len(self._soon), self._monotonic()  # and not what comes meanwhile, which would not end
        while left > 0 and self._soon:
            left -= 1
            yield self._soon.popleft()
        for second in sorted(self._due):
            if most <= 0 or (second > now and not everything):
                break
            waiting = self._due[second]
            while waiting and most > 0:
                most -= 1
                yield waiting.pop()
            if not waiting:
                del self._due[second]


def patience(interval: float | None, limits: WriterLimits) -> float:
    """How many seconds what came may wait where nobody looks.

    Args:
        interval: of the heartbeats that were promised, in seconds. Nobody who reads what is stored may see a silence
            that is none. The next one comes within an interval; half of what it takes to be quiet is left to write it.
    """
    if interval is None:
        return limits.unwatched_seconds
    return min(limits.unwatched_seconds, max(0.0, interval * QUIET_AFTER / 2 - limits.lazy_seconds))
