"""Waiting for conditions: no test sleeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds until a condition counts as failed: long, since a passing test never waits for it."""


async def until(condition: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Wait until a condition is true, and return it.

    Raises:
        AssertionError: it was not in time.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        await asyncio.sleep(0.002)
    return value


async def until_answer(question: Callable[[], Awaitable[T | None]], seconds: float = PATIENCE) -> T:
    """As `until`, for a question that has to be awaited."""
    deadline = time.monotonic() + seconds
    while not (value := await question()):
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        await asyncio.sleep(0.005)
    return value
