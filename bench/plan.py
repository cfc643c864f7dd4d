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
    """

    rounds: int
    requests: int
    viewers: int
    samples: int
    seconds: float
    projects: int


QUICK = Plan(rounds=3, requests=1_000, viewers=2_000, samples=300, seconds=2.0, projects=5_000)
FULL = Plan(rounds=7, requests=4_000, viewers=10_000, samples=1_000, seconds=10.0, projects=50_000)
