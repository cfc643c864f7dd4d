"""Python runs this first in a server that is measured: it notes how long each garbage collection stops the world.

Written to the file that `BENCH_PROBE` names: one line for each pause, of its generation and its milliseconds. A signal
forces a full collection, which in production comes when it wants to.
"""

from __future__ import annotations

import gc
import os
import signal
import time

_began = 0.0


def _note(phase: str, info: dict[str, int]) -> None:
    global _began
    if phase == "start":
        _began = time.thread_time()
        return
    milliseconds = 1000 * (time.thread_time() - _began)
    with open(os.environ["BENCH_PROBE"], "a", encoding="ascii") as file:
        file.write(f"{info['generation']} {milliseconds:.3f}\n")


if os.environ.get("BENCH_PROBE"):
    gc.callbacks.append(_note)
    signal.signal(signal.SIGRTMIN + 5, lambda *_: gc.collect())
