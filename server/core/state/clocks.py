"""Times across clocks: versions that tell the time, and updates that travel to a store with a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable

from .fields import Field, Number, Rows, Stamped, Text, Update, Value
from .rows import packed, unpacked


def next_version(version: int, now: int) -> int:
    """A version above `version`, in microseconds of the store's clock.

    A clock, not a counter: a store that lost its last writes would give a counter's values out twice, and pages would
    take the wrong state for the one they have.

    Args:
        version: the last one.
        now: the store's clock, in milliseconds.
    """
    return max(version + 1, now * 1000)


def aged(update: Update, now: int) -> Iterable[tuple[Field, int, str]]:
    """An update as (field, number, text), with times as ages in milliseconds.

    A store on another host turns the ages into times of its own clock, so that clocks need not agree. A time that is
    yet to come counts as now: otherwise no later one could replace it.

    Args:
        now: the clock that the update's times are of, in milliseconds.
    """
    for field, value in update.items():
        number, text = written(value)
        yield field, number if isinstance(field, Number) else max(0, now - number), text


def written(value: Value) -> Stamped:
    """A value as a number and a text, which is how a store without types of its own keeps it."""
    if isinstance(value, dict):
        return packed(value)
    return value if isinstance(value, tuple) else (value, "")


def read(field: Field, number: int, text: str) -> Value:
    """The value of a field that was `written`."""
    if isinstance(field, Rows):
        return unpacked(number, text, field.width)
    return (number, text) if isinstance(field, Text) else number
