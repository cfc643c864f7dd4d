"""A run as text: a table for each row, docs/benchmarks.md, and JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from .figures import Figure, number
from .rows import BY_NAME, Row

BEGIN, END = "<!-- made by `make bench FULL=1` -->\n", "<!-- end -->\n"
"""What a run writes stands between these."""


@dataclass(slots=True)
class Run:
    """All that one run measured.

    Args:
        machine: what it ran on.
        full: or quick.
        missing: peers that could not be installed, and why.
        load: averages before and after.
        figures: in the order of the rows.
        failed: rows that could not be measured, and why.
        seconds: that it took.
        day: when.
    """

    machine: dict[str, str]
    full: bool
    missing: dict[str, str]
    load: list[float]
    figures: list[Figure] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    day: str = field(default_factory=lambda: datetime.date.today().isoformat())

    @property
    def json(self) -> str:
        """One figure on each line."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"

    @classmethod
    def read(cls, text: str) -> Run:
        """From JSON. Raises `msgspec.ValidationError` where it is of another form."""
        return msgspec.json.decode(text, type=cls)


def written(text: str, made: str) -> str:
    """A document with what a run has made in its place."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{made}{END}{rest.partition(END)[2]}"


def tables(run: Run) -> str:
    """The machine, what has a goal, and each row."""
    parts = ["## The machine\n", on_machine(run), "## In one table\n", summary(run.figures)]
    for row in BY_NAME.values():
        figures = [figure for figure in run.figures if row.name == figure.row or shares(figure, row)]
        if figures or row.name in run.failed:
            parts.append(section(row, figures, run.failed.get(row.name, "")))
    return "\n".join(parts)


def shares(figure: Figure, row: Row) -> bool:
    """Whether a figure of another name is measured by this row's command."""
    return figure.row == "put" and row.name == "projects"


def on_machine(run: Run) -> str:
    """What it ran on, and what else that did."""
    size = "full" if run.full else "quick"
    load = f"load average {run.load[0]:.2f} before and {run.load[-1]:.2f} after"
    lines = [f"{run.day}, a {size} run of {run.seconds:.0f} s; {load}."]
    lines += [f"Without {name}: {why}." for name, why in run.missing.items()]
    table = ["", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in run.machine.items()), ""]
    return "\n".join(lines + table)


def summary(figures: Iterable[Figure]) -> str:
    """What has a goal."""
    lines = ["| row | server | what | measured | goal | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        if figure.goal is not None:
            held = "held" if figure.held else "**not held**"
            lines.append(
                f"| {figure.row} | {figure.subject} | {figure.what} | {value(figure)} | {goal(figure)} | {held} |"
            )
    return "\n".join([*lines, ""])


def section(row: Row, figures: Sequence[Figure], failed: str) -> str:
    """One row: its command, its goal, and all its figures."""
    lines = [f"## {row.title}", "", f"`make bench ROWS={row.name}`; goal: {row.goal}.", ""]
    if failed:
        lines += [f"Not measured: {failed}", ""]
    if figures:
        lines += ["| server | what | median | lowest … highest |", "|---|---|---|---|"]
        lines += [
            f"| {figure.subject} | {figure.what} | {value(figure)}{mark(figure)} | {spread(figure)} |"
            for figure in figures
        ]
        lines.append("")
    return "\n".join(lines)


def value(figure: Figure) -> str:
    """The median, with its unit."""
    return f"{number(figure.median)} {figure.unit}"


def mark(figure: Figure) -> str:
    """Where a goal is not held."""
    return " **(goal " + goal(figure) + ")**" if figure.held is False else ""


def goal(figure: Figure) -> str:
    """The bound."""
    return ("≥ " if figure.rises else "≤ ") + number(figure.goal or 0.0)


def spread(figure: Figure) -> str:
    """Of the rounds."""
    return f"{number(min(figure.values))} … {number(max(figure.values))}" if len(figure.values) > 1 else "one round"


def change(now: Figure, then: Figure) -> str:
    """What a figure was, and is."""
    return f"{now.row}, {now.subject}, {now.what}: {value(now)}, was {value(then)} ({spread(now)}, was {spread(then)})"
