"""A viewer that waits: the hub's frames on their way to a WebSocket, and nothing that runs while there is none."""

from __future__ import annotations

from collections.abc import Callable

from websockets.frames import Opcode

from ..core.model.close_codes import Close
from ..engine.frames import Frame, Sink, Slot
from ..engine.viewer import Viewer
from .connections import FOREVER, State
from .websocket_frames import frame_of
from .websocket_protocol import WebSocketProtocol

WATCHING = State.WATCHING  # looked up once: an enum's members are slow to reach, and there are many viewers

Attach = Callable[[Sink], Viewer]
"""Takes a place in the hub. May raise `Overloaded`."""


class Watching:
    """What the hub calls (`Sink`), and what the socket tells of its client (`Side`).

    Args:
        socket: is written to.
        attach: gives the place that is left at the end.
    """

    __slots__ = ("_slot", "_socket", "_viewer")

    def __init__(self, socket: WebSocketProtocol, attach: Attach) -> None:
        self._socket = socket
        self._slot: Slot | None = None
        """What came while the client did not read: the newest only."""
        self._viewer = attach(self)

    def offer(self, frame: Frame) -> None:
        """See `Sink`."""
        socket = self._socket
        if socket.state is not WATCHING:
            return
        if socket.stalled_at == FOREVER:
            # The same bytes for all viewers, made once; the transport hands them to the kernel there and then.
            socket.transport.write(frame.form(_as_text))
        else:
            self._slot = self._slot or Slot()
            self._slot.put(frame)

    def close(self, code: Close, reason: str) -> None:
        """See `Sink`."""
        self._empty()  # also where it does not read: two frames at most, and then nothing more
        self._socket.end(code, reason)

    def hear(self, is_text: bool, data: bytes) -> None:
        """See `Side`. A client that needs no token says hello all the same; the socket lets nothing more through."""

    def flow(self) -> None:
        """See `Side`."""
        self._empty()

    def leave(self, code: int) -> None:
        """See `Side`."""
        self._viewer.leave()

    def _empty(self) -> None:
        slot, self._slot = self._slot, None
        while slot is not None and (frame := slot.take()) is not None:
            self._socket.transport.write(frame.form(_as_text))


def _as_text(frame: Frame) -> bytes:
    return frame_of(Opcode.TEXT, frame.data)
