"""One who watches, as the hub sees it: a sink, what it was sent last, and when it was last spoken to."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ..core.model.close_codes import Close
from .frames import DELAYED_FRAME, PING_FRAME, Frame, Sink, goodbye_frame
from .seats import Guest
from .wheel import Timed

RETURN_SECONDS = 1.0
"""When to come back after the longest stay: there is no herd, since nobody else leaves now."""


class Viewer(Timed):
    """See the module. It costs no task and no timer: the hub offers, and the wheel rings for pings and for the end.

    Args:
        sink: where frames go.
        guest: who it is.
        project_id: what it watches.
        leave: called when the viewer leaves, at the end of its `with` block.
        silence: seconds without a frame after which it is pinged.
        now: the wheel's time.
        expires_at: when its token does, by the wheel's time.
        leaves_at: when it has to come back anew.
    """

    # Slots: 10,000 of these exist, and a dictionary for each would be more than all they hold.
    __slots__ = (
        "_expires_at",
        "_held",
        "_is_closed",
        "_is_delayed",
        "_leave",
        "_leaves_at",
        "_silence",
        "_sink",
        "_spoke_at",
        "guest",
        "project_id",
    )  # fmt: skip

    def __init__(
        self,
        sink: Sink,
        guest: Guest,
        project_id: int,
        leave: Callable[[Viewer], None],
        *,
        silence: float = inf,
        now: float = 0.0,
        expires_at: float = inf,
        leaves_at: float = inf,
    ) -> None:
        super().__init__()
        self.guest = guest
        self.project_id = project_id
        self._leave = leave
        self._sink = sink
        self._silence = silence
        self._spoke_at = now
        self._expires_at = expires_at
        self._leaves_at = leaves_at
        self._held: tuple[str, int] | None = None
        self._is_delayed = False
        self._is_closed = False

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Give the place back. Once."""
        self._leave(self)

    @property
    def due(self) -> float:
        """When the wheel has to ring, at the latest."""
        return min(self._expires_at, self._leaves_at, self._spoke_at + self._silence)

    def offer(self, frame: Frame, now: float) -> None:
        """Show a snapshot, if it is newer than what was shown, or ends a delay."""
        held, offered = self._held, frame.version
        if offered is None or self._is_closed:
            return
        # Another epoch is always news, whatever its version: a reset starts over. After a delay the same version is
        # sent again, as it is what ends the delay on the page.
        if held is None or held[0] != offered[0] or offered[1] > held[1] or self._is_delayed:
            # Set when it is offered and not when it was written: the sink keeps the newest, so it is sure to leave.
            self._held = offered
            self._is_delayed = False
            self._spoke_at = now
            self._sink.offer(frame)

    def delay(self, now: float) -> None:
        """Say, once, that the store is out of reach. The next snapshot ends it."""
        if not self._is_delayed:
            self._is_delayed = True
            self._send(DELAYED_FRAME, now)

    def dismiss(self, retry_in: float, code: Close = Close.RESTART) -> None:
        """Say goodbye and close. The client is asked to come back after `retry_in` seconds."""
        self._send(goodbye_frame(retry_in), self._spoke_at)
        self.close(code)

    def close(self, code: Close, reason: str = "") -> None:
        """End it. Nothing is sent afterwards."""
        if not self._is_closed:
            self._is_closed = True
            self._sink.close(code, reason)

    def ring(self, now: float) -> float | None:
        """End what has lasted long enough, and fill a silence with a ping."""
        if now >= self._expires_at:
            self.close(Close.TOKEN, "The token has expired.")
        elif now >= self._leaves_at:
            self.dismiss(RETURN_SECONDS, Close.GOING_AWAY)
        elif now >= self._spoke_at + self._silence:
            self._send(PING_FRAME, now)
        return None if self._is_closed else self.due

    def _send(self, frame: Frame, now: float) -> None:
        if not self._is_closed:
            # The wheel is not told: it rings too early once, and is given the later time then. So a push moves nothing
            # in it.
            self._spoke_at = now
            self._sink.offer(frame)
