"""The usual causes when nothing arrives: a list that grows while somebody waits. Its words are in the messages."""

from __future__ import annotations

from collections.abc import Iterable

SILENCE_STEPS = (20_000, 60_000, 180_000)
"""Milliseconds of waiting after which more is said. Before the first, most people are still pasting the code."""

# The most frequent cause first: a plain `init()` is silent in every SDK that was measured, and with a release in most
# (docs/sdks.md).
_BY_STEP: tuple[tuple[str, ...], ...] = (("restarted", "init"), ("dsn", "exit"), ("container", "network", "debug"))


def checks_of(particular: Iterable[str], steps: int) -> tuple[str, ...]:
    """The names on the list after some steps of waiting, the most probable first.

    Args:
        particular: what platform and family add, from the second step on: the first is too early for details.
        steps: 1 … `len(SILENCE_STEPS)`.
    """
    first, *later = _BY_STEP[:steps]
    return (*first, *(particular if steps > 1 else ()), *(check for checks in later for check in checks))
