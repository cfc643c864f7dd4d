"""Fields that hold a few rows, each a short text with numbers: how two of them become one, and how they travel.

Both joins are bounded, and semilattices all the same: whatever a bound has cut off could not come back in any order or
grouping of updates. That holds because a row ranks by something that joining can only improve, or never touches.
"""

from __future__ import annotations

from typing import TypeAlias

MAX_ROWS = 20
"""Rows of one field: what a page shows, and 3 KiB of a state."""

Table: TypeAlias = dict[str, tuple[int, ...]]
"""The rows of a field: the numbers of each text. Never changed in place: updates and states share them."""


def newest(old: Table, new: Table) -> Table:
    """The newest rows of both. A row is (time, number); of the same text, the later one stays."""
    rows = dict(old)
    for text, row in new.items():
        rows[text] = max(row, rows.get(text, row))
    while len(rows) > MAX_ROWS:  # by one, as a rule
        del rows[min((row[0], text) for text, row in rows.items())[1]]
    return rows


def named(old: Table, new: Table) -> Table:
    """The smallest texts of both. A row is (last time, first time, flag), and each of the three joins by itself."""
    rows = dict(old)
    for text, (last, first, flag) in new.items():
        held = rows.get(text, (last, first, flag))
        rows[text] = (max(held[0], last), min(held[1], first), max(held[2], flag))
    return {text: rows[text] for text in sorted(rows)[:MAX_ROWS]}


# A store on another host sets one number to its own clock, and all times of the rows with it.
def packed(rows: Table) -> tuple[int, str]:
    """Rows as a pair of time and text: the latest time, and a line for each row, with times as ages at that time."""
    latest = max(row[0] for row in rows.values())
    return latest, "\n".join(f"{' '.join(map(str, _turned(row, latest)))} {text}" for text, row in rows.items())


def unpacked(latest: int, lines: str, width: int) -> Table:
    """The rows of a pair that `packed` made, with so many numbers each."""
    return dict(_row(line.split(" ", width), latest) for line in lines.split("\n"))


def _row(parts: list[str], latest: int) -> tuple[str, tuple[int, ...]]:
    return parts[-1], _turned(tuple(map(int, parts[:-1])), latest)


def _turned(row: tuple[int, ...], latest: int) -> tuple[int, ...]:
    """Times of a row as ages, or ages as times; its last number is neither."""
    return (*(latest - at for at in row[:-1]), row[-1])
