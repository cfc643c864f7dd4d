"""How much is measured: a quick run, or a full one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes of all measurements.

    Args:
        rounds: each server is measured so often, in turn with the others; one more warms up.
        requests: of one round.
        viewers: that watch at the same time.
        samples: pushes whose time is taken.
        seconds: that a paced load lasts.
        projects: that a worker knows.
        workers: 0 for the embedded store, and how many on Redis; each is a server that is measured.
        full: whether all peers that push are measured, and what takes long.
        slow_seconds: a round of a server that is slow.
    """

    rounds: int
    requests: int
    viewers: int
    samples: int
    seconds: float
    projects: int
    workers: tuple[int, ...]
    full: bool
    slow_seconds: float


QUICK = Plan(
    rounds=2,
    requests=1_000,
    viewers=2_000,
    samples=300,
    seconds=2.0,
    projects=3_000,
    workers=(0, 1),
    full=False,
    slow_seconds=0.6,
)
FULL = Plan(
    rounds=5,
    requests=4_000,
    viewers=10_000,
    samples=1_000,
    seconds=8.0,
    projects=50_000,
    workers=(0, 1, 2),
    full=True,
    slow_seconds=1.2,
)
