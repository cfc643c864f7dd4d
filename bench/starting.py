"""How long a server takes to start, and what it holds before anything happens."""

from __future__ import annotations

import time
from collections.abc import Iterator

from . import machine
from .figures import Figure
from .plan import Plan
from .rates import EMBEDDED
from .servers import firstlight


def start(plan: Plan) -> Iterator[Figure]:
    """From the command to the first answer; the first start warms the system's cache of files."""
    took, spent, held = [], [], []
    for _ in range(plan.rounds + 1):
        began = time.perf_counter()
        with firstlight() as served:
            took.append(time.perf_counter() - began)
            spent.append(machine.processor(served.pid))
            time.sleep(0.5)
            held.append(machine.memory(served.pid) / 1024)
    yield Figure("start", EMBEDDED, "until it serves", "s", tuple(took[1:]), 0.5)
    yield Figure("start", EMBEDDED, "processor", "s", tuple(spent[1:]))
    yield Figure("start", EMBEDDED, "memory at rest", "MiB", tuple(held[1:]), 40.0)
