"""What systemd is told where it asks (sd_notify(3), sd_watchdog_enabled(3)): that this serves, and that it goes on.

A single process has nobody else to notice that its loop stands still. The unit's `WatchdogSec=` then ends it with
SIGABRT, at which Python says where it stood, and starts it again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress


class Systemd:
    """One process that systemd has started, or none: then all of this does nothing.

    Args:
        env: where systemd says where it listens, and how long it waits.
        pid: of this process. Only the one that it started is watched, and not its workers.
        clock: seconds that only go forward.
    """

    def __init__(
        self, env: Mapping[str, str], pid: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        address = env.get("NOTIFY_SOCKET", "")
        # An abstract socket's name begins with a zero byte, which no variable can hold.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._clock = clock
        # Twice as often as it has to be, as the manual recommends; a half of nothing is never.
        self._pause = _watched_microseconds(env, os.getpid() if pid is None else pid) / 2e6 or float("inf")
        self._told_at = clock()

    def ready(self) -> None:
        """It serves."""
        self._tell("READY=1")

    def beat(self) -> None:
        """Its loop turns; to be called more often than it is told."""
        if self._clock() >= self._told_at + self._pause:
            self._told_at = self._clock()
            self._tell("WATCHDOG=1")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        # Whoever does not listen, or too slowly, must not end or hold up what serves.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.setblocking(False)
            way.sendto(state.encode(), self._address)


def _watched_microseconds(env: Mapping[str, str], pid: int) -> int:
    asked = env.get("WATCHDOG_USEC", "")
    is_other = env.get("WATCHDOG_PID", str(pid)) != str(pid)
    return int(asked) if asked.isdecimal() and not is_other else 0
