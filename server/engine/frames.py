"""What is sent to viewers, and what a viewer is to the hub: a passive sink."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol, TypeVar

from ..core.model.close_codes import Close
from ..core.snapshot import DELAYED, PING, goodbye

T = TypeVar("T")


class Kind(IntEnum):
    """What a frame says. Of two that wait for the same slow viewer, the higher one is sent."""

    PING = 0
    DELAYED = 1
    GOODBYE = 2
    SNAPSHOT = 3


class Frame:
    """One message, encoded once for all viewers, and turned once into the form of each way that it is sent.

    Args:
        kind: what it says.
        data: the message as JSON.
        version: epoch and version of a snapshot.
    """

    __slots__ = ("_forms", "data", "kind", "version")

    def __init__(self, kind: Kind, data: bytes, version: tuple[str, int] | None = None) -> None:
        self.kind = kind
        self.data = data
        self.version = version
        self._forms: dict[Callable[[Frame], Any], Any] = {}

    @property
    def id(self) -> str | None:
        """`{epoch}:{version}` of a snapshot."""
        return f"{self.version[0]}:{self.version[1]}" if self.version else None

    def form(self, make: Callable[[Frame], T]) -> T:
        """The frame as a sink sends it, made by the first of these sinks for all of them."""
        # Keyed by the function itself, so that a new kind of sink needs no entry anywhere.
        made: T | None = self._forms.get(make)
        if made is None:
            made = self._forms[make] = make(self)
        return made


# Once for the process: its forms are then encoded once for all pings that are ever sent.
PING_FRAME = Frame(Kind.PING, PING)
DELAYED_FRAME = Frame(Kind.DELAYED, DELAYED)


def goodbye_frame(retry_in: float) -> Frame:
    """The last message before a planned close. `retry_in` in seconds."""
    return Frame(Kind.GOODBYE, goodbye(retry_in))


class Sink(Protocol):
    """Where the hub puts what a viewer is to see. It holds no policy, and nothing runs in it while it is idle.

    Both methods are called on the event loop, and neither blocks nor raises, whatever has become of the connection.
    """

    def offer(self, frame: Frame) -> None:
        """Send this, or keep it for when what was sent before has left: the newest only, see `Slot`."""

    def close(self, code: Close, reason: str) -> None:
        """Send what waits, then end the connection. Nothing is offered after it."""


class Slot:
    """What waits for a viewer that is slower than the news: one snapshot, and one word after it. No queue.

    A ping that finds anything waiting is left out: whatever is sent is a sign of life.
    """

    __slots__ = ("_snapshot", "_word")

    def __init__(self) -> None:
        self._snapshot: Frame | None = None
        self._word: Frame | None = None

    def put(self, frame: Frame) -> None:
        """Put a frame in place of what it makes worthless."""
        if frame.kind is Kind.SNAPSHOT:
            self._snapshot = frame
            # A goodbye stays: it says when to come back, also after the last snapshot.
            if self._word is not None and self._word.kind is not Kind.GOODBYE:
                self._word = None  # a snapshot ends a delay
        elif frame.kind is not Kind.PING or (self._snapshot is None and self._word is None):
            self._word = frame

    def take(self) -> Frame | None:
        """The next frame to send, if any."""
        # The snapshot first: a delay that was said after it is still true, and a goodbye is the last word.
        frame = self._snapshot or self._word
        if self._snapshot is not None:
            self._snapshot = None
        else:
            self._word = None
        return frame
