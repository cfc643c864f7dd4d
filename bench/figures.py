"""What was measured: figures with their spread, and how one run compares with an earlier one."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

RISING = frozenset({"requests/s", "× bare", "viewers/s", "viewers", "% answered", "× peer"})
"""Units of which more is better; of all others less is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one server.

    Args:
        row: which measurement it is of.
        subject: which server.
        what: is measured, where a row has several: "p99".
        unit: of the values.
        values: one for each round.
        goal: the bound that was set, in the same unit; None for what is told only.
    """

    row: str
    subject: str
    what: str
    unit: str
    values: tuple[float, ...]
    goal: float | None = None

    @classmethod
    def read(cls, text: str) -> Figure:
        """From one line of JSON."""
        return msgspec.json.decode(text, type=cls)

    @property
    def json(self) -> str:
        """In one line."""
        return msgspec.json.encode(self).decode()

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Between the highest and the lowest round."""
        return max(self.values) - min(self.values)

    @property
    def rises(self) -> bool:
        """Whether more is better."""
        return self.unit in RISING

    @property
    def held(self) -> bool | None:
        """Whether it reaches its goal; None without one."""
        if self.goal is None:
            return None
        return self.median >= self.goal if self.rises else self.median <= self.goal

    def worse_than(self, before: Figure) -> bool:
        """Whether it is worse by more than either run's own spread, and by more than a twentieth."""
        loss = before.median - self.median if self.rises else self.median - before.median
        return loss > max(self.spread, before.spread, abs(before.median) / 20)


def worse(now: Iterable[Figure], before: Iterable[Figure]) -> list[tuple[Figure, Figure]]:
    """What got worse, each with what it was."""
    known = {(figure.row, figure.subject, figure.what, figure.unit): figure for figure in before}
    pairs = ((figure, known.get((figure.row, figure.subject, figure.what, figure.unit))) for figure in now)
    return [(figure, old) for figure, old in pairs if old and figure.worse_than(old)]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that so many do not exceed; the nearest rank, so that it is one that was measured."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def number(value: float) -> str:
    """With three digits that mean something."""
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"
