"""How long a process could have gone on, and did not: the only time that a watchdog may count against it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
STEP_SECONDS = 1.0
"""What one look counts at most: who looks may have been stopped itself, or the whole machine suspended."""


class Pulse:
    """Of one process. By the clock alone, a busy machine, a debugger or a closed lid would look like a fault.

    - Who is stopped (SIGSTOP, a debugger) cannot go on, and nothing counts.
    - Who wants to run is counted the processor time that it had: the rest of the time others had it.
    - Who waits for something in the kernel is counted all of the time.

    Args:
        pid: its id.
        now: seconds, by a clock that only goes forward; as for `look`.
    """

    def __init__(self, pid: int, now: float) -> None:
        # Of its main thread, in which the loop is; that file also tells the state.
        self._path = Path(f"/proc/{pid}/task/{pid}/stat")
        self._at = now
        self._used = self._read()[1]
        self._still = 0.0

    def beat(self) -> None:
        """It has shown that it goes on."""
        self._still = 0.0

    def look(self, now: float) -> float:
        """Seconds that it could have gone on for since its last beat. To be asked about twice a second."""
        step, self._at = min(now - self._at, STEP_SECONDS), now
        before, (state, self._used) = self._used, self._read()
        if state == "R":
            self._still += min(step, self._used - before)
        elif state not in ("T", "t"):
            self._still += step
        return self._still

    def _read(self) -> tuple[str, float]:
        """State and processor time in seconds (proc(5)); where there is no such file, as on macOS, it seems to wait."""
        with suppress(OSError):
            fields = self._path.read_text().rpartition(")")[2].split()
            return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS
        return "S", 0.0
