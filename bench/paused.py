"""The server, and how long its garbage collector stops it.

python -m bench.paused FILE   serves; after SIGUSR1 the longest pause since the last one, and that of a full collection,
both in milliseconds of processor time, are written to the file
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from pathlib import Path

from server.command.cli import main


class Pauses:
    """Measures each collection."""

    def __init__(self, told: Path) -> None:
        self.longest = 0.0
        self._told = told
        self._began = 0.0

    def note(self, phase: str, _: dict[str, int]) -> None:
        """See `gc.callbacks`."""
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.longest = max(self.longest, time.thread_time() - self._began)

    def tell(self, *_: object) -> None:
        """Write down what was seen, and how long a full one takes."""
        longest, self.longest = self.longest, 0.0
        gc.collect()
        self._told.write_text(f"[{1e3 * longest}, {1e3 * self.longest}]", encoding="ascii")
        self.longest = 0.0


if __name__ == "__main__":
    pauses = Pauses(Path(sys.argv.pop(1)))
    gc.callbacks.append(pauses.note)
    signal.signal(signal.SIGUSR1, pauses.tell)
    sys.argv.append("serve")
    main()
